"""A report with what is needed to send it again, and the report that replaces a refused one. Pure."""

import uuid
from dataclasses import dataclass, field, replace
from typing import Final

from progress_sse.client.exchange import ReportAnswer
from progress_sse.client.reports import Create, Lane, Report
from progress_sse.core.bounds import MAX_AGO_MS
from progress_sse.core.updates import Acknowledge, Describe, ReportPart, Start, StepRef, StepUpdate


@dataclass(slots=True)
class Operation:
    """A report to send.

    Attributes:
        report: The report.
        key: Its idempotency key.
        made_at: When the job made it; `None` if the server is not told.
        number: Its place among the session's reports and log lines, in the order in which they were made; 0: first.
        failing_since: When it first failed by an answer that it may have caused; `None` before.
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


_FORBIDDEN: Final = 403
_UNPROCESSABLE: Final = 422
_TOO_MUCH: Final = "too-much"
"""The problem of title, labels and links that are too large together."""


def is_courtesy(report: Report) -> bool:
    """Return whether a report is the client's own, which the job does not miss: about the requests of readers."""
    return isinstance(report, Acknowledge) or (
        isinstance(report, Describe) and report == Describe(accepts=report.accepts)
    )


def in_place(operation: Operation) -> Operation:
    """Return an operation as one that was never sent; a start takes the step of that name."""
    report = operation.report
    report = replace(report, append=False) if isinstance(report, Start) else report
    return Operation(report, made_at=operation.made_at, number=operation.number)


def reduced(refused: Operation, answer: ReportAnswer) -> tuple[Operation, str] | None:
    """Return a creation without what it may have been refused for, and which that is; `None` if there is nothing.

    A profile may not be allowed. The key derives from that of the refused creation, so processes that share the run by
    a fork create it once.
    """
    creation = refused.report
    if not isinstance(creation, Create) or answer.status not in (_FORBIDDEN, _UNPROCESSABLE):
        return None
    if creation.profile is not None and answer.problem != _TOO_MUCH:
        return _instead(refused, replace(creation, profile=None), "without profile"), "the profile of the session is"
    has_details = creation.title is not None or creation.labels or creation.links or creation.accepts
    if has_details and answer.status == _UNPROCESSABLE:
        bare = replace(creation, title=None, labels={}, links=(), accepts=())
        return _instead(refused, bare, "without details"), "title, labels and links of the session are"
    return None


def _instead(refused: Operation, creation: Create, name: str) -> Operation:
    return Operation(creation, str(uuid.uuid5(uuid.UUID(refused.key), name)))
