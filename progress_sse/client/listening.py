"""Waits for the requests of readers: which sessions a process asks the server about, and when.

The sessions of one server are asked about together, up to `MAX_SESSIONS` in a request that the server answers once a
reader asks for something. A session that begins to listen joins such a group, which is then asked about anew. A session
that listens for less than `DELAY_S` causes no request.

* **The first request of a group does not wait**, nor does the one after a pause. It tells what other workers of the
  sessions have seen already.
* **Requests that fail are repeated** after a pause that grows, and so are those that the server answers early.
* **A server that does not tell requests** is asked again after a long pause, which grows: a proxy before it may have
  answered. Answers to reports may still bear requests.

A `ThreadListener` is a daemon thread that sends the requests of a group by a connection of its own, so that reports go
on meanwhile. The thread of ``thread_sender`` starts it, and interrupts it where another session begins to listen.
"""

import math
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from queue import Empty
from typing import Final, Generic, NamedTuple, Protocol, TypeVar
from weakref import WeakKeyDictionary, ref

from progress_sse._internal.backoff import Backoff, chance_of_system
from progress_sse._internal.threads import SimpleQueue
from progress_sse.client.availability import LONGEST_RETRY_AFTER_S
from progress_sse.client.exchange import Asked, AskedRequest, ReportAnswer
from progress_sse.client.own_log import sending
from progress_sse.client.report_queue import start_thread
from progress_sse.client.reports import describe_error
from progress_sse.client.targets import RequestWait

MAX_SESSIONS: Final = 20
"""Sessions in one request."""

WAIT_S: Final = 30
"""Seconds that the server is to wait for a request of a reader."""

DELAY_S: Final = 0.2
"""Seconds until a session that begins to listen is asked about."""

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
"""Maximum seconds before the server is asked again, at first and at most."""

SHORTEST_PAUSE_S: Final = 0.1

FIRST_REFUSED_S: Final = 10.0
LONGEST_REFUSED_S: Final = 600.0
"""Maximum seconds beyond `FIRST_REFUSED_S` before a server is asked again that does not tell requests, at first and at
most."""

_EARLY: Final = 0.5
"""The part of the wait before which an answer is early."""

_NOT_IMPLEMENTED: Final = 501
_NO_SESSION: Final = "session-not-found"


class Listening(Protocol):
    """A queue of reports on a session, whose readers may ask for something."""

    session_id: str

    @property
    def destination(self) -> Hashable:
        """The same for all queues to one server."""

    @property
    def is_listening(self) -> bool:
        """Whether the job takes requests now."""

    def learn(self, asked: AskedRequest) -> bool:
        """Take in a request; return whether it is news."""


Q = TypeVar("Q", bound=Listening)


class Group(Generic[Q]):
    """Sessions of one server that are asked about together, by one thread.

    Attributes:
        destination: The server.
        is_over: Whether it is asked about no more.
        is_refused: Whether the server does not tell requests, until the schedule has taken notice.
        has_answered: Whether it has told some, or that there are none.
    """

    def __init__(self, destination: Hashable, queues: list[Q], chance: Callable[[], float] = chance_of_system) -> None:
        """Begin with these sessions; a queue that its job has dropped is not held."""
        self.destination = destination
        self.is_over = False
        self.is_refused = False
        self.has_answered = False
        self._members = [ref(queue) for queue in queues]
        self._asked = [queue.session_id for queue in queues]
        self._wait_s = 0
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S, chance)

    def queues(self) -> list[Q]:
        """Return the queues that still listen here."""
        held = (each() for each in self._members)
        return [each for each in held if each is not None and each.is_listening]

    def session_ids(self) -> list[str]:
        """Return the sessions to ask about now."""
        self._asked = list(dict.fromkeys(queue.session_id for queue in self.queues()))
        return self._asked

    def asks_about(self, queue: Q) -> bool:
        """Return whether the request under way is about the queue's session, which may have ceased to listen."""
        return not self.is_over and queue.session_id in self._asked

    @property
    def wait_s(self) -> int:
        """How many seconds the server is to wait in the next request."""
        return self._wait_s

    def take(self, answer: Asked | ReportAnswer, took_s: float) -> float:
        """Tell the queues what their readers ask; return the seconds until the next request, infinity for never."""
        waited_s, self._wait_s = self._wait_s, 0
        if isinstance(answer, ReportAnswer):
            may_tell = answer.is_retryable and answer.status != _NOT_IMPLEMENTED
            if not may_tell and answer.problem != _NO_SESSION:
                self.is_refused = True
                return math.inf
            return self._pause_s() + min(answer.retry_after_s or 0, LONGEST_RETRY_AFTER_S)
        self.has_answered = True
        is_news, is_early = self._tell(answer), took_s < waited_s * _EARLY
        if is_news or (waited_s and not is_early):
            self._backoff.reset()
        if is_news or is_early:
            return self._pause_s()
        self._wait_s = WAIT_S
        return 0

    def _tell(self, asked: Asked) -> bool:
        is_news = False
        for queue in self.queues():
            for session_id, request in asked:
                if session_id == queue.session_id:
                    is_news |= queue.learn(request)
        return is_news

    def _pause_s(self) -> float:
        return max(SHORTEST_PAUSE_S, self._backoff.next_s())


class Change(NamedTuple, Generic[Q]):
    """A group to ask about, and the one that it replaces."""

    group: Group[Q]
    replaced: Group[Q] | None


class ListenSchedule(Generic[Q]):
    """The queues that listen, in groups; used by the thread that sends."""

    def __init__(self, chance: Callable[[], float] = chance_of_system) -> None:
        """Begin without queues."""
        self._chance = chance
        self._new: WeakKeyDictionary[Q, float] = WeakKeyDictionary()
        self._groups: list[Group[Q]] = []
        self._joined: WeakKeyDictionary[Q, Group[Q]] = WeakKeyDictionary()
        self._backoffs: dict[Hashable, Backoff] = {}
        self._not_before: dict[Hashable, float] = {}

    def check(self, queue: Q, now: float) -> None:
        """Plan to ask about a queue that listens, unless that is done."""
        if not queue.is_listening or queue in self._new:
            return
        group = self._joined.get(queue)
        if group is not None and group.is_refused:
            self._put_off(group, now)
        if group is None or not group.asks_about(queue):
            self._new[queue] = max(now + DELAY_S, self._not_before.get(queue.destination, 0))

    def _put_off(self, group: Group[Q], now: float) -> None:
        """Ask a server later that does not tell requests, for all of its groups."""
        group.is_refused = False
        server = group.destination
        if now >= self._not_before.get(server, 0):
            if group.has_answered:
                self._backoffs.pop(server, None)
            backoff = self._backoffs.setdefault(server, Backoff(FIRST_REFUSED_S, LONGEST_REFUSED_S, self._chance))
            self._not_before[server] = now + FIRST_REFUSED_S + backoff.next_s()

    def wake_at(self) -> float:
        """Return when a queue is due; infinity if only a report changes that."""
        return min(list(self._new.values()), default=math.inf)

    def take_due(self, now: float) -> list[Change[Q]]:
        """Return the groups to ask about from now on."""
        due = [queue for queue, at in list(self._new.items()) if at <= now]
        for queue in due:
            del self._new[queue]
        self._groups = [each for each in self._groups if not each.is_over]
        return [self._join(queues) for queues in _together([queue for queue in due if queue.is_listening])]

    def _join(self, queues: list[Q]) -> Change[Q]:
        destination = queues[0].destination
        replaced = None
        for group in self._groups:
            members = group.queues()
            if group.destination == destination and len(members) + len(queues) <= MAX_SESSIONS:
                replaced, queues = group, list(dict.fromkeys([*members, *queues]))
                self._groups.remove(group)
                break
        joined = Group(destination, queues)
        self._groups.append(joined)
        for queue in queues:
            self._joined[queue] = joined
        return Change(joined, replaced)


def _together(queues: list[Q]) -> list[list[Q]]:
    """Return the queues to each server, at most so many together as go in one request."""
    grouped: dict[Hashable, list[Q]] = {}
    for queue in queues:
        grouped.setdefault(queue.destination, []).append(queue)
    return [
        together[start : start + MAX_SESSIONS]
        for together in grouped.values()
        for start in range(0, len(together), MAX_SESSIONS)
    ]


class ThreadListener(Generic[Q]):
    """Waits for the requests of one group of sessions."""

    def __init__(self, group: Group[Q], connect: Callable[[], RequestWait], on_refused: Callable[[Q], object]) -> None:
        """Begin without a thread. It calls `connect`, and `on_refused` with each session that it no longer serves."""
        self._group = group
        self._connect = connect
        self._on_refused = on_refused
        self._wait: RequestWait | None = None
        self._stopped: SimpleQueue[None] = SimpleQueue()

    def start(self) -> None:
        """Start the thread; without one the group is over."""
        self._group.is_over = not start_thread(self._run)

    def stop(self) -> None:
        """End the wait; called from any thread."""
        self._stopped.put(None)
        if self._wait is not None:
            self._wait.interrupt()

    def _run(self) -> None:
        try:
            self._wait = self._connect()
            self._listen(self._wait)
        except Exception:  # noqa: BLE001  # an error of a transport is not the job's
            self._group.is_refused = True
        finally:
            self._group.is_over = True
            if self._wait is not None:
                with suppress(Exception):
                    self._wait.close()
            if self._group.is_refused:
                for queue in self._group.queues():
                    self._on_refused(queue)

    def _listen(self, wait: RequestWait) -> None:
        while session_ids := self._group.session_ids():
            began = time.monotonic()
            pause_s = self._group.take(_ask(wait, session_ids, self._group.wait_s), time.monotonic() - began)
            if pause_s == math.inf:
                return
            with suppress(Empty):
                self._stopped.get(timeout=pause_s)
                return


def _ask(wait: RequestWait, session_ids: Sequence[str], wait_s: int) -> Asked | ReportAnswer:
    try:
        with sending():
            return wait.ask(session_ids, wait_s)
    except (ImportError, MemoryError, OSError) as error:  # The missing resource may be there later.
        return ReportAnswer(0, detail=describe_error(error))
