"""Foreign text without control sequences and other characters that act on a terminal or a page. Pure."""

import re
from typing import Final

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
"""Control sequences, control strings, and other escapes [ECMA-48 §5.3 to §5.6]."""

_UNFIT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters except tabs and line feeds, other line ends, and characters that change text direction."""


def plain(text: str) -> str:
    """Return the text as a terminal would show it in the end, in lines, without colours."""
    return _UNFIT.sub("", "\n".join(map(final_state, _ESCAPES.sub("", text).split("\n"))))


def one_line(text: str) -> str:
    """Return plain text without its line ends."""
    return " ".join(plain(text).split("\n"))


def final_state(line: str) -> str:
    """Return the final state of a line on a terminal: a progress bar overwrites its earlier states."""
    return line.rstrip("\r").rpartition("\r")[2]
