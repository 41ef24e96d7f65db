"""The reporter of a job, alike in blocking and in async code. Nothing in here blocks."""

import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Final, Generic, TypeAlias, TypeVar

from progress_sse._internal.page_frame import page_html
from progress_sse.client import config
from progress_sse.client.attempt import LEASE_S, joined, new_attempt, share
from progress_sse.client.availability import MAX_OUTAGE_S
from progress_sse.client.count import Count
from progress_sse.client.definitions import Links, change, definitions, fit_new_links
from progress_sse.client.errors import REPORTING_ERRORS, Cancelled, ReportError, ServerAwayError, conclusion_of
from progress_sse.client.inbox import Inbox, OwnSteps, Request, accepted_kinds
from progress_sse.client.loops import Home
from progress_sse.client.own_log import log, sending
from progress_sse.client.report_queue import NullSink, ReportQueue
from progress_sse.client.reports import Create, Log, error_text, fit_text, is_normal_exit, step_ref
from progress_sse.client.session import Session, reported
from progress_sse.client.steps import BaseStep, running_step
from progress_sse.client.targets import OnLoop, Transport
from progress_sse.client.thread_sender import load_http, thread_sender
from progress_sse.client.waiting_lines import log_lines
from progress_sse.core.bounds import UNCHANGED, Unchanged
from progress_sse.core.log_lines import LogLevel
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Envelope, Finish, Plan, Skip, StepRef

S_co = TypeVar("S_co", bound=BaseStep, covariant=True)

MAX_NAMED_STEPS: Final = 5
"""Steps that a warning names; of more it gives the number."""

active_reporter: Final[ContextVar["Reporter | None"]] = ContextVar("progress_sse_reporter", default=None)
"""The reporter whose block this code runs in; a new thread begins without one."""

MakeSink: TypeAlias = Callable[[str, Create | None, Inbox], NullSink]
"""Creates the sink of a session, by its id, its creation if it is created, and the inbox of the job."""

_recorders: Final[list[MakeSink]] = []  # Create the sinks of sessions while a test records them; the last one counts.


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


class BaseReporter(Session, ABC, Generic[S_co]):
    """Reports the progress of a job, as one session.

    Attributes:
        link: The page that shows it; `None` where there is none.
    """

    link: str | None = None
    _step_class: type[S_co]
    _home: Home | None = None
    _entered_in: int | None = None
    _outer: "Reporter | None" = None
    _close_timeout_s: float | None = None
    _callbacks: list[Callable[[Request], object]]

    @property
    def lost(self) -> int:
        """How many reports were refused or dropped."""
        return self.sink.lost + self.unreported.value

    def _repr_html_(self) -> str:
        with sending():  # The log of the job shows no request of ours.
            return page_html(self.session_id, self.link)

    def step(
        self,
        number: StepRef,
        *,
        message: str = "",
        timeout_ms: int | None = None,
        estimated_ms: int | None = None,
        parts_total: int | None = None,
    ) -> S_co:
        """Return a step, not yet started.

        By a name it is the first step of that name. An open-ended session gets a new step where it has none of the
        name, or where this job has ended the step of that name.

        Args:
            number: Its number, from 1, or its name.
            message: A text that is shown with its progress, and when it has ended.
            timeout_ms: Milliseconds after which pages call it overdue; `None` for its definition's.
            estimated_ms: Milliseconds that a new step is expected to take.
            parts_total: How many parts it has, if workers report them by `part`. Then it ends with the last of them,
                and not with its block. More than 200 are counted, and not listed.
        """
        return self._step_class(self, number, message, timeout_ms, estimated_ms, parts_total)

    def advance(self, count: int = 1, *, message: str | None = None) -> None:
        """Advance the step whose block this code runs in; does nothing between steps."""
        step = running_step.get()
        if step is not None and step.reporter is self:
            step.advance(count, message=message)

    @reported
    def log(self, text: object, level: LogLevel = "info") -> None:
        """Add a text to the log of the session; inside a step's block as `step.log()` does.

        All readers of the session read it. Each of its lines becomes one there. They never delay the job or its
        reports, and none that is refused or left out counts as lost. Of a flood the first 100 and the last 100 lines of
        each second stay, and a line between them says how many were left out.

        Args:
            text: The text.
            level: How important it is.
        """
        step = running_step.get()
        if step is not None and step.reporter is self:
            step.log(text, level)
        else:
            self.put(Log, log_lines(text, level), lease=self._known_lease)

    def check(self) -> None:
        """Raise `Cancelled` if a reader has asked to cancel the job; inside a step's block as `step.check()` does."""
        step = running_step.get()
        if step is not None and step.reporter is self:
            step.check()
        elif (request := self.inbox.pending(None)) is not None:
            raise request.cancellation()

    def on_request(self, callback: Callable[[Request], object]) -> None:
        """Call a function once for each request of a reader; it may `honour` or `decline` it.

        `Progress` calls it in a daemon thread of its own, and `AsyncProgress` on the running loop, where it may be a
        coroutine function. A request to cancel that it does not answer is raised as `Cancelled` after it has returned.
        Its exceptions are logged.

        What is open already counts. A request to try again comes while the block lasts. Without a block it comes after
        a failure, until a step starts or the progress is closed.
        """
        if not self.session_id:  # There are no readers.
            return
        self._callbacks.append(callback)
        self.inbox.announce = self._announcer()
        self.inbox.announce_open()
        if self.inbox.is_open and isinstance(self.sink, ReportQueue):
            self.sink.wake()

    @abstractmethod
    def _announcer(self) -> Callable[[Request], bool]:
        """Return what calls the callbacks with a request, from any thread; it returns whether it can."""

    @reported
    def skip(self, number: StepRef, message: str = "") -> None:
        """Count a step as done that is not needed: one that was never started, or has failed."""
        step, text = step_ref(number), fit_text(message)

        def skipped() -> Skip:
            self.own_steps.skip(step)
            return Skip(step, text, envelope=Envelope(self.own_steps.lease_of(step)))

        self.put(skipped)

    @reported
    def plan(self, steps: Sequence[str | StepDefinition]) -> None:
        """Append steps to an open-ended session, by their names or with their times."""
        self.put(self._of_session, Plan(definitions(steps)))

    @reported
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
        self.put(self._of_session, change(title, labels, links))

    @reported
    def finish(self, *, links: Links | None = None) -> None:
        """End the session with success, and give it these `links`.

        Running steps succeed, steps that were never started are skipped, and failed ones stay failed. The end of the
        block does that for an open-ended session that it has created.
        """
        self.put(self._of_session, Finish(links=fit_new_links(links)))

    @reported
    def fail(self, error: str | BaseException, *, links: Links | None = None) -> None:
        """End the session with failure, for which the session and its running steps bear the `error`.

        An exception that leaves the block of a session that it has created does that. By `Cancelled` the session is
        cancelled.
        """
        self.put(self._of_session, Finish(False, error_text(error), fit_new_links(links), conclusion_of(error)))

    def _set_up(
        self,
        session_id: str | None,
        create: Callable[[], Create] | None,
        options: config.Options,
        transport: Transport | OnLoop | None,
    ) -> None:
        """Find the server and the session, whose creation `create` returns."""
        self._on_error = options.get("on_error", "warn")
        if self._on_error == "raise" and options.get("flush_timeout_s") is None:
            self._close_timeout_s = MAX_OUTAGE_S
        self.unreported = Count()
        self.own_steps = OwnSteps()
        self.inbox = Inbox()
        self._callbacks = []
        try:
            self._connect(session_id, create() if create else None, options, transport)
        except TimeoutError:
            raise
        except REPORTING_ERRORS as error:
            self.take_error(error)

    def _connect(
        self,
        session_id: str | None,
        creation: Create | None,
        options: config.Options,
        transport: Transport | OnLoop | None,
    ) -> None:
        self.lease = new_attempt(options.get("lease_s", LEASE_S))
        self.inbox = Inbox(accepted_kinds(options.get("accepts") or ()), self.own_steps)
        if _recorders:
            self.session_id = config.named_session(session_id) or "recorded"
            self.sink = _recorders[-1](self.session_id, self._begun(creation, self.session_id), self.inbox)
            return
        if config.is_disabled(options.get("disabled")):
            log(logging.INFO, "progress is not reported: that is disabled")
            return
        address = None if transport else config.address_of(options.get("url"), options.get("token"))
        target = transport or address
        if target is None:
            log(logging.INFO, "progress is not reported: no server is named, be it by PROGRESS_SSE_URL")
            return
        named = config.session_of(session_id)
        if address is not None:
            load_http()  # Now, and not later in the thread.
        self.sink = ReportQueue(
            named,
            target,
            thread_sender(),
            creation=self._begun(creation, named),
            tells_age=self.lease is not None,
            on_error=self._on_error,
            flush_timeout_s=config.flush_timeout_of(options.get("flush_timeout_s")),
            inbox=self.inbox,
            home=self._home,
        )
        self.session_id = named
        if address is not None:
            self.link = config.link_to(address, named)
            log(logging.INFO, "progress is shown at %s", self.link)

    def _begun(self, creation: Create | None, session_id: str) -> Create | None:
        """Return the creation with its attempt; where the session may be another job's, ours joins the process's."""
        if creation is None or not creation.replace:
            self.lease = self.lease and joined(session_id, self.lease)
            return creation
        if self.lease is not None:
            share(session_id, self.lease)
        self._creation = replace(creation, lease=self.lease, accepts=self.inbox.accepts)
        return self._creation

    def _enter(self) -> None:
        self._outer = active_reporter.get()
        self._entered_in = os.getpid()
        self.begin_work()
        self.inbox.is_entered = True
        active_reporter.set(self)
        self._begin()

    @reported
    def _begin(self) -> None:
        self.sink.begin()

    def _leave(self, error: BaseException | None) -> None:
        """Leave the block, and report what that means for the session, in the process that has entered it.

        An exception ends a session that was created here, and so does the normal end of the block if it is open-ended.
        Of another session an exception ends the steps that were started here.
        """
        # Without a token, which is valid in its own context only: generators may end their blocks in another one.
        active_reporter.set(self._outer)
        self.inbox.is_entered = False
        self.inbox.is_closed = True
        is_open_ended = self._creation is not None and self._creation.open_ended
        if os.getpid() != self._entered_in or (self.lease is None and not is_open_ended):
            return
        if error is None or is_normal_exit(error):  # An exit of the process with success.
            if is_open_ended and self._has_succeeded is None:
                self.finish()
            elif self._creation is not None and self._has_succeeded is None:
                self._warn_of_rest(self._creation.steps or ())
            return
        try:
            if self._creation is None:
                _break_off(self, error)
            elif self._has_succeeded is not False:
                self.fail(error)
        except ReportError as failure:  # The job asked for errors, but its own exception matters more now.
            log(logging.WARNING, "cannot report that %r failed: %s", self.session_id, failure)

    def _warn_of_rest(self, steps: Sequence[StepDefinition]) -> None:
        rest = self.own_steps.not_begun([step.name for step in steps])
        if rest and rest[-1] == steps[-1].name:
            names = ", ".join(map(repr, rest[:MAX_NAMED_STEPS]))
            if len(rest) > MAX_NAMED_STEPS:
                names += f" and {len(rest) - MAX_NAMED_STEPS} more"
            log(logging.WARNING, "%r stays open: %s never began; skip() them, or finish()", self.session_id, names)

    def _conclude(self, is_sent: bool) -> None:
        """Raise or log the errors at the end of the block."""
        self.sink.raise_error()
        if is_sent:
            return
        is_harmless = isinstance(self.sink, ReportQueue) and not self.sink.outbox.waiting.has_reports
        text = f"some {'log lines' if is_harmless else 'reports'} on {self.session_id!r} are not sent yet"
        if self._on_error == "raise" and not is_harmless:
            raise ServerAwayError(text)
        log(logging.WARNING, "%s; they are tried as long as the process lives", text)


Reporter: TypeAlias = BaseReporter[BaseStep]
"""A reporter of either kind."""


def _break_off(reporter: Reporter, error: BaseException) -> None:
    """Report that an exception has left the block of a session that was created elsewhere."""
    for step in reporter.own_steps.running:
        reporter.step(step).fail(error)
    request = reporter.inbox.pending(None)
    if request is not None and isinstance(error, Cancelled):  # No step has ended by it.
        request.honour()


@contextmanager
def last_wait(sink: NullSink) -> Iterator[float]:
    """Yield the seconds that a job waits at its end, and count those that this block took in vain."""
    if not isinstance(sink, ReportQueue):
        yield 0
        return
    began = time.monotonic()
    try:
        yield sink.patience_s
    finally:
        if not sink.is_settled:
            sink.patience_s = max(0.0, sink.patience_s - (time.monotonic() - began))
