"""What all channels have in common: they hand the frames of one turn of the event loop to their subscriptions."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from progress_sse.core.model import Position
from progress_sse.streaming.delivery_counts import DeliveryCounts
from progress_sse.streaming.line_feed import LineBatch, LineFeed
from progress_sse.wire.frames import Frame, FrameBatch


class BatchReceiver(Protocol):
    """A receiver of a channel's batches."""

    def offer(self, subscription: "Subscription", batch: FrameBatch) -> None:
        """Take a published batch."""

    def offer_lines(self, subscription: "Subscription", batch: LineBatch) -> None:
        """Take lines of the log."""

    def wake(self) -> None:
        """Take notice that the session is completed."""

    def fail(self) -> None:
        """Give up after an error of one of these calls, in whose `except` block it is called."""


@dataclass(eq=False, slots=True)
class Subscription:
    """One subscriber's place in a channel."""

    subscriber: BatchReceiver
    channel: "Publisher"
    feed: LineFeed | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the session is completed, and all of it was handed over."""
        return self.channel.is_completed and self.has_all_lines

    @property
    def has_all_lines(self) -> bool:
        """Whether the lines that came before the session was over were handed over, if they were asked for."""
        return self.feed is None or self.feed.is_settled

    def read_lines(self) -> None:
        """Take the lines of the log, too; to be called once it was added to its channel."""
        self.feed = self.channel.feed()
        if self.feed is not None:
            self.feed.add(self)

    def offer_lines(self, batch: LineBatch) -> None:
        """Hand over lines; see `line_feed.LineReader`."""
        self.subscriber.offer_lines(self, batch)

    def wake(self) -> None:
        """See `line_feed.LineReader`."""
        self.subscriber.wake()

    def fail(self) -> None:
        """See `line_feed.LineReader`."""
        self.subscriber.fail()

    def remove(self) -> None:
        """Leave the channel, and its log."""
        del self.channel.subscriptions[self]
        if self.feed is not None:
            self.feed.remove(self)


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
        self, session_id: str, position: Position, counts: DeliveryCounts, flush_soon: Callable[["Publisher"], None]
    ) -> None:
        """Begin without subscriptions; `flush_soon` sees to it that `flush` is called at the end of this turn."""
        self.session_id = session_id
        self.position = position
        self.subscriptions: dict[Subscription, None] = {}
        self.use_count = 0
        self.published = 0
        self._counts = counts
        self._flush_soon = flush_soon
        self._unsent: list[Frame] = []
        self._published_at = 0.0

    @property
    @abstractmethod
    def is_completed(self) -> bool:
        """Whether nothing more is to come, as far as is known, and the subscribers have been handed all of it."""

    @abstractmethod
    def snapshot(self) -> FrameBatch:
        """Return all that a new subscriber has to know."""

    def feed(self) -> LineFeed | None:
        """Return the log whose lines come with it, if it has one."""
        return None

    def _publish(self, frame: Frame) -> None:
        if self.subscriptions:
            if not self._unsent:
                self._published_at = time.monotonic()
                self._flush_soon(self)
            self._unsent.append(frame)

    def flush(self) -> None:
        """Hand the frames published since the last flush to every subscriber, as one batch."""
        if self._unsent:
            batch, self._unsent = FrameBatch(self._unsent), []
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
