"""One session's outbox in a process of many threads, and what becomes of its troubles.

A job must never wait for reporting, whatever it holds meanwhile: a log handler reports under its lock, and the garbage
collector runs finalisers, which log, wherever something is allocated. So there is no lock here that a job waits for.
Reports and requests to wake are handed over by single calls into C; all else of a line belongs to its driver, the one
thread or task that sends, which alone logs its troubles and calls its transport, while it holds nothing.

A fork may come at any moment: the child forgets what its parent has still to tell (the parent tells it), begins with a
new outbox, and sends by a thread of its own (``sync``).
"""

import logging
import time
import weakref
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from progress_sse.client.config import Address, OnError
from progress_sse.client.core import (
    Answer,
    Availability,
    Disconnected,
    Event,
    Outbox,
    Reconnected,
    Recreated,
    ReportDropped,
    Request,
)
from progress_sse.client.errors import ReportError, TroubleKept
from progress_sse.client.reports import Create, Queueable

_logger: Final = logging.getLogger("progress_sse.client")

MAX_KINDS: Final = 20
"""Kinds of trouble that a line warns of: it is the server that names them."""


def log(level: int, text: str, *args: object) -> None:
    """Log, and keep trouble with that from the job: its stderr may be closed."""
    with TroubleKept():
        _logger.log(level, text, *args, stacklevel=2)


def start_thread(function: Callable[..., object], *args: object) -> bool:
    """Start a thread, and tell whether there is room for one; does not wait until it runs, as `threading` does.

    It may first run a finaliser, which waits for what the job holds.
    """
    with TroubleKept():
        start_new_thread(function, args)
        return True
    return False


Prepare: TypeAlias = Callable[[], Callable[[], Queueable]]
"""Asks the objects of others what is to be told, and returns what makes a report of that without them."""


class Transport(Protocol):
    """What carries a request to the server and its answer back, however long that takes."""

    def send(self, request: Request) -> Answer:
        """Send a request and return what comes back."""


@runtime_checkable
class BatchTransport(Transport, Protocol):
    """One that can carry several at once."""

    def send_batch(self, requests: Sequence[Request]) -> Sequence[Answer] | Answer:
        """Send requests, none of them a creation; return the answer to each, or the one answer to them all."""


class OnLoop(NamedTuple):
    """A way that only an event loop can go."""

    transport: object


Target: TypeAlias = Address | Transport | OnLoop


class Sender(Protocol):
    """What sends for a line."""

    def wake(self, queue: "ReportQueue") -> None:
        """Look at the line again; called from any thread, and waits for nothing."""

    def release(self, queue: "ReportQueue") -> None:
        """Let the thread of the process have the line; waits for nothing."""


class Waiter(Protocol):
    """What waits for a line to be settled."""

    def put(self, queue: "ReportQueue", /) -> None:
        """Hear that it is; called by its driver."""


class ReportSink(Protocol):
    """Where the reports of a session go."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits to be told."""

    @property
    def lost(self) -> int:
        """How many reports will never be told."""

    def begin(self) -> None:
        """Let the session be created, if it is to be, before anything else is told of it."""

    def put(self, prepare: Prepare) -> None:
        """Take in the report that `prepare` makes; waits for nothing."""

    def raise_error(self) -> None:
        """Raise what has gone wrong since the last call, if that was asked for."""


class NullSink:
    """The outlet where there is no server to report to."""

    is_settled = True
    lost = 0

    def begin(self) -> None:
        """Do nothing."""

    def put(self, prepare: Prepare) -> None:
        """Do nothing."""

    def raise_error(self) -> None:
        """Do nothing."""


class ReportQueue:
    """An outlet that leads to a server.

    Attributes:
        destination: What is the same for all lines that lead to one server.
        place: What is the same for all lines that lead to one session there.
        driver: What sends.
        is_woken: Whether the driver has been told to look at it; kept by the driver.
    """

    def __init__(
        self,
        session_id: str,
        target: Target,
        sender: Sender,
        *,
        creation: Create | None = None,
        on_error: OnError = "warn",
    ) -> None:
        """Begin with nothing to tell but the creation."""
        self.session_id = session_id
        self.target = target
        self.destination = (
            target if isinstance(target, Address) else id(target.transport if isinstance(target, OnLoop) else target)
        )
        self.place = session_id, self.destination
        self.sender = sender
        self.is_woken = False
        self._raises = on_error == "raise"
        self._outbox = Outbox(session_id, creation)
        self._waiters: dict[Waiter, None] = {}
        self._is_urgent = False
        self._errors: deque[ReportError] = deque()
        self._told: set[str] = set()
        # A method of C, which takes an entry out in one go.
        _queues[weakref.ref(self, _queues.pop)] = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits to be told."""
        return self._outbox.is_empty

    @property
    def has_commands(self) -> bool:
        """Whether a creation, a start or a completion waits."""
        return self._outbox.has_commands

    @property
    def lost(self) -> int:
        """How many reports will never be told."""
        return self._outbox.lost

    def begin(self) -> None:
        """Let the session be created, if it is to be, before anything else is told of it."""
        self._outbox.begin()
        self.sender.wake(self)

    def put(self, prepare: Prepare) -> None:
        """Take in the report that `prepare` makes."""
        self._outbox.put(prepare()())
        self.sender.wake(self)

    def raise_error(self) -> None:
        """Raise what has gone wrong since the last call, if that was asked for."""
        if self._errors:
            with suppress(IndexError):  # Another thread has taken it.
                raise self._errors.popleft()

    def add_waiter(self, waiter: Waiter) -> None:
        """Tell a waiter whenever all is told, until it is removed, and try at once what waits for a retry.

        It may look too late: something else may have been reported meanwhile, and then it waits for that as well.
        """
        self._waiters[waiter] = None
        self._is_urgent = True
        self.sender.wake(self)

    def remove_waiter(self, waiter: Waiter) -> None:
        """Let it wait no more."""
        self._waiters.pop(waiter, None)

    def transfer_to(self, sender: Sender) -> None:
        """Let another driver send from now on, which retracts what this one may have sent in vain."""
        self.sender = sender
        self.is_woken = False  # The driver before may never come to it.
        if not self.is_settled:
            sender.wake(self)

    def give_up(self) -> None:
        """Let go of all that is not told: the process ends."""
        self._outbox.give_up()

    def forget(self, sender: Sender) -> None:
        """Begin anew in a child process: what waits is told by its parent."""
        self._outbox = self._outbox.renewed()
        self._waiters.clear()
        self.is_woken = False
        self.sender = sender

    # What follows is for the driver alone.

    @property
    def server(self) -> Availability:
        """What is known of the server."""
        return self._outbox.server

    def adopt(self, server: Availability) -> None:
        """Share what is known of the server, and let wait again what another driver may have sent in vain."""
        self._outbox.server = server
        self._outbox.retract()

    def wake_at(self) -> float:
        """Return when there will be something to send; infinity, if that takes another report."""
        return self._outbox.wake_at()

    def retry_now(self, now: float) -> bool:
        """Let what waits for a retry go at once, if that was asked for; tell whether it was."""
        was_urgent, self._is_urgent = self._is_urgent, False
        if was_urgent:
            self._outbox.retry_now(now)
        return was_urgent

    def stand_by(self, now: float) -> float:
        """Wait for a server that is away, and give up what has waited too long; return when that is to come."""
        until = self._outbox.stand_by(now)
        self.handle_events()
        return until

    def next(self, *, alone: bool) -> list[Request]:
        """Return what to send now, one report only if it goes `alone`."""
        return self._outbox.next(time.monotonic(), alone=alone)

    def take(self, requests: Sequence[Request], answer: Sequence[Answer] | Answer) -> None:
        """Take in what came back, for each or for all."""
        if not _is_answer(requests, answer):
            answer = Answer(500, detail=f"the transport returned {type(answer).__name__}")
        now = time.monotonic()
        if not isinstance(answer, Answer):
            self._outbox.take(requests, answer, now)
        elif len(requests) == 1:
            self._outbox.take(requests, [answer], now)
        else:
            self._outbox.refuse(requests, answer, now)

    def handle_events(self) -> None:
        """Say what has happened, and tell those who wait if all is told."""
        with suppress(Exception):  # A handler of the job's log has raised: the driver goes on.
            self._handle(self._outbox.events())
        if self.is_settled:
            for waiter in list(self._waiters):
                waiter.put(self)

    def _handle(self, events: list[Event]) -> None:
        where = repr(self.session_id) + (f" at {self.target.url}" if isinstance(self.target, Address) else "")
        for event in events:
            match event:
                case Disconnected(reason):
                    self._tell("away", "cannot report on %s and will try again: %s", where, reason)
                case Reconnected(away_s, lost):
                    text = "can report on %s again, after %.1f s in which %d reports were lost"
                    log(logging.WARNING if lost else logging.INFO, text, where, away_s, lost)
                case Recreated():
                    self._tell("recreated", "the server had lost %s: it was created again", where)
                case ReportDropped(error):
                    if self._raises and not self._errors:
                        self._errors.append(error)
                    kind = getattr(error, "problem", "away for long")
                    self._tell(kind, "lost a report on %s: %s", where, error)

    def _tell(self, kind: str, text: str, *args: object) -> None:
        """Warn once of each kind of trouble; its repeats are for the counter."""
        is_news = kind not in self._told and len(self._told) < MAX_KINDS
        if is_news:
            self._told.add(kind)
        log(logging.WARNING if is_news else logging.DEBUG, text, *args)


def _is_answer(requests: Sequence[Request], returned: object) -> bool:
    """Whether a transport has returned what it should: it may be somebody's, and others wait for the same thread."""
    if isinstance(returned, Answer):
        return True
    if not isinstance(returned, list | tuple) or len(returned) != len(requests):
        return False
    return all(isinstance(each, Answer) for each in returned)


_queues: Final[dict[weakref.ref[ReportQueue], None]] = {}


def report_queues() -> list[ReportQueue]:
    """Return every line of the process."""
    return [queue for queue in (each() for each in list(_queues)) if queue is not None]
