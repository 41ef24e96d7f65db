"""Whose turn it is, of many lines that one thread sends for: a line that only waits costs nothing.

Lines that lead to one session go one after the other: the one that began to report first tells all that it has, and
then the next one. What must not go in here: I/O, a clock, locks.
"""

import heapq
import itertools
import math
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Scheduled(Protocol):
    """A line."""

    @property
    def place(self) -> Hashable:
        """What is the same for all lines that lead to one session."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits to be told."""

    def wake_at(self) -> float:
        """Return when there will be something to send; infinity, if that takes another report."""


L = TypeVar("L", bound=Scheduled)


class Schedule(Generic[L]):
    """The lines that have something to tell."""

    def __init__(self) -> None:
        """Begin with none."""
        self._queues: dict[Hashable, dict[L, None]] = {}
        self._turns: list[tuple[float, int, L]] = []
        self._planned: dict[L, tuple[float, int, L]] = {}
        self._numbers = itertools.count()

    def __contains__(self, line: L) -> bool:
        """Return whether the line had something to tell when it was last looked at."""
        return line in self._queues.get(line.place, ())

    def look_at(self, line: L, now: float) -> None:
        """Plan when it is the line's turn, which may have something new to tell, or none any more."""
        queue = self._queues.setdefault(line.place, {})
        queue.setdefault(line)
        while queue:
            first = next(iter(queue))
            if not first.is_settled:
                self._plan(first, now)
                return
            del queue[first]
        del self._queues[line.place]

    def next(self, now: float) -> L | None:
        """Return the line whose turn it is; it is to be looked at again after it."""
        if self.wake_at() > now:
            return None
        _, _, line = heapq.heappop(self._turns)
        del self._planned[line]
        return line

    def wake_at(self) -> float:
        """Return when it is a line's turn; infinity, if that takes a report."""
        while self._turns and self._planned.get(self._turns[0][2]) is not self._turns[0]:
            heapq.heappop(self._turns)  # An earlier one has been planned instead.
        return self._turns[0][0] if self._turns else math.inf

    def _plan(self, line: L, now: float) -> None:
        # What is due is so from now on, behind what has been due for longer: so each has its turn.
        at = max(line.wake_at(), now)
        planned = self._planned.get(line)
        if at < math.inf and (planned is None or at < planned[0]):
            self._planned[line] = turn = (at, next(self._numbers), line)
            heapq.heappush(self._turns, turn)
