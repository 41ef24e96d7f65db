"""Decides which of many queues gives a sign of life, and when. Pure: the time is an argument.

A queue of reports is not held by it: where a job has dropped its reporter, its steps are given no more signs of life.
"""

import heapq
import itertools
import math
from collections.abc import Hashable, Iterable, Iterator
from typing import Final, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary, ref

from progress_sse.client.exchange import ReportRequest

MAX_BEATS: Final = 50
"""Signs of life in one request, at most."""


class Beating(Protocol):
    """A queue of reports, with steps that may need signs of life."""

    @property
    def destination(self) -> Hashable:
        """The same for all queues to one server."""

    def beat_at(self) -> float:
        """Return when a sign of life is due that needs not wait for a report; infinity if there is none."""

    def take_beats(self) -> list[ReportRequest]:
        """Return the signs of life that are due."""


Q = TypeVar("Q", bound=Beating)


class BeatSchedule(Generic[Q]):
    """The queues with running steps, by the time of their next sign of life."""

    def __init__(self) -> None:
        """Begin without queues."""
        self._turns: list[tuple[float, int, ref[Q]]] = []
        self._planned: WeakKeyDictionary[Q, float] = WeakKeyDictionary()
        self._numbers = itertools.count()

    def check(self, queue: Q) -> None:
        """Plan the queue's next sign of life; its reports may have changed."""
        at = queue.beat_at()
        if at < self._planned.get(queue, math.inf):
            self._planned[queue] = at
            heapq.heappush(self._turns, (at, next(self._numbers), ref(queue)))

    def wake_at(self) -> float:
        """Return when the next sign of life may be due; infinity if only a report changes that."""
        return self._turns[0][0] if self._turns else math.inf

    def take_due(self, now: float) -> list[Q]:
        """Return the queues with a sign of life that is due; `check` must follow for each."""
        due: list[Q] = []
        while self.wake_at() <= now:
            at, _, planned = heapq.heappop(self._turns)
            queue = planned()
            if queue is None or self._planned.get(queue) != at:
                continue
            del self._planned[queue]
            if queue.beat_at() <= now:
                due.append(queue)
            else:  # Its reports were signs of life.
                self.check(queue)
        return due


def by_destination(queues: Iterable[Q]) -> list[list[Q]]:
    """Return the queues to each server."""
    grouped: dict[Hashable, list[Q]] = {}
    for queue in queues:
        grouped.setdefault(queue.destination, []).append(queue)
    return list(grouped.values())


def beats_of(queues: Iterable[Q], most: int) -> Iterator[list[tuple[Q, ReportRequest]]]:
    """Yield the due signs of life of queues to one server, at most so many together, each with its queue.

    A queue is asked when its turn has come: once the server is found away, the others have none.
    """
    together: list[tuple[Q, ReportRequest]] = []
    for queue in queues:
        for request in queue.take_beats():
            together.append((queue, request))
            if len(together) == most:
                yield together
                together = []
    if together:
        yield together
