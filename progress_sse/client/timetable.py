"""When each of many things is due next. Pure: the time is an argument.

Nothing is held by it: what its owner has dropped is due no more.
"""

import heapq
import itertools
import math
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, ref

T = TypeVar("T")


class Timetable(Generic[T]):
    """See the module; used by the thread that sends."""

    def __init__(self) -> None:
        """Begin empty."""
        self._heap: list[tuple[float, int, ref[T]]] = []
        self._planned: WeakKeyDictionary[T, float] = WeakKeyDictionary()
        self._numbers = itertools.count()

    def plan(self, thing: T, at: float) -> None:
        """Let it be due at a time, in place of an earlier plan; infinity: never."""
        if at == self._planned.get(thing, math.inf):
            return
        if at == math.inf:
            del self._planned[thing]
        else:
            self._planned[thing] = at
            heapq.heappush(self._heap, (at, next(self._numbers), ref(thing)))

    def wake_at(self) -> float:
        """Return when something may be due; infinity if nothing is planned."""
        while self._heap and not self._is_valid():
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def _is_valid(self) -> bool:
        at, _, planned = self._heap[0]
        thing = planned()
        return thing is not None and self._planned.get(thing) == at

    def take_due(self, now: float) -> list[T]:
        """Return what is due, in the order of its times; it is planned no more."""
        due = []
        while self.wake_at() <= now:
            thing = heapq.heappop(self._heap)[2]()
            if thing is not None:
                del self._planned[thing]
                due.append(thing)
        return due
