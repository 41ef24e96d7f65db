"""`AsyncProgress`, for code on an event loop, and the task that sends for one.

What the task has not told when the block or the loop ends is handed to the thread of ``sync``, which tells it.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from contextvars import Context
from types import TracebackType
from typing import ParamSpec, Protocol, Self, TypeVar, Unpack, runtime_checkable

from progress_sse.client.config import Address, Options
from progress_sse.client.core import PATIENCE_S, Answer, Request
from progress_sse.client.handle import BaseStep, Reporter, define, length
from progress_sse.client.line import Line
from progress_sse.client.loading import load_http
from progress_sse.client.reports import Create, describe_error
from progress_sse.client.sync import FLUSH_S, sender
from progress_sse.model import StepDefinition

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class AsyncTransport(Protocol):
    """What carries a request to the server and its answer back."""

    async def send(self, request: Request) -> Answer:
        """Send a request and return what comes back."""

    async def aclose(self) -> None:
        """Let go of what it holds."""


@runtime_checkable
class AsyncWideTransport(AsyncTransport, Protocol):
    """One that can carry several at once."""

    async def send_together(self, requests: Sequence[Request]) -> Sequence[Answer] | Answer:
        """Send requests, none of them a creation; return the answer to each, or the one answer to them all."""


class AsyncOptions(Options, total=False):
    """The options of `AsyncProgress`.

    Attributes:
        transport: Another way to the server than HTTP to its URL; called by the reporting task.
    """

    transport: AsyncTransport | None


class AsyncStep(BaseStep):
    """A step in code on an event loop."""

    async def track(self, items: AsyncIterable[T] | Iterable[T], total: int | None = None) -> AsyncIterator[T]:
        """Go through `items`, and advance by one with each that has been dealt with.

        Args:
            items: What to go through.
            total: How many there are; `None` asks their `len`, and does without where they have none.
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
    """Reports the steps of a job from an event loop, and is never in its way.

    As `Progress`, with ``async with`` and ``async for``; a step also takes a plain ``with``, since nothing is awaited
    there. Functions that run in threads may report on its steps, too.
    """

    _driver: "AsyncSender | None" = None

    def __init__(
        self,
        session_id: str | None = None,
        *,
        steps: Sequence[str | StepDefinition] | None = None,
        workflow: str | None = None,
        **options: Unpack[AsyncOptions],
    ) -> None:
        """Prepare a session.

        Args:
            session_id: Its id; else `PROGRESS_SSE_SESSION`.
            steps: Its steps, by their names or with their times; `None` leaves them to the server.
            workflow: The name of steps that the server knows; `None` is its default ones.
            options: See `AsyncOptions`.

        Raises:
            ConfigurationError: Only with ``on_error="raise"``: the session or the URL cannot be used.
        """
        self._prepare(session_id, lambda: define(steps, workflow), options)

    @classmethod
    def attach(cls, session_id: str | None = None, **options: Unpack[AsyncOptions]) -> Self:
        """Return a progress that goes on with a session as it is; the first step creates one if there is none."""
        progress = cls.__new__(cls)
        cls._prepare(progress, session_id, None, options)
        return progress

    def _prepare(self, session_id: str | None, create: Callable[[], Create] | None, options: AsyncOptions) -> None:
        transport = options.get("transport")
        way = (None, self._drive(lambda: transport)) if transport else None
        self._set_up(session_id, create, options, self._drive_http, way)

    def _drive(self, connect: "Callable[[], AsyncTransport]") -> "AsyncSender":
        self._driver = AsyncSender(connect)
        return self._driver

    def _drive_http(self, address: Address) -> "AsyncSender":
        load_http()
        return self._drive(lambda: _connect(address))

    def step(self, number: int, *, message: str = "", timeout_ms: int | None = None) -> AsyncStep:
        """Return a step; see `Reporter.step`."""
        return AsyncStep(self, number, message, timeout_ms)

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all is told, or for `timeout_s` seconds (`None`: `FLUSH_S`), and return whether it is."""
        if isinstance(self._outlet, Line) and self._driver is not None:
            await self._driver.wait(self._outlet, FLUSH_S if timeout_s is None else timeout_s)
        return self._outlet.is_settled

    async def aclose(self) -> None:
        """Wait as the end of the block does, and end the task; what is reported later goes by the thread.

        Raises:
            ReportError: Only with ``on_error="raise"``: a report was refused, or the server was away for too long.
        """
        try:
            is_told = await self.flush(PATIENCE_S if self._on_error == "raise" else None)
            self._conclude(is_told)
        finally:
            await self._release()

    async def _release(self) -> None:
        if isinstance(self._outlet, Line) and self._driver is not None:
            await self._driver.aclose(self._outlet)

    async def __aenter__(self) -> Self:
        if isinstance(self._outlet, Line) and self._driver is not None:
            self._driver.wake(self._outlet)  # On this loop, whichever thread reports first.
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if error is None:
            await self.aclose()
            return
        try:
            await self.flush()
        finally:
            await self._release()


def _connect(address: Address) -> AsyncTransport:
    from progress_sse.client.http import AsyncHttpTransport

    return AsyncHttpTransport(address)


class AsyncSender:
    """The task that sends for one line; made with the first report on a loop."""

    def __init__(self, connect: Callable[[], AsyncTransport]) -> None:
        """Connect by `connect`, once there is something to send."""
        self._connect = connect
        self._transport: AsyncTransport | None = None
        self._changed = asyncio.Event()
        self._first = deque([None])
        self._is_woken = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_left = False

    def wake(self, line: Line) -> None:
        """Look at the line again; called from any thread, and waits for nothing."""
        loop = self._loop
        if loop is None:
            # One pops it. Another one that comes before there is a task need do nothing: a task begins with a look.
            with suppress(IndexError):
                self._first.pop()
                self._begin(line)
        elif not self._is_woken or loop.is_closed():
            self._is_woken = True
            try:
                loop.call_soon_threadsafe(self._look)
            except RuntimeError:  # The loop is closed.
                line.hand_over(sender())
            except BaseException:
                self._is_woken = False
                raise

    def _begin(self, line: Line) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            line.hand_over(sender())
            return
        # In no step's context: what the sending logs would else be reported as that step's message.
        self._task = loop.create_task(self._run(line), name="progress-sse", context=Context())
        # Also of a task that is cancelled before it begins.
        self._task.add_done_callback(lambda _: line.hand_over(sender()))
        self._loop = loop

    def _look(self) -> None:
        self._is_woken = False
        self._changed.set()

    def release(self, line: Line) -> None:
        """Let the thread have the line: the process ends."""
        if self._loop is not None and self._task is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._task.cancel)
        else:
            line.hand_over(sender())

    async def wait(self, line: Line, timeout_s: float) -> None:
        """Wait until the line is settled, or for so long; let what waits for a retry go at once."""
        settled = _LoopWaiter()
        line.add_waiter(settled)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    while not line.is_settled:
                        settled.event.clear()
                        await settled.event.wait()
        finally:
            line.remove_waiter(settled)

    async def aclose(self, line: Line) -> None:
        """End the task; the thread takes over the line, and what is left to tell, if it knows the way."""
        self._is_left = True
        if line.way is None and not line.is_settled:
            return  # The task ends when all is told, or with its loop.
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        line.hand_over(sender())

    async def _run(self, line: Line) -> None:
        try:
            while not (self._is_left and line.is_settled):
                self._changed.clear()
                pause_s = line.wake_at() - time.monotonic()
                requests = line.next(alone=not isinstance(self._transport, AsyncWideTransport))
                if requests:
                    await self._send(line, requests)
                line.handle_events()
                if not requests:
                    await self._pause(pause_s)
        finally:
            if self._transport is not None:
                await self._transport.aclose()

    async def _send(self, line: Line, requests: Sequence[Request]) -> None:
        answer: Sequence[Answer] | Answer
        try:
            if self._transport is None:
                self._transport = self._connect()
            if len(requests) > 1 and isinstance(self._transport, AsyncWideTransport):
                answer = await self._transport.send_together(requests)
            else:
                answer = await self._transport.send(requests[0])
        except Exception as error:  # noqa: BLE001  # whatever a transport does, the task goes on
            answer = Answer(500, detail=describe_error(error))
        line.take(requests, answer)

    async def _pause(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(pause_s, 3600)):
                await self._changed.wait()


class _LoopWaiter:
    """What waits on a loop for a line that a thread may send for."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def put(self, _: Line, /) -> None:
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self.event.set)
