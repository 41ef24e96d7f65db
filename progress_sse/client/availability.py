"""Whether a server answers, and when it may be asked again. Pure: the time is handed in."""

import math
import random
from collections.abc import Callable
from typing import Final

from progress_sse._internal.backoff import Backoff
from progress_sse.client.exchange import Answer

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
"""Seconds, at most, before the first retry, and before any."""

LONGEST_RETRY_AFTER_S: Final = 300.0
"""Seconds beyond which no `Retry-After` is believed."""


class Availability:
    """Whether a server answers as it should, and when it may be asked again.

    Attributes:
        reason: The last answer; `None` after a success.
        not_before: When it may be asked again.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """Begin without a failure; `chance` gives numbers from 0 to 1."""
        self.reason: Answer | None = None
        self.not_before = -math.inf
        self._asked_until = -math.inf
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S, chance)

    def fail(self, answer: Answer, now: float) -> None:
        """Begin a pause, unless one has begun since the failed request was sent."""
        if now < self.not_before:
            return
        self._asked_until = now + min(answer.retry_after_s or 0, LONGEST_RETRY_AFTER_S)
        self.not_before = self._asked_until + self._backoff.next_s()
        self.reason = answer

    def retry_now(self, now: float) -> None:
        """End a pause that the server has not asked for: this may be the last chance."""
        self.not_before = max(min(self.not_before, now), self._asked_until)

    def succeed(self) -> None:
        """Begin afresh."""
        self.reason = None
        self.not_before = self._asked_until = -math.inf
        self._backoff.reset()
