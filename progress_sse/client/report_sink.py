"""What receives the reports of a session: a queue (``report_queue``), or nothing where there is no server."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from progress_sse.client.reports import Log, Queueable

Prepare: TypeAlias = Callable[[], Callable[[], Queueable]]
"""Reads the job's objects, and returns a function that creates the report without them."""


class ReportSink(Protocol):
    """Receives the reports of a session."""

    @property
    def is_settled(self) -> bool:
        """Whether no report waits."""

    @property
    def lost(self) -> int:
        """How many reports will never reach the server."""

    def begin(self) -> None:
        """Let the session be created, if it is to be, before its first report."""

    def put(self, prepare: Prepare) -> None:
        """Queue the report that `prepare` creates; never blocks."""

    def put_log(self, prepare: Callable[[], Log]) -> None:
        """Queue the lines that `prepare` reads; never blocks."""

    def raise_error(self) -> None:
        """Raise the error since the last call, if the job has asked for errors."""


class NullSink:
    """The sink of a session without a server."""

    is_settled = True
    lost = 0

    def begin(self) -> None:
        """Do nothing."""

    def put(self, prepare: Prepare) -> None:
        """Do nothing."""

    def put_log(self, prepare: Callable[[], Log]) -> None:
        """Do nothing."""

    def raise_error(self) -> None:
        """Do nothing."""
