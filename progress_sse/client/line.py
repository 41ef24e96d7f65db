"""One session's outbox under the lock of the process, and what becomes of its troubles.

A lock for all outboxes, never held while anything is waited for: so a fork can take it, and finds them all whole. The
child forgets what its parent has still to tell (the parent tells it), and sends by a thread of its own (``sync``).
"""

import itertools
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol, runtime_checkable

from progress_sse.client.config import Address, OnError
from progress_sse.client.core import Answer, Away, Back, Event, Lost, Outbox, Request
from progress_sse.client.errors import ReportError
from progress_sse.client.reports import News

logger: Final = logging.getLogger("progress_sse.client")

lock: Final = threading.RLock()
"""Guards every outbox. A signal handler may report while its thread does, hence the R."""


whole: Final = threading.RLock()
"""Held while something is made of which a fork would leave the child with a half, and wait for the rest for ever."""

BEHIND_S: Final = 0.05
"""Seconds until a line looks again whether those before it have told all."""

MAX_KINDS: Final = 20
"""Kinds of trouble that a line warns of: it is the server that names them."""


class Transport(Protocol):
    """What carries a request to the server and its answer back, however long that takes."""

    def send(self, request: Request) -> Answer:
        """Send a request and return what comes back."""


@runtime_checkable
class WideTransport(Transport, Protocol):
    """One that can carry several at once."""

    def send_together(self, requests: Sequence[Request]) -> Sequence[Answer] | Answer:
        """Send requests, none of them a creation; return the answer to each, or the one answer to them all."""


class Driver(Protocol):
    """What sends for a line."""

    def wake(self, line: "Line") -> None:
        """Look at the line again; called under the lock, from any thread."""


class Outlet(Protocol):
    """Where the reports of a session go."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits to be told."""

    @property
    def lost(self) -> int:
        """How many reports will never be told."""

    def put(self, compose: Callable[[], News]) -> None:
        """Take in the report that `compose` returns; waits for nothing."""

    def raise_error(self) -> None:
        """Raise what has gone wrong since the last call, if that was asked for."""


class Nowhere:
    """The outlet of whoever has no server to report to."""

    is_settled = True
    lost = 0

    def put(self, compose: Callable[[], News]) -> None:
        """Do nothing."""

    def raise_error(self) -> None:
        """Do nothing."""


class Line:
    """An outlet that leads to a server."""

    def __init__(self, session_id: str, way: Address | Transport | None, driver: Driver, on_error: OnError) -> None:
        """Begin with nothing to tell; a `way` of `None` is known to the driver alone."""
        self.number = next(_numbers)
        self.session_id = session_id
        self.way = way
        self.driver = driver
        self._raises = on_error == "raise"
        self._outbox = Outbox(session_id)
        self._error: ReportError | None = None
        self._told: set[str] = set()
        with lock:
            _lines.add(self)

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits to be told."""
        with lock:
            return self._outbox.is_empty

    @property
    def lost(self) -> int:
        """How many reports will never be told."""
        with lock:
            return self._outbox.lost

    def put(self, compose: Callable[[], News]) -> None:
        """Take in a report, composed under the lock: of two counts from two threads the later one comes later."""
        with lock:
            is_news = self._outbox.put(compose())
            events = self._outbox.events()
            if is_news:
                self.driver.wake(self)
        if events:
            self._handle(events)

    def raise_error(self) -> None:
        """Raise what has gone wrong since the last call, if that was asked for."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def hurry(self) -> None:
        """Try at once what waits for a retry."""
        with lock:
            self._outbox.hurry(time.monotonic())
            if not self._outbox.is_empty:
                self.driver.wake(self)

    def hand_over(self, driver: Driver) -> None:
        """Let another driver send from now on, and begin with what this one may have sent in vain."""
        with lock:
            self.driver = driver
            self._outbox.retract()
        self.hurry()

    def forget(self) -> None:
        """Drop what waits."""
        with lock:
            self._outbox.forget()

    def next(self, *, alone: bool) -> tuple[list[Request], float]:
        """Return what to send now, one report at most or several, and in how many seconds there may be more."""
        with lock:
            now = time.monotonic()
            if not self._outbox.is_empty and self._is_behind_another():
                return [], BEHIND_S
            requests = self._outbox.next(now, alone=alone)
            return requests, max(0.0, self._outbox.wake_at() - now)

    def _is_behind_another(self) -> bool:
        """Whether an earlier line to the same session, by the same driver, has something to tell first."""
        return any(
            line.number < self.number
            and (line.session_id, line.way) == (self.session_id, self.way)
            and line.driver is self.driver
            and not line.is_settled
            for line in lines()
        )

    def take(self, requests: Sequence[Request], answer: Sequence[Answer] | Answer) -> None:
        """Take in what came back, for each or for all."""
        if not _is_answer(requests, answer):
            answer = Answer(500, detail=f"the transport returned {type(answer).__name__}")
        with lock:
            now = time.monotonic()
            if not isinstance(answer, Answer):
                self._outbox.take(requests, answer, now)
            elif len(requests) == 1:
                self._outbox.take(requests, [answer], now)
            else:
                self._outbox.refuse(requests, answer, now)
            events = self._outbox.events()
        with suppress(Exception):  # A handler of the job's log has raised: whoever sends goes on.
            self._handle(events)

    def _handle(self, events: list[Event]) -> None:
        """Log, without the lock: a handler may have one of its own, and report in turn."""
        where = repr(self.session_id) + (f" at {self.way.url}" if isinstance(self.way, Address) else "")
        for event in events:
            match event:
                case Away(reason):
                    self._tell("away", "cannot report on %s and will try again: %s", where, reason)
                case Back(away_s, lost):
                    text = "can report on %s again, after %.1f s in which %d reports were lost"
                    logger.log(logging.WARNING if lost else logging.INFO, text, where, away_s, lost)
                case Lost(error):
                    if self._raises:
                        self._error = self._error or error
                    kind = getattr(error, "problem", "away for long")
                    self._tell(kind, "lost a report on %s: %s", where, error)

    def _tell(self, kind: str, text: str, *args: object) -> None:
        """Warn once of each kind of trouble; its repeats are for the counter."""
        is_news = kind not in self._told and len(self._told) < MAX_KINDS
        if is_news:
            self._told.add(kind)
        logger.log(logging.WARNING if is_news else logging.DEBUG, text, *args)


def _is_answer(requests: Sequence[Request], returned: object) -> bool:
    """Whether a transport has returned what it should: it may be somebody's, and others wait for the same thread."""
    if isinstance(returned, Answer):
        return True
    if not isinstance(returned, list | tuple) or len(returned) != len(requests):
        return False
    return all(isinstance(each, Answer) for each in returned)


_numbers: Final = itertools.count()
_lines: Final[weakref.WeakSet[Line]] = weakref.WeakSet()


def lines() -> list[Line]:
    """Return every line of the process; to be called under the lock."""
    return list(_lines)


os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
# Taken before the other one, which whoever holds this may come to need.
os.register_at_fork(before=whole.acquire, after_in_parent=whole.release, after_in_child=whole.release)
