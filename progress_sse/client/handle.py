"""A job's objects: a reporter on a session, its steps and their parts; the same in blocking and in async code.

Nothing in here blocks. A report goes to the sink, and errors of that are logged, once, unless the job asked for
errors. Blocking and async code differ in how a block ends, how an iterable is iterated over and how a function is
called: ``sync`` and ``aio`` have these parts.
"""

import logging
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, TypeAlias

from progress_sse.client.availability import MAX_OUTAGE_S
from progress_sse.client.config import (
    OnError,
    Options,
    address_of,
    flush_timeout_of,
    is_disabled,
    link_to,
    named_session,
    session_of,
)
from progress_sse.client.count import Count
from progress_sse.client.errors import REPORTING_ERRORS, ReportError, ServerAwayError
from progress_sse.client.inbox import Inbox, OwnSteps, Request, accepted_kinds
from progress_sse.client.lease import LEASE_S, Lease, joined, lease_of, share
from progress_sse.client.loops import Home
from progress_sse.client.own_log import log
from progress_sse.client.report_queue import NullSink, Prepare, ReportQueue
from progress_sse.client.reports import Create, Latest, Log, by, describe_error, fit_text, is_normal_exit
from progress_sse.client.session_reports import SessionReports
from progress_sse.client.step_reports import StepReports
from progress_sse.client.targets import OnLoop, Transport
from progress_sse.client.thread_sender import load_http, thread_sender
from progress_sse.core.log_lines import LogLevel
from progress_sse.core.parts import MAX_PART_CHARS, MAX_PART_TEXT_CHARS, PartStatus
from progress_sse.core.updates import Complete, Conclusion, ReportPart, Start, StepRef

_reporter: Final[ContextVar["Reporter | None"]] = ContextVar("progress_sse_reporter", default=None)
_running: Final[ContextVar["BaseStep | None"]] = ContextVar("progress_sse_step", default=None)

MakeSink: TypeAlias = Callable[[str, Create | None, Inbox], NullSink]
"""Creates the sink of a session, which begins with a creation or continues, and gets its readers' requests."""

_recorders: Final[list[MakeSink]] = []
"""Create the sinks of sessions while a test records them; the last one counts."""


@contextmanager
def diverted(make_sink: MakeSink) -> Iterator[None]:
    """Let the reporters that are made in this block use these sinks, whatever their server."""
    _recorders.append(make_sink)
    try:
        yield
    finally:
        _recorders.remove(make_sink)


def is_diverted() -> bool:
    """Return whether reporters that are made now use other sinks than their server's."""
    return bool(_recorders)


def active() -> "Reporter | None":
    """Return the reporter whose block this code runs in; a new thread begins without one."""
    return _reporter.get()


def running_step() -> "BaseStep | None":
    """Return the step whose block this code runs in; a new thread begins without one."""
    return _running.get()


@contextmanager
def inside(step: "BaseStep") -> Iterator[None]:
    """Run this block in a step that starts and ends elsewhere; reports nothing, and does not block."""
    outer, outer_step = _reporter.get(), _running.get()
    _reporter.set(step.reporter)
    _running.set(step)
    try:
        yield
    finally:
        _reporter.set(outer)
        _running.set(outer_step)


class Reporter(SessionReports):
    """Reports the progress of a job, as one session.

    Attributes:
        link: The page that shows it; `None` where there is none.
    """

    link: str | None = None
    _sink: NullSink = NullSink()
    _on_error: OnError = "warn"
    _close_timeout_s: float | None = None
    _outer: "Reporter | None" = None
    _has_warned = False
    _unreported = Count()
    _callbacks: list[Callable[[Request], object]]

    @property
    def lost(self) -> int:
        """How many reports were refused or dropped."""
        return self._sink.lost + self._unreported.value

    @abstractmethod
    def step(
        self,
        number: StepRef,
        *,
        message: str = "",
        timeout_ms: int | None = None,
        estimated_ms: int | None = None,
        parts_total: int | None = None,
    ) -> "BaseStep":
        """Return a step, not yet started.

        By a name it is the first step of that name. An open-ended session gets a new step where it has none of the
        name, or where this job has ended the step of that name.

        Args:
            number: Its number, from 1, or its name.
            message: A text that is shown with its progress, and when it has ended.
            timeout_ms: Milliseconds after which pages call it overdue; `None` for its definition's.
            estimated_ms: Milliseconds that a new step is expected to take.
            parts_total: How many parts it has, from 1 to 200, if workers report them by `part`. Then it ends with the
                last of them, and not with its block.
        """

    def advance(self, count: int = 1, *, message: str | None = None) -> None:
        """Advance the step whose block this code runs in; does nothing between steps."""
        step = running_step()
        if step is not None and step.reporter is self:
            step.advance(count, message=message)

    def log(self, text: object, level: LogLevel = "info") -> None:
        """Add a text to the log of the session; inside a step's block as `step.log()` does.

        All readers of the session read it. Each of its lines becomes one there. They never delay the job or its
        reports, and none that is refused or left out counts as lost. Of a flood the first 100 and the last 100 lines of
        each second stay, and a line between them says how many were left out.

        Args:
            text: The text.
            level: How important it is.
        """
        step = running_step()
        if step is not None and step.reporter is self:
            step.log(text, level)
        else:
            self.put_log(lambda: self._logged(text, level))

    def check(self) -> None:
        """Raise `Cancelled` if a reader has asked to cancel the job; inside a step's block as `step.check()` does."""
        step = running_step()
        if step is not None and step.reporter is self:
            step.check()
        elif (request := self.inbox.pending(None)) is not None:
            raise request.cancellation()

    @abstractmethod
    def on_request(self, callback: Callable[[Request], object]) -> None:
        """Call a function once for each request of a reader; it may `honour` or `decline` it.

        A request to cancel that it does not answer is raised as `Cancelled` afterwards.
        """

    def _announce_open_requests(self) -> None:
        """Let a new callback have what is asked already, and listen from now on if it is for that."""
        self.inbox.announce_open()
        if self.inbox.is_open and isinstance(self._sink, ReportQueue):
            self._sink.wake()

    def put(self, prepare: Prepare) -> None:
        """Queue the report that `prepare` creates, and keep errors of that from the job."""
        self._guard(lambda: self._put(prepare))

    def _put(self, prepare: Prepare) -> None:
        self._begin_attempt()
        self._sink.put(prepare)

    def put_log(self, prepare: Callable[[], Log]) -> None:
        """Queue the lines that `prepare` reads, and keep errors of that from the job."""
        self._guard(lambda: self._put_log(prepare))

    def _put_log(self, prepare: Callable[[], Log]) -> None:
        self._begin_attempt()
        self._sink.put_log(prepare)

    def _guard(self, report: Callable[[], None]) -> None:
        try:
            report()
        except TimeoutError:  # The job's time limit: nothing in here has one.
            raise
        except REPORTING_ERRORS as error:
            if self._on_error == "raise":
                raise
            self._unreported.add(1)
            self._warn(error)
        self._sink.raise_error()

    def _set_up(
        self,
        session_id: str | None,
        create: Callable[[], Create] | None,
        options: Options,
        transport: Transport | OnLoop | None,
        home: Home | None = None,
    ) -> None:
        """Find the server and the session.

        Args:
            session_id: Its id.
            create: Returns the creation of a new session.
            options: What the job asks for.
            transport: Sends in place of HTTP.
            home: The event loop of the job, which is alive while that turns.
        """
        self._on_error = options.get("on_error", "warn")
        if self._on_error == "raise" and options.get("flush_timeout_s") is None:
            self._close_timeout_s = MAX_OUTAGE_S
        self._unreported = Count()
        self.own_steps = OwnSteps()
        self.inbox = Inbox()
        self._callbacks = []
        try:
            self._connect(session_id, create() if create else None, options, transport, home)
        except TimeoutError:
            raise
        except REPORTING_ERRORS as error:
            if self._on_error == "raise":
                raise
            self._warn(error)

    def _connect(
        self,
        session_id: str | None,
        creation: Create | None,
        options: Options,
        transport: Transport | OnLoop | None,
        home: Home | None,
    ) -> None:
        self.lease = lease_of(options.get("lease_s", LEASE_S))
        self.inbox = Inbox(accepted_kinds(options.get("accepts") or ()), self.own_steps)
        if _recorders:
            self.session_id = named_session(session_id) or "recorded"
            self._sink = _recorders[-1](self.session_id, self._begun(creation), self.inbox)
            return
        if is_disabled(options.get("disabled")):
            log(logging.INFO, "progress is not reported: that is disabled")
            return
        address = None if transport else address_of(options.get("url"), options.get("token"))
        if address is None and transport is None:
            log(logging.INFO, "progress is not reported: no server is named, be it by PROGRESS_SSE_URL")
            return
        self.session_id = session_of(session_id)
        if address is not None:
            load_http()  # Now, and not later in the thread.
        target = transport or address
        assert target is not None
        self._sink = ReportQueue(
            self.session_id,
            target,
            thread_sender(),
            creation=self._begun(creation),
            tells_age=self.lease is not None,
            on_error=self._on_error,
            flush_timeout_s=flush_timeout_of(options.get("flush_timeout_s")),
            inbox=self.inbox,
            home=home,
        )
        if address is not None:
            self.link = link_to(address, self.session_id)
            log(logging.INFO, "progress is shown at %s", self.link)

    def _begun(self, creation: Create | None) -> Create | None:
        """Return the creation with the attempt that begins with it; without one join that of the process."""
        if self.lease is not None:
            if creation is None:
                self.lease = joined(self.session_id, self.lease)
            else:
                share(self.session_id, self.lease)
        self._creation = creation and replace(creation, lease=self.lease, accepts=self.inbox.accepts)
        return self._creation

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            what = f"report on {self.session_id!r}" if self.session_id else "report"
            log(logging.WARNING, "cannot %s: %s", what, describe_error(error))

    def _enter(self) -> None:
        self._outer = active()
        self._entered_in = os.getpid()
        self.begin_work()
        self.inbox.is_entered = True
        _reporter.set(self)
        self._guard(self._begin)

    def _begin(self) -> None:
        self._begin_attempt()
        self._sink.begin()

    def _begin_attempt(self) -> None:
        if self.lease is not None:
            self.lease.begin()

    @contextmanager
    def _last_wait(self) -> Iterator[float]:
        """Yield the seconds that a job waits at its end, and count those that this block took in vain."""
        if not isinstance(self._sink, ReportQueue):
            yield 0
            return
        began = time.monotonic()
        try:
            yield self._sink.patience_s
        finally:
            self._sink.spend_patience(time.monotonic() - began)

    def _conclude(self, is_sent: bool) -> None:
        """Raise or log the errors at the end of the block."""
        self._sink.raise_error()
        if is_sent:
            return
        is_harmless = isinstance(self._sink, ReportQueue) and not self._sink.outbox.waiting.has_reports
        text = f"some {'log lines' if is_harmless else 'reports'} on {self.session_id!r} are not sent yet"
        if self._on_error == "raise" and not is_harmless:
            raise ServerAwayError(text)
        log(logging.WARNING, "%s; they are tried as long as the process lives", text)

    def _leave(self) -> None:
        # The former value is restored without a token, which is valid in its own context only: blocks may end in
        # another one, for example in generators, and must not fail then.
        _reporter.set(self._outer)
        self.inbox.is_entered = False
        self.inbox.is_closed = True


class BaseStep(StepReports):
    """A stage of the job, as a block: it starts and completes with the block, and fails if the block raises.

    An exception is reported as the step's error and raised on.
    """

    reporter: Reporter
    _outer: "BaseStep | None" = None

    def __enter__(self) -> Self:
        self.start()
        self._outer = _running.get()
        _running.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _running.set(self._outer)
        error = self._as_reported(error)
        if error is None or is_normal_exit(error):
            self._end_block()
            return
        try:
            self.fail(error)
        except ReportError as failure:  # The job asked for errors, but its own exception matters more now.
            log(logging.WARNING, "cannot report that step %s failed: %s", self.number, failure)

    def _end_block(self) -> None:
        """Report the normal end of the block: a step with a known number of parts ends by them."""
        if self._parts_total is None:
            self.complete()
        else:
            self.reporter.own_steps.leave(self.number)

    def _as_reported(self, error: BaseException | None) -> BaseException | None:
        """Return the exception that the step is to bear in place of the one that left the block."""
        return error


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
