"""Whose turn it is, of many lines that one thread or event loop sends for: a line that only waits costs nothing.

* **Lines that lead to one session** go one after the other: the one that began to report first tells all that it has,
  and then the next one. Advances, of which there may always be more, do not hold up the next one.
* **Lines that lead to one server** go so many at once, and while it is away one of them at a time: the one that found
  it away tries again, and the rest wait until it answers.

What must not go in here: I/O, a clock, locks.
"""

import heapq
import itertools
import math
from collections.abc import Hashable
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from progress_sse.client.core import Availability


class Scheduled(Protocol):
    """A line."""

    @property
    def place(self) -> Hashable:
        """What is the same for all lines that lead to one session."""

    @property
    def server(self) -> Availability:
        """What is known of the server, shared by all lines that lead there."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits to be told."""

    @property
    def has_commands(self) -> bool:
        """Whether anything waits to be told but advances."""

    def wake_at(self) -> float:
        """Return when there will be something to send; infinity, if that takes another report."""

    def hurry(self, now: float) -> bool:
        """Let what waits for a retry go at once, if that was asked for; tell whether it was."""

    def stand_by(self, now: float) -> float:
        """Wait for a server that is away, and give up what has waited too long; return when that is to come."""


L = TypeVar("L", bound=Scheduled)

_Lines: TypeAlias = dict[L, Any]


class Schedule(Generic[L]):
    """The lines that have something to tell."""

    def __init__(self, at_once: int = 1) -> None:
        """Begin with none; `at_once` have their turn at one server."""
        self._at_once = at_once
        self._queues: dict[Hashable, _Lines[L]] = {}
        self._turns: list[tuple[float, int, L]] = []
        self._planned: dict[L, tuple[float, int, L]] = {}
        self._numbers = itertools.count()
        self._under_way: dict[Hashable, dict[L, bool]] = {}  # And whether the server was there as they began.
        self._waiting: dict[Hashable, _Lines[L]] = {}
        self._trying: dict[Hashable, L] = {}  # What tries again at a server that is away.

    def __contains__(self, line: L) -> bool:
        """Return whether the line had something to tell when it was last looked at."""
        return line in self._queues.get(line.place, ())

    def look_at(self, line: L, now: float) -> None:
        """Plan when it is the line's turn, which may have something new to tell, or none any more."""
        if line.hurry(now) and line.server in self._trying:
            self._plan(self._trying[line.server], now)
        queue = self._queues.setdefault(line.place, {})
        queue.setdefault(line)
        while queue:
            first = next(iter(queue))
            if not first.is_settled:
                self._plan(first, now)
                return
            del queue[first]
            self._let_another_try(first, now)
        self._queues.pop(line.place, None)

    def next(self, now: float) -> L | None:
        """Return the line whose turn it is; `served` must follow."""
        while self.wake_at() <= now:
            _, _, line = heapq.heappop(self._turns)
            del self._planned[line]
            if line in self._waiting.get(line.server, ()):
                self._stand_by(line, now)
            elif line.wake_at() > now or self._does_another_try(line):  # The server has failed since.
                self.look_at(line, now)
            elif self._room(line.server) == 0 and line.server not in self._trying:
                self._wait(line, now)
            else:
                self._under_way.setdefault(line.server, {})[line] = line.server.reason is None
                return line
        return None

    def served(self, line: L, now: float) -> None:
        """Go on after the line's turn, and let others have theirs that waited for it."""
        server = line.server
        was_there = self._under_way.get(server, {}).get(line)
        _leave(self._under_way, server, line)
        tried = self._trying.pop(server, None) if server.reason is None else None
        queue = self._queues.get(line.place, {})
        if server.reason is None and line in queue and not line.has_commands:
            queue[line] = queue.pop(line)
        for each in (line, tried):
            if each is not None:
                self.look_at(each, now)
        if server.reason is None:
            self._admit(server, now)
        elif was_there:
            for waiting in list(self._waiting.get(server, ())):
                self._stand_by(waiting, now)

    def remove(self, line: L, now: float) -> None:
        """Forget a line, whatever it has to tell."""
        for groups, key in ((self._queues, line.place), (self._waiting, line.server), (self._under_way, line.server)):
            _leave(groups, key, line)
        self._planned.pop(line, None)
        self._let_another_try(line, now)
        for first in itertools.islice(list(self._queues.get(line.place, ())), 1):
            self.look_at(first, now)
        self._admit(line.server, now)

    def wake_at(self) -> float:
        """Return when it is a line's turn; infinity, if that takes a report or an answer."""
        while self._turns and self._planned.get(self._turns[0][2]) is not self._turns[0]:
            heapq.heappop(self._turns)  # Another one has been planned instead.
        return self._turns[0][0] if self._turns else math.inf

    def _plan(self, line: L, now: float) -> None:
        if any(line in group.get(line.server, ()) for group in (self._waiting, self._under_way)):
            return
        if line.server.reason is not None:
            self._trying.setdefault(line.server, line)
        if self._does_another_try(line):
            self._wait(line, now)
        else:
            # What is due is so from now on, behind what has been due for longer: so each has its turn.
            self._push(line, max(line.wake_at(), now))

    def _push(self, line: L, at: float) -> None:
        planned = self._planned.get(line)
        if at < math.inf and (planned is None or at < planned[0]):
            self._planned[line] = turn = (at, next(self._numbers), line)
            heapq.heappush(self._turns, turn)

    def _wait(self, line: L, now: float) -> None:
        self._waiting.setdefault(line.server, {})[line] = None
        self._stand_by(line, now)

    def _stand_by(self, line: L, now: float) -> None:
        if line.server.reason is not None:
            self._push(line, line.stand_by(now))

    def _does_another_try(self, line: L) -> bool:
        """Return whether another line tries whether the server is back."""
        return self._trying.get(line.server, line) is not line

    def _room(self, server: Availability) -> int:
        """Return how many more lines may have their turn at a server."""
        return max(0, self._at_once - len(self._under_way.get(server, ())))

    def _admit(self, server: Availability, now: float) -> None:
        """Let those go on that wait for a server, as many as have room there."""
        waiting = self._waiting.get(server, {})
        room = self._room(server)
        while room and waiting and server not in self._trying:
            line = next(iter(waiting))
            self._go_on(line, now)
            room -= line in self._planned and self._planned[line][0] <= now

    def _let_another_try(self, line: L, now: float) -> None:
        """Let another line try whether the server is back, where this one did."""
        if self._trying.get(line.server) is not line:
            return
        del self._trying[line.server]
        another = min(self._waiting.get(line.server, ()), key=lambda each: each.wake_at(), default=None)
        if another is not None and not another.is_settled:
            self._go_on(another, now)

    def _go_on(self, line: L, now: float) -> None:
        _leave(self._waiting, line.server, line)
        self.look_at(line, now)


def _leave(groups: dict[Hashable, dict[L, Any]], key: Hashable, line: L) -> None:
    group = groups.get(key, {})
    group.pop(line, None)
    if not group:
        groups.pop(key, None)
