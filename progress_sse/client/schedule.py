"""Decides which of many queues sends next, on one thread or event loop; a waiting queue costs nothing.

* **Queues to one session** send one after the other: the first to report sends all that it has, and then the next one.
  Advances, of which there may always be more, do not delay the next one.
* **Queues to one server** send at once, up to a limit. While the server is away, the one that found it away retries,
  and the others wait until it answers.

No I/O, clock or lock goes in here.
"""

import heapq
import itertools
import math
from collections.abc import Hashable
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from progress_sse.client.availability import Availability


class Scheduled(Protocol):
    """A queue of reports."""

    @property
    def session_key(self) -> Hashable:
        """A key that all queues to one session share."""

    @property
    def server(self) -> Availability:
        """The availability of the server, shared by all queues to it."""

    @property
    def is_settled(self) -> bool:
        """Whether no report waits."""

    @property
    def has_commands(self) -> bool:
        """Whether any report other than an advance waits."""

    def wake_at(self) -> float:
        """Return when there will be something to send; infinity if only another report changes that."""

    def retry_now(self, now: float) -> bool:
        """Retry at once if a waiter has asked for that; return whether one has."""

    def stand_by(self, now: float) -> float:
        """Wait for a server that is away, and drop reports that have waited too long; return when to do that."""


Q = TypeVar("Q", bound=Scheduled)

_Queues: TypeAlias = dict[Q, Any]


class Schedule(Generic[Q]):
    """The queues that have reports to send."""

    def __init__(self, at_once: int = 1) -> None:
        """Begin without queues; at most `at_once` send to one server at a time."""
        self._at_once = at_once
        self._by_session: dict[Hashable, _Queues[Q]] = {}
        self._turns: list[tuple[float, int, Q]] = []
        self._planned: dict[Q, tuple[float, int, Q]] = {}
        self._numbers = itertools.count()
        self._under_way: dict[Hashable, dict[Q, bool]] = {}  # And whether the server answered as they began.
        self._waiting: dict[Hashable, _Queues[Q]] = {}
        self._trying: dict[Hashable, Q] = {}  # The queue that retries at each server that is away.

    def __contains__(self, queue: Q) -> bool:
        """Return whether the queue had a report at its last check."""
        return queue in self._by_session.get(queue.session_key, ())

    def check(self, queue: Q, now: float) -> None:
        """Plan the queue's turn; its reports may have changed."""
        if queue.retry_now(now) and queue.server in self._trying:
            self._plan(self._trying[queue.server], now)
        same_session = self._by_session.setdefault(queue.session_key, {})
        same_session.setdefault(queue)
        while same_session:
            first = next(iter(same_session))
            if not first.is_settled:
                self._plan(first, now)
                return
            del same_session[first]
            self._pass_retry_on(first, now)
        self._by_session.pop(queue.session_key, None)

    def next(self, now: float) -> Q | None:
        """Return the queue whose turn it is; `served` must follow."""
        while self.wake_at() <= now:
            _, _, queue = heapq.heappop(self._turns)
            del self._planned[queue]
            if queue in self._waiting.get(queue.server, ()):
                self._stand_by(queue, now)
            elif queue.wake_at() > now or self._is_retried_by_another(queue):  # The server has failed since.
                self.check(queue, now)
            elif self._room(queue.server) == 0 and queue.server not in self._trying:
                self._wait(queue, now)
            else:
                self._under_way.setdefault(queue.server, {})[queue] = queue.server.reason is None
                return queue
        return None

    def served(self, queue: Q, now: float) -> None:
        """End the queue's turn, and plan those of the queues that waited for it."""
        server = queue.server
        was_there = self._under_way.get(server, {}).get(queue)
        _leave(self._under_way, server, queue)
        tried = self._trying.pop(server, None) if server.reason is None else None
        same_session = self._by_session.get(queue.session_key, {})
        if server.reason is None and queue in same_session and not queue.has_commands:
            same_session[queue] = same_session.pop(queue)
        for each in (queue, tried):
            if each is not None:
                self.check(each, now)
        if server.reason is None:
            self._admit(server, now)
        elif was_there:
            for waiting in list(self._waiting.get(server, ())):
                self._stand_by(waiting, now)

    def remove(self, queue: Q, now: float) -> None:
        """Remove a queue with all its reports."""
        _leave(self._by_session, queue.session_key, queue)
        _leave(self._waiting, queue.server, queue)
        _leave(self._under_way, queue.server, queue)
        self._planned.pop(queue, None)
        self._pass_retry_on(queue, now)
        for first in itertools.islice(list(self._by_session.get(queue.session_key, ())), 1):
            self.check(first, now)
        self._admit(queue.server, now)

    def wake_at(self) -> float:
        """Return when the next turn is; infinity if only a report or an answer changes that."""
        while self._turns and self._planned.get(self._turns[0][2]) is not self._turns[0]:
            heapq.heappop(self._turns)  # Another turn replaces it.
        return self._turns[0][0] if self._turns else math.inf

    def _plan(self, queue: Q, now: float) -> None:
        if any(queue in group.get(queue.server, ()) for group in (self._waiting, self._under_way)):
            return
        if queue.server.reason is not None:
            self._trying.setdefault(queue.server, queue)
        if self._is_retried_by_another(queue):
            self._wait(queue, now)
        else:
            # A due queue counts from now, behind queues that have been due for longer, so each gets its turn.
            self._push(queue, max(queue.wake_at(), now))

    def _push(self, queue: Q, at: float) -> None:
        planned = self._planned.get(queue)
        if at < math.inf and (planned is None or at < planned[0]):
            self._planned[queue] = turn = (at, next(self._numbers), queue)
            heapq.heappush(self._turns, turn)

    def _wait(self, queue: Q, now: float) -> None:
        self._waiting.setdefault(queue.server, {})[queue] = None
        self._stand_by(queue, now)

    def _stand_by(self, queue: Q, now: float) -> None:
        if queue.server.reason is not None:
            self._push(queue, queue.stand_by(now))

    def _is_retried_by_another(self, queue: Q) -> bool:
        """Return whether another queue retries at the server."""
        return self._trying.get(queue.server, queue) is not queue

    def _room(self, server: Availability) -> int:
        """Return how many more queues may send to a server now."""
        return max(0, self._at_once - len(self._under_way.get(server, ())))

    def _admit(self, server: Availability, now: float) -> None:
        """Plan the turns of queues that wait for a server, up to its limit."""
        waiting = self._waiting.get(server, {})
        room = self._room(server)
        while room and waiting and server not in self._trying:
            queue = next(iter(waiting))
            self._go_on(queue, now)
            room -= queue in self._planned and self._planned[queue][0] <= now

    def _pass_retry_on(self, queue: Q, now: float) -> None:
        """Let another queue retry at the server, if this one did."""
        if self._trying.get(queue.server) is not queue:
            return
        del self._trying[queue.server]
        another = min(self._waiting.get(queue.server, ()), key=lambda each: each.wake_at(), default=None)
        if another is not None and not another.is_settled:
            self._go_on(another, now)

    def _go_on(self, queue: Q, now: float) -> None:
        _leave(self._waiting, queue.server, queue)
        self.check(queue, now)


def _leave(groups: dict[Hashable, dict[Q, Any]], key: Hashable, queue: Q) -> None:
    group = groups.get(key, {})
    group.pop(queue, None)
    if not group:
        groups.pop(key, None)
