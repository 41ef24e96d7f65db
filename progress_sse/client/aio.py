"""`AsyncProgress`, for code on an event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, Unpack

from progress_sse.client.config import Options
from progress_sse.client.definitions import Labels, define
from progress_sse.client.fit_details import Links
from progress_sse.client.handle import BaseStep, Reporter
from progress_sse.client.loop_sender import AsyncTransport, LoopSender, sender_here, wait_for
from progress_sse.client.report_queue import OnLoop, ReportQueue
from progress_sse.client.reports import Create, StepRef
from progress_sse.client.step_reports import length
from progress_sse.client.thread_sender import load_http, thread_sender
from progress_sse.core.model import StepDefinition

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class AsyncOptions(Options, total=False):
    """The options of `AsyncProgress`.

    Attributes:
        transport: Used in place of HTTP to the URL; called by the reporting task.
    """

    transport: AsyncTransport | None


class AsyncStep(BaseStep):
    """A step in code on an event loop."""

    async def track(self, items: AsyncIterable[T] | Iterable[T], total: int | None = None) -> AsyncIterator[T]:
        """Iterate over `items`, and advance by one after each.

        Args:
            items: The items to iterate over.
            total: Their number; `None` takes it from their `len`, if they have one.
        """
        self.report(0, length(items) if total is None else total)
        if isinstance(items, AsyncIterable):
            async for item in items:
                yield item
                self._tracked += 1
                if not self._latest.is_waiting:
                    self.advance(0)
        else:
            for item in items:
                yield item
                self._tracked += 1
                if not self._latest.is_waiting:
                    self.advance(0)

    async def run(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a coroutine function as this step, and return what it returns."""
        with self:
            return await function(*args, **kwargs)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class AsyncProgress(Reporter):
    """Reports the steps of a job from an event loop, and never delays it.

    As `Progress`, with ``async with`` and ``async for``; a step also takes a plain ``with``, since nothing is awaited
    there. Functions that run in threads may report on its steps, too.
    """

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
            options: See `AsyncOptions`.

        Raises:
            ConfigurationError: Only with ``on_error="raise"``: the session or the URL cannot be used.
        """
        self._prepare(session_id, lambda: define(steps, workflow, title, labels, links, open_ended), options)

    @classmethod
    def attach(cls, session_id: str | None = None, **options: Unpack[AsyncOptions]) -> Self:
        """Return a progress that continues an existing session; the first step creates one if there is none."""
        progress = cls.__new__(cls)
        cls._prepare(progress, session_id, None, options)
        return progress

    def _prepare(self, session_id: str | None, create: Callable[[], Create] | None, options: AsyncOptions) -> None:
        transport = options.get("transport")
        target = (OnLoop(transport), _Unbound()) if transport else None
        self._set_up(session_id, create, options, _http_sender, target)

    def step(
        self, number: StepRef, *, message: str = "", timeout_ms: int | None = None, estimated_ms: int | None = None
    ) -> AsyncStep:
        """Return a step; see `Reporter.step`."""
        return AsyncStep(self, number, message, timeout_ms, estimated_ms)

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all reports are sent, at most so long (`None`: `flush_timeout_s`); return whether they are."""
        if isinstance(self._sink, ReportQueue):
            await wait_for(self._sink, self._sink.flush_timeout_s if timeout_s is None else timeout_s)
        return self._sink.is_settled

    async def aclose(self) -> None:
        """Wait as the end of the block does, and end the task; later reports go by the thread.

        Raises:
            ReportError: Only with ``on_error="raise"``: a report was refused, or the server was away for too long.
        """
        is_sent = await self._last_flush(self._close_timeout_s)
        try:
            self._conclude(is_sent)
        finally:
            await self._release()

    async def _last_flush(self, timeout_s: float | None = None) -> bool:
        try:
            with self._last_wait() as patience_s:
                return await self.flush(patience_s if timeout_s is None else timeout_s)
        except asyncio.CancelledError:
            self._release_sink()
            raise

    def _release_sink(self) -> None:
        if isinstance(self._sink, ReportQueue):
            self._sink.sender.release(self._sink)

    async def _release(self) -> None:
        if not isinstance(self._sink, ReportQueue):
            return
        if isinstance(self._sink.sender, LoopSender):
            await self._sink.sender.aclose(self._sink)
        else:
            self._sink.transfer_to(thread_sender())

    async def __aenter__(self) -> Self:
        if isinstance(self._sink, ReportQueue):
            self._sink.sender.wake(self._sink)  # On this loop, even if another thread reports first.
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        try:
            self._report_end(error)
        finally:
            await self._end_block(error)

    async def _end_block(self, error: BaseException | None) -> None:
        if error is None:
            await self.aclose()
        elif isinstance(error, asyncio.CancelledError):
            self._release_sink()  # Perhaps a time limit has passed: a further wait would exceed it.
        else:
            await self._last_flush()
            await self._release()


def _http_sender() -> "_Unbound":
    load_http()
    return _Unbound()


class _Unbound:
    """The sender of a queue before its first report, which is made on the loop that will send it or on none."""

    def __init__(self) -> None:
        self._first = deque([None])

    def wake(self, queue: ReportQueue) -> None:
        """Choose the sender. One thread does so; others need not wait, as the queue is checked later."""
        with suppress(IndexError):
            self._first.pop()
            try:
                sender = sender_here()
            except BaseException:
                self._first.append(None)  # For the next report.
                raise
            queue.transfer_to(sender)

    def release(self, queue: ReportQueue) -> None:
        """Let the process's thread send for the queue."""
        queue.transfer_to(thread_sender())
