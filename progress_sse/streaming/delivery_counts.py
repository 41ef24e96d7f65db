"""The counts of a hub's deliveries."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from progress_sse._internal.histogram import Histogram

ResyncReason: TypeAlias = Literal["behind", "gap", "forgotten"]
"""Why a subscriber got a snapshot in place of transitions: it fell behind; this process missed a notification; or it
came back from a position that the log no longer reaches."""


@dataclass(slots=True)
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

    deliveries: int = 0
    delivery_seconds: Histogram = field(default_factory=Histogram)
    replays: int = 0
    lines: int = 0
    line_gaps: int = 0
    resyncs: Counter[ResyncReason] = field(default_factory=Counter)
