"""The thread that sends for every `Progress` and `AsyncProgress` of the process, and gives signs of life.

It is a daemon, so it keeps no process alive. The first report starts it, and a forked child gets one of its own. So
reports go on while an event loop is blocked. A transport of an event loop runs there, and the thread sends for other
sessions meanwhile.

When the process exits, unsent reports get the rest of the time that a job waits at its end. Exit functions that run
after ours wait until their reports are sent. Reports that cannot be sent are counted and logged.
"""

import atexit
import importlib
import logging
import sys
import threading
import time
from _thread import allocate_lock, get_ident
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary, ref

from progress_sse._internal.threads import SimpleQueue, at_fork, import_parts_of_gevent, loading, take
from progress_sse._internal.timetable import Timetable
from progress_sse.client.config import Address
from progress_sse.client.errors import SuppressReportingErrors
from progress_sse.client.exchange import INTERNAL_ERROR, MAX_UPDATES, Answer, ReportRequest, failure
from progress_sse.client.listening import ListenSchedule
from progress_sse.client.mailbox import Mailbox, Part
from progress_sse.client.own_log import MAX_KINDS, log, sending
from progress_sse.client.report_queue import ReportQueue, report_queues, start_thread
from progress_sse.client.reports import describe_error
from progress_sse.client.targets import LOOP_HAS_ENDED, BatchTransport, ListeningTransport, OnLoop, Transport

if TYPE_CHECKING:
    from progress_sse.client.http import HttpTransport

RECOVERY_S: Final = 1.0
"""Seconds until reporting restarts when memory has run out."""

MAX_TRANSPORTS: Final = 10
"""Servers whose connections are kept."""

AT_ONCE: Final = 10
"""Requests under way at the same time by one transport of an event loop that takes no batches."""


class ThreadSender:
    """The thread that sends for every `Progress` of the process, one request after the other; see the module.

    Attributes:
        is_started: Whether the thread runs, and so can settle a queue.
    """

    def __init__(self) -> None:
        # Queues to check, and what event loops have left to do.
        self._woken: SimpleQueue[ReportQueue | Callable[[], object]] = SimpleQueue()
        self.is_started = False
        self._ident: int | None = None
        self._sending_lock = allocate_lock()
        # Exit functions run. `is_alive` of the main thread may let other greenlets run, also in a forked child.
        self._has_ended = getattr(threading, "_SHUTTING_DOWN", False)
        self._warned_of: set[str] = set()
        self._waited_s = 0.0
        self._finishing: dict[int, None] = {}
        # Used by the thread alone.
        self._mailboxes: WeakValueDictionary[Hashable, Mailbox] = WeakValueDictionary()
        self._busy: dict[Mailbox, None] = {}  # Holds those with reports, whose jobs may have dropped them.
        self._turns = Timetable[ref[Mailbox]]()
        self._listening: ListenSchedule = ListenSchedule()
        self._transports: dict[str, HttpTransport] = {}

    def wake(self, queue: ReportQueue) -> None:
        """Check the queue again; called from any thread, and blocks only as the process exits."""
        if not queue.is_woken:
            queue.is_woken = True
            try:
                self._woken.put(queue)
            except BaseException:
                queue.is_woken = False
                raise
        if not self.is_started and not self._has_ended:
            self._start()
        if self._has_ended:
            self._finish([queue])

    def _start(self) -> None:
        self.is_started = True
        try:
            self._has_ended = _multiprocessing_ends()
            self.is_started = start_thread(self._run)
            if not self.is_started:
                self._warn("no thread can be started to report; that is tried again with each report")
        except BaseException:
            self.is_started = False
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
        # A loop that the wait blocks sends nothing.
        awaited = [queue for queue in awaited if not (isinstance(queue.target, OnLoop) and queue.target.is_here)]
        try:
            for queue in awaited:
                queue.add_waiter(settled.put)
            for queue in awaited:
                while not queue.is_settled and self.is_started:
                    take(settled, min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX))
        except Empty:
            pass
        finally:
            for queue in awaited:
                queue.remove_waiter(settled.put)

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
        self._finishing[ident] = None
        try:
            if not sys.is_finalizing():  # From then on Python runs no other thread.
                self._send_last(awaited)
            for queue in awaited:
                if not queue.outbox.waiting.is_empty:
                    queue.give_up()
                    log(logging.WARNING, "the process ends before all reports on %r were sent", queue.session_id)
        finally:
            del self._finishing[ident]

    def _send_last(self, awaited: Sequence[ReportQueue]) -> None:
        began = time.monotonic()
        timeout_s = max(0.0, max(queue.patience_s for queue in awaited) - self._waited_s)
        if not self.is_started:
            self.is_started = start_thread(self._run)
        if self.is_started:
            self.wait(awaited, timeout_s)
        else:  # Python starts no more threads.
            self._send_here(awaited, timeout_s)
        self._waited_s += time.monotonic() - began

    def _send_here(self, awaited: Sequence[ReportQueue], timeout_s: float) -> None:
        """Do the thread's work until these queues are settled, or for `timeout_s` and the time of an answer."""
        until = time.monotonic() + timeout_s
        if not self._sending_lock.acquire(timeout=min(timeout_s, threading.TIMEOUT_MAX)):
            return
        try:
            with SuppressReportingErrors():
                while not all(queue.is_settled for queue in awaited) and time.monotonic() < until:
                    self._take_turn(until - time.monotonic())
        finally:
            self._sending_lock.release()

    def _run(self) -> None:
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
        self._mailboxes.clear()
        self._busy.clear()
        self._turns = Timetable()
        self._listening.stop()
        self._listening = ListenSchedule()
        ours = [queue for queue in report_queues() if queue.sender is self]
        for queue in ours:
            queue.mailbox = None
        for queue in ours:
            self._check(queue)

    def _take_turn(self, timeout_s: float) -> None:
        self._check_woken_queues(timeout_s)
        for due in self._turns.take_due(time.monotonic()):
            if (mailbox := due()) is not None:
                self._serve(mailbox)
        if self._listening.joining:
            for group in self._listening.take_due(time.monotonic()):
                group.start(self._woken.put)

    def _check_woken_queues(self, timeout_s: float) -> None:
        """Check the queues that were woken; if there is nothing to send, wait for one, at most this long."""
        wake_at = self._turns.wake_at()
        if self._listening.joining:
            wake_at = min(wake_at, self._listening.wake_at())
        pause_s = min(timeout_s, wake_at - time.monotonic())
        with suppress(Empty):
            woken = self._woken.get(timeout=min(max(0.0, pause_s), threading.TIMEOUT_MAX))
            while True:
                if isinstance(woken, ReportQueue):
                    woken.is_woken = False  # Before the check: later reports wake it again.
                    self._check(woken)
                else:
                    woken()
                woken = self._woken.get_nowait()

    def _check(self, queue: ReportQueue) -> None:
        mailbox = self._mailbox_of(queue)
        if queue.mailbox is not mailbox:
            queue.mailbox = mailbox
            queue.join(mailbox.server)
        queue.handle_events()
        now = time.monotonic()
        if mailbox.under_way and queue.is_awaited and isinstance(queue.target, OnLoop) and not queue.target.is_running:
            mailbox.take(mailbox.under_way, LOOP_HAS_ENDED, now)  # Unless the job waits, the loop may run again.
        mailbox.check(queue, now)
        self._plan(mailbox)
        if isinstance(queue.target, Address | ListeningTransport):
            self._listening.check(queue, now)

    def _mailbox_of(self, queue: ReportQueue) -> Mailbox:
        target = queue.target
        mailbox = self._mailboxes.get(queue.destination)
        if mailbox is None:
            transport = target.transport if isinstance(target, OnLoop) else target
            takes_batches = isinstance(transport, Address | BatchTransport)  # Or its counterpart on a loop.
            at_once = AT_ONCE if isinstance(target, OnLoop) else 1
            mailbox = Mailbox(together=MAX_UPDATES if takes_batches else 1, at_once=at_once)
            self._mailboxes[queue.destination] = mailbox
        return mailbox

    def _plan(self, mailbox: Mailbox) -> None:
        self._turns.plan(ref(mailbox), mailbox.wake_at())
        if mailbox.is_idle:
            self._busy.pop(mailbox, None)
        else:
            self._busy[mailbox] = None

    def _serve(self, mailbox: Mailbox) -> None:
        """Send what is due: at once, or on an event loop, from which the answer comes later."""
        parts = mailbox.next(time.monotonic())
        if parts:
            requests = [request for part in parts for request in part.requests]
            target = parts[0].queue.target
            if not isinstance(target, OnLoop):
                self._take(mailbox, parts, self._exchange(target, requests))
                return
            if not target.is_running and any(part.queue.is_awaited for part in parts):
                self._take(mailbox, parts, LOOP_HAS_ENDED)
                return
            target.begin(requests, lambda answer: self._woken.put(partial(self._take, mailbox, parts, answer)))
        self._plan(mailbox)

    def _take(self, mailbox: Mailbox, parts: Sequence[Part], answer: Answer) -> None:
        mailbox.take(parts, answer, time.monotonic())
        self._plan(mailbox)

    def _exchange(self, target: Address | Transport, requests: Sequence[ReportRequest]) -> Answer:
        try:
            with sending():
                transport = self._transport(target)
                if len(requests) > 1 and isinstance(transport, BatchTransport):
                    return transport.send_batch(requests)
                return transport.send(requests[0])
        except Exception as error:  # noqa: BLE001  # an error of a transport must not stop the thread
            return failure(error, INTERNAL_ERROR)

    def _transport(self, target: Address | Transport) -> Transport:
        if not isinstance(target, Address):
            return target
        transport = self._transports.pop(target.url, None)
        if transport is None:
            with loading():  # A greenlet of this thread may be importing it.
                from progress_sse.client.http import HttpTransport

            transport = HttpTransport(target)
        self._transports[target.url] = transport
        if len(self._transports) > MAX_TRANSPORTS:
            self._transports.pop(next(iter(self._transports))).close()
        return transport.showing(target.token)  # A worker may have a token for each session.


class _End:
    """Ends the sender as Python finalises this module: it calls no function that an exit function registers."""

    module = sys.modules[__name__]  # Python finalises those that are referenced.

    def __del__(self) -> None:
        thread_sender().end()


_end: Final = _End()  # Before the sender: it is finalised first.
_thread_sender = ThreadSender()
_inherited: Final[list[ThreadSender]] = []  # Kept for ever, since releasing the parent's connections might close them.


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
            import_parts_of_gevent()


def _begin_fork() -> None:
    for queue in report_queues():
        queue.precede()


def _begin_in_child() -> None:
    """Let this process send for each queue: a child has no thread of its parent, and must not use its connections."""
    global _thread_sender
    _inherited.append(_thread_sender)
    _thread_sender = ThreadSender()
    for queue in report_queues():
        queue.forget(_thread_sender)


def _multiprocessing_ends() -> bool:
    """Flush when a `multiprocessing` child ends, which runs no `atexit` functions; return whether it does so now."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return False
    util.Finalize(None, lambda: thread_sender().end(), exitpriority=0)
    return bool(util.is_exiting())


at_fork(before=_begin_fork, after_in_child=_begin_in_child)
atexit.register(lambda: thread_sender().end())
