"""One session's reports in a process of many threads.

A job must never wait for reporting, whatever locks it holds: a log handler reports under its lock, and the garbage
collector may run finalisers, which log, at any allocation. So there is no lock here that a job waits for. Reports and
requests to wake are passed on by single calls into C. All other parts of a queue belong to its sender, the thread that
sends. The sender alone logs and calls the transport, and holds no lock while it does.

A fork may happen at any moment. The child drops the reports that its parent has not sent yet, since the parent sends
them. It begins with a new outbox, and sends by its own thread (``thread_sender``).

Where there is no server, a `NullSink` receives the reports.
"""

import math
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol, TypeAlias

from progress_sse._internal.threads import here, run_apart, start_new_thread
from progress_sse.client.config import FLUSH_S, Address, OnError
from progress_sse.client.errors import SuppressReportingErrors
from progress_sse.client.exchange import AskedRequest, ReportAnswer, ReportRequest, RequestRoom
from progress_sse.client.inbox import CANCELLED_BEFORE, Inbox
from progress_sse.client.loops import Home
from progress_sse.client.mailbox import Mailbox
from progress_sse.client.outbox import Outbox
from progress_sse.client.outbox_events import QueueErrors
from progress_sse.client.reports import Create, Log, Queueable, own_lease
from progress_sse.client.targets import OnLoop, Target
from progress_sse.core.asks import Acknowledgement
from progress_sse.core.updates import Acknowledge

Make: TypeAlias = Callable[[], Queueable]
"""Creates a report, from values of our own alone."""


class ReportSink(Protocol):
    """Receives the reports of a session."""

    @property
    def is_settled(self) -> bool:
        """Whether no report waits."""

    @property
    def lost(self) -> int:
        """How many reports will never reach the server."""

    def begin(self) -> None:
        """Let the session be created, if it is to be, before its first report."""

    def put(self, make: Make) -> None:
        """Queue the report that `make` creates; never blocks."""

    def raise_error(self) -> None:
        """Raise the error since the last call, if the job has asked for errors."""


class NullSink:
    """The sink of a session without a server."""

    is_settled = True
    lost = 0

    def begin(self) -> None:
        """Do nothing."""

    def put(self, make: Make) -> None:
        """Do nothing."""

    def raise_error(self) -> None:
        """Do nothing."""


def start_thread(function: Callable[..., object], *args: object) -> bool:
    """Start a thread to which no signal comes, and return whether that was possible.

    `threading` would wait until it runs. But it may first run a finaliser that waits for a lock of the job.
    """
    with SuppressReportingErrors():
        start_new_thread(run_apart, (here(), function, *args))
        return True
    return False


class Sender(Protocol):
    """Sends the reports of queues."""

    @property
    def is_started(self) -> bool:
        """Whether it can settle a queue now."""

    def wake(self, queue: "ReportQueue") -> None:
        """Check the queue again; called from any thread, and never blocks."""


class Waiter(Protocol):
    """Waits until a queue is settled."""

    def put(self, queue: "ReportQueue", /) -> None:
        """Note that the queue is settled; called by its sender."""


class ReportQueue:
    """The sink of a session on a server: an outbox, and the sender that empties it.

    Attributes:
        destination: The same for all queues to one server.
        session_key: A key that all queues to one session there share.
        sender: Sends the reports.
        mailbox: Decides when; `None` until the sender has seen the first report.
        is_woken: Whether the sender is about to check the queue; kept by the sender.
        patience_s: Seconds that the job, at its end, still waits for reports: all of its `flush_timeout_s` once none is
            left.
        inbox: The requests of the session's readers.
    """

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
        self.destination = (
            target if isinstance(target, Address) else id(target.transport if isinstance(target, OnLoop) else target)
        )
        self.session_key = session_id, self.destination
        self.sender = sender
        self.mailbox: Mailbox[ReportQueue] | None = None
        self._home = home
        self.is_woken = False
        self.patience_s = self.flush_timeout_s = flush_timeout_s
        self._outbox = Outbox(session_id, creation, tells_age=tells_age)
        self._waiters: dict[Waiter, None] = {}
        self._is_urgent = False
        self._is_handling_events = False
        where = repr(session_id) + (f" at {target.url}" if isinstance(target, Address) else "")
        self._errors = QueueErrors(where, raises=on_error == "raise")
        # A method in C, which removes an entry atomically.
        _queues[weakref.ref(self, _queues.pop)] = None

    @property
    def is_settled(self) -> bool:
        """Whether no report waits, and no error of a report is still to be raised or logged."""
        # In this order: an event that leaves the outbox after the second check is being handled.
        return self._outbox.is_empty and not self._outbox.has_events and not self._is_handling_events

    @property
    def has_unsent(self) -> bool:
        """Whether a report or a log line is neither sent nor dropped."""
        return not self._outbox.is_empty

    @property
    def has_unsent_reports(self) -> bool:
        """Whether a report is neither sent nor dropped."""
        return self._outbox.has_reports

    @property
    def has_commands(self) -> bool:
        """Whether a creation, a start or a completion waits."""
        return self._outbox.has_commands

    @property
    def lost(self) -> int:
        """How many reports will never reach the server."""
        return self._outbox.lost

    def begin(self) -> None:
        """Let the session be created, if it is to be, before its first report."""
        self._outbox.begin()
        self.wake()

    def put(self, make: Make) -> None:
        """Queue the report that `make` creates."""
        report = make()
        if not isinstance(report, Log):
            self._outbox.put(report, time.monotonic())
        elif not self._outbox.put_log(report, time.monotonic()):
            return
        self.wake()

    def wake(self) -> None:
        """Let the sender check the queue; called by the job."""
        if self._home is not None:
            self._home.find()
            if isinstance(self.target, OnLoop) and self.target.loop is None:
                self.target.loop = self._home.loop
        self.sender.wake(self)

    @property
    def is_listening(self) -> bool:
        """Whether the job takes requests of readers now."""
        return self.inbox.is_open

    def learn(self, asked: AskedRequest) -> bool:
        """Tell each job of this process that works on the session what a reader asks; return whether it is news."""
        is_news = False
        for queue in (self, *(each for each in report_queues() if each.session_key == self.session_key)):
            if queue.is_listening and queue.inbox.learn(asked, queue.acknowledge):
                is_news = True
                asked = asked._replace(state="seen")
        return is_news

    def acknowledge(self, request: str, state: Acknowledgement, message: str) -> None:
        """Queue the answer to a request."""
        self._outbox.put(Acknowledge(request, state, message), time.monotonic())
        self.sender.wake(self)

    def raise_error(self) -> None:
        """Raise the error since the last call, if the job has asked for errors."""
        self._errors.raise_first()

    def add_waiter(self, waiter: Waiter) -> None:
        """Notify a waiter each time the queue is settled, until it is removed, and retry at once.

        Another report may come before the waiter checks; then it waits for that as well.
        """
        self._waiters[waiter] = None
        self._is_urgent = True
        self.sender.wake(self)

    def remove_waiter(self, waiter: Waiter) -> None:
        """Stop notifying a waiter."""
        self._waiters.pop(waiter, None)

    @property
    def is_awaited(self) -> bool:
        """Whether the job waits until the queue is settled."""
        return bool(self._waiters)

    def spend_patience(self, seconds: float) -> None:
        """Note that the job has waited at its end, unless that was of use."""
        if not self.is_settled:
            self.patience_s = max(0.0, self.patience_s - seconds)

    def give_up(self) -> None:
        """Drop all unsent reports, at the end of the process."""
        self._outbox.give_up()

    def forget(self, sender: Sender) -> None:
        """Begin anew in a child process; the parent sends the waiting reports."""
        self._outbox = self._outbox.renewed()
        self._waiters.clear()
        self._is_handling_events = False
        self.is_woken = False
        self.patience_s = self.flush_timeout_s
        self.sender = sender
        self.mailbox = None

    # The rest is for the sender alone.

    def join(self, mailbox: "Mailbox[ReportQueue]") -> None:
        """Send by a mailbox from now on, and queue again the requests that have no answer."""
        self.mailbox = mailbox
        self._outbox.server = mailbox.server
        self._outbox.retract()

    @property
    def has_creation(self) -> bool:
        """Whether the creation of the session is what goes next."""
        return self._outbox.has_creation

    def due_at(self) -> float:
        """Return when there is something to send while the server answers; infinity if only a report changes that."""
        return self._outbox.due_at()

    def retry_now(self, now: float) -> bool:
        """Retry at once if a waiter has asked for that; return whether one has."""
        was_urgent, self._is_urgent = self._is_urgent, False
        if was_urgent:
            self._outbox.retry_now(now)
        return was_urgent

    def stand_by(self, now: float) -> float:
        """Wait for a server that is away, and drop reports that have waited too long; return when to do that."""
        until = self._outbox.stand_by(now)
        self.handle_events()
        return until

    def next(self, room: RequestRoom, *, alone: bool) -> list[ReportRequest]:
        """Return the requests to send now, for which there is room; at most one if `alone`."""
        return self._outbox.next(time.monotonic(), room, alone=alone)

    def refuse(self, requests: Sequence[ReportRequest], answer: ReportAnswer) -> None:
        """Send the requests again: the server processed none of those that went together."""
        self._outbox.refuse(requests, answer, time.monotonic())

    def take(self, requests: Sequence[ReportRequest], answers: Sequence[ReportAnswer]) -> None:
        """Apply the answer to each request."""
        self._outbox.take(requests, answers, time.monotonic())
        for request, each in zip(requests, answers, strict=True):
            if isinstance(request.report, Acknowledge) and each.is_success:
                self.inbox.confirm(request.report.request)
        self._learn_from(answers)

    def _learn_from(self, answers: Sequence[ReportAnswer]) -> None:
        for answer in answers:
            for asked in answer.requests:
                self.learn(asked)
            if answer.is_cancelled:  # The job was to be skipped.
                self.learn(AskedRequest(CANCELLED_BEFORE, "cancel", state="honoured"))

    def beat_at(self) -> float:
        """Return when a sign of life is due that needs not wait for a report; infinity if there is none."""
        return self._outbox.beat_at()

    def take_beats(self, most: float = math.inf) -> list[ReportRequest]:
        """Return at most so many signs of life to send now; those that are due while the server is away are dropped.

        There is none of a job whose event loop has not turned for so long that its steps count as lost.
        """
        beats, home = self._outbox.take_beats(time.monotonic(), most), self._home
        if home is None:
            return beats
        return [each for each in beats if home.has_turned(own_lease(each.report))]

    def take_beat_answer(self, request: ReportRequest, answer: ReportAnswer) -> None:
        """Apply the answer to a sign of life."""
        self._outbox.take_beat_answer(request, answer, time.monotonic())
        self._learn_from([answer])
        self.handle_events()

    def handle_events(self) -> None:
        """Log the outbox's events, and notify the waiters if the queue is settled."""
        self._is_handling_events = True
        try:
            with suppress(Exception):  # A log handler of the job has raised; the sender goes on.
                self._errors.take(self._outbox.events())
        finally:
            self._is_handling_events = False
        if self.is_settled:
            self.patience_s = self.flush_timeout_s
            for waiter in list(self._waiters):
                waiter.put(self)


_queues: Final[dict[weakref.ref[ReportQueue], None]] = {}


def report_queues() -> list[ReportQueue]:
    """Return every queue of the process."""
    return [queue for queue in (each() for each in list(_queues)) if queue is not None]
