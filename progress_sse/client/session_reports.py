"""What a job reports of its session as a whole, and of steps that it skips; nothing in here blocks."""

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from progress_sse.client.definitions import Links, change, definitions, fit_new_links
from progress_sse.client.errors import Cancelled, ReportError
from progress_sse.client.inbox import Inbox, OwnSteps
from progress_sse.client.lease import Lease
from progress_sse.client.own_log import log
from progress_sse.client.report_queue import Prepare
from progress_sse.client.reports import Create, Log, by, conclusion_of, error_text, fit_text, is_normal_exit, step_ref
from progress_sse.client.waiting_lines import log_lines
from progress_sse.core.bounds import UNCHANGED, Unchanged
from progress_sse.core.log_lines import LogLevel
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import (
    Complete,
    Conclusion,
    Describe,
    Finish,
    Plan,
    SessionUpdate,
    Skip,
    StepRef,
    with_envelope,
)


class SessionReports(ABC):
    """The reports on a session as a whole.

    Attributes:
        session_id: The session; empty where nothing is reported.
        lease: The attempt that steps start by; `None` without attempts.
        own_steps: The steps that were started here.
        inbox: The requests of the session's readers.
    """

    session_id = ""
    lease: Lease | None = None
    own_steps = OwnSteps()
    inbox = Inbox()
    _creation: Create | None = None
    _entered_in: int | None = None
    _has_said_accepts = False
    _has_succeeded: bool | None = None  # Whether the session was ended with success; `None` while it goes on.

    @abstractmethod
    def put(self, prepare: Prepare) -> None:
        """Queue the report that `prepare` creates, and keep errors of that from the job."""

    @abstractmethod
    def put_log(self, prepare: Callable[[], Log]) -> None:
        """Queue the lines that `prepare` reads, and keep errors of that from the job."""

    def skip(self, number: StepRef, message: str = "") -> None:
        """Count a step as done that is not needed: one that was never started, or has failed."""
        self.put(lambda: partial(self._skipped, step_ref(number), fit_text(message)))

    def plan(self, steps: Sequence[str | StepDefinition]) -> None:
        """Append steps to an open-ended session, by their names or with their times."""
        self.put(lambda: partial(self._of_session, Plan(definitions(steps))))

    def describe(
        self,
        *,
        title: str | Unchanged | None = UNCHANGED,
        labels: Mapping[str, str | None] | Unchanged | None = UNCHANGED,
        links: Links | Unchanged | None = UNCHANGED,
    ) -> None:
        """Change what the session says besides its steps; `None` removes a value. All its readers read it.

        Args:
            title: Its name for people.
            labels: Texts by which it is found, to be merged with the former ones; `None` removes one, or all.
            links: Pages about it, which replace the former ones: URLs by their labels, or pairs of both.
        """
        self.put(lambda: partial(self._of_session, change(title, labels, links)))

    def finish(self, *, links: Links | None = None) -> None:
        """End the session with success, and give it these `links`.

        Running steps succeed, steps that were never started are skipped, and failed ones stay failed. The end of the
        block does that for an open-ended session that it has created.
        """
        self.put(lambda: partial(self._of_session, Finish(links=fit_new_links(links))))

    def fail(self, error: str | BaseException, *, links: Links | None = None) -> None:
        """End the session with failure, for which the session and its running steps bear the `error`.

        An exception that leaves the block of a session that it has created does that. By `Cancelled` the session is
        cancelled.
        """
        self.put(
            lambda: partial(
                self._of_session,
                Finish(False, error_text(error), fit_new_links(links), conclusion_of(error)),
            )
        )

    def begin_step(self, step: StepRef, lease: Lease | None) -> bool:
        """Record that a step starts; return whether it is to be appended, since one of that name has ended."""
        self._has_succeeded = None
        self.inbox.settle_retries()
        self.own_steps.start(step, lease)
        may_append = isinstance(step, str) and (self._creation is None or self._creation.open_ended)
        return may_append and self.own_steps.has_ended(step)

    def _report_end(self, error: BaseException | None) -> None:
        """Report what the end of the block means for the session, in the process that has entered it.

        An exception ends a session that was created here, and so does the normal end of the block if it is open-ended.
        An exit of the process with success is a normal end.
        Of another session an exception ends the steps that were started here.
        """
        is_open_ended = self._creation is not None and self._creation.open_ended
        if os.getpid() != self._entered_in or (self.lease is None and not is_open_ended):
            return
        if error is None or is_normal_exit(error):
            if is_open_ended and self._has_succeeded is None:
                self.finish()
            return
        try:
            if self._creation is None:
                self._break_off(error)
            elif self._has_succeeded is not False:
                self.fail(error)
        except ReportError as failure:  # The job asked for errors, but its own exception matters more now.
            log(logging.WARNING, "cannot report that %r failed: %s", self.session_id, failure)

    def _break_off(self, error: BaseException) -> None:
        """Report that an exception has left the block of a session that was created elsewhere."""
        for step in self.own_steps.running:
            self.put(partial(self._breaking_off, step, error))
        request = self.inbox.pending(None)
        if request is not None and isinstance(error, Cancelled):  # No step has ended by it.
            request.honour()

    def begin_work(self) -> None:
        """Note that the job is about to start a step: where none is under way, the session may be another one now."""
        self.inbox.is_closed = False
        if self.own_steps.are_under_way or not self.own_steps.has_ended_any:
            return
        self.inbox.doubt()
        if not self.inbox.is_entered:
            self._has_said_accepts = False

    def say_accepts(self) -> None:
        """Say what this job may be asked for, if the session was created elsewhere, and this one was not told."""
        if self.inbox.accepts and self._creation is None and not self._has_said_accepts:
            self._has_said_accepts = True
            self.put(lambda: partial(self._of_session, Describe(accepts=self.inbox.accepts)))

    def _breaking_off(self, step: StepRef, error: BaseException) -> Callable[[], Complete]:
        return partial(self._broken_off, step, error_text(error), conclusion_of(error))

    def _logged(self, text: object, level: LogLevel) -> Log:
        is_known = self._creation is not None
        return Log(log_lines(text, level), lease=self.lease if is_known else self.own_steps.session_lease(self.lease))

    # The job's objects have been read by then: these functions use our own values, and may run in any thread.

    def _skipped(self, step: StepRef, message: str) -> Skip:
        self.own_steps.skip(step)
        return Skip(step, message, envelope=by(self.own_steps.lease_of(step)))

    def _broken_off(self, step: StepRef, error: str, conclusion: Conclusion) -> Complete:
        self.own_steps.end(step, has_failed=True)
        if conclusion is not None:
            self.inbox.settle()
        return Complete(
            step, success=False, error=error, conclusion=conclusion, envelope=by(self.own_steps.lease_of(step))
        )

    def _of_session(self, report: SessionUpdate) -> SessionUpdate:
        if isinstance(report, Finish):
            self._has_succeeded = report.success
            if report.conclusion is not None:
                self.inbox.settle()
        elif isinstance(report, Plan):
            self._has_succeeded = None
        # The server knows an attempt only by a creation or a start.
        is_known = self._creation is not None
        lease = self.lease if is_known else self.own_steps.session_lease(self.lease)
        if isinstance(report, Finish):
            self.own_steps.end_all(has_failed=not report.success)
        return with_envelope(report, by(lease))
