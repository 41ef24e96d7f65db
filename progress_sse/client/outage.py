"""How long the reports of a session have failed, and what that has cost. Pure: the time is an argument."""

import math
from typing import Final

from progress_sse.client.outbox_events import Reconnected

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
