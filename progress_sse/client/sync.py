"""`Progress`, for blocking code, and the thread that sends for all of them.

There is one thread per process, started with the first report, and a new one in a forked child. It is a daemon, so it
keeps no process alive. When the process exits, unsent reports get `EXIT_S` seconds more. Exit functions that run after
ours wait until their reports are sent. Reports that cannot be sent are counted and logged.
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
from progress_sse.client.errors import SuppressReportingErrors
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.handle import BaseStep, Reporter, active, define, length
from progress_sse.client.loading import loading
from progress_sse.client.outbox import MAX_OUTAGE_S
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
"""Seconds that the end of a block waits for unsent reports; the thread continues with the rest."""

EXIT_S: Final = 2.0
"""Seconds that the exit of the process waits, in all."""

RECOVERY_S: Final = 1.0
"""Seconds after which reporting restarts when memory has run out."""

MAX_TRANSPORTS: Final = 10
"""Pairs of server and token whose connections are kept: a worker may have a token for each session."""

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
        """Iterate over `items`, and advance by one after each.

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
    """Reports the steps of a job from blocking code, and never delays it.

    ::

        with Progress("import-42", steps=["Download", "Parse", "Save"]) as progress:
            with progress.step(1):
                download()
            with progress.step(2) as step:
                for row in step.track(rows):
                    parse(row)
            progress.step(3).run(save)

    The session is created when the block is entered or the first step starts; it replaces one of that id. `attach`
    continues an existing session instead. Only `flush`, `close` and the end of the block wait for the network, and
    their wait is limited. No method raises errors of reporting, unless ``on_error="raise"``.
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
        """Return a progress that continues an existing session; the first step creates one if there is none."""
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
        """Wait until all reports are sent, at most `timeout_s` seconds (`None`: `FLUSH_S`); return whether they are."""
        if isinstance(self._sink, ReportQueue):
            thread_sender().wait([self._sink], FLUSH_S if timeout_s is None else timeout_s)
        return self._sink.is_settled

    def close(self) -> None:
        """Wait as the end of the block does.

        Raises:
            ReportError: Only with ``on_error="raise"``: a report was refused, or the server was away for too long.
        """
        is_sent = self.flush(MAX_OUTAGE_S if self._on_error == "raise" else None)
        self._conclude(is_sent)

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
        """Begin without a thread; the first report starts it."""
        self._woken: SimpleQueue[ReportQueue] = SimpleQueue()
        self._is_started = False
        self._ident: int | None = None
        self._sending_lock = allocate_lock()
        self._has_ended = False
        self._warned_of: set[str] = set()
        self._patience_s = EXIT_S
        self._finishing: set[int] = set()
        # Used by the thread alone.
        self._schedule: Schedule[ReportQueue] = Schedule()
        self._servers: WeakValueDictionary[Hashable, Availability] = WeakValueDictionary()
        self._transports: dict[Address, HttpTransport] = {}

    def wake(self, queue: ReportQueue) -> None:
        """Check the queue again; called from any thread, and does not block before the process exits."""
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

    def _warn(self, failure: str) -> None:
        """Warn of an error of the thread itself, of each kind once."""
        if failure not in self._warned_of and len(self._warned_of) < MAX_KINDS:
            self._warned_of.add(failure)
            log(logging.WARNING, "%s", failure)

    def wait(self, awaited: Sequence[ReportQueue], timeout_s: float) -> None:
        """Wait until these queues are settled, or for `timeout_s`; retry at once."""
        # A wait is useless in the thread itself (by a finaliser or a transport), and where threads no longer run.
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
        """Send reports before the process exits; done once, though `multiprocessing` may call it as well."""
        if self._has_ended:
            return
        self._has_ended = True
        self._finish(report_queues())

    def _finish(self, reporting: Sequence[ReportQueue]) -> None:
        """Send the reports of queues in the time that is left; the others are lost."""
        awaited = [queue for queue in reporting if not queue.is_settled]
        ident = get_ident()
        if not awaited or ident == self._ident or ident in self._finishing:
            return
        self._finishing.add(ident)
        try:
            if not sys.is_finalizing():  # From then on Python runs no other thread.
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
        else:  # Python starts no more threads.
            self._send_here(awaited, self._patience_s)
        self._patience_s = max(0.0, self._patience_s - (time.monotonic() - began))

    def _send_here(self, awaited: Sequence[ReportQueue], timeout_s: float) -> None:
        """Do the thread's work until these queues are settled, or for `timeout_s` and the time of an answer."""
        until = time.monotonic() + timeout_s
        if not self._sending_lock.acquire(timeout=timeout_s):
            return
        try:
            with SuppressReportingErrors():
                while not all(queue.is_settled for queue in awaited) and time.monotonic() < until:
                    self._take_turn(until - time.monotonic())
        finally:
            self._sending_lock.release()

    def _run(self) -> None:
        # Signals are for the job: those that its threads block would come here, and SIGPIPE might end it.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        if not self._sending_lock.acquire(blocking=False):
            return
        self._ident = get_ident()
        while True:
            try:
                self._restart()
                while True:
                    self._take_turn(threading.TIMEOUT_MAX)
            # Memory may be exhausted now and free later; and a SystemExit of one transport must not stop the others.
            except BaseException as error:  # noqa: BLE001
                with suppress(Exception):
                    self._warn(f"reporting restarts after {describe_error(error)}")
                time.sleep(RECOVERY_S)

    def _restart(self) -> None:
        """Plan anew, as an error may have interrupted any operation; requests under way are sent again."""
        threading.current_thread().name = "progress-sse"
        self._schedule = Schedule()
        for queue in report_queues():
            if queue.sender is self:
                self._check(queue)

    def _take_turn(self, timeout_s: float) -> None:
        self._check_woken_queues(timeout_s)
        queue = self._schedule.next(time.monotonic())
        if queue is not None:
            self._serve(queue)

    def _check_woken_queues(self, timeout_s: float) -> None:
        """Check the queues that were woken; if there is nothing to send, wait for one, at most this long."""
        pause_s = min(timeout_s, self._schedule.wake_at() - time.monotonic())
        with suppress(Empty):
            queue = self._woken.get(timeout=min(max(0.0, pause_s), threading.TIMEOUT_MAX))
            while True:
                queue.is_woken = False  # Before the check: later reports wake it again.
                self._check(queue)
                queue = self._woken.get_nowait()

    def _check(self, queue: ReportQueue) -> None:
        if queue not in self._schedule:
            queue.adopt(self._servers.setdefault(queue.destination, queue.server))
        self._schedule.check(queue, time.monotonic())
        queue.handle_events()

    def _serve(self, queue: ReportQueue) -> None:
        requests = queue.next(alone=not isinstance(queue.target, Address | BatchTransport))
        if requests:
            queue.take(requests, self._send(queue, requests))
        self._schedule.served(queue, time.monotonic())
        queue.handle_events()

    def _send(self, queue: ReportQueue, requests: Sequence[ReportRequest]) -> Sequence[ReportAnswer] | ReportAnswer:
        if isinstance(queue.target, OnLoop):
            return ReportAnswer(410, detail="the event loop that reported has ended")
        try:
            transport = self._transport(queue.target)
            if len(requests) > 1 and isinstance(transport, BatchTransport):
                return transport.send_batch(requests)
            return transport.send(requests[0])
        except (ImportError, MemoryError, OSError) as error:  # The missing resource may be there later.
            return ReportAnswer(0, detail=describe_error(error))
        except Exception as error:  # noqa: BLE001  # an error of a transport must not stop the thread
            return ReportAnswer(500, detail=describe_error(error))

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
"""Kept for ever, since releasing the parent's connections might close them."""


def thread_sender() -> ThreadSender:
    """Return the sender of this process."""
    return _thread_sender


def load_http() -> None:
    """Import the HTTP client, unless another thread does that already.

    If that fails, for example without a free descriptor, the sender retries.
    """
    with loading(waits=False) as is_ours, SuppressReportingErrors():
        if is_ours:
            importlib.import_module("progress_sse.client.http")


def _http_sender(_address: Address) -> ThreadSender:
    load_http()  # Now, and not later in the thread.
    return _thread_sender


def _begin_in_child() -> None:
    """Let this process send for each queue: a child has no thread of its parent, and must not use its connections."""
    global _thread_sender
    _inherited.append(_thread_sender)
    _thread_sender = ThreadSender()
    for queue in report_queues():
        queue.forget(_thread_sender)


def _flush_when_multiprocessing_ends() -> None:
    """Register the exit of a `multiprocessing` child, which runs no `atexit` functions."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, lambda: thread_sender().end(), exitpriority=0)


os.register_at_fork(after_in_child=_begin_in_child)
atexit.register(lambda: thread_sender().end())

_NOTHING: Final = Progress.__new__(Progress)
