"""`Progress`, for blocking code, and the thread that sends for all of them.

There is one thread per process, started with the first report, and anew in a child that a fork made. It is a daemon: it
keeps no process alive. What it has not sent when the process exits gets `EXIT_S` seconds more. So does each report that
functions make which run after ours: it waits until it is sent. What cannot be sent is counted and logged.
"""

import atexit
import importlib
import logging
import os
import signal
import sys
import threading
import time
from _thread import allocate_lock, get_ident
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Final, ParamSpec, Self, TypeVar, Unpack
from weakref import WeakValueDictionary

from progress_sse.client.availability import Availability
from progress_sse.client.config import Address, Options
from progress_sse.client.errors import TroubleKept
from progress_sse.client.exchange import Answer, Request
from progress_sse.client.handle import BaseStep, Reporter, active, define, length
from progress_sse.client.loading import loading
from progress_sse.client.outbox import PATIENCE_S
from progress_sse.client.report_queue import (
    MAX_KINDS,
    BatchTransport,
    OnLoop,
    ReportQueue,
    Transport,
    log,
    report_queues,
    start_thread,
)
from progress_sse.client.reports import Create, describe_error
from progress_sse.client.schedule import Schedule
from progress_sse.core.model import StepDefinition

if TYPE_CHECKING:
    from progress_sse.client.http import HttpTransport

FLUSH_S: Final = 10.0
"""Seconds that the end of a block waits for what is not sent yet; the thread goes on with the rest."""

EXIT_S: Final = 2.0
"""Seconds that the end of the process waits, in all."""

RECOVERY_S: Final = 1.0
"""Seconds after which reporting begins afresh where memory has run out."""

MAX_TRANSPORTS: Final = 10
"""Servers, and tokens for them, whose connections are kept: a worker may have a token for each session."""

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class SyncOptions(Options, total=False):
    """The options of `Progress`.

    Attributes:
        transport: Used in place of HTTP to the URL; called by the reporting thread.
    """

    transport: Transport | None


class Step(BaseStep):
    """A step in blocking code."""

    def track(self, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Go through `items`, and advance by one with each that has been dealt with.

        Args:
            items: What to go through.
            total: How many there are; `None` asks their `len`, and does without where they have none.
        """
        self.report(0, length(items) if total is None else total)
        for item in items:
            yield item
            self._tracked += 1
            if not self._latest.is_waiting:
                self.advance(0)

    def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function as this step, and return what it returns."""
        with self:
            return function(*args, **kwargs)


class Progress(Reporter):
    """Reports the steps of a job from blocking code, and never holds it up.

    ::

        with Progress("import-42", steps=["Download", "Parse", "Save"]) as progress:
            with progress.step(1):
                download()
            with progress.step(2) as step:
                for row in step.track(rows):
                    parse(row)
            progress.step(3).run(save)

    The session begins afresh, in place of one of that id, as the block is entered or the first step starts. `attach`
    goes on with one instead. No method waits for the network but `flush` and `close`, and the end of the block, and
    these have a limit. No method raises for trouble with reporting, unless ``on_error="raise"``.
    """

    def __init__(
        self,
        session_id: str | None = None,
        *,
        steps: Sequence[str | StepDefinition] | None = None,
        workflow: str | None = None,
        **options: Unpack[SyncOptions],
    ) -> None:
        """Prepare a session.

        Args:
            session_id: Its id; else `PROGRESS_SSE_SESSION`.
            steps: Its steps, by their names or with their times; `None` leaves them to the server.
            workflow: The name of steps that the server knows; `None` is its default ones.
            options: See `SyncOptions`.

        Raises:
            ConfigurationError: Only with ``on_error="raise"``: the session or the URL cannot be used.
        """
        self._prepare(session_id, lambda: define(steps, workflow), options)

    @classmethod
    def attach(cls, session_id: str | None = None, **options: Unpack[SyncOptions]) -> Self:
        """Return a progress that goes on with a session as it is; the first step creates one if there is none."""
        progress = cls.__new__(cls)
        cls._prepare(progress, session_id, None, options)
        return progress

    def _prepare(self, session_id: str | None, create: Callable[[], Create] | None, options: SyncOptions) -> None:
        transport = options.get("transport")
        target = (transport, _thread_sender) if transport else None
        self._set_up(session_id, create, options, _http_sender, target)

    def step(self, number: int, *, message: str = "", timeout_ms: int | None = None) -> Step:
        """Return a step; see `Reporter.step`."""
        return Step(self, number, message, timeout_ms)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all is sent, or for `timeout_s` seconds (`None`: `FLUSH_S`), and return whether it is."""
        if isinstance(self._sink, ReportQueue):
            thread_sender().wait([self._sink], FLUSH_S if timeout_s is None else timeout_s)
        return self._sink.is_settled

    def close(self) -> None:
        """Wait as the end of the block does.

        Raises:
            ReportError: Only with ``on_error="raise"``: a report was refused, or the server was away for too long.
        """
        is_told = self.flush(PATIENCE_S if self._on_error == "raise" else None)
        self._conclude(is_told)

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if error is None:
            self.close()
        else:
            self.flush()


def current() -> Reporter:
    """Return the progress whose block this code runs in, or one that does nothing.

    It is found from every function that the block calls, and from its tasks. A thread that the block starts has it only
    if it was given the block's context (as `asyncio.to_thread` does, or ``contextvars.copy_context().run``).
    """
    return active() or _NOTHING


class ThreadSender:
    """The thread that sends for every `Progress` of the process, one request after the other."""

    def __init__(self) -> None:
        """Start no thread before there is something to send."""
        self._woken: SimpleQueue[ReportQueue] = SimpleQueue()
        self._is_started = False
        self._ident: int | None = None
        self._only_one = allocate_lock()
        self._has_ended = False
        self._warned_of: set[str] = set()
        self._patience_s = EXIT_S
        self._finishing: set[int] = set()
        # Of the thread alone.
        self._schedule: Schedule[ReportQueue] = Schedule()
        self._servers: WeakValueDictionary[Hashable, Availability] = WeakValueDictionary()
        self._transports: dict[Address, HttpTransport] = {}

    def wake(self, queue: ReportQueue) -> None:
        """Look at the queue again; called from any thread, and waits for nothing before the process ends."""
        if not queue.is_woken:
            queue.is_woken = True
            try:
                self._woken.put(queue)
            except BaseException:
                queue.is_woken = False
                raise
        if self._has_ended:
            self._finish([queue])
        elif not self._is_started:
            self._start()

    def _start(self) -> None:
        self._is_started = True
        try:
            _flush_when_multiprocessing_ends()
            self._is_started = start_thread(self._run)
            if not self._is_started:
                self._warn("no thread can be started to report; that is tried again with each report")
        except BaseException:
            self._is_started = False
            raise

    def _warn(self, trouble: str) -> None:
        """Warn of trouble with the thread itself, of each kind once."""
        if trouble not in self._warned_of and len(self._warned_of) < MAX_KINDS:
            self._warned_of.add(trouble)
            log(logging.WARNING, "%s", trouble)

    def wait(self, awaited: Sequence[ReportQueue], timeout_s: float) -> None:
        """Wait until these queues are settled, or for so long; let what waits for a retry go at once."""
        # It is in vain in the thread itself, by a finaliser or a transport, and where threads run no more.
        if get_ident() == self._ident or sys.is_finalizing():
            return
        until = time.monotonic() + timeout_s
        settled: SimpleQueue[ReportQueue] = SimpleQueue()
        try:
            for queue in awaited:
                queue.add_waiter(settled)
            for queue in awaited:
                while not queue.is_settled and (self._is_started or queue.sender is not self):
                    settled.get(timeout=min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX))
        except Empty:
            pass
        finally:
            for queue in awaited:
                queue.remove_waiter(settled)

    def release(self, queue: ReportQueue) -> None:
        """Keep the queue: there is no other sender for it."""

    def end(self) -> None:
        """Send what can be sent before the process ends; once, though `multiprocessing` may ask for it as well."""
        if self._has_ended:
            return
        self._has_ended = True
        self._finish(report_queues())

    def _finish(self, reporting: Sequence[ReportQueue]) -> None:
        """Send what queues hold, in the time that is left; what cannot be sent is lost."""
        awaited = [queue for queue in reporting if not queue.is_settled]
        ident = get_ident()
        if not awaited or ident == self._ident or ident in self._finishing:
            return
        self._finishing.add(ident)
        try:
            if not sys.is_finalizing():  # Python lets no other thread run from then on, wherever that was.
                self._send_last(awaited)
            for queue in awaited:
                if not queue.is_settled:
                    queue.give_up()
                    log(logging.WARNING, "the process ends before all reports on %r were sent", queue.session_id)
        finally:
            self._finishing.discard(ident)

    def _send_last(self, awaited: Sequence[ReportQueue]) -> None:
        began = time.monotonic()
        for queue in awaited:
            queue.sender.release(queue)
        if not self._is_started:
            self._is_started = start_thread(self._run)
        if self._is_started:
            self.wait(awaited, self._patience_s)
        else:  # Python starts no thread any more.
            self._send_here(awaited, self._patience_s)
        self._patience_s = max(0.0, self._patience_s - (time.monotonic() - began))

    def _send_here(self, awaited: Sequence[ReportQueue], timeout_s: float) -> None:
        """Do the thread's work until these queues are settled, or for so long, and as long as an answer takes."""
        until = time.monotonic() + timeout_s
        if not self._only_one.acquire(timeout=timeout_s):
            return
        try:
            with TroubleKept():
                while not all(queue.is_settled for queue in awaited) and time.monotonic() < until:
                    self._take_turn(until - time.monotonic())
        finally:
            self._only_one.release()

    def _run(self) -> None:
        # They are the job's: blocked in its own threads they would come here, and SIGPIPE may end it.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        if not self._only_one.acquire(blocking=False):
            return
        self._ident = get_ident()
        while True:
            try:
                self._begin_afresh()
                while True:
                    self._take_turn(threading.TIMEOUT_MAX)
            # There may be no memory left, but some later; and no SystemExit of a transport may silence all others.
            except BaseException as error:  # noqa: BLE001
                with suppress(Exception):
                    self._warn(f"reporting begins afresh after {describe_error(error)}")
                time.sleep(RECOVERY_S)

    def _begin_afresh(self) -> None:
        """Plan anew, as trouble may have come in the middle of anything; what was under way is sent again."""
        threading.current_thread().name = "progress-sse"
        self._schedule = Schedule()
        for queue in report_queues():
            if queue.sender is self:
                self._look_at(queue)

    def _take_turn(self, timeout_s: float) -> None:
        self._take_in_woken(timeout_s)
        queue = self._schedule.next(time.monotonic())
        if queue is not None:
            self._serve(queue)

    def _take_in_woken(self, timeout_s: float) -> None:
        """Look at the queues that were woken; wait for one, for so long at most, if there is nothing to send."""
        pause_s = min(timeout_s, self._schedule.wake_at() - time.monotonic())
        with suppress(Empty):
            queue = self._woken.get(timeout=min(max(0.0, pause_s), threading.TIMEOUT_MAX))
            while True:
                queue.is_woken = False  # Before it is looked at: what comes later wakes it again.
                self._look_at(queue)
                queue = self._woken.get_nowait()

    def _look_at(self, queue: ReportQueue) -> None:
        if queue not in self._schedule:
            queue.adopt(self._servers.setdefault(queue.destination, queue.server))
        self._schedule.look_at(queue, time.monotonic())
        queue.handle_events()

    def _serve(self, queue: ReportQueue) -> None:
        requests = queue.next(alone=not isinstance(queue.target, Address | BatchTransport))
        if requests:
            queue.take(requests, self._send(queue, requests))
        self._schedule.served(queue, time.monotonic())
        queue.handle_events()

    def _send(self, queue: ReportQueue, requests: Sequence[Request]) -> Sequence[Answer] | Answer:
        if isinstance(queue.target, OnLoop):
            return Answer(410, detail="the event loop that reported has ended")
        try:
            transport = self._transport(queue.target)
            if len(requests) > 1 and isinstance(transport, BatchTransport):
                return transport.send_batch(requests)
            return transport.send(requests[0])
        except (ImportError, MemoryError, OSError) as error:  # There may be some of what it lacks later.
            return Answer(0, detail=describe_error(error))
        except Exception as error:  # noqa: BLE001  # whatever a transport does, the thread goes on
            return Answer(500, detail=describe_error(error))

    def _transport(self, target: Address | Transport) -> Transport:
        if not isinstance(target, Address):
            return target
        transport = self._transports.pop(target, None)
        if transport is None:
            from progress_sse.client.http import HttpTransport

            transport = HttpTransport(target)
        self._transports[target] = transport
        if len(self._transports) > MAX_TRANSPORTS:
            self._transports.pop(next(iter(self._transports))).close()
        return transport


_thread_sender = ThreadSender()
_inherited: Final[list[ThreadSender]] = []
"""Kept for ever, since to let go of the parent's connections might close them."""


def thread_sender() -> ThreadSender:
    """Return the sender of this process."""
    return _thread_sender


def load_http() -> None:
    """Import what sends by HTTP, unless another thread does that already.

    Where that fails, as for want of a descriptor, the sender tries again.
    """
    with loading(waits=False) as is_ours, TroubleKept():
        if is_ours:
            importlib.import_module("progress_sse.client.http")


def _http_sender(_address: Address) -> ThreadSender:
    load_http()  # Now, and not when the thread needs it.
    return _thread_sender


def _begin_in_child() -> None:
    """Let this process send for each queue: it has no thread of its parent, and must not use its connections."""
    global _thread_sender
    _inherited.append(_thread_sender)
    _thread_sender = ThreadSender()
    for queue in report_queues():
        queue.forget(_thread_sender)


def _flush_when_multiprocessing_ends() -> None:
    """Arrange for the end of a `multiprocessing` child, which runs no `atexit` functions."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, lambda: thread_sender().end(), exitpriority=0)


os.register_at_fork(after_in_child=_begin_in_child)
atexit.register(lambda: thread_sender().end())

_NOTHING: Final = Progress.__new__(Progress)
