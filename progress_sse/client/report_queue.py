"""One session's reports in a process of many threads.

A job must never wait for reporting, whatever locks it holds: a log handler reports under its lock, and the garbage
collector may run finalisers, which log, at any allocation. So there is no lock here that a job waits for. The thread
that sends alone logs and calls the transport. A fork may happen at any moment.
"""

import math
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol, TypeAlias

from progress_sse._internal.threads import here, run_apart, start_new_thread
from progress_sse.client.availability import Availability
from progress_sse.client.config import FLUSH_S, Address, OnError
from progress_sse.client.errors import ReportError, SuppressReportingErrors
from progress_sse.client.exchange import AskedRequest, ReportAnswer, ReportRequest
from progress_sse.client.forks import ForkOrder, Precedence
from progress_sse.client.inbox import CANCELLED_BEFORE, Inbox
from progress_sse.client.loops import Home
from progress_sse.client.outbox import Outbox
from progress_sse.client.own_log import EventLog
from progress_sse.client.reports import Create, Log, Queueable, own_lease
from progress_sse.client.targets import OnLoop, Target
from progress_sse.core.asks import Acknowledgement
from progress_sse.core.updates import Acknowledge

Make: TypeAlias = Callable[[], Queueable]
"""Creates a report, from values of our own alone."""


class NullSink:
    """Receives the reports of a session, and drops them: there is no server."""

    @property
    def is_settled(self) -> bool:
        """Whether no report waits, and no error of a report is still to be raised or logged."""
        return True

    @property
    def lost(self) -> int:
        """How many reports will never reach the server."""
        return 0

    def begin(self) -> None:
        """Let the session be created, if it is to be, before its first report."""

    def put(self, make: Make) -> None:
        """Queue the report that `make` creates; never blocks."""

    def raise_error(self) -> None:
        """Raise the error since the last call, if the job has asked for errors."""


def start_thread(function: Callable[..., object], *args: object) -> bool:
    """Start a thread to which no signal comes, and return whether that was possible."""
    # `threading` would wait until it runs, and it may first run a finaliser that waits for a lock of the job.
    with SuppressReportingErrors():
        start_new_thread(run_apart, (here(), function, *args))
        return True
    return False


class Sender(Protocol):
    """Sends the reports of queues."""

    is_started: bool

    def wake(self, queue: "ReportQueue") -> None:
        """Check the queue again; called from any thread, and never blocks."""


class ReportQueue(NullSink):
    """The sink of a session on a server: an outbox, and the sender that empties it."""

    def __init__(
        self,
        session_id: str,
        target: Target,
        sender: Sender,
        *,
        creation: Create | None = None,
        tells_age: bool = False,
        on_error: OnError = "warn",
        flush_timeout_s: float = FLUSH_S,
        inbox: Inbox | None = None,
        home: Home | None = None,
    ) -> None:
        """Begin with no report but the creation; see `Outbox`. The job lives as long as its `home` turns."""
        self.session_id = session_id
        self.inbox = inbox or Inbox()
        self.target = target
        transport = target.transport if isinstance(target, OnLoop) else target
        self.destination = target if isinstance(target, Address) else id(transport)
        self.session_key = session_id, self.destination
        self.sender = sender
        self.mailbox: object = None  # Kept by the sender, as is `is_woken`; `None` until it has seen the first report.
        self.outbox = Outbox(session_id, creation, tells_age=tells_age)
        self.outbox.waiting.order = ForkOrder(_preceding.get(session_id, ()))
        self._waiters: dict[Callable[[ReportQueue], object], None] = {}
        self.is_woken = False
        # Seconds that the job, at its end, still waits for reports: all of them once none is left.
        self.patience_s = self.flush_timeout_s = flush_timeout_s
        self._home = home
        self._is_urgent = False
        self._is_handling_events = False
        where = repr(session_id) + (f" at {target.url}" if isinstance(target, Address) else "")
        self._errors: deque[ReportError] = deque()
        self._log = EventLog(where, self._errors if on_error == "raise" else None)
        # A method in C, which removes an entry atomically.
        _queues[weakref.ref(self, _queues.pop)] = None

    @property
    def is_settled(self) -> bool:
        """Whether no report waits, and no error of a report is still to be raised or logged."""
        # In this order: an event that leaves the outbox after the second check is being handled.
        waiting = self.outbox.waiting
        return waiting.is_empty and not waiting.events and not self._is_handling_events

    @property
    def lost(self) -> int:
        """How many reports will never reach the server."""
        return self.outbox.waiting.lost.value

    def begin(self) -> None:
        """Let the session be created, if it is to be, before its first report."""
        self.outbox.waiting.has_begun = True
        self.wake()

    def put(self, make: Make) -> None:
        """Queue the report that `make` creates."""
        report, waiting = make(), self.outbox.waiting
        if not isinstance(report, Log):
            waiting.put(report, time.monotonic())
        elif not waiting.put_log(report, time.monotonic()):
            return
        self.wake()

    def wake(self) -> None:
        """Let the sender check the queue; called by the job."""
        if self._home is not None:
            self._home.find()
            if isinstance(self.target, OnLoop) and self.target.loop is None:
                self.target.loop = self._home.loop
        self.sender.wake(self)

    def raise_error(self) -> None:
        """Raise the error since the last call, if the job has asked for errors."""
        if self._errors:
            with suppress(IndexError):  # Another thread has taken it.
                raise self._errors.popleft()

    def add_waiter(self, waiter: Callable[["ReportQueue"], object]) -> None:
        """Retry at once, and call `waiter` each time the queue is settled; another report may have come by then."""
        self._waiters[waiter] = None
        self._is_urgent = True
        self.sender.wake(self)

    def remove_waiter(self, waiter: Callable[["ReportQueue"], object]) -> None:
        """Call a waiter no more."""
        self._waiters.pop(waiter, None)

    @property
    def is_awaited(self) -> bool:
        """Whether the job waits until the queue is settled."""
        return bool(self._waiters)

    def give_up(self) -> None:
        """Drop all unsent reports, at the end of the process."""
        self.outbox.waiting.give_up()

    def precede(self) -> None:
        """Let a process that is about to be forked wait for the reports that wait now."""
        with SuppressReportingErrors():  # Such as that of memory.
            waiting = self.outbox.waiting
            if not waiting.is_empty:
                waiting.order.forks.append(Precedence(next(waiting.lines.numbers), time.monotonic()))

    def forget(self, sender: Sender) -> None:
        """Begin anew in a forked process; the parent sends the waiting reports."""
        self.outbox = self.outbox.renewed()
        _preceding.setdefault(self.session_id, {}).update(dict.fromkeys(self.outbox.waiting.order.preceding))
        self._waiters.clear()
        self._is_handling_events = False
        self.is_woken = False
        self.patience_s = self.flush_timeout_s
        self.sender = sender
        self.mailbox = None

    def receive(self, asked: AskedRequest) -> bool:
        """Pass what a reader asks to each job of this process on the session; return whether one did not know it."""
        is_news = False
        for queue in (self, *(each for each in report_queues() if each.session_key == self.session_key)):
            if queue.inbox.is_open and queue.inbox.receive(asked, queue.acknowledge):
                is_news = True
                asked = asked._replace(state="seen")
        return is_news

    def acknowledge(self, request: str, state: Acknowledgement, message: str) -> None:
        """Queue the answer to a request."""
        self.outbox.waiting.put(Acknowledge(request, state, message), time.monotonic())
        self.sender.wake(self)

    # The rest is for the sender alone.

    def join(self, server: Availability) -> None:
        """Share the availability of a server from now on, and queue again the requests that have no answer."""
        self.outbox.server = server
        self.outbox.retract()

    def hurry(self, now: float) -> None:
        """Retry at once if a waiter has asked for that."""
        was_urgent, self._is_urgent = self._is_urgent, False
        if was_urgent:
            self.outbox.retry_now(now)

    def stand_by(self, now: float) -> float:
        """Wait for a server that is away, and drop reports that have waited too long; return when to do that."""
        until = self.outbox.stand_by(now)
        self.handle_events()
        return until

    def take(self, requests: Sequence[ReportRequest], answers: Sequence[ReportAnswer], now: float) -> None:
        """Apply the answer to each request."""
        self.outbox.take(requests, answers, now)
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(request.report, Acknowledge) and answer.is_success:
                self.inbox.confirm(request.report.request)
            for asked in answer.requests:
                self.receive(asked)
            if answer.problem == "session-cancelled":  # Before one of its steps was started: the job was to be skipped.
                self.receive(AskedRequest(CANCELLED_BEFORE, "cancel", state="honoured"))

    def take_beats(self, now: float, most: float = math.inf) -> list[ReportRequest]:
        """See `Outbox`. There are none of a job whose event loop has not turned for as long as steps count as lost."""
        beats, home = self.outbox.take_beats(now, most), self._home
        return [each for each in beats if home is None or home.has_turned(own_lease(each.report))]

    def handle_events(self) -> None:
        """Log the outbox's events, and notify the waiters if the queue is settled."""
        waiting = self.outbox.waiting
        if waiting.order.forks:
            waiting.order.settle(list(waiting.order.forks), [*waiting.under_way, *waiting.commands])
        if events := waiting.events:
            self._is_handling_events = True
            try:
                with suppress(Exception):  # A log handler of the job has raised; the sender goes on.
                    self._log.take([events.popleft() for _ in range(len(events))])
            finally:
                self._is_handling_events = False
        is_awaited = self._waiters or self.patience_s != self.flush_timeout_s
        if is_awaited and self.is_settled:
            self.patience_s = self.flush_timeout_s
            for waiter in list(self._waiters):
                waiter(self)


_preceding: Final[dict[str, dict[Precedence, None]]] = {}
"""What the parents of this process had yet to send of sessions: later queues in this process wait for it, too."""

_queues: Final[dict[weakref.ref[ReportQueue], None]] = {}


def report_queues() -> list[ReportQueue]:
    """Return every queue of the process."""
    return [queue for queue in (each() for each in list(_queues)) if queue is not None]
