"""What all channels have in common: they hand the frames of one turn of the event loop to their subscriptions."""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from progress_sse._internal.histogram import Histogram
from progress_sse.core.model import Position
from progress_sse.store.backend import FullBackend
from progress_sse.wire.frames import Frame, FrameBatch

RETRY_S: Final = (0.1, 2.0)
"""Upper bounds of the random pause, in seconds, while the store is away: after the first failure, after later ones."""


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


class BatchReceiver(Protocol):
    """A receiver of a channel's batches."""

    def offer(self, subscription: "Subscription", batch: FrameBatch) -> None:
        """Take a published batch."""

    def offer_lines(self, subscription: "Subscription", batch: FrameBatch) -> None:
        """Take lines of the log."""

    def wake(self) -> None:
        """Look whether the session is completed."""

    def fail(self) -> None:
        """Give up after an error of one of these calls, in whose `except` block it is called."""


@dataclass(eq=False, slots=True)
class Subscription:
    """One subscriber's place in a channel."""

    subscriber: BatchReceiver
    channel: "Publisher"


class Delivery(NamedTuple):
    """What all channels of a process share.

    Attributes:
        backend: Where sessions, lists and lines are read.
        counts: Counts the deliveries.
        flush_soon: Makes the event loop call the `flush` of a channel at the end of this turn.
        retry_ms: Milliseconds after which a client comes back.
    """

    backend: FullBackend
    counts: DeliveryCounts
    flush_soon: Callable[["Publisher"], None]
    retry_ms: int


class Publisher(ABC):
    """A channel's subscriptions, and the frames that they have not got yet.

    Attributes:
        session_id: The session; empty of a list.
        position: The position of a subscriber that has all frames.
        subscriptions: Those that get each further frame.
        use_count: How many uses keep the channel: its subscriptions, and those that are about to begin.
        published: How many events were published while there were subscriptions.
    """

    def __init__(
        self, session_id: str, position: Position, delivery: Delivery, on_unused: Callable[[], object]
    ) -> None:
        """Begin without subscriptions; `on_unused` is called once the last use has ended and the channel is closed."""
        self.session_id = session_id
        self.position = position
        self.subscriptions: dict[Subscription, None] = {}
        self.use_count = 0
        self.published = 0
        self._backend, self._counts, self._flush_soon, self._retry_ms = delivery
        self._on_unused = on_unused
        self._unsent: list[Frame] = []
        self._published_at = 0.0

    @property
    @abstractmethod
    def is_completed(self) -> bool:
        """Whether nothing more is to come, as far as is known, and the subscribers have been handed all of it."""

    @property
    def is_over(self) -> bool:
        """Whether nothing of the session is left to do."""
        return self.is_completed

    @property
    def has_all_lines(self) -> bool:
        """Whether the readers of the log have been handed all lines that came before the session was over."""
        return True

    @abstractmethod
    def snapshot(self) -> FrameBatch:
        """Return all that a new subscriber has to know."""

    def line_tail(self) -> FrameBatch | None:
        """Return the newest lines of the log; `None` if none is known."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Stop listening."""

    def _publish(self, frame: Frame) -> None:
        if self.subscriptions:
            if not self._unsent:
                self._published_at = time.monotonic()
                self._flush_soon(self)
            self._unsent.append(frame)

    def flush(self) -> None:
        """Hand the frames published since the last flush to every subscriber, as one batch."""
        if self._unsent:
            batch = FrameBatch(self._unsent)
            self._unsent = []
            is_completed = self.is_completed
            self.published += len(batch.frames)
            self._counts.deliveries += len(batch.frames) * len(self.subscriptions)
            for subscription in tuple(self.subscriptions):  # A finished subscriber removes its subscription.
                try:
                    subscription.subscriber.offer(subscription, batch)
                    if is_completed:
                        subscription.subscriber.wake()
                except Exception:  # noqa: BLE001  # an error of one subscriber must not affect the others
                    subscription.subscriber.fail()
            self._counts.delivery_seconds.add(time.monotonic() - self._published_at)

    def add(self, subscription: Subscription) -> None:
        """Add a subscription that has every frame so far; frames still to be flushed must not reach it again."""
        self.flush()
        self.subscriptions[subscription] = None

    def read_lines(self, subscription: Subscription) -> None:  # noqa: B027  # a list has no log
        """Hand the lines of the log, too, to a subscription that was added."""

    def remove(self, subscription: Subscription) -> None:
        """Remove a subscription, and release its use."""
        del self.subscriptions[subscription]
        self.release()

    def release(self) -> None:
        """End one use of the channel; the last one closes it."""
        self.use_count -= 1
        if not self.use_count:
            self.close()
            self._on_unused()
