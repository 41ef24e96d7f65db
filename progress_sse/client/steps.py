"""A step of a job, or a part of one, alike in blocking and in async code. Nothing in here blocks."""

import logging
import os
from contextvars import ContextVar
from operator import index
from types import TracebackType
from typing import Final, Self

from progress_sse.client.attempt import Attempt, share, tally_of
from progress_sse.client.count import Count
from progress_sse.client.errors import ReportError, SuppressReportingErrors, conclusion_of
from progress_sse.client.inbox import Request
from progress_sse.client.own_log import log
from progress_sse.client.reports import Latest, Log, Queueable, error_text, fit_text, is_normal_exit, step_ref
from progress_sse.client.session import Session, reported
from progress_sse.client.waiting_lines import log_lines
from progress_sse.core.log_lines import LogLevel
from progress_sse.core.part_tally import PartTally
from progress_sse.core.parts import MAX_PART_CHARS, MAX_PART_TEXT_CHARS, PartStatus
from progress_sse.core.updates import Advance, Complete, Conclusion, Envelope, ReportPart, Start, StepRef, Update

running_step: Final[ContextVar["BaseStep | None"]] = ContextVar("progress_sse_step", default=None)
"""The step whose block this code runs in; a new thread begins without one."""


class BaseStep:
    """A stage of the job, as a block: it starts and completes with the block, and fails if the block raises.

    An exception is reported as the step's error and raised on. A part of a step, which one worker of many does, is used
    in the same way. Where a reader cancels the job, its block ends the step as cancelled.
    """

    _outer: "BaseStep | None" = None
    _entered_in: int | None = None  # The process: a forked child that leaves the block reports no end of it.

    def __init__(
        self,
        reporter: Session,
        number: StepRef,
        message: str = "",
        timeout_ms: int | None = None,
        estimated_ms: int | None = None,
        parts_total: int | None = None,
        name: str | None = None,
    ) -> None:
        self.reporter = reporter
        self.number = number
        self.name = name  # Of a part, by which it is one in all processes; `None` for a whole step.
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
        # The count of `track`, which must cost very little per row; two at once would reset each other to 0 anyway.
        self._tracked = 0
        self._latest = Latest(number, self._read, name)

    def part(self, name: str, *, message: str = "") -> Self:
        """Return a part of this step, which may run in another process and at the same time as others.

        The step must have been started, by this process or another one.

        Args:
            name: Its name, at most 100 characters: each part of the step has another one.
            message: A text that is shown with its progress.
        """
        return type(self)(self.reporter, self.number, message, name=fit_text(name, MAX_PART_CHARS))

    def take_over(self) -> None:
        """Let the next start begin an attempt of its own; the parts of a step belong to one attempt."""
        if self._lease is not None and self.name is None:
            self._has_taken_over = True
            self._lease = self._lease.renewed()
            share(self.reporter.session_id, self._lease)

    def hand_on(self) -> None:
        """Expect another attempt at the step, perhaps by another process; until then the step stays running."""
        if self._lease is not None and self.name is None:
            self._lease.is_handed_on = True

    @reported
    def start(self) -> None:
        """Report that the step starts, anew if it had started before. Entering the block does that."""
        self.reporter.begin_work()
        self.reporter.put(
            self._started,
            step_ref(self.number),
            self._timeout_ms and index(self._timeout_ms),
            self._estimated_ms and index(self._estimated_ms),
            self._parts_total and index(self._parts_total),
        )
        self.reporter.say_accepts()

    def check(self) -> None:
        """Raise `Cancelled` if a reader has asked to cancel the job, or this step; from any thread."""
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
        self._advance(count, message)

    @reported
    def _advance(self, count: int, message: str | None) -> None:
        self.reporter.put(self._advanced, step_ref(self.number), int(index(count)), self._text(message))

    @reported
    def report(self, current: int, total: int | None = None, *, message: str | None = None) -> None:
        """Report that `current` of `total` units are done (`None`: of an unknown number), and a new message."""
        number = step_ref(self.number)
        total = total and index(total)
        self.reporter.put(self._set, number, int(index(current)), total, self._text(message))

    @reported
    def log(self, text: object, level: LogLevel = "info") -> None:
        """Add a text to the log of the session, as of this step; from any thread. For the rest see `Progress.log`."""
        step = step_ref(self.number)
        self.reporter.put(Log, log_lines(text, level), step, lease=self._lease_of(step))

    @reported
    def complete(self, message: str | None = None) -> None:
        """Report success. Leaving the block does that."""
        self.reporter.put(self._completed, step_ref(self.number), self._text(message))

    @reported
    def fail(self, error: str | BaseException) -> None:
        """Report failure. An exception that leaves the block does that; by `Cancelled` the step is cancelled."""
        number = step_ref(self.number)
        conclusion = conclusion_of(error)
        self.reporter.put(self._completed, number, self._text(None), error_text(error), conclusion)

    def __enter__(self) -> Self:
        self.start()
        self._entered_in = os.getpid()
        self._outer = running_step.get()
        running_step.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running_step.set(self._outer)
        if os.getpid() != self._entered_in:
            return
        if error is not None and not is_normal_exit(error):
            try:
                self.fail(error)
            except ReportError as failure:  # The job asked for errors, but its own exception matters more now.
                log(logging.WARNING, "cannot report that step %s failed: %s", self.number, failure)
        elif self._parts_total is None:
            self.complete()
        else:  # It ends by its parts.
            self.reporter.own_steps.leave(self.number)

    # The job's objects have been read by then: these functions use our own values, and may run in any thread.

    def _started(
        self, step: StepRef, timeout_ms: int | None, estimated_ms: int | None, parts_total: int | None
    ) -> Queueable:
        self._reached = _Reached(-self._tracked, None)
        self._outlived = self.reporter.inbox.outlived()
        self._latest.queue = {}  # An earlier attempt may have been given up.
        if self.name is not None:
            self.reporter.own_steps.enter((step, self.name))
            return self._of_part("running", step, self._first_message)
        self._has_started = True
        if not self._has_taken_over and step in self.reporter.own_steps.running:
            self._lease = self.reporter.own_steps.lease_of(step) or self._lease
        if self._lease is not None:
            self._lease.attempt.begin()
            tally = PartTally(parts_total)
            self._lease.attempt.tallies[step, os.getpid()] = tally
            parts_total = None if tally.is_used else parts_total
        is_appended = self.reporter.begin_step(step, self._lease)
        return Start(step, timeout_ms, is_appended, estimated_ms, parts_total, envelope=Envelope(self._lease))

    def _lease_of(self, step: StepRef) -> Attempt | None:
        """Return the attempt that this job has the step by; `None` if another one may have started it."""
        return self._lease if self._has_started else self.reporter.own_steps.lease_of(step)

    def _advanced(self, step: StepRef, count: int, message: str | None) -> Latest:
        self._reached.count.add(count)
        return self._queued(step, message)

    def _set(self, step: StepRef, current: int, total: int | None, message: str | None) -> Latest:
        self._reached = _Reached(current - self._tracked, total)
        return self._queued(step, message)

    def _queued(self, step: StepRef, message: str | None) -> Latest:
        if self.name is None and (tally := tally_of(self._lease, step)) is not None:
            tally.is_used &= tally.total is not None
        if message is not None:
            self._message = message
        self._latest.step = step
        self._latest.lease = self._lease_of(step)
        return self._latest

    def _completed(
        self, step: StepRef, message: str | None, error: str | None = None, conclusion: Conclusion = None
    ) -> Queueable:
        if message is not None:
            self._message = message
        text = self._message or ""
        own_steps = self.reporter.own_steps
        has_failed = error is not None
        if self.name is not None:
            own_steps.leave((step, self.name))
            if conclusion is None:
                return self._of_part("error" if has_failed else "success", step, text, error or "")
        own_steps.end(step, has_failed=has_failed)
        if conclusion is not None:
            self.reporter.inbox.settle()
        return Complete(step, not has_failed, text, error or "", conclusion, envelope=Envelope(self._lease_of(step)))

    def _read(self) -> Update:
        step = self._latest.step
        text = self._message or ""
        if self.name is not None:
            return self._part("running", step, text)
        return Advance(step, *self._reached.done(self._tracked), text, envelope=Envelope(self._latest.lease))

    def _of_part(self, status: PartStatus, step: StepRef, message: str, error: str = "") -> Queueable:
        """Return the report of a part; of one of many their count, which is read when it is sent."""
        tally = tally_of(self._lease, step)
        if tally is None or not tally.take(self.name or "", status):
            return self._part(status, step, message, error)
        if not tally.is_said:
            tally.is_said = True
            log(logging.WARNING, "step %r has more parts than are listed: from now on they are counted", step)
        self._latest.part = None  # All share the place of the step's progress.
        return self._queued(step, None)

    def _part(self, status: PartStatus, step: StepRef, message: str, error: str = "") -> Update:
        assert self.name is not None
        envelope = Envelope(self._lease_of(step))
        tally = tally_of(self._lease, step)
        if tally is not None and tally.counts(self.name):
            return tally.update(step, envelope)
        done, total = self._reached.done(self._tracked)
        current = done if done > 0 or total is not None else None
        texts = (fit_text(each, MAX_PART_TEXT_CHARS) for each in (message, error))
        return ReportPart(step, self.name, status, current, total, *texts, envelope=envelope)

    def _text(self, message: str | None) -> str | None:
        """Return the message to show from now on; `None` if it is shown already."""
        if message is None and self._message is None:
            message = self._first_message
        return None if message is None else fit_text(message)


class _Reached:
    """The progress of a step. It is replaced as a whole, so that count and total are always read together."""

    def __init__(self, current: int, total: int | None) -> None:
        self.count = Count(current)
        self.total = total

    def done(self, tracked: int) -> tuple[int, int | None]:
        """Return the units that are done, with those that were `tracked`, and their total."""
        done = self.count.value + tracked
        if self.total is not None and done > self.total:
            self.total = None  # It was wrong, and is unknown from then on.
        return done, self.total


def length(items: object) -> int | None:
    """Return the number of items, if it is known beforehand."""
    with SuppressReportingErrors():
        return len(items)  # type: ignore[arg-type]  # which this checks
    return None
