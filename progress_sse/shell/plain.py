"""Text from elsewhere, without what would make a terminal do something, or a page look broken. Pure."""

import re
from typing import Final

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
"""Control sequences, control strings, and other escapes [ECMA-48 §5.3 to §5.6]."""

_OVERWRITTEN: Final = re.compile(r"[^\n]*\r(?=[^\r\n])")
"""What a terminal has shown, and then something else in its place: earlier states of somebody's progress bar."""

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but for tabs and line feeds, and those that turn the direction of what follows."""


def plain(text: str) -> str:
    """Return the text as a terminal would leave it, in its lines, without colours or anything else but characters."""
    return _CONTROLS.sub("", _OVERWRITTEN.sub("", _ESCAPES.sub("", text)))
