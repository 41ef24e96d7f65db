"""How `progress-sse list` shows sessions once: as a table of text, or as lines of JSON."""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from progress_sse.story.listed_session import listed_words
from progress_sse.story.session_state import SessionState

HEAD: Final = ("SESSION", "STATE", "DONE", "STEP", "CREATED", "TIME", "TITLE")

_WIDE: Final = frozenset("WF")


def table_lines(sessions: Iterable[SessionState], now_s: float) -> Iterator[str]:
    """Yield the lines of a table, with its head."""
    rows = [HEAD, *(listed_words(session, now_s) for session in sessions)]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield _line(row, widths)


def json_lines(sessions: Iterable[SessionState]) -> Iterator[str]:
    """Yield each session as lists have it, on a line of its own, in ASCII that no terminal obeys."""
    for session in sessions:
        yield json.dumps(session, separators=(",", ":"))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    marks = sum(unicodedata.combining(character) != 0 for character in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(character) in _WIDE for character in text)
