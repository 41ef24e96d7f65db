"""Foreign text, and the lines of a log, without characters that act on a terminal or a page. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from progress_sse.core.log_lines import LogLine

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


def log_texts(lines: Sequence[LogLine], missed: int) -> list[str]:
    """Return lines in plain text, in the time zone of this machine, and before them how many are not kept."""
    gap = f"… {missed} {'line' if missed == 1 else 'lines'} not kept"
    return [*([gap] if missed else []), *(log_line(line, None) for line in lines)]


def log_line(line: LogLine, zone: tzinfo | None = UTC) -> str:
    """Return a line in plain text: when it was written, its step, its level where that is not `info`, and its text."""
    at = datetime.fromisoformat(line.at).astimezone(zone)
    step = "" if line.step is None else f" [{line.step}]"
    level = "" if line.level == "info" else f" {line.level.upper()}"
    return f"{at:%Y-%m-%d %H:%M:%S}{f' {at:%Z}' if zone else ''}{step}{level} {one_line(line.text)}"
