"""The lines that workers write into the log of a session. A *log line* is no transition; see ``session_rules``."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

MAX_LINES: Final = 100
"""Lines that one update may have, before those with line ends are split."""

MAX_SPLIT_LINES: Final = 1000
"""Lines that they may become."""

MAX_READ_LINES: Final = 1000
"""Lines that a reader may ask for at a time."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")


class NewLine(NamedTuple):
    """A line as a worker writes it, `ago_ms` milliseconds ago (`None`: as its update); line ends make it several."""

    text: str
    level: LogLevel = "info"
    ago_ms: int | None = None


class LogLine(NamedTuple):
    """A line as a session keeps it, without line ends; `step` of `None`: about the session. The store numbers it."""

    at: str
    step: int | None
    level: LogLevel
    text: str


def split_count(lines: Iterable[NewLine]) -> int:
    """Return at least how many lines these become."""
    return sum(1 + line.text.count("\n") + line.text.count("\r") for line in lines)


def split_text(text: str) -> Iterator[str]:
    """Yield the lines of a text; a line end at its end begins no further one."""
    if "\n" not in text and "\r" not in text:
        yield text
        return
    lines = _LINE_END.split(text)
    yield from lines if lines[-1] else lines[:-1]
