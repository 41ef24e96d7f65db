"""The sender for every `AsyncProgress` on an event loop.

When the block or the loop ends, the thread of ``thread_sender`` sends the remaining reports.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Final, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from progress_sse._internal.posix import at_fork
from progress_sse._internal.threads import LOOK_S, SimpleQueue
from progress_sse.client.availability import Availability
from progress_sse.client.beat_schedule import MAX_BEATS, BeatSchedule, beats_of, by_destination
from progress_sse.client.config import Address
from progress_sse.client.exchange import Asked, ReportAnswer, ReportRequest
from progress_sse.client.listening import Group, ListenSchedule
from progress_sse.client.loop_announcer import running_loop
from progress_sse.client.own_log import log
from progress_sse.client.own_requests import sending
from progress_sse.client.report_queue import ReportQueue, Sender, give_beat_answers
from progress_sse.client.reports import describe_error
from progress_sse.client.schedule import Schedule
from progress_sse.client.targets import (
    AsyncBatchTransport,
    AsyncListeningTransport,
    AsyncTransport,
    OnLoop,
    Target,
)
from progress_sse.client.thread_sender import RECOVERY_S, thread_sender

AT_ONCE: Final = 10
"""Maximum sessions of a loop that send to one server at the same time."""


def sender_here() -> Sender:
    """Return the sender of the running loop; without one, that of the process."""
    loop = running_loop()
    if loop is None:
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
    """Sends for every `AsyncProgress` on an event loop, by a task for each request, and for signs of life.

    Another task lives as long as one of them is not closed. It ends with the loop at the latest, and then the thread
    takes over the unsent reports.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on the running loop."""
        self._loop = loop
        self._schedule: Schedule[ReportQueue] = Schedule(AT_ONCE)
        self._beats: BeatSchedule[ReportQueue] = BeatSchedule()
        self._beating: set[asyncio.Task[None]] = set()
        self._without_batches: set[Hashable] = set()
        self._listening: ListenSchedule[ReportQueue] = ListenSchedule(self)
        self._listeners: dict[Group[ReportQueue], asyncio.Task[None]] = {}
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

        A running loop whose transport no thread can use sends the remaining reports first.
        """
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(self._start_leaving, queue, context=Context())
        if not self._loop.is_running():
            queue.transfer_to(thread_sender())

    async def aclose(self, queue: ReportQueue) -> None:
        """Release the queue, and wait for that unless it waits for answers."""
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
            queue.transfer_to(thread_sender() if self._main_task.cancelled() else sender_here())
            return
        self._attempt(lambda: self._check(queue))

    def _check(self, queue: ReportQueue) -> None:
        if queue not in self._queues:
            self._queues[queue] = None
            queue.adopt(self._servers.setdefault(queue.destination, queue.server))
        queue.handle_events()
        self._schedule.check(queue, time.monotonic())
        self._beats.check(queue)
        self._listening.check(queue, time.monotonic())

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
        self._schedule, self._beats = Schedule(AT_ONCE), BeatSchedule()
        self._listening = ListenSchedule(self)
        for listener in self._listeners.values():
            listener.cancel()
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
        self._beat_due()
        self._listen_due()
        wake_at = min(self._schedule.wake_at(), self._beats.wake_at(), self._listening.wake_at())
        pause_s = wake_at - time.monotonic()
        self._timer = None
        if pause_s < math.inf:
            self._timer = self._loop.call_later(max(0.0, pause_s), self._attempt, _do_nothing, context=Context())

    def _beat_due(self) -> None:
        """Start to give the signs of life that are due, those of one server together."""
        for queues in by_destination(self._beats.take_due(time.monotonic())):
            task = self._loop.create_task(self._beat(queues), context=Context())
            self._beating.add(task)
            task.add_done_callback(partial(self._beaten, queues))

    def _listen_due(self) -> None:
        """Start to wait for the requests of readers, of the sessions of one server together."""
        for group, replaced in self._listening.take_due(time.monotonic()):
            if replaced in self._listeners:
                self._listeners[replaced].cancel()
            self._listeners[group] = task = self._loop.create_task(self._listen(group), context=Context())
            task.add_done_callback(partial(self._listened, group))

    async def _listen(self, group: Group[ReportQueue]) -> None:
        while queues := group.queues():
            began = time.monotonic()
            answer = await self._ask(queues[0], group.session_ids(), group.wait_s)
            pause_s = group.take(answer, time.monotonic() - began)
            if pause_s == math.inf:
                return
            del queues  # So that a session that its job has dropped is not held.
            await asyncio.sleep(pause_s)

    async def _ask(self, queue: ReportQueue, session_ids: Sequence[str], wait_s: int) -> Asked | ReportAnswer:
        try:
            transport = self._transport(queue)
            if isinstance(transport, AsyncListeningTransport):
                with sending():
                    return await transport.ask(session_ids, wait_s)
            return ReportAnswer(501)
        except (ImportError, MemoryError, OSError) as error:  # The missing resource may be there later.
            return ReportAnswer(0, detail=describe_error(error))

    def _listened(self, group: Group[ReportQueue], task: asyncio.Task[None]) -> None:
        group.is_over = True
        self._listeners.pop(group, None)
        if not task.cancelled():
            group.is_refused |= task.exception() is not None
        if group.is_refused and not self._is_over.is_set():
            self._attempt(lambda: self._check_all(group.queues()))

    async def _beat(self, queues: Sequence[ReportQueue]) -> None:
        takes_batches = _takes_batches(queues[0].target) and queues[0].destination not in self._without_batches
        ours = (queue for queue in queues if queue.sender is self)
        for beats in beats_of(ours, MAX_BEATS if takes_batches else 1):
            answer = await self._exchange(queues[0], [request for _, request in beats])
            if all(queue.sender is self for queue, _ in beats) and give_beat_answers(beats, answer):
                self._without_batches.add(queues[0].destination)

    def _beaten(self, queues: Sequence[ReportQueue], task: asyncio.Task[None]) -> None:
        self._beating.discard(task)
        if not task.cancelled():
            self._attempt(lambda: self._end_beats(queues, task))

    def _end_beats(self, queues: Sequence[ReportQueue], task: asyncio.Task[None]) -> None:
        task.result()
        self._check_all(queues)

    def _check_all(self, queues: Sequence[ReportQueue]) -> None:
        for queue in queues:
            if queue.sender is self:
                self._check(queue)

    async def _send(self, queue: ReportQueue) -> None:
        requests = queue.next(alone=not _takes_batches(queue.target))
        if requests:
            queue.take(requests, await self._exchange(queue, requests))

    async def _exchange(
        self, queue: ReportQueue, requests: Sequence[ReportRequest]
    ) -> Sequence[ReportAnswer] | ReportAnswer:
        try:
            with sending():
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
        queue.handle_events()  # Before the end of the turn, for which the queue has to be settled.
        self._schedule.served(queue, time.monotonic())
        self._beats.check(queue)

    def _transport(self, queue: ReportQueue) -> AsyncTransport:
        if queue.destination not in self._transports:
            self._transports[queue.destination] = _connect(queue.target)
        return self._transports[queue.destination]

    async def _leave_when_settled(self, queue: ReportQueue) -> None:
        await wait_for(queue, math.inf)
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
        for group, task in self._listeners.items():
            if group.destination == destination:
                task.cancel()
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
        self._schedule, self._beats = Schedule(), BeatSchedule()  # This loop has no more turns.
        self._listening = ListenSchedule(self)
        for task in (*self._sending.values(), *self._beating, *self._listeners.values()):
            task.cancel()
        for queue in list(self._queues):
            queue.transfer_to(thread_sender())

    def abandon(self) -> None:
        """Hand all sessions to the thread; called from another loop, once this one is closed."""
        under_way = (*self._leaving, *self._sending.values(), *self._beating, *self._listeners.values())
        for task in (self._main_task, *under_way):
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


at_fork(after_in_child=_begin_in_child)


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


async def wait_for(queue: ReportQueue, timeout_s: float) -> None:
    """Wait until the queue is settled, or for `timeout_s`; retry at once."""
    if isinstance(queue.sender, LoopSender) and not queue.sender.is_running:
        queue.sender.release(queue)  # Its loop was left behind.
    if running_loop() is None:
        await _look_until_settled(queue, timeout_s)
        return
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


async def _look_until_settled(queue: ReportQueue, timeout_s: float) -> None:
    """Wait as `wait_for` does, on a loop of trio."""
    import anyio  # httpx has imported it.

    settled: SimpleQueue[ReportQueue] = SimpleQueue()
    queue.add_waiter(settled)
    try:
        with anyio.move_on_after(timeout_s):
            while not queue.is_settled:  # noqa: ASYNC110  # the thread that sends can set no event of trio
                await anyio.sleep(LOOK_S)
    except RuntimeError:  # No loop runs that anyio knows.
        log(logging.WARNING, "the end of a block does not wait for its reports, since no event loop runs")
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
