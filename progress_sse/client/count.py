"""A counter without a lock."""

from collections import deque
from itertools import accumulate


class Count:
    """A counter for concurrent threads, signal handlers and finalisers; no addition is lost, and none waits.

    `append` and `next` are single calls into C, which nothing can interrupt. The `next` of any caller adds appended
    numbers.
    """

    __slots__ = ("_added", "_sums")

    def __init__(self, start: int = 0) -> None:
        self._added: deque[int] = deque([start])
        self._sums = accumulate(iter(self._added.popleft, None))

    def add(self, number: int) -> int:
        """Add a number, and return the sum of those that were added before."""
        self._added.append(number)
        return next(self._sums)

    @property
    def value(self) -> int:
        """The sum."""
        return self.add(0)
