"""Pauses between attempts that fail. Pure: nothing in here waits."""

import random
from collections.abc import Callable
from typing import Final

chance_of_system: Final = random.SystemRandom().random
"""Returns numbers from 0 to 1. It leaves alone the numbers that a job draws from `random` after a seed of its own, and
processes that were forked draw different ones.
"""


class Backoff:
    """A random part of a span of seconds, which doubles with each failure in a row, from `first_s` to `longest_s`.

    The random part spreads the load: clients that fail at the same time do not all come back at the same time.
    """

    def __init__(self, first_s: float, longest_s: float, chance: Callable[[], float] = chance_of_system) -> None:
        """Begin without a failure.

        Args:
            first_s: Seconds of the first span.
            longest_s: Seconds that no span exceeds.
            chance: Returns numbers from 0 to 1.
        """
        self._first_s = first_s
        self._longest_s = longest_s
        self._chance = chance
        self._span_s = first_s

    def next_s(self) -> float:
        """Return the seconds to wait after one more failure."""
        span_s = min(self._span_s, self._longest_s)
        self._span_s = 2 * span_s
        return span_s * self._chance()

    def reset(self) -> None:
        """Begin afresh, after a success."""
        self._span_s = self._first_s
