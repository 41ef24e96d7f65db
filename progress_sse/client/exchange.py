"""The request of a report, and its answer. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from progress_sse.client.reports import Report

TOO_MANY: Final = 429
_OUTAGE: Final = frozenset({0, 502, 503, 504})
_TRANSIENT: Final = _OUTAGE | {TOO_MANY}
_SUPERSEDED: Final = "attempt-superseded"
_CANCELLED: Final = "session-cancelled"
_KEY_IN_USE: Final = "idempotency-key-in-use"


class ReportRequest(NamedTuple):
    """A report to send.

    Attributes:
        session_id: The session.
        report: The report.
        key: Its idempotency key: sent twice, the report is applied once. A sign of life has none.
        run: The run that it belongs to; empty if that is not known.
        ago_ms: How many milliseconds before it is sent it was made; 0 also where the server is not told.
    """

    session_id: str
    report: Report
    key: str
    run: str = ""
    ago_ms: int = 0


class AskedRequest(NamedTuple):
    """A request of a reader, as the server tells it.

    Attributes:
        id: Its id.
        kind: What is asked.
        step: The number of the step that it is about; `None` is the whole session.
        state: Its state: `asked`, until a worker has seen it.
        reason: Why it was asked; empty where the server does not say so.
    """

    id: str
    kind: str
    step: int | None = None
    state: str = "asked"
    reason: str = ""


Asked: TypeAlias = Sequence[tuple[str, AskedRequest]]
"""Requests of readers, each with its session."""


class ReportAnswer(NamedTuple):
    """The answer to a request.

    Attributes:
        status: The HTTP status; 0 without an answer, or for an answer that is not a progress server's.
        problem: Last segment of the problem type.
        detail: The reason of a failure, in one sentence.
        retry_after_s: Minimum seconds to wait; `None` if the server names none.
        run: The name of the created run; empty if the server does not name it.
        requests: What readers ask of the worker, as far as no worker has seen it.
    """

    status: int
    problem: str = ""
    detail: str = ""
    retry_after_s: float | None = None
    run: str = ""
    requests: tuple[AskedRequest, ...] = ()

    @property
    def is_success(self) -> bool:
        """Whether the report was applied."""
        return 200 <= self.status < 300

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _TRANSIENT or self.problem == _KEY_IN_USE

    @property
    def is_outage(self) -> bool:
        """Whether the failure is the server's, and so affects all sessions."""
        return self.status in _OUTAGE

    @property
    def is_retryable(self) -> bool:
        """Whether to retry, at least for some time."""
        return self.is_transient or self.status >= 500

    @property
    def is_cancelled(self) -> bool:
        """Whether the session was cancelled before one of its steps was started."""
        return self.problem == _CANCELLED

    @property
    def is_superseded(self) -> bool:
        """Whether a later attempt has replaced the one that sent it."""
        return self.problem == _SUPERSEDED

    def __str__(self) -> str:
        """Return a text for people."""
        return f"{self.status or ''} {self.detail or self.problem or 'no answer'}".strip()


Answer: TypeAlias = Sequence[ReportAnswer] | ReportAnswer
"""The answers to requests, one for each, or one for all of them."""
