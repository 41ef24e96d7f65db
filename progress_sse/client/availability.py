"""Whether a server answers, and when to send to it again. Pure: the time is an argument."""

import math
from collections.abc import Callable
from typing import Final

from progress_sse._internal.backoff import Backoff, chance_of_system
from progress_sse.client.exchange import ReportAnswer

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
"""Upper bounds of the random pause, in seconds: first retry, later retries."""

LONGEST_RETRY_AFTER_S: Final = 300.0
"""The longest `Retry-After` that is obeyed, in seconds."""


class Availability:
    """Whether a server answers, and when to send to it again.

    Attributes:
        reason: The last failure; `None` after a success.
        not_before: The earliest time of the next request.
    """

    def __init__(self, chance: Callable[[], float] = chance_of_system) -> None:
        """Begin without a failure; `chance` returns numbers from 0 to 1."""
        self.reason: ReportAnswer | None = None
        self.not_before = -math.inf
        self._asked_until = -math.inf
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S, chance)

    def fail(self, answer: ReportAnswer, now: float) -> None:
        """Begin a pause, unless one has begun since the failed request was sent."""
        if now < self.not_before:
            return
        self._asked_until = now + min(answer.retry_after_s or 0, LONGEST_RETRY_AFTER_S)
        self.not_before = self._asked_until + self._backoff.next_s()
        self.reason = answer

    def retry_now(self, now: float) -> None:
        """End the part of a pause that the server has not asked for, since this may be the last attempt."""
        self.not_before = max(min(self.not_before, now), self._asked_until)

    def succeed(self) -> None:
        """Reset after a success."""
        self.reason = None
        self.not_before = -math.inf
        self._asked_until = -math.inf
        self._backoff.reset()


MAX_OUTAGE_S: Final = 60.0
"""Seconds of an outage after which waiting advances are dropped, and an answer of 500 is final."""
