"""What is counted while the server works, as plain numbers: whoever shows them, reads them (``metrics``)."""

from bisect import bisect_left
from itertools import accumulate
from typing import Final

BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds up to which a duration falls into each class; what takes longer has a class of its own."""


class Histogram:
    """How long something took, each time that it was done.

    Attributes:
        total_s: Seconds, all together.
    """

    __slots__ = ("_classes", "total_s")

    def __init__(self) -> None:
        """Begin with none."""
        self.total_s = 0.0
        self._classes = [0] * (len(BOUNDS_S) + 1)

    def add(self, seconds: float) -> None:
        """Take one down."""
        self._classes[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds

    def cumulated(self) -> list[tuple[float, int]]:
        """Return how many took no longer than each bound, and at last than infinity: all of them."""
        return list(zip((*BOUNDS_S, float("inf")), accumulate(self._classes), strict=True))
