"""`AsyncProgress`, for code on an event loop, and the sender for all of them on that loop.

What it has not sent when the block or the loop ends goes to the thread of ``sync``, which sends it.
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

from progress_sse.client.availability import Availability
from progress_sse.client.config import Address, Options
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.handle import BaseStep, Reporter, define, length
from progress_sse.client.outbox import MAX_OUTAGE_S
from progress_sse.client.report_queue import OnLoop, ReportQueue, Sender, Target, log
from progress_sse.client.reports import Create, describe_error
from progress_sse.client.schedule import Schedule
from progress_sse.client.sync import FLUSH_S, RECOVERY_S, load_http, thread_sender
from progress_sse.core.model import StepDefinition

AT_ONCE: Final = 10
"""Maximum sessions of a loop that send to one server at the same time."""

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class AsyncTransport(Protocol):
    """Sends a request to the server and returns its answer."""

    async def send(self, request: ReportRequest) -> ReportAnswer:
        """Send a request, and return the answer."""

    async def aclose(self) -> None:
        """Close its connections."""


@runtime_checkable
class AsyncBatchTransport(AsyncTransport, Protocol):
    """A transport that can send several requests at once."""

    async def send_batch(self, requests: Sequence[ReportRequest]) -> Sequence[ReportAnswer] | ReportAnswer:
        """Send requests without a creation; return the answer to each, or one answer to all of them."""


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
        """Return a progress that continues an existing session; the first step creates one if there is none."""
        progress = cls.__new__(cls)
        cls._prepare(progress, session_id, None, options)
        return progress

    def _prepare(self, session_id: str | None, create: Callable[[], Create] | None, options: AsyncOptions) -> None:
        transport = options.get("transport")
        target = (OnLoop(transport), _Unbound()) if transport else None
        self._set_up(session_id, create, options, _drive_http, target)

    def step(self, number: int, *, message: str = "", timeout_ms: int | None = None) -> AsyncStep:
        """Return a step; see `Reporter.step`."""
        return AsyncStep(self, number, message, timeout_ms)

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all reports are sent, at most `timeout_s` seconds (`None`: `FLUSH_S`); return whether they are."""
        if isinstance(self._sink, ReportQueue):
            await _wait_for(self._sink, FLUSH_S if timeout_s is None else timeout_s)
        return self._sink.is_settled

    async def aclose(self) -> None:
        """Wait as the end of the block does, and end the task; later reports go by the thread.

        Raises:
            ReportError: Only with ``on_error="raise"``: a report was refused, or the server was away for too long.
        """
        is_sent = await self._last_flush(MAX_OUTAGE_S if self._on_error == "raise" else None)
        try:
            self._conclude(is_sent)
        finally:
            await self._release()

    async def _last_flush(self, timeout_s: float | None = None) -> bool:
        try:
            return await self.flush(timeout_s)
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
        if error is None:
            await self.aclose()
        elif isinstance(error, asyncio.CancelledError):
            self._release_sink()  # Perhaps a time limit has passed: a further wait would exceed it.
        else:
            await self._last_flush()
            await self._release()


def _drive_http(_address: Address) -> "_Unbound":
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
                sender = _sender_here()
            except BaseException:
                self._first.append(None)  # For the next report.
                raise
            queue.transfer_to(sender)

    def release(self, queue: ReportQueue) -> None:
        """Let the process's thread send for the queue."""
        queue.transfer_to(thread_sender())


def _sender_here() -> Sender:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return thread_sender()
    if loop not in _senders:
        _abandon_closed_loops()
        _senders[loop] = LoopSender(loop)
    return _senders[loop]


def _abandon_closed_loops() -> None:
    """Release loops that were closed with sessions open, since no code on such a loop runs that could do it."""
    for loop, loop_sender in list(_senders.items()):
        if loop.is_closed() and _senders.pop(loop, None) is not None:
            loop_sender.abandon()


class LoopSender:
    """Sends for every `AsyncProgress` on an event loop, by a task for each request.

    Another task lives as long as one of them is not closed. It ends with the loop at the latest, and then the thread
    takes over what is left to send.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on the running loop."""
        self._loop = loop
        self._schedule: Schedule[ReportQueue] = Schedule(AT_ONCE)
        self._servers: WeakValueDictionary[Hashable, Availability] = WeakValueDictionary()
        self._transports: dict[Hashable, AsyncTransport] = {}
        # The schedule holds queues with reports; the number of others is not limited.
        self._queues: WeakKeyDictionary[ReportQueue, None] = WeakKeyDictionary()
        self._sending: dict[ReportQueue, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = asyncio.Event()
        self._main_task = loop.create_task(self._run(), name="progress-sse", context=Context())
        self._main_task.add_done_callback(self._end)

    def wake(self, queue: ReportQueue) -> None:
        """Check the queue again; called from any thread, and never blocks."""
        if not self._loop.is_running() and not isinstance(queue.target, OnLoop):
            self.release(queue)
            return
        if queue.is_woken and not self._loop.is_closed():
            return
        queue.is_woken = True
        try:
            self._loop.call_soon_threadsafe(self._check_woken, queue, context=Context())
        except RuntimeError:  # The loop is closed.
            queue.transfer_to(thread_sender())
        except BaseException:
            queue.is_woken = False
            raise

    @property
    def is_running(self) -> bool:
        """Whether it can send anything."""
        return self._loop.is_running()

    def release(self, queue: ReportQueue) -> None:
        """Let the thread send for the queue, at once if the loop does not run; called from any thread or loop.

        A running loop whose transport no thread can use sends what is left.
        """
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self._start_leaving, queue, context=Context())
        if not self._loop.is_running():
            queue.transfer_to(thread_sender())

    async def aclose(self, queue: ReportQueue) -> None:
        """Do the same, and wait for it unless that would wait for answers."""
        is_here = self._loop is asyncio.get_running_loop()
        if is_here and (queue.is_settled or not isinstance(queue.target, OnLoop)):
            await self._leave(queue)
        else:
            self.release(queue)

    def _start_leaving(self, queue: ReportQueue) -> None:
        leaving = self._leave_when_settled(queue) if isinstance(queue.target, OnLoop) else self._leave(queue)
        task = self._loop.create_task(leaving, context=Context())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _check_woken(self, queue: ReportQueue) -> None:
        queue.is_woken = False  # Before the check: later reports wake it again.
        if queue.sender is not self:
            return
        if self._is_over.is_set():
            queue.transfer_to(thread_sender() if self._main_task.cancelled() else _sender_here())
            return
        self._attempt(lambda: self._check(queue))

    def _check(self, queue: ReportQueue) -> None:
        if queue not in self._queues:
            self._queues[queue] = None
            queue.adopt(self._servers.setdefault(queue.destination, queue.server))
        self._schedule.check(queue, time.monotonic())
        queue.handle_events()

    def _attempt(self, act: Callable[[], None]) -> None:
        """Call a function, and start over later if it fails: there may be no memory left."""
        try:
            act()
            self._send_due()
        except Exception as error:  # noqa: BLE001  # see above
            with suppress(Exception):
                log(logging.WARNING, "reporting restarts after %s", describe_error(error))
            self._loop.call_later(RECOVERY_S, self._attempt, self._restart, context=Context())

    def _restart(self) -> None:
        """Plan anew, as an error may have interrupted any operation; requests under way are sent again."""
        if self._is_over.is_set():
            return
        self._schedule = Schedule(AT_ONCE)
        for queue in list(self._queues):
            if queue not in self._sending:
                del self._queues[queue]
                self._check(queue)

    def _send_due(self) -> None:
        """Start the turns that are due, and set the timer for the next one."""
        if self._timer is not None:
            self._timer.cancel()
        while queue := self._schedule.next(time.monotonic()):
            self._sending[queue] = self._loop.create_task(self._send(queue), context=Context())
            self._sending[queue].add_done_callback(partial(self._sent, queue))
        pause_s = self._schedule.wake_at() - time.monotonic()
        self._timer = None
        if pause_s < math.inf:
            self._timer = self._loop.call_later(max(0.0, pause_s), self._attempt, _do_nothing, context=Context())

    async def _send(self, queue: ReportQueue) -> None:
        requests = queue.next(alone=not _takes_batches(queue.target))
        if requests:
            queue.take(requests, await self._exchange(queue, requests))

    async def _exchange(
        self, queue: ReportQueue, requests: Sequence[ReportRequest]
    ) -> Sequence[ReportAnswer] | ReportAnswer:
        try:
            transport = self._transport(queue)
            if len(requests) > 1 and isinstance(transport, AsyncBatchTransport):
                return await transport.send_batch(requests)
            return await transport.send(requests[0])
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return ReportAnswer(0, detail=describe_error(error))  # An awaitable of the transport was cancelled.
        except (ImportError, MemoryError, OSError) as error:  # The missing resource may be there later.
            return ReportAnswer(0, detail=describe_error(error))
        except Exception as error:  # noqa: BLE001  # an error of one transport must not stop the others
            return ReportAnswer(500, detail=describe_error(error))

    def _sent(self, queue: ReportQueue, task: asyncio.Task[None]) -> None:
        self._sending.pop(queue, None)
        if not task.cancelled():
            self._attempt(lambda: self._end_turn(queue, task))

    def _end_turn(self, queue: ReportQueue, task: asyncio.Task[None]) -> None:
        task.result()
        self._schedule.served(queue, time.monotonic())
        queue.handle_events()

    def _transport(self, queue: ReportQueue) -> AsyncTransport:
        if queue.destination not in self._transports:
            self._transports[queue.destination] = _connect(queue.target)
        return self._transports[queue.destination]

    async def _leave_when_settled(self, queue: ReportQueue) -> None:
        await _wait_for(queue, math.inf)
        await self._leave(queue)

    async def _leave(self, queue: ReportQueue) -> None:
        task = self._sending.get(queue)
        try:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        finally:  # Also where the wait is cancelled in turn.
            self._attempt(lambda: self._schedule.remove(queue, time.monotonic()))  # Other queues may be due now.
            self._queues.pop(queue, None)
            queue.transfer_to(thread_sender())
        if not self._queues:
            self._finish()
            await asyncio.wait([self._main_task])
        elif all(each.destination != queue.destination for each in self._queues):
            await self._close(queue.destination)

    async def _close(self, destination: Hashable) -> None:
        transport = self._transports.pop(destination, None)
        if transport is not None:
            await transport.aclose()

    async def _run(self) -> None:
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
        self._schedule = Schedule()  # This loop has no more turns.
        for task in self._sending.values():
            task.cancel()
        for queue in list(self._queues):
            queue.transfer_to(thread_sender())

    def abandon(self) -> None:
        """Hand all sessions to the thread; called from another loop, once this one is closed."""
        for task in (self._main_task, *self._leaving, *self._sending.values()):
            # They can neither run nor be cancelled. Python need not warn, as the job is not at fault.
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
        self._transports.clear()  # They cannot be closed either; the garbage collector closes their sockets.
        for queue in list(self._queues):
            queue.transfer_to(thread_sender())


def _is_cancelled() -> bool:
    """Return whether this task is to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _do_nothing() -> None:
    """Do nothing: `_attempt` then sends due reports."""


_senders: Final[dict[asyncio.AbstractEventLoop, LoopSender]] = {}

# A child that continues its parent's loop has its own queues and connections there.
_inherited: Final[list[LoopSender]] = []


def _begin_in_child() -> None:
    _inherited.extend(_senders.values())
    _senders.clear()


os.register_at_fork(after_in_child=_begin_in_child)


def _takes_batches(target: Target) -> bool:
    return isinstance(target, Address) or (
        isinstance(target, OnLoop) and isinstance(target.transport, AsyncBatchTransport)
    )


def _connect(target: Target) -> AsyncTransport:
    if isinstance(target, OnLoop):
        return cast(AsyncTransport, target.transport)
    from progress_sse.client.http import AsyncHttpTransport

    assert isinstance(target, Address)
    return AsyncHttpTransport(target)


async def _wait_for(queue: ReportQueue, timeout_s: float) -> None:
    """Wait until the queue is settled, or for `timeout_s`; retry at once."""
    if isinstance(queue.sender, LoopSender) and not queue.sender.is_running:
        queue.sender.release(queue)  # Its loop was left behind.
    settled = _LoopWaiter()
    queue.add_waiter(settled)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(timeout_s, threading.TIMEOUT_MAX)):
                while not queue.is_settled:
                    settled.event.clear()
                    await settled.event.wait()
    finally:
        queue.remove_waiter(settled)


class _LoopWaiter:
    """Waits on a loop for a queue that another thread may send for."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def put(self, _: ReportQueue, /) -> None:
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self.event.set)
