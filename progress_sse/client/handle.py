"""What a job holds: a reporter on a session, and its steps; alike in blocking and in async code.

Nothing in here waits for anything. A report goes to the outlet, and whatever goes wrong with that is logged, once,
unless the job asked for errors. Blocking and async code differ in how a block ends, how an iterable is gone through
and how a function is called: ``sync`` and ``aio`` have that.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from operator import index
from types import TracebackType
from typing import Final, Self

from progress_sse.client.config import (
    Address,
    OnError,
    Options,
    address_of,
    is_disabled,
    link_to,
    named_session,
    session_of,
)
from progress_sse.client.errors import OUR_TROUBLES, ReportError, ServerAwayError
from progress_sse.client.line import Driver, Line, Nowhere, Outlet, Transport, lock, logger
from progress_sse.client.reports import Advance, Complete, Create, Latest, News, Start, describe_error, fit_text
from progress_sse.errors import ConfigurationError
from progress_sse.model import StepDefinition

_reporter: Final[ContextVar["Reporter | None"]] = ContextVar("progress_sse_reporter", default=None)
_running: Final[ContextVar["BaseStep | None"]] = ContextVar("progress_sse_step", default=None)

_recorders: Final[list[Callable[[str], Outlet]]] = []
"""What makes outlets for sessions while a test records them; the last one counts."""


@contextmanager
def diverted(make_outlet: Callable[[str], Outlet]) -> Iterator[None]:
    """Let what is made in this block report there, whatever it was told."""
    _recorders.append(make_outlet)
    try:
        yield
    finally:
        _recorders.remove(make_outlet)


def is_diverted() -> bool:
    """Tell whether what is made now reports somewhere else than it was told."""
    return bool(_recorders)


def active() -> "Reporter | None":
    """Return the reporter whose block this code runs in; a new thread begins without one."""
    return _reporter.get()


def running_step() -> "BaseStep | None":
    """Return the step whose block this code runs in; a new thread begins without one."""
    return _running.get()


@contextmanager
def inside(step: "BaseStep") -> Iterator[None]:
    """Let this code run in a step that begins and ends elsewhere; nothing is reported, and nothing waited for."""
    outer, outer_step = _reporter.get(), _running.get()
    _reporter.set(step.reporter)
    _running.set(step)
    try:
        yield
    finally:
        _reporter.set(outer)
        _running.set(outer_step)


class Reporter(ABC):
    """Tells how far the job is that does the work of a session.

    Attributes:
        session_id: The session; empty where nothing is reported.
        link: The page that shows it; `None` where there is none.
    """

    session_id = ""
    link: str | None = None
    _outlet: Outlet = Nowhere()
    _on_error: OnError = "warn"
    _creation: Create | None = None
    _outer: "Reporter | None" = None
    _has_warned = False

    @property
    def lost(self) -> int:
        """How many reports were refused or given up."""
        return self._outlet.lost

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

    def put(self, compose: Callable[[], News]) -> None:
        """Report what `compose` returns, and let no trouble with that get to the job."""
        self._guard(lambda: self._outlet.put(compose))

    def _guard(self, report: Callable[[], None]) -> None:
        try:
            self._create()
            report()
        except OUR_TROUBLES as error:
            if self._on_error == "raise":
                raise
            self._warn(error)
        self._outlet.raise_error()

    def _create(self) -> None:
        """Begin the session afresh, before the first thing that is said of it."""
        if self._creation is None:
            return
        with lock:  # Of another thread, too, which would begin a step of the session before.
            creation = self._creation
            try:
                if creation is not None:
                    self._outlet.put(lambda: creation)
            finally:
                self._creation = None

    def _set_up(
        self,
        session_id: str | None,
        create: Callable[[], Create] | None,
        options: Options,
        driver: Callable[[Address], Driver],
        transport: tuple[Transport | None, Driver] | None,
    ) -> None:
        """Find out where to report to; `create` says how the session begins, if it is to begin afresh.

        `driver` makes what sends to a server; `transport` is another way, and what sends on that.
        """
        self._on_error = options.get("on_error", "warn")
        try:
            creation = create() if create else None
            self._connect(session_id, options, driver, transport)
            self._creation = creation
        except OUR_TROUBLES as error:
            if self._on_error == "raise":
                raise
            self._warn(error)

    def _connect(
        self,
        session_id: str | None,
        options: Options,
        driver: Callable[[Address], Driver],
        transport: tuple[Transport | None, Driver] | None,
    ) -> None:
        if _recorders:
            self.session_id = named_session(session_id) or "recorded"
            self._outlet = _recorders[-1](self.session_id)
            return
        if is_disabled(options.get("disabled")):
            logger.info("progress is not reported: that is disabled")
            return
        address = None if transport else address_of(options.get("url"), options.get("token"))
        if address is None and transport is None:
            logger.info("progress is not reported: no server is named, be it by PROGRESS_SSE_URL")
            return
        self.session_id = session_of(session_id)
        if transport is not None:
            self._outlet = Line(self.session_id, *transport, self._on_error)
        elif address is not None:
            self._outlet = Line(self.session_id, address, driver(address), self._on_error)
            self.link = link_to(address, self.session_id)
            logger.info("progress is shown at %s", self.link)

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("cannot report on %r: %s", self.session_id, describe_error(error))

    def _enter(self) -> None:
        self._outer = _reporter.get()
        _reporter.set(self)
        self._guard(lambda: None)

    def _conclude(self, is_told: bool) -> None:
        """Raise or say what the end of the block has to."""
        self._outlet.raise_error()
        if is_told:
            return
        text = f"not all was told of {self.session_id!r} yet"
        if self._on_error == "raise":
            raise ServerAwayError(text)
        logger.warning("%s; as long as the process lives, that will be tried", text)

    def _leave(self) -> None:
        # What was there before is put back by hand: a token is good in the same context only, and blocks that end
        # in another one, as those in generators may, must not fail for that.
        _reporter.set(self._outer)


class BaseStep:
    """A stage of the job, as a block: starts with it, completes with it, and fails where it raises.

    An exception is reported as the step's error and goes on its way.
    """

    def __init__(self, reporter: Reporter, number: int, message: str, timeout_ms: int | None) -> None:
        """Use `Progress.step`."""
        self.number = number
        self.reporter = reporter
        self._message = message
        self._timeout_ms = timeout_ms
        self._current = 0
        # What `track` counts by itself, a row at a time and without the lock: a job would feel more than that. It is
        # for one loop; two of them at once would set each other back to 0 anyway.
        self._tracked = 0
        self._total: int | None = None
        self._outer: BaseStep | None = None
        self._latest = Latest(number, self._read)

    def start(self) -> None:
        """Report that it begins, afresh if it had begun before. Entering the block does that."""
        self._set(0, None)
        self.reporter.put(lambda: Start(index(self.number), self._timeout_ms and index(self._timeout_ms)))

    def advance(self, count: int = 1, *, message: str | None = None) -> None:
        """Report that `count` more units are done, and a `message` if there is a new one; from any thread."""
        # Once per row of somebody's job: while an earlier one waits, all the rest is left to whoever sends that.
        if message is None and type(count) is int:
            with lock:
                if self._latest.is_waiting:
                    self._current += count
                    return
        self.reporter.put(lambda: self._advanced(index(count), message))

    def report(self, current: int, total: int | None = None, *, message: str | None = None) -> None:
        """Report that `current` of `total` units are done (`None`: of an unknown number), and a new message."""
        self.reporter.put(lambda: self._reached(index(current), total and index(total), message))

    def complete(self, message: str | None = None) -> None:
        """Report that it ended well. Leaving the block does that."""
        self.reporter.put(lambda: Complete(index(self.number), message=self._text(message)))

    def fail(self, error: str | BaseException) -> None:
        """Report that it failed. An exception that leaves the block does that."""
        self.reporter.put(
            lambda: Complete(
                index(self.number),
                success=False,
                message=self._text(None),
                error=fit_text(describe_error(error) if isinstance(error, BaseException) else error),
            )
        )

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
        except ReportError as trouble:  # Asked for, but what the job failed of is what matters now.
            logger.warning("cannot report that step %s failed: %s", self.number, trouble)

    def _advanced(self, count: int, message: str | None) -> Latest:
        self._text(message)
        self._current += count
        return self._queued()

    def _reached(self, current: int, total: int | None, message: str | None) -> Latest:
        self._text(message)
        self._set(current, total)
        return self._queued()

    def _queued(self) -> Latest:
        # What could go wrong with it has gone wrong by now, and does not when it is read.
        self._latest.step = index(self.number)
        return self._latest

    def _read(self) -> Advance:
        # A total that has been passed was wrong: it is unknown from then on.
        done = self._current + self._tracked
        if self._total is not None and done > self._total:
            self._total = None
        return Advance(self._latest.step, done, self._total, self._message)

    def _set(self, done: int, total: int | None) -> None:
        self._current, self._total = done - self._tracked, total

    def _text(self, message: str | None) -> str:
        self._message = fit_text(self._message if message is None else message)
        return self._message


def length(items: object) -> int | None:
    """Return how many items there are, where that is known beforehand."""
    try:
        return len(items)  # type: ignore[arg-type]  # that is the question
    except Exception:  # noqa: BLE001  # whatever a length is computed from, the job does not need it
        return None


def define(steps: Sequence[str | StepDefinition] | None, workflow: str | None) -> Create:
    """Return what creates a session: steps by their names or their definitions, or a workflow of the server's."""
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
