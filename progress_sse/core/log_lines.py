"""The lines that workers write into the log of a session: frozen values, and what a text becomes.

A *log line* is no transition: it changes no session, and no history has it. For which lines a session takes, see
``session_rules``.
"""

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
    """A line as a worker writes it; with line ends in its text it becomes several.

    Attributes:
        ago_ms: How many milliseconds ago it was written; `None`: as long as its update.
    """

    text: str
    level: LogLevel = "info"
    ago_ms: int | None = None


class LogLine(NamedTuple):
    """A line as a session keeps it; the store numbers it.

    Attributes:
        at: The time stamp of when it was written.
        step: The number of the step that it is about; `None`: the session.
        text: Its text, without line ends.
    """

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
