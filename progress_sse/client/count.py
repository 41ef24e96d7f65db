"""Counting without a lock."""

from collections import deque
from itertools import accumulate


class Count:
    """A number to which threads add at once, and signal handlers and finalisers amid that; none is lost, none waits.

    `append` and `next` are each one call into C, in which nothing else can come between. What was appended is added by
    the `next` of one or of another.
    """

    __slots__ = ("_added", "_sums")

    def __init__(self, start: int = 0) -> None:
        """Begin with `start`."""
        self._added: deque[int] = deque([start])
        self._sums = accumulate(iter(self._added.popleft, None))

    def add(self, number: int) -> int:
        """Add a number, and return what it makes."""
        self._added.append(number)
        return next(self._sums)

    @property
    def value(self) -> int:
        """What has been added up."""
        return self.add(0)
