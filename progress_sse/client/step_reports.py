"""The reports on one step of a job; nothing in here blocks."""

from functools import partial
from operator import index

from progress_sse.client.count import Count
from progress_sse.client.errors import SuppressReportingErrors
from progress_sse.client.inbox import Request
from progress_sse.client.lease import Lease, share
from progress_sse.client.reports import Latest, Log, LogLine, by, conclusion_of, error_text, fit_text, step_ref
from progress_sse.client.session_reports import SessionReports
from progress_sse.client.waiting_lines import log_lines
from progress_sse.core.log_lines import LogLevel
from progress_sse.core.updates import Advance, Complete, Conclusion, ReportPart, Start, StepRef


class StepReports:
    """The reports on a step.

    Attributes:
        number: The step's number or name.
        reporter: The reports on its session.
    """

    def __init__(
        self,
        reporter: SessionReports,
        number: StepRef,
        message: str = "",
        timeout_ms: int | None = None,
        estimated_ms: int | None = None,
        parts_total: int | None = None,
    ) -> None:
        """Use `Progress.step`."""
        self.number = number
        self.reporter = reporter
        self._timeout_ms = timeout_ms
        self._estimated_ms = estimated_ms
        self._parts_total = parts_total
        self._lease = reporter.lease
        self._has_started = False
        self._has_taken_over = False
        self._outlived: Request | None = None
        self._first_message = message
        self._message: str | None = None
        self._reached = _Reached(0, None)
        # The count of `track`, which must cost very little per row. It is for one loop; two at once would reset each
        # other to 0 anyway.
        self._tracked = 0
        self._latest = Latest(number, self._read)

    def take_over(self) -> None:
        """Let the next start begin an attempt of its own, and not that of the job's other steps."""
        self._has_taken_over = True
        if self._lease is not None:
            self._lease = self._lease.renewed()
            share(self.reporter.session_id, self._lease)

    def hand_on(self) -> None:
        """Expect another attempt at the step, perhaps by another process; until then the step stays running."""
        if self._lease is not None:
            self._lease.is_handed_on = True

    def start(self) -> None:
        """Report that the step starts, anew if it had started before. Entering the block does that."""
        self.reporter.begin_work()
        self.reporter.put(
            lambda: partial(
                self._started,
                step_ref(self.number),
                self._timeout_ms and index(self._timeout_ms),
                self._estimated_ms and index(self._estimated_ms),
                self._parts_total and index(self._parts_total),
            )
        )
        self.reporter.say_accepts()

    def check(self) -> None:
        """Raise `Cancelled` if a reader has asked to cancel the job, or this step; from any thread.

        `track` does that at every turn.
        """
        if self.reporter.inbox.cancel is not None:
            request = self.pending_cancel()
            if request is not None:
                raise request.cancellation()

    def pending_cancel(self) -> Request | None:
        """Return the request to cancel that this step is to act on."""
        return self.reporter.inbox.pending(self.number, self._outlived)

    def advance(self, count: int = 1, *, message: str | None = None) -> None:
        """Report that `count` more units are done, and a new `message` if given; from any thread."""
        # Called once per row of a job: while an earlier report waits, its sender will read this one, too.
        if message is None and type(count) is int and self._latest.is_waiting:
            self._reached.count.add(count)
            if self._latest.is_waiting:
                return
            count = 0
        self.reporter.put(
            lambda: partial(self._advanced, step_ref(self.number), int(index(count)), self._text(message))
        )

    def report(self, current: int, total: int | None = None, *, message: str | None = None) -> None:
        """Report that `current` of `total` units are done (`None`: of an unknown number), and a new message."""
        self.reporter.put(
            lambda: partial(
                self._set, step_ref(self.number), int(index(current)), total and index(total), self._text(message)
            )
        )

    def log(self, text: object, level: LogLevel = "info") -> None:
        """Add a text to the log of the session, as of this step; from any thread.

        All readers of the session read it. Each of its lines becomes one there. They never delay the job or its
        reports, and none that is refused or left out counts as lost. Of a flood the first 100 and the last 100 lines of
        each second stay, and a line between them says how many were left out.

        Args:
            text: The text.
            level: How important it is.
        """
        self.reporter.put_log(lambda: self._logged(step_ref(self.number), log_lines(text, level)))

    def complete(self, message: str | None = None) -> None:
        """Report success. Leaving the block does that."""
        self.reporter.put(lambda: partial(self._completed, step_ref(self.number), self._text(message)))

    def fail(self, error: str | BaseException) -> None:
        """Report failure. An exception that leaves the block does that; by `Cancelled` the step is cancelled."""
        self.reporter.put(
            lambda: partial(
                self._completed, step_ref(self.number), self._text(None), error_text(error), conclusion_of(error)
            )
        )

    # The job's objects have been read by then: these functions use our own values, and may run in any thread.

    def _started(
        self, step: StepRef, timeout_ms: int | None, estimated_ms: int | None, parts_total: int | None
    ) -> Start | ReportPart:
        self._restart()
        self._has_started = True
        if not self._has_taken_over:
            self._lease = self.reporter.own_steps.running_lease_of(step) or self._lease
        if self._lease is not None:
            self._lease.begin()
        is_appended = self.reporter.begin_step(step, self._lease)
        return Start(step, timeout_ms, is_appended, estimated_ms, parts_total, envelope=by(self._lease))

    def _lease_of(self, step: StepRef) -> Lease | None:
        """Return the attempt that this job has the step by; `None` if another one may have started it."""
        return self._lease if self._has_started else self.reporter.own_steps.lease_of(step)

    def _advanced(self, step: StepRef, count: int, message: str | None) -> Latest:
        self._reached.count.add(count)
        return self._queued(step, message)

    def _set(self, step: StepRef, current: int, total: int | None, message: str | None) -> Latest:
        self._reached = _Reached(current - self._tracked, total)
        return self._queued(step, message)

    def _queued(self, step: StepRef, message: str | None) -> Latest:
        self._set_message(message)
        self._latest.step = step
        self._latest.lease = self._lease_of(step)
        return self._latest

    def _logged(self, step: StepRef, lines: tuple[LogLine, ...]) -> Log:
        return Log(lines, step, lease=self._lease_of(step))

    def _completed(
        self, step: StepRef, message: str | None, error: str | None = None, conclusion: Conclusion = None
    ) -> Complete | ReportPart:
        self._set_message(message)
        self.reporter.own_steps.end(step, has_failed=error is not None)
        if conclusion is not None:
            self.reporter.inbox.settle()
        return Complete(
            step,
            success=error is None,
            message=self._message or "",
            error=error or "",
            conclusion=conclusion,
            envelope=by(self._lease_of(step)),
        )

    def _read(self) -> Advance | ReportPart:
        latest = self._latest
        return Advance(latest.step, *self._done(), self._message or "", envelope=by(latest.lease))

    def _done(self) -> tuple[int, int | None]:
        # A total that is exceeded was wrong: it is unknown from then on.
        reached = self._reached
        done = reached.count.value + self._tracked
        if reached.total is not None and done > reached.total:
            reached.total = None
        return done, reached.total

    def _restart(self) -> None:
        self._reached = _Reached(-self._tracked, None)
        self._outlived = self.reporter.inbox.outlived()
        self._latest.queue = {}  # An earlier attempt may have been given up.

    def _text(self, message: str | None) -> str | None:
        """Return the message to show from now on; `None` if it is shown already."""
        if message is None and self._message is None:
            message = self._first_message
        return None if message is None else fit_text(message)

    def _set_message(self, message: str | None) -> None:
        if message is not None:
            self._message = message


class _Reached:
    """The progress of a step. It is replaced as a whole, so that count and total are always read together."""

    __slots__ = ("count", "total")

    def __init__(self, current: int, total: int | None) -> None:
        self.count = Count(current)
        self.total = total


def length(items: object) -> int | None:
    """Return the number of items, if it is known beforehand."""
    with SuppressReportingErrors():
        return len(items)  # type: ignore[arg-type]  # which this checks
    return None
