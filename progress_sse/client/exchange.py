"""A report to send, its request, the room for reports in one request, and the answer. Pure."""

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from progress_sse.client.reports import Create, Lane, LogLine, Report, describe_error
from progress_sse.core.bounds import MAX_AGO_MS
from progress_sse.core.updates import ReportPart, StepRef, StepUpdate

TOO_MANY: Final = 429
INTERNAL_ERROR: Final = 500
NOT_IMPLEMENTED: Final = 501
_OUTAGE: Final = frozenset({0, 502, 503, 504})


class ReportRequest(NamedTuple):
    """A report to send.

    Attributes:
        session_id: The session.
        report: The report.
        key: Its idempotency key: sent twice, the report is applied once. A sign of life has none.
        run: The run that it belongs to; empty if that is not known.
        ago_ms: How many milliseconds before it is sent it was made; 0 also where requests have no ages.
    """

    session_id: str
    report: Report
    key: str
    run: str = ""
    ago_ms: int = 0


@dataclass(slots=True)
class Operation:
    """A report, with what is needed to send it again.

    Attributes:
        report: The report.
        key: Its idempotency key.
        made_at: When the job made it; `None` where requests have no ages.
        number: Its place among the session's reports and log lines, as they were made; 0: first.
        failing_since: When it first failed by an answer that it may have caused; `None` if it never did.
    """

    report: Report
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    made_at: float | None = None
    number: int = 0
    failing_since: float | None = None

    @property
    def is_from_job(self) -> bool:
        """Whether the job made the report; a creation after a loss is the client's own."""
        return not isinstance(self.report, Create) or self.report.replace

    @property
    def step(self) -> StepRef | None:
        """The step that the report is about, if it is about one."""
        return self.report.step if isinstance(self.report, StepUpdate) else None

    @property
    def lane(self) -> Lane | None:
        """The step or the part that the report is about, if it is about one."""
        return (self.report.step, self.report.part) if isinstance(self.report, ReportPart) else self.step

    def age_ms(self, now: float) -> int:
        """Return how many milliseconds ago the job made it."""
        return 0 if self.made_at is None else min(max(0, int(1000 * (now - self.made_at))), MAX_AGO_MS)


class AskedRequest(NamedTuple):
    """A request of a reader, as the server sends it.

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
        return self.is_outage or self.status == TOO_MANY or self.problem == "idempotency-key-in-use"

    @property
    def is_outage(self) -> bool:
        """Whether the failure is the server's, and so affects all sessions."""
        return self.status in _OUTAGE

    @property
    def is_retryable(self) -> bool:
        """Whether to retry, at least for some time."""
        return self.is_transient or self.status >= 500

    @property
    def is_superseded(self) -> bool:
        """Whether a later attempt has replaced the one that sent it."""
        return self.problem == "attempt-superseded"

    def __str__(self) -> str:
        """Return a text for people."""
        return f"{self.status or ''} {self.detail or self.problem or 'no answer'}".strip()


def failure(error: Exception, status: int) -> ReportAnswer:
    """Return what an error of a transport counts as: this status, or no answer where a resource may be back later."""
    is_passing = isinstance(error, ImportError | MemoryError | OSError)
    return ReportAnswer(0 if is_passing else status, detail=describe_error(error))


Answer: TypeAlias = Sequence[ReportAnswer] | ReportAnswer
"""The answers to requests, one for each, or one for all of them."""

MAX_UPDATES: Final = 100  # Which a server takes in one request.
MAX_REQUEST_BYTES: Final = 200_000  # A single report may be larger; an advance more fits into what a server takes.
MAX_LINE_BYTES: Final = 65_536  # Of log lines in one request, so that they delay no report; one line may be larger.
_ENTRY_BYTES: Final = 50  # Of a line in a request, besides its text.
_REPORT_BYTES: Final = 200  # Of a report in a request besides its content: its session, key and run.


class RequestRoom:
    """The room in one request.

    Attributes:
        updates: How many more updates it takes.
    """

    def __init__(self, updates: int = MAX_UPDATES) -> None:
        self.updates = updates
        self._bytes = 0
        self._line_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether all of its bytes are used."""
        return self._bytes >= MAX_REQUEST_BYTES

    def take(self, report: Report, *, always: bool = False) -> bool:
        """Take room for a report if there is enough, if nothing else is in the request, or `always`."""
        # In JSON almost all characters have six bytes or fewer.
        return self._take(_REPORT_BYTES + 6 * len(repr(report)), always=always)

    def take_lines(self, lines: Iterable[LogLine]) -> bool:
        """Take room for lines if there is enough, or if the request has no lines yet."""
        size = sum(len(json.dumps(line.text)) + _ENTRY_BYTES for line in lines)
        if self._line_bytes and self._line_bytes + size > MAX_LINE_BYTES:
            return False
        self._line_bytes += size
        return self._take(size)

    def _take(self, size: int, *, always: bool = False) -> bool:
        if self._bytes and self._bytes + size > MAX_REQUEST_BYTES and not always:
            return False
        self._bytes += size
        return True
