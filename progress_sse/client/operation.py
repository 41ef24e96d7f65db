"""A report with what is needed to send it, also again. Pure."""

import uuid
from dataclasses import dataclass, field

from progress_sse.client.reports import Create, Lane, Report
from progress_sse.core.bounds import MAX_AGO_MS
from progress_sse.core.updates import ReportPart, StepRef, StepUpdate


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
