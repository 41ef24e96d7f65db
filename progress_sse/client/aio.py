"""`AsyncProgress`, for code on an event loop, and what sends for all of them there.

What that has not told when the block or the loop ends is handed to the thread of ``sync``, which tells it.
"""

import asyncio
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from contextvars import Context
from functools import partial
from types import TracebackType
from typing import Final, ParamSpec, Protocol, Self, TypeVar, Unpack, cast, runtime_checkable
from weakref import WeakKeyDictionary, WeakValueDictionary

from progress_sse.client.config import Address, Options
from progress_sse.client.core import PATIENCE_S, Answer, Availability, Request
from progress_sse.client.handle import BaseStep, Reporter, define, length
from progress_sse.client.line import Driver, Line, OnLoop, Way, log
from progress_sse.client.reports import Create, describe_error
from progress_sse.client.schedule import Schedule
from progress_sse.client.sync import FLUSH_S, RECOVERY_S, load_http, sender
from progress_sse.core.model import StepDefinition

AT_ONCE: Final = 10
"""Sessions of a loop whose requests are under way at one server at a time."""

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
        way = (OnLoop(transport), _Unbound()) if transport else None
        self._set_up(session_id, create, options, _drive_http, way)

    def step(self, number: int, *, message: str = "", timeout_ms: int | None = None) -> AsyncStep:
        """Return a step; see `Reporter.step`."""
        return AsyncStep(self, number, message, timeout_ms)

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all is told, or for `timeout_s` seconds (`None`: `FLUSH_S`), and return whether it is."""
        if isinstance(self._outlet, Line):
            await _wait_for(self._outlet, FLUSH_S if timeout_s is None else timeout_s)
        return self._outlet.is_settled

    async def aclose(self) -> None:
        """Wait as the end of the block does, and end the task; what is reported later goes by the thread.

        Raises:
            ReportError: Only with ``on_error="raise"``: a report was refused, or the server was away for too long.
        """
        is_told = await self._last_flush(PATIENCE_S if self._on_error == "raise" else None)
        try:
            self._conclude(is_told)
        finally:
            await self._release()

    async def _last_flush(self, timeout_s: float | None = None) -> bool:
        try:
            return await self.flush(timeout_s)
        except asyncio.CancelledError:
            self._let_go()
            raise

    def _let_go(self) -> None:
        if isinstance(self._outlet, Line):
            self._outlet.driver.release(self._outlet)

    async def _release(self) -> None:
        if not isinstance(self._outlet, Line):
            return
        if isinstance(self._outlet.driver, LoopSender):
            await self._outlet.driver.aclose(self._outlet)
        else:
            self._outlet.hand_over(sender())

    async def __aenter__(self) -> Self:
        if isinstance(self._outlet, Line):
            self._outlet.driver.wake(self._outlet)  # On this loop, whichever thread reports first.
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if error is None:
            await self.aclose()
        elif isinstance(error, asyncio.CancelledError):
            self._let_go()  # A time limit has passed, perhaps: whatever is awaited now would come on top of it.
        else:
            await self._last_flush()
            await self._release()


def _drive_http(_address: Address) -> "_Unbound":
    load_http()
    return _Unbound()


class _Unbound:
    """The driver of a line before the first report, which is made on the loop that will send it, or on none."""

    def __init__(self) -> None:
        self._first = deque([None])

    def wake(self, line: Line) -> None:
        """Find the driver; one thread does, and another that comes meanwhile need not: the line is looked at later."""
        with suppress(IndexError):
            self._first.pop()
            try:
                driver = _driver_here()
            except BaseException:
                self._first.append(None)  # For the next report.
                raise
            line.hand_over(driver)

    def release(self, line: Line) -> None:
        """Let the thread have the line."""
        line.hand_over(sender())


def _driver_here() -> Driver:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return sender()
    if loop not in _senders:
        _abandon_closed_loops()
        _senders[loop] = LoopSender(loop)
    return _senders[loop]


def _abandon_closed_loops() -> None:
    """Let go of loops that were closed with sessions open; nothing on such a loop runs any more that could do it."""
    for loop, loop_sender in list(_senders.items()):
        if loop.is_closed() and _senders.pop(loop, None) is not None:
            loop_sender.abandon()


class LoopSender:
    """What sends for every `AsyncProgress` on an event loop, by a task for each request.

    Another task lives as long as one of them is not closed. It ends with the loop at the latest, and then the thread
    takes over what is left to tell.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on a running loop."""
        self._loop = loop
        self._schedule: Schedule[Line] = Schedule(AT_ONCE)
        self._servers: WeakValueDictionary[Hashable, Availability] = WeakValueDictionary()
        self._transports: dict[Hashable, AsyncTransport] = {}
        # One that has something to tell is kept by the schedule; of others there may be no end.
        self._lines: WeakKeyDictionary[Line, None] = WeakKeyDictionary()
        self._sending: dict[Line, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = asyncio.Event()
        self._life = loop.create_task(self._live(), name="progress-sse", context=Context())
        self._life.add_done_callback(self._end)

    def wake(self, line: Line) -> None:
        """Look at the line again; called from any thread, and waits for nothing."""
        if not self._loop.is_running() and not isinstance(line.way, OnLoop):
            self.release(line)
            return
        if line.is_woken and not self._loop.is_closed():
            return
        line.is_woken = True
        try:
            self._loop.call_soon_threadsafe(self._take_in, line, context=Context())
        except RuntimeError:  # The loop is closed.
            line.hand_over(sender())
        except BaseException:
            line.is_woken = False
            raise

    @property
    def is_running(self) -> bool:
        """Whether it can send anything."""
        return self._loop.is_running()

    def release(self, line: Line) -> None:
        """Let the thread have the line, at once where the loop does not run; called from any thread or loop.

        A running loop that alone knows the way tells what is left.
        """
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self._begin_to_leave, line, context=Context())
        if not self._loop.is_running():
            line.hand_over(sender())

    async def aclose(self, line: Line) -> None:
        """Do the same, and wait for it where that does not take answers."""
        is_here = self._loop is asyncio.get_running_loop()
        if is_here and (line.is_settled or not isinstance(line.way, OnLoop)):
            await self._leave(line)
        else:
            self.release(line)

    def _begin_to_leave(self, line: Line) -> None:
        leaving = self._leave_when_settled(line) if isinstance(line.way, OnLoop) else self._leave(line)
        task = self._loop.create_task(leaving, context=Context())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _take_in(self, line: Line) -> None:
        line.is_woken = False  # Before it is looked at: what comes later wakes it again.
        if line.driver is not self:
            return
        if self._is_over.is_set():
            line.hand_over(sender() if self._life.cancelled() else _driver_here())
            return
        self._attempt(lambda: self._look_at(line))

    def _look_at(self, line: Line) -> None:
        if line not in self._lines:
            self._lines[line] = None
            line.adopt(self._servers.setdefault(line.destination, line.server))
        self._schedule.look_at(line, time.monotonic())
        line.handle_events()

    def _attempt(self, act: Callable[[], None]) -> None:
        """Go on by doing something, and begin afresh later if that fails: there may be no memory left."""
        try:
            act()
            self._send_what_is_due()
        except Exception as error:  # noqa: BLE001  # see above
            with suppress(Exception):
                log(logging.WARNING, "reporting begins afresh after %s", describe_error(error))
            self._loop.call_later(RECOVERY_S, self._attempt, self._begin_afresh, context=Context())

    def _begin_afresh(self) -> None:
        """Plan anew, as trouble may have come in the middle of anything; what was under way is sent again."""
        if self._is_over.is_set():
            return
        self._schedule = Schedule(AT_ONCE)
        for line in list(self._lines):
            if line not in self._sending:
                del self._lines[line]
                self._look_at(line)

    def _send_what_is_due(self) -> None:
        """Let lines have their turn, and come back when it is that of the next one."""
        if self._timer is not None:
            self._timer.cancel()
        while line := self._schedule.next(time.monotonic()):
            self._sending[line] = self._loop.create_task(self._send(line), context=Context())
            self._sending[line].add_done_callback(partial(self._sent, line))
        pause_s = self._schedule.wake_at() - time.monotonic()
        self._timer = None
        if pause_s < math.inf:
            self._timer = self._loop.call_later(max(0.0, pause_s), self._attempt, _do_nothing, context=Context())

    async def _send(self, line: Line) -> None:
        requests = line.next(alone=not _is_wide(line.way))
        if requests:
            line.take(requests, await self._exchange(line, requests))

    async def _exchange(self, line: Line, requests: Sequence[Request]) -> Sequence[Answer] | Answer:
        try:
            transport = self._transport(line)
            if len(requests) > 1 and isinstance(transport, AsyncWideTransport):
                return await transport.send_together(requests)
            return await transport.send(requests[0])
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return Answer(0, detail=describe_error(error))  # Something that the transport awaits was cancelled.
        except (ImportError, MemoryError, OSError) as error:  # There may be some of what it lacks later.
            return Answer(0, detail=describe_error(error))
        except Exception as error:  # noqa: BLE001  # whatever a transport does, the others go on
            return Answer(500, detail=describe_error(error))

    def _sent(self, line: Line, task: asyncio.Task[None]) -> None:
        self._sending.pop(line, None)
        if not task.cancelled():
            self._attempt(lambda: self._end_turn(line, task))

    def _end_turn(self, line: Line, task: asyncio.Task[None]) -> None:
        task.result()
        self._schedule.served(line, time.monotonic())
        line.handle_events()

    def _transport(self, line: Line) -> AsyncTransport:
        if line.destination not in self._transports:
            self._transports[line.destination] = _connect(line.way)
        return self._transports[line.destination]

    async def _leave_when_settled(self, line: Line) -> None:
        await _wait_for(line, math.inf)
        await self._leave(line)

    async def _leave(self, line: Line) -> None:
        task = self._sending.get(line)
        try:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        finally:  # Also where the wait is cancelled in turn.
            self._attempt(lambda: self._schedule.remove(line, time.monotonic()))  # It may now be the turn of others.
            self._lines.pop(line, None)
            line.hand_over(sender())
        if not self._lines:
            self._finish()
            await asyncio.wait([self._life])
        elif all(each.destination != line.destination for each in self._lines):
            await self._close(line.destination)

    async def _close(self, destination: Hashable) -> None:
        transport = self._transports.pop(destination, None)
        if transport is not None:
            await transport.aclose()

    async def _live(self) -> None:
        try:
            await self._is_over.wait()
        finally:
            for destination in list(self._transports):
                await self._close(destination)

    def _finish(self) -> None:
        self._is_over.set()
        if _senders.get(self._loop) is self:
            del _senders[self._loop]

    def _end(self, _: object) -> None:
        self._finish()
        self._schedule = Schedule()  # Nothing is due here any more.
        for task in self._sending.values():
            task.cancel()
        for line in list(self._lines):
            line.hand_over(sender())

    def abandon(self) -> None:
        """Hand all sessions to the thread; called from another loop, once this one is closed."""
        for task in (self._life, *self._leaving, *self._sending.values()):
            # They can neither go on nor be cancelled, and are no fault of the job that Python should warn of.
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
        self._transports.clear()  # They cannot be closed either; their sockets are, as they are collected.
        for line in list(self._lines):
            line.hand_over(sender())


def _is_cancelled() -> bool:
    """Tell whether it is this task that is to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _do_nothing() -> None:
    """Only the time has come."""


_senders: Final[dict[asyncio.AbstractEventLoop, LoopSender]] = {}

# A child that goes on with its parent's loop has lines of its own there, and connections.
_inherited: Final[list[LoopSender]] = []


def _begin_in_child() -> None:
    _inherited.extend(_senders.values())
    _senders.clear()


os.register_at_fork(after_in_child=_begin_in_child)


def _is_wide(way: Way) -> bool:
    return isinstance(way, Address) or (isinstance(way, OnLoop) and isinstance(way.transport, AsyncWideTransport))


def _connect(way: Way) -> AsyncTransport:
    if isinstance(way, OnLoop):
        return cast(AsyncTransport, way.transport)
    from progress_sse.client.http import AsyncHttpTransport

    assert isinstance(way, Address)
    return AsyncHttpTransport(way)


async def _wait_for(line: Line, timeout_s: float) -> None:
    """Wait until the line is settled, or for so long; let what waits for a retry go at once."""
    if isinstance(line.driver, LoopSender) and not line.driver.is_running:
        line.driver.release(line)  # Its loop was left behind.
    settled = _LoopWaiter()
    line.add_waiter(settled)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(timeout_s, threading.TIMEOUT_MAX)):
                while not line.is_settled:
                    settled.event.clear()
                    await settled.event.wait()
    finally:
        line.remove_waiter(settled)


class _LoopWaiter:
    """What waits on a loop for a line that a thread may send for."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def put(self, _: Line, /) -> None:
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self.event.set)
