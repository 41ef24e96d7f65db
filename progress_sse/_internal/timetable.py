"""When each of many things is due next."""

import heapq
import itertools
import math
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Timetable(Generic[K]):
    """When each key is due next, each at one time; iteration yields the planned keys. Pure."""

    def __init__(self) -> None:
        self._planned: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []  # Of what is planned, and of earlier plans, which are passed over.
        self._numbers = itertools.count()

    def __iter__(self) -> Iterator[K]:
        return iter(self._planned)

    def at(self, key: K) -> float:
        """Return when a key is due; infinity if it is not planned."""
        return self._planned.get(key, math.inf)

    def plan(self, key: K, at: float) -> None:
        """Let a key be due at a time, in place of an earlier plan; infinity: never."""
        if at == math.inf:
            self._planned.pop(key, None)
        elif at != self._planned.get(key):
            self._planned[key] = at
            heapq.heappush(self._heap, (at, next(self._numbers), key))

    def wake_at(self) -> float:
        """Return when the next key is due; infinity if none is planned."""
        while self._heap and self._planned.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def take_due(self, now: float, most: float = math.inf) -> list[K]:
        """Return at most so many keys that are due, in the order of their times; they are planned no more."""
        due: list[K] = []
        while self._heap and len(due) < most:
            at, _, key = self._heap[0]
            is_planned = self._planned.get(key) == at
            if is_planned and at > now:
                break
            heapq.heappop(self._heap)
            if is_planned:
                del self._planned[key]
                due.append(key)
        return due
