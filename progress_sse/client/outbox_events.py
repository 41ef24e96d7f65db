"""Outages and losses of a session's reports, and how the job gets them: in its log, or as errors if it wants that."""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from progress_sse.client.errors import ReportError
from progress_sse.client.own_log import log


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The server does not answer as it should; reports wait."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The server answers again after `away_s` seconds, in which `lost` reports were dropped."""

    away_s: float
    lost: int


@dataclass(frozen=True, slots=True)
class ReportDropped:
    """One or more reports will never be sent."""

    error: ReportError


@dataclass(frozen=True, slots=True)
class Recreated:
    """The server had lost the session, and it was created again."""


@dataclass(frozen=True, slots=True)
class LinesRefused:
    """The server has refused lines of the log."""

    reason: str


Event: TypeAlias = Disconnected | Reconnected | ReportDropped | Recreated | LinesRefused


MAX_KINDS: Final = 20
"""Kinds of errors that a queue warns of; the server names them, so their number must be limited."""


class EventLog:
    """The events of one queue in the log of the job."""

    def __init__(self, where: str, errors: deque[ReportError] | None) -> None:
        """Begin; `where` names the session and the server, and `errors` gets the first error while it is empty."""
        self._where = where
        self._errors = errors
        self._warned_of: set[str] = set()

    def take(self, events: Sequence[Event]) -> None:
        """Log events."""
        where = self._where
        for event in events:
            match event:
                case Disconnected(reason):
                    self._warn("away", "cannot report on %s and will try again: %s", where, reason)
                case Reconnected(away_s, lost):
                    text = "can report on %s again, after %.1f s in which %d reports were lost"
                    log(logging.WARNING if lost else logging.INFO, text, where, away_s, lost)
                case Recreated():
                    self._warn("recreated", "the server had lost %s: it was created again", where)
                case LinesRefused(reason):
                    self._warn("lines", "log lines of %s were refused: %s", where, reason)
                case ReportDropped(error):
                    if self._errors is not None and not self._errors:
                        self._errors.append(error)
                    kind = getattr(error, "problem", "away for long")
                    self._warn(kind, "lost a report on %s: %s", where, error)

    def _warn(self, kind: str, text: str, *args: object) -> None:
        """Warn once of each kind of error; repeats are only counted."""
        is_news = kind not in self._warned_of and len(self._warned_of) < MAX_KINDS
        if is_news:
            self._warned_of.add(kind)
        log(logging.WARNING if is_news else logging.DEBUG, text, *args)
