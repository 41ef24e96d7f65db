"""Text from elsewhere, without what would make a terminal do something, or a page look broken. Pure."""

import re
from typing import Final

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
"""Control sequences, control strings, and other escapes [ECMA-48 §5.3 to §5.6]."""

_UNFIT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but for tabs and line feeds, other line ends, and what turns the direction of its neighbours."""


def plain(text: str) -> str:
    """Return the text as a terminal would leave it, in its lines, without colours or anything else but characters."""
    return _UNFIT.sub("", "\n".join(map(_left_of, _ESCAPES.sub("", text).split("\n"))))


def _left_of(line: str) -> str:
    """Return what a terminal shows of a line in the end: a progress bar overwrites its earlier states."""
    return line.rstrip("\r").rpartition("\r")[2]
