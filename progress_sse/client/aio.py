"""`AsyncProgress`, for code on an event loop."""

import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, Unpack

from progress_sse.client.cancel_scope import CancelScope, LoopAnnouncer
from progress_sse.client.config import Options
from progress_sse.client.definitions import Labels, Links, define
from progress_sse.client.handle import BaseStep, PartReports, Reporter
from progress_sse.client.inbox import Request
from progress_sse.client.loops import Home, JobLoop, is_cancellation, running_loop
from progress_sse.client.report_queue import ReportQueue
from progress_sse.client.reports import Create
from progress_sse.client.step_reports import length
from progress_sse.client.targets import AsyncTransport, OnLoop
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import StepRef

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class AsyncOptions(Options, total=False):
    """The options of `AsyncProgress`.

    Attributes:
        transport: Used in place of HTTP to the URL; called on the event loop of the job, which closes it.
    """

    transport: AsyncTransport | None


class AsyncStep(BaseStep):
    """A step in code on an event loop."""

    _scope: CancelScope | None = None

    async def track(self, items: AsyncIterable[T] | Iterable[T], total: int | None = None) -> AsyncIterator[T]:
        """Iterate over `items`, and advance by one after each.

        Args:
            items: The items to iterate over.
            total: Their number; `None` takes it from their `len`, if they have one.

        Raises:
            Cancelled: A reader has asked to cancel the job, which accepts that.
        """
        self.report(0, length(items) if total is None else total)
        if isinstance(items, AsyncIterable):
            async for item in items:
                self.check()
                yield item
                self._tracked += 1
                if not self._latest.is_waiting:
                    self.advance(0)
        else:
            for item in items:
                self.check()
                yield item
                self._tracked += 1
                if not self._latest.is_waiting:
                    self.advance(0)

    def part(self, name: str, *, message: str = "") -> "AsyncPart":
        """Return a part of this step, which may run in another process and at the same time as others.

        The step must have been started, by this process or another one.

        Args:
            name: Its name, at most 100 characters: each part of the step has another one.
            message: A text that is shown with its progress.
        """
        return AsyncPart(self, name, message)

    async def run(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a coroutine function as this step, and return what it returns."""
        async with self:
            return await function(*args, **kwargs)

    async def __aenter__(self) -> Self:
        self.__enter__()
        self._scope = None
        loop = running_loop() if self.reporter.inbox.accepts else None
        if loop is not None:
            pending = None if self.reporter.inbox.is_entered else self.pending_cancel()
            self._scope = CancelScope(self.reporter.inbox, loop, self.number, pending)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left_by = error if self._scope is None else self._scope.close(error)
        self.__exit__(kind, left_by, trace)
        if left_by is not None and left_by is not error:
            raise left_by from error

    def _as_reported(self, error: BaseException | None) -> BaseException | None:
        """Return the exception that the step is to bear: a block around it may have been cancelled by a request."""
        request = self.pending_cancel() if is_cancellation(error) else None
        return error if request is None else request.cancellation()


class AsyncPart(PartReports, AsyncStep):
    """A part of a step in code on an event loop."""


class AsyncProgress(Reporter):
    """Reports the steps of a job from an event loop, and never delays it.

    As `Progress`, with ``async with`` and ``async for``; a step also takes a plain ``with``, since nothing is awaited
    there. Functions that run in threads may report on its steps, too.

    A request to cancel the job cancels the task that is in its ``async with`` block, or where it has entered none,
    those in the ``async with`` blocks of its steps. At its end the block raises `Cancelled` in place of that
    `CancelledError`. Where the task is cancelled from elsewhere as well, `CancelledError` goes on.
    """

    _scope: CancelScope | None = None

    def __init__(
        self,
        session_id: str | None = None,
        *,
        steps: Sequence[str | StepDefinition] | None = None,
        workflow: str | None = None,
        title: str | None = None,
        labels: Labels | None = None,
        links: Links | None = None,
        open_ended: bool = False,
        profile: str | None = None,
        **options: Unpack[AsyncOptions],
    ) -> None:
        """Prepare a session.

        Args:
            session_id: Its id; else `PROGRESS_SSE_SESSION`.
            steps: Its steps, by their names or with their times; `None` leaves them to the server.
            workflow: The name of steps that the server knows; `None` is its default ones, or of an open-ended session
                none.
            title: Its name for people, at most 200 characters. All readers of the session read it, and what follows.
            labels: Texts by which it is found, at most 16.
            links: Pages about it, at most 20: URLs by their labels, or pairs of both. A URL has http or https, or is a
                path of the server's host.
            open_ended: Whether it gets its steps as they start. Then the end of the block completes it, and nothing
                else but `finish`.
            profile: The name under which the server learns what its steps take from run to run, so that it knows when
                later runs will end. It has the form of a session id, and who reports must be allowed to publish to
                it as to a session; otherwise the session is created without it.
            options: See `AsyncOptions`.

        Raises:
            ConfigurationError: Only with ``on_error="raise"``: the session or the URL cannot be used.
        """
        self._prepare(session_id, lambda: define(steps, workflow, title, labels, links, open_ended, profile), options)

    @classmethod
    def attach(cls, session_id: str | None = None, **options: Unpack[AsyncOptions]) -> Self:
        """Return a progress that continues an existing session; the first step creates one if there is none."""
        progress = cls.__new__(cls)
        cls._prepare(progress, session_id, None, options)
        return progress

    def _prepare(self, session_id: str | None, create: Callable[[], Create] | None, options: AsyncOptions) -> None:
        transport, home = options.get("transport"), Home()
        self._set_up(session_id, create, options, OnLoop(transport, home.loop) if transport else None, home)

    def step(
        self,
        number: StepRef,
        *,
        message: str = "",
        timeout_ms: int | None = None,
        estimated_ms: int | None = None,
        parts_total: int | None = None,
    ) -> AsyncStep:
        """Return a step; see `Reporter.step`."""
        return AsyncStep(self, number, message, timeout_ms, estimated_ms, parts_total)

    def on_request(self, callback: Callable[[Request], object]) -> None:
        """Call a function once for each request of a reader, on the running loop; it may be a coroutine function.

        It may `honour` or `decline` the request. A request to cancel that it does not answer is raised as `Cancelled`
        after it has returned. Its exceptions are logged.

        What is open already counts. A request to try again comes while the block lasts. Without a block it comes after
        a failure, until a step starts or the progress is closed.
        """
        if self.session_id:  # Without one there are no readers.
            self._callbacks.append(callback)
            self.inbox.announce = LoopAnnouncer(self.inbox, self._callbacks)
            self._announce_open_requests()

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all reports are sent, at most so long (`None`: `flush_timeout_s`); return whether they are."""
        if isinstance(self._sink, ReportQueue):
            await _wait_for(self._sink, self._sink.flush_timeout_s if timeout_s is None else timeout_s)
        return self._sink.is_settled

    async def aclose(self) -> None:
        """Wait as the end of the block does.

        Raises:
            ReportError: Only with ``on_error="raise"``: a report was refused, or the server was away for too long.
        """
        self.inbox.is_closed = True
        self._conclude(await self._last_flush(self._close_timeout_s))

    async def _last_flush(self, timeout_s: float | None = None) -> bool:
        with self._last_wait() as patience_s:
            return await self.flush(patience_s if timeout_s is None else timeout_s)

    async def __aenter__(self) -> Self:
        self._enter()
        loop = running_loop() if self.inbox.accepts else None
        if loop is not None:
            self._scope = CancelScope(self.inbox, loop, None, self.inbox.pending(None))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        left_by = error if self._scope is None else self._scope.close(error)
        try:
            self._report_end(left_by)
        finally:
            await self._end_block(left_by)
        if left_by is not None and left_by is not error:
            raise left_by from error

    async def _end_block(self, error: BaseException | None) -> None:
        if error is None:
            await self.aclose()
        elif not is_cancellation(error):  # Else a time limit may have passed, which a further wait would exceed.
            await self._last_flush()


async def _wait_for(queue: ReportQueue, timeout_s: float) -> None:
    """Wait until the queue is settled, or for `timeout_s`; retry at once."""
    loop, until = running_loop(), time.monotonic() + timeout_s
    if loop is None:
        return
    settled = LoopWaiter(loop)
    try:
        queue.add_waiter(settled)
        while not queue.is_settled and queue.sender.is_started and await settled.wait(until):
            pass
    finally:
        queue.remove_waiter(settled)


class LoopWaiter:
    """Waits on a loop until the sending thread has settled a queue."""

    def __init__(self, loop: JobLoop) -> None:
        """Begin on the running loop."""
        self._loop = loop
        self._settled = self._loop.event()

    async def wait(self, until: float) -> bool:
        """Wait until the queue was settled since the last call, or until a time; return whether it was."""
        is_settled = await self._loop.wait(self._settled, max(0.0, until - time.monotonic()))
        self._settled = self._loop.event()
        return is_settled

    def put(self, _: object, /) -> None:
        """Wake the wait; called by the sending thread."""
        self._loop.call(lambda: self._settled.set())
