"""The reports on a part of a step, which another process may have started; nothing in here blocks."""

from progress_sse.client.handle import BaseStep
from progress_sse.client.lease import Lease
from progress_sse.client.reports import Latest, by, fit_text
from progress_sse.core.parts import MAX_PART_CHARS, MAX_PART_TEXT_CHARS, PartStatus
from progress_sse.core.updates import Complete, Conclusion, ReportPart, Start, StepRef


class PartReports(BaseStep):
    """The part of a step that one worker of many does: used as a step is, in a block of its own or without.

    Where a reader cancels the job, its block ends the step as cancelled.

    Attributes:
        name: Its name, by which it is one part in all processes.
    """

    def __init__(self, step: BaseStep, name: str, message: str = "") -> None:
        """Use `part` of a step."""
        super().__init__(step.reporter, step.number, message)
        self.name = fit_text(name, MAX_PART_CHARS)
        self._latest = Latest(step.number, self._read, self.name)

    def take_over(self) -> None:
        """Do nothing: the parts of a step belong to one attempt."""

    def hand_on(self) -> None:
        """Do nothing: the part begins again with the next report."""

    def _lease_of(self, step: StepRef) -> Lease | None:
        return self.reporter.own_steps.lease_of(step)

    def _started(
        self, step: StepRef, timeout_ms: int | None, estimated_ms: int | None, parts_total: int | None
    ) -> Start | ReportPart:
        self._restart()
        self.reporter.own_steps.start_part(step, self.name)
        return ReportPart(
            step,
            self.name,
            message=fit_text(self._first_message, MAX_PART_TEXT_CHARS),
            envelope=by(self._lease_of(step)),
        )

    def _completed(
        self, step: StepRef, message: str | None, error: str | None = None, conclusion: Conclusion = None
    ) -> Complete | ReportPart:
        self.reporter.own_steps.end_part(step, self.name)
        if conclusion is not None:
            return super()._completed(step, message, error, conclusion)
        self._set_message(message)
        return self._part("error" if error is not None else "success", step, error or "")

    def _read(self) -> ReportPart:
        return self._part("running", self._latest.step)

    def _part(self, status: PartStatus, step: StepRef, error: str = "") -> ReportPart:
        done, total = self._done()
        is_known = done > 0 or total is not None
        return ReportPart(
            step,
            self.name,
            status,
            done if is_known else None,
            total,
            fit_text(self._message or "", MAX_PART_TEXT_CHARS),
            fit_text(error, MAX_PART_TEXT_CHARS),
            envelope=by(self._lease_of(step)),
        )
