"""Whether a server answers, when to send to it again, and what an outage has cost. Pure: the time is an argument."""

import math
from collections.abc import Callable
from typing import Final

from progress_sse._internal.backoff import Backoff, chance_of_system
from progress_sse.client.exchange import ReportAnswer
from progress_sse.client.outbox_events import Reconnected

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
"""Maximum seconds before the first retry, and before any."""

LONGEST_RETRY_AFTER_S: Final = 300.0
"""The longest `Retry-After` that is obeyed, in seconds."""


class Availability:
    """Whether a server answers, and when to send to it again.

    Attributes:
        reason: The last failure; `None` after a success.
        not_before: The earliest time of the next request.
    """

    def __init__(self, chance: Callable[[], float] = chance_of_system) -> None:
        """Begin without a failure; `chance` gives numbers from 0 to 1."""
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
        self.not_before = self._asked_until = -math.inf
        self._backoff.reset()


MAX_OUTAGE_S: Final = 60.0
"""Seconds of an outage after which waiting advances are dropped, and an answer of 500 is final."""


class Outage:
    """The time without a success, if there is one.

    Attributes:
        has_cost_reports: Whether it was said that reports are dropped.
    """

    def __init__(self) -> None:
        """Begin without an outage."""
        self.has_cost_reports = False
        self._since: float | None = None
        self._is_known = False
        self._lost_before = 0

    def begin(self, now: float, lost: int) -> None:
        """Begin an outage, unless there is one; so many reports were lost before it."""
        if self._since is None:
            self._since, self._lost_before = now, lost

    def is_news(self) -> bool:
        """Return whether it is still to be reported, once."""
        is_news, self._is_known = not self._is_known, True
        return is_news

    def patience_ends_at(self) -> float:
        """Return when to drop the advances that wait; infinity if that is done, or without an outage."""
        return math.inf if self.has_cost_reports or self._since is None else self._since + MAX_OUTAGE_S

    def end(self, now: float, lost: int) -> Reconnected | None:
        """End the outage, and return what to report of it; so many reports are lost by now."""
        ended = None
        if self._since is not None and (self._is_known or lost > self._lost_before):
            ended = Reconnected(now - self._since, lost - self._lost_before)
        self._since = None
        self._is_known = self.has_cost_reports = False
        return ended
