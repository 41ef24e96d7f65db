"""Durations counted in classes, as plain numbers; ``observability.metrics`` reads them."""

from bisect import bisect_left
from itertools import accumulate
from typing import Final

BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper bound of each class, in seconds; longer durations have a class of their own."""


class Histogram:
    """The durations of an operation.

    Attributes:
        total_s: Their sum, in seconds.
    """

    __slots__ = ("_classes", "total_s")

    def __init__(self) -> None:
        """Start with none."""
        self.total_s = 0.0
        self._classes = [0] * (len(BOUNDS_S) + 1)

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._classes[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds

    def cumulated(self) -> list[tuple[float, int]]:
        """Return how many durations are at most each bound; the last bound is infinity, so its count is of all."""
        return list(zip((*BOUNDS_S, float("inf")), accumulate(self._classes), strict=True))
