"""A job's objects: a reporter on a session, and its steps; the same in blocking and in async code.

Nothing in here blocks. A report goes to the sink, and errors of that are logged, once, unless the job asked for
errors. Blocking and async code differ in how a block ends, how an iterable is iterated over and how a function is
called: ``sync`` and ``aio`` have these parts.
"""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from operator import index
from types import TracebackType
from typing import Final, Self, TypeAlias

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
from progress_sse.client.errors import REPORTING_ERRORS, ReportError, ServerAwayError, SuppressReportingErrors
from progress_sse.client.outbox import MAX_OUTAGE_S
from progress_sse.client.report_queue import NullSink, Prepare, ReportQueue, ReportSink, Sender, Target, log
from progress_sse.client.reports import Advance, Complete, Create, Latest, Start, describe_error, fit_text
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.model import StepDefinition

_reporter: Final[ContextVar["Reporter | None"]] = ContextVar("progress_sse_reporter", default=None)
_running: Final[ContextVar["BaseStep | None"]] = ContextVar("progress_sse_step", default=None)

MakeSink: TypeAlias = Callable[[str, Create | None], ReportSink]
"""Creates the sink of a session, which begins with a creation or continues."""

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


class Reporter(ABC):
    """Reports the progress of a job, as one session.

    Attributes:
        session_id: The session; empty where nothing is reported.
        link: The page that shows it; `None` where there is none.
    """

    session_id = ""
    link: str | None = None
    _sink: ReportSink = NullSink()
    _on_error: OnError = "warn"
    _close_timeout_s: float | None = None
    _outer: "Reporter | None" = None
    _has_warned = False
    _unreported = Count()

    @property
    def lost(self) -> int:
        """How many reports were refused or dropped."""
        return self._sink.lost + self._unreported.value

    @abstractmethod
    def step(self, number: int, *, message: str = "", timeout_ms: int | None = None) -> "BaseStep":
        """Return a step, not yet started.

        Args:
            number: Which one, from 1.
            message: A text that is shown with its progress, and when it has ended.
            timeout_ms: Milliseconds after which pages call it overdue; `None` for its definition's.
        """

    def advance(self, count: int = 1, *, message: str | None = None) -> None:
        """Advance the step whose block this code runs in; does nothing between steps."""
        step = _running.get()
        if step is not None and step.reporter is self:
            step.advance(count, message=message)

    def put(self, prepare: Prepare) -> None:
        """Queue the report that `prepare` creates, and keep errors of that from the job."""
        self._guard(lambda: self._sink.put(prepare))

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
        make_sender: Callable[[], Sender],
        transport: tuple[Target, Sender] | None,
    ) -> None:
        """Find the server and the session; `create` returns the creation of a new session.

        `make_sender` returns the sender over HTTP; `transport` is another target, and its sender.
        """
        self._on_error = options.get("on_error", "warn")
        if self._on_error == "raise" and options.get("flush_timeout_s") is None:
            self._close_timeout_s = MAX_OUTAGE_S
        self._unreported = Count()
        try:
            self._connect(session_id, create() if create else None, options, make_sender, transport)
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
        make_sender: Callable[[], Sender],
        transport: tuple[Target, Sender] | None,
    ) -> None:
        if _recorders:
            self.session_id = named_session(session_id) or "recorded"
            self._sink = _recorders[-1](self.session_id, creation)
            return
        if is_disabled(options.get("disabled")):
            log(logging.INFO, "progress is not reported: that is disabled")
            return
        address = None if transport else address_of(options.get("url"), options.get("token"))
        if address is None and transport is None:
            log(logging.INFO, "progress is not reported: no server is named, be it by PROGRESS_SSE_URL")
            return
        self.session_id = session_of(session_id)
        make_queue = partial(
            ReportQueue,
            creation=creation,
            on_error=self._on_error,
            flush_timeout_s=flush_timeout_of(options.get("flush_timeout_s")),
        )
        if transport is not None:
            self._sink = make_queue(self.session_id, *transport)
        elif address is not None:
            self._sink = make_queue(self.session_id, address, make_sender())
            self.link = link_to(address, self.session_id)
            log(logging.INFO, "progress is shown at %s", self.link)

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            log(logging.WARNING, "cannot report on %r: %s", self.session_id, describe_error(error))

    def _enter(self) -> None:
        self._outer = _reporter.get()
        _reporter.set(self)
        self._guard(self._sink.begin)

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
        text = f"some reports on {self.session_id!r} are not sent yet"
        if self._on_error == "raise":
            raise ServerAwayError(text)
        log(logging.WARNING, "%s; they are tried as long as the process lives", text)

    def _leave(self) -> None:
        # The former value is restored without a token, which is valid in its own context only: blocks may end in
        # another one, for example in generators, and must not fail then.
        _reporter.set(self._outer)


class BaseStep:
    """A stage of the job, as a block: it starts and completes with the block, and fails if the block raises.

    An exception is reported as the step's error and raised on.
    """

    def __init__(self, reporter: Reporter, number: int, message: str, timeout_ms: int | None) -> None:
        """Use `Progress.step`."""
        self.number = number
        self.reporter = reporter
        self._timeout_ms = timeout_ms
        self._first_message = message
        self._message: str | None = None
        self._reached = _Reached(0, None)
        # The count of `track`, which must cost very little per row. It is for one loop; two at once would reset each
        # other to 0 anyway.
        self._tracked = 0
        self._outer: BaseStep | None = None
        self._latest = Latest(number, self._read)

    def start(self) -> None:
        """Report that the step starts, anew if it had started before. Entering the block does that."""
        self.reporter.put(
            lambda: partial(self._started, index(self.number), self._timeout_ms and index(self._timeout_ms))
        )

    def advance(self, count: int = 1, *, message: str | None = None) -> None:
        """Report that `count` more units are done, and a new `message` if given; from any thread."""
        # Called once per row of a job: while an earlier report waits, its sender will read this one, too.
        if message is None and type(count) is int and self._latest.is_waiting:
            self._reached.count.add(count)
            if self._latest.is_waiting:
                return
            count = 0
        self.reporter.put(lambda: partial(self._advanced, index(self.number), int(index(count)), self._text(message)))

    def report(self, current: int, total: int | None = None, *, message: str | None = None) -> None:
        """Report that `current` of `total` units are done (`None`: of an unknown number), and a new message."""
        self.reporter.put(
            lambda: partial(
                self._set, index(self.number), int(index(current)), total and index(total), self._text(message)
            )
        )

    def complete(self, message: str | None = None) -> None:
        """Report success. Leaving the block does that."""
        self.reporter.put(lambda: partial(self._completed, index(self.number), self._text(message), None))

    def fail(self, error: str | BaseException) -> None:
        """Report failure. An exception that leaves the block does that."""
        self.reporter.put(lambda: partial(self._completed, index(self.number), self._text(None), _error_text(error)))

    def __enter__(self) -> Self:
        self.start()
        self._outer = _running.get()
        _running.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _running.set(self._outer)
        if error is None:
            self.complete()
            return
        try:
            self.fail(error)
        except ReportError as failure:  # The job asked for errors, but its own exception matters more now.
            log(logging.WARNING, "cannot report that step %s failed: %s", self.number, failure)

    # The job's objects have been read by then: these functions use our own values, and may run in any thread.

    def _started(self, number: int, timeout_ms: int | None) -> Start:
        self._reached = _Reached(-self._tracked, None)
        return Start(number, timeout_ms)

    def _advanced(self, number: int, count: int, message: str | None) -> Latest:
        self._reached.count.add(count)
        return self._queued(number, message)

    def _set(self, number: int, current: int, total: int | None, message: str | None) -> Latest:
        self._reached = _Reached(current - self._tracked, total)
        return self._queued(number, message)

    def _queued(self, number: int, message: str | None) -> Latest:
        self._set_message(message)
        self._latest.step = number
        return self._latest

    def _completed(self, number: int, message: str | None, error: str | None) -> Complete:
        self._set_message(message)
        return Complete(number, success=error is None, message=self._message or "", error=error or "")

    def _read(self) -> Advance:
        # A total that is exceeded was wrong: it is unknown from then on.
        reached = self._reached
        done = reached.count.value + self._tracked
        if reached.total is not None and done > reached.total:
            reached.total = None
        return Advance(self._latest.step, done, reached.total, self._message or "")

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


def _error_text(error: str | BaseException) -> str:
    return fit_text(describe_error(error) if isinstance(error, BaseException) else error)


def length(items: object) -> int | None:
    """Return the number of items, if it is known beforehand."""
    with SuppressReportingErrors():
        return len(items)  # type: ignore[arg-type]  # which this checks
    return None


def define(steps: Sequence[str | StepDefinition] | None, workflow: str | None) -> Create:
    """Return the creation of a session: with steps by names or definitions, or a workflow of the server."""
    if steps is None:
        return Create(workflow=workflow)
    if workflow is not None:
        raise ConfigurationError("A session is created by steps or by a workflow, not by both.")
    return Create(tuple(map(_definition, steps)))


def _definition(step: str | StepDefinition) -> StepDefinition:
    if isinstance(step, StepDefinition):
        return step
    if isinstance(step, str):
        return StepDefinition(fit_text(step))
    raise ConfigurationError("A step is given by its name or by its StepDefinition.")
