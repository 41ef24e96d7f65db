"""`AsyncProgress`, for code on an event loop; and its blocks, which a reader's request to cancel ends.

The task of a cancelled block is cancelled, as by `asyncio.timeout`. At its end such a block turns its own cancellation
into `Cancelled`. An exception group of nothing but `Cancelled`, of a task group, becomes one of them.
"""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextvars import copy_context
from functools import partial
from inspect import isawaitable
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, Unpack

from progress_sse.client.config import Options
from progress_sse.client.definitions import Labels, Links, define
from progress_sse.client.errors import Cancelled
from progress_sse.client.inbox import Inbox, Request, calling
from progress_sse.client.loops import AsyncioLoop, Home, JobLoop, is_cancellation, running_loop
from progress_sse.client.report_queue import ReportQueue
from progress_sse.client.reporter import BaseReporter, last_wait
from progress_sse.client.reports import Create
from progress_sse.client.steps import BaseStep, length
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

    _scope: "CancelScope | None" = None

    async def track(self, items: AsyncIterable[T] | Iterable[T], total: int | None = None) -> AsyncIterator[T]:
        """Iterate over `items`, and advance by one after each.

        Args:
            items: The items to iterate over.
            total: Their number; `None` takes it from their `len`, if they have one.

        Raises:
            Cancelled: A reader has asked to cancel the job, which accepts that.
        """
        self.report(0, length(items) if total is None else total)
        async for item in items if isinstance(items, AsyncIterable) else _one_by_one(items):
            self.check()
            yield item
            self._tracked += 1
            if not self._latest.is_waiting:
                self.advance(0)

    async def run(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a coroutine function as this step, and return what it returns."""
        async with self:
            return await function(*args, **kwargs)

    async def __aenter__(self) -> Self:
        self.__enter__()
        inbox = self.reporter.inbox
        self._scope = _opened_scope(inbox, self.number, None if inbox.is_entered else self.pending_cancel())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left_by = error if self._scope is None else self._scope.close(error)
        self.__exit__(kind, left_by, trace)
        if left_by is not None and left_by is not error:
            raise left_by from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A block around it may have been cancelled by a request, which the step is to bear then.
        request = self.pending_cancel() if is_cancellation(error) else None
        super().__exit__(kind, error if request is None else request.cancellation(), trace)


async def _one_by_one(items: Iterable[T]) -> AsyncIterator[T]:
    for item in items:
        yield item


class AsyncProgress(BaseReporter[AsyncStep]):
    """Reports the steps of a job from an event loop, and never delays it.

    As `Progress`, with ``async with`` and ``async for``; a step also takes a plain ``with``, since nothing is awaited
    there. Functions that run in threads may report on its steps, too.

    A request to cancel the job cancels the task that is in its ``async with`` block, or where it has entered none,
    those in the ``async with`` blocks of its steps. At its end the block raises `Cancelled` in place of that
    `CancelledError`. Where the task is cancelled from elsewhere as well, `CancelledError` goes on.
    """

    _step_class = AsyncStep
    _scope: "CancelScope | None" = None

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
        """Prepare a session; `Progress` has the same arguments, but for the `transport` of the options.

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
        transport = options.get("transport")
        self._home = Home()
        self._set_up(session_id, create, options, OnLoop(transport, self._home.loop) if transport else None)

    def _announcer(self) -> Callable[[Request], bool]:
        loop = running_loop()
        announce = partial(_announce, self.inbox, self._callbacks)

        def announce_soon(request: Request) -> bool:
            work = partial(announce, request)
            context = copy_context()
            return loop is not None and loop.call(lambda: loop.start(work, context))

        return announce_soon

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all reports are sent, at most so long (`None`: `flush_timeout_s`); return whether they are."""
        if isinstance(self.sink, ReportQueue):
            await _wait_for(self.sink, self.sink.flush_timeout_s if timeout_s is None else timeout_s)
        return self.sink.is_settled

    async def aclose(self) -> None:
        """Wait as the end of the block does.

        Raises:
            ReportError: Only with ``on_error="raise"``: a report was refused, or the server was away for too long.
        """
        self.inbox.is_closed = True
        self._conclude(await self._last_flush(self._close_timeout_s))

    async def _last_flush(self, timeout_s: float | None = None) -> bool:
        with last_wait(self.sink) as patience_s:
            return await self.flush(patience_s if timeout_s is None else timeout_s)

    async def __aenter__(self) -> Self:
        self._enter()
        self._scope = _opened_scope(self.inbox, None, self.inbox.pending(None))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left_by = error if self._scope is None else self._scope.close(error)
        try:
            self._leave(left_by)
        finally:
            if left_by is None:
                await self.aclose()
            elif not is_cancellation(left_by):  # Else a time limit may have passed, which a further wait would exceed.
                await self._last_flush()
        if left_by is not None and left_by is not error:
            raise left_by from error


async def _wait_for(queue: ReportQueue, timeout_s: float) -> None:
    """Wait until the queue is settled, or for `timeout_s`; retry at once."""
    loop = running_loop()
    until = time.monotonic() + timeout_s
    if loop is None:
        return
    settled = loop.event()

    def wake(_: ReportQueue) -> None:  # Called by the sending thread.
        loop.call(lambda: settled.set())

    try:
        queue.add_waiter(wake)
        while not queue.is_settled and queue.sender.is_started:
            if not await loop.wait(settled, max(0.0, until - time.monotonic())):
                break
            settled = loop.event()  # Another report may have come.
    finally:
        queue.remove_waiter(wake)


async def _announce(inbox: Inbox, callbacks: Sequence[Callable[[Request], object]], request: Request) -> None:
    with request.announced_to(callbacks) as untold:
        for callback in untold:
            with calling():
                called = callback(request)
                if isawaitable(called):
                    await called
    inbox.proceed(request)


def _opened_scope(inbox: Inbox, step: StepRef | None, pending: Request | None) -> "CancelScope | None":
    """Return a scope of the current task, where the job may be cancelled and this is an event loop."""
    loop = running_loop() if inbox.accepts else None
    return None if loop is None else CancelScope(inbox, loop, step, pending)


class CancelScope:
    """The block of a step, or of the whole job, in the current task of a loop, which a request to cancel ends."""

    def __init__(self, inbox: Inbox, loop: JobLoop, step: StepRef | None, pending: Request | None) -> None:
        """Begin the block of a step (`None`: of the whole job); a `pending` request cancels it at once."""
        self._inbox = inbox
        self._request: Request | None = None
        self._is_over = False
        self._loop = loop
        self._block = _AsyncioTask() if isinstance(loop, AsyncioLoop) else _TrioScope()
        inbox.scopes[self.cancel] = step
        if pending is not None:
            self.cancel(pending)

    def cancel(self, request: Request) -> None:
        """Cancel the block's task, soon; called from any thread."""
        self._loop.call(lambda: self._cancel(request))

    def _cancel(self, request: Request) -> None:
        if not (self._is_over or self._request is not None or request.is_declined):
            self._request = request
            self._block.cancel()

    def close(self, error: BaseException | None) -> BaseException | None:
        """End the block; return the exception that leaves it, `Cancelled` in place of its own cancellation."""
        self._inbox.scopes.pop(self.cancel, None)
        self._is_over = True
        is_ours = self._block.leave(error)
        if is_ours and self._request is not None and is_cancellation(error):
            return self._request.cancellation()
        return _cancellation_in(error) or error


class _AsyncioTask:
    """The task of asyncio in which the block runs."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._cancelling = 0 if self._task is None else self._task.cancelling()
        self._is_cancelled = False

    def cancel(self) -> None:
        if self._task is not None:
            self._is_cancelled = True
            self._task.cancel()

    def leave(self, _: BaseException | None) -> bool:
        """End the block that was cancelled; return whether nothing but that has cancelled it."""
        task = self._task
        self._task = None
        return task is not None and self._is_cancelled and task.uncancel() <= self._cancelling


class _TrioScope:
    """A scope of trio around the block."""

    def __init__(self) -> None:
        import trio

        self._scope = trio.CancelScope()
        self._scope.__enter__()

    def cancel(self) -> None:
        self._scope.cancel()

    def leave(self, error: BaseException | None) -> bool:
        """End the block that was cancelled; return whether nothing but that has cancelled it."""
        trace = None if error is None else error.__traceback__
        return bool(self._scope.__exit__(None if error is None else type(error), error, trace))


def _cancellation_in(error: BaseException | None) -> BaseException | None:
    """Return the `Cancelled` that the tasks of a group have ended by, if no other error has ended one."""
    if not isinstance(error, BaseExceptionGroup) or error.split(Cancelled)[1] is not None:
        return None
    first: BaseException = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
