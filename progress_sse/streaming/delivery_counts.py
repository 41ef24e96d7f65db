"""The counts of a hub's deliveries."""

from collections import Counter
from typing import Literal, TypeAlias

from progress_sse._internal.histogram import Histogram

ResyncReason: TypeAlias = Literal["behind", "gap", "forgotten"]
"""Why a subscriber got a snapshot in place of transitions: it fell behind; this process missed a notification; or it
came back from a position that the log no longer reaches."""


class DeliveryCounts:
    """Counts of one hub, which its channels and subscribers share.

    Attributes:
        deliveries: How many events were handed to subscribers; each counts once per subscriber.
        delivery_seconds: From the notification of a change until it was written to all subscribers that keep up.
        replays: How many subscribers came back and got exactly the transitions that they had missed.
        lines: How many lines of logs were handed to readers; each counts once per reader.
        line_gaps: How often a reader that did not keep up got the newest lines of a log in place of others.
        resyncs: How many got a snapshot in place of transitions, by the reason.
    """

    __slots__ = ("deliveries", "delivery_seconds", "line_gaps", "lines", "replays", "resyncs")

    def __init__(self) -> None:
        """Begin at zero."""
        self.deliveries = 0
        self.delivery_seconds = Histogram()
        self.replays = 0
        self.lines = 0
        self.line_gaps = 0
        self.resyncs: Counter[ResyncReason] = Counter()
