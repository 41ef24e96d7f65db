"""The log of the client, and whether the code that runs now sends or logs for the client: no record of the job."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from progress_sse.client.errors import ReportError, SuppressReportingErrors

is_sending: Final = ContextVar("progress_sse_is_sending", default=False)
"""Whether this code runs in a block of `sending`."""


@contextmanager
def sending() -> Iterator[None]:
    """Mark what runs in this block as ours, also within a transport of the application."""
    token = is_sending.set(True)
    try:
        yield
    finally:
        is_sending.reset(token)


_logger: Final = logging.getLogger("progress_sse.client")


def log(level: int, text: str, *args: object) -> None:
    """Log, and suppress errors of logging, for example of a closed stderr.

    A handler may log the record again by another name, as those do that log what comes to stderr.
    """
    with SuppressReportingErrors(), sending():
        _logger.log(level, text, *args, stacklevel=2)


class Event(NamedTuple):
    """An outage or a loss of a session's reports.

    Attributes:
        kind: Its kind; of each kind the first event is a warning.
        text: What is logged, with places for the session and the detail.
        detail: The reason, which may be an error for the job.
        level: The level of the record; `None`: a warning for the first of each kind, and later ones for debugging.
    """

    kind: str
    text: str
    detail: object
    level: int | None = None


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
        """Log events, and keep the first error for a job that asked for errors."""
        for kind, text, detail, level in events:
            if isinstance(detail, ReportError) and self._errors is not None and not self._errors:
                self._errors.append(detail)
            if level is None:
                is_news = kind not in self._warned_of and len(self._warned_of) < MAX_KINDS
                level = logging.WARNING if is_news else logging.DEBUG
                if is_news:
                    self._warned_of.add(kind)
            log(level, text, self._where, detail)
