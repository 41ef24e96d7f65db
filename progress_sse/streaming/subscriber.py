"""A subscriber's bounded queue, over one session or several."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from progress_sse.core.model import Position
from progress_sse.streaming.line_feed import LineBatch
from progress_sse.streaming.publisher import DeliveryCounts, Publisher, Subscription
from progress_sse.wire.frames import FrameBatch

logger = logging.getLogger(__name__)

MAX_QUEUED_BYTES: Final = 262_144
"""Bytes of frames that may wait for one subscriber before it counts as lagging; a single larger frame still passes."""


MAX_QUEUED_LINE_BYTES: Final = 131_072
"""The same of lines of the log, which take no room from transitions."""

QueuedBatch: TypeAlias = tuple[Subscription | None, FrameBatch]
"""A batch for a subscriber, and the subscription that it came through; `None` if it belongs to no session."""


class Subscriber:
    """One subscriber of one session or several, with a bounded queue.

    Its owner, the stream, is woken when a batch waits, and calls `take` when there is room for it. An owner that keeps
    up sets `direct`; then batches skip the queue and are written at once.

    Attributes:
        direct: Writes a chunk at once. The owner sets it when it has taken everything and has room for more, and clears
            it when it has no more room. The subscriber clears it when a batch has to wait.
        is_closed: Whether it was closed; no more batches come then.
        event_count: How many events were taken or written to it; known once it is closed.
    """

    def __init__(
        self, session_count: int, on_wake: Callable[[], None], counts: DeliveryCounts, *, reads_lines: bool = False
    ) -> None:
        """Begin without subscriptions; see `Hub.new_subscriber`, which calls this.

        Args:
            session_count: How many subscriptions will be added.
            on_wake: Called when a batch waits, when `is_finished` may have changed, and when the subscriber was closed
                because a write failed. It may close the subscriber.
            counts: Counts the times when it falls behind.
            reads_lines: Whether it gets the lines of the sessions' logs, too.
        """
        self.direct: Callable[[bytes], None] | None = None
        self._counts = counts
        self._session_count = session_count
        self._on_wake = on_wake
        self._subscriptions: list[Subscription] = []
        self._backlog: list[QueuedBatch] = []
        self._queue: list[QueuedBatch] = []
        self._queued_bytes = 0
        self._queued_line_bytes = 0
        self._lagging: dict[Subscription, None] = {}
        self._lagging_lines: dict[Subscription, None] = {}
        self._reads_lines = reads_lines
        self.is_closed = False
        self._is_taking = False
        # Events taken = events published by its channels - unseen. This avoids a count per delivery.
        self._unseen = 0
        self.event_count = 0

    @property
    def positions(self) -> dict[str, Position]:
        """The current position of each subscribed session."""
        return {subscription.channel.session_id: subscription.channel.position for subscription in self._subscriptions}

    @property
    def is_finished(self) -> bool:
        """Whether every session is completed and every batch has been taken."""
        return (
            len(self._subscriptions) == self._session_count
            and not self.has_waiting
            and all(subscription.channel.is_completed for subscription in self._subscriptions)
            and self.has_all_lines
        )

    @property
    def has_all_lines(self) -> bool:
        """Whether the lines that came before its sessions were over were handed to it, if it asked for them."""
        return not self._reads_lines or all(each.channel.has_all_lines for each in self._subscriptions)

    @property
    def has_waiting(self) -> bool:
        """Whether there is a batch to take."""
        return bool(self._backlog or self._lagging or self._queue or self._lagging_lines)

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait because the subscriber does not keep up."""
        return self._queued_bytes + self._queued_line_bytes + sum(len(batch.data) for _, batch in self._backlog)

    def take(self, max_bytes: int) -> list[QueuedBatch]:
        """Return the batches that wait, in order: at most `max_bytes`, unless the first batch is larger."""
        if not self._backlog:
            snapshots = self._take_snapshots() if self._lagging else []
            tails = self._take_tails() if self._lagging_lines else []
            self._backlog = [*snapshots, *self._queue, *tails]
            self._queue = []
            self._queued_bytes = 0
            self._queued_line_bytes = 0
        count = 0
        size = 0
        for _, batch in self._backlog:
            size += len(batch.data)
            if count and size > max_bytes:
                break
            count += 1
        taken = self._backlog[:count]
        self._backlog = self._backlog[count:]
        return taken

    def _take_snapshots(self) -> list[QueuedBatch]:
        self._is_taking = True
        for subscription in self._lagging:
            subscription.channel.flush()  # Changes that the snapshot contains must not follow it.
        self._is_taking = False
        self._unseen -= len(self._lagging)
        snapshots: list[QueuedBatch] = [
            (subscription, subscription.channel.snapshot()) for subscription in self._lagging
        ]
        self._lagging.clear()
        return snapshots

    def _take_tails(self) -> list[QueuedBatch]:
        tails = [(subscription, subscription.channel.line_tail()) for subscription in self._lagging_lines]
        self._lagging_lines.clear()
        return [(subscription, tail) for subscription, tail in tails if tail is not None]

    def offer(self, subscription: Subscription, batch: FrameBatch) -> None:
        """Hand over a published batch: directly if the subscriber keeps up, else by its queue, if there is room."""
        if self.direct is not None:
            self.direct(batch.chunk)
        elif not self.is_closed and subscription not in self._lagging:
            if self._queue and self._queued_bytes + len(batch.data) > MAX_QUEUED_BYTES:
                self._fall_behind(subscription, batch)
            else:
                self._queue.append((subscription, batch))
                self._queued_bytes += len(batch.data)
            self.wake()
        else:
            self._unseen += len(batch.frames)

    def _fall_behind(self, subscription: Subscription, batch: FrameBatch) -> None:
        self._queue, dropped = _divided(self._queue)
        self._queued_bytes = 0
        self._lagging.update(dict.fromkeys(each for each, _ in dropped if each is not None))
        self._lagging[subscription] = None
        self._unseen += len(batch.frames) + _event_count(dropped)
        self._counts.resyncs["behind"] += 1
        logger.debug("a subscriber fell behind by %d batches and gets a snapshot", len(dropped) + 1)

    def offer_lines(self, subscription: Subscription, batch: FrameBatch) -> None:
        """Hand over lines; where there is no room for them, the newest ones later."""
        if self.direct is not None:
            self.direct(batch.chunk)
        elif not self.is_closed and subscription not in self._lagging_lines:
            if self._queued_line_bytes and self._queued_line_bytes + len(batch.data) > MAX_QUEUED_LINE_BYTES:
                self._fall_behind_on_lines(subscription)
            else:
                self._queue.append((subscription, batch))
                self._queued_line_bytes += len(batch.data)
            self.wake()

    def _fall_behind_on_lines(self, subscription: Subscription) -> None:
        dropped, self._queue = _divided(self._queue)
        self._queued_line_bytes = 0
        self._lagging_lines.update(dict.fromkeys(each for each, _ in dropped if each is not None))
        self._lagging_lines[subscription] = None
        self._counts.line_gaps += 1

    def send_heartbeat(self, batch: FrameBatch) -> None:
        """Send a heartbeat, unless a batch is waiting: that shows life as well."""
        if self.direct is not None:
            self.direct(batch.chunk)
        elif not (self.is_closed or self.has_waiting):
            self._queue.append((None, batch))
            self._queued_bytes += len(batch.data)
            self.wake()

    def send_first(self, batch: FrameBatch) -> None:
        """Put this batch before all others, without waking the owner."""
        self._backlog.append((None, batch))

    def add(self, channel: Publisher, missed: FrameBatch) -> None:
        """Subscribe to a channel that counts this use, with the batch that was missed as the first one."""
        if self.is_closed:
            channel.release()
            return
        subscription = Subscription(self, channel)
        channel.add(subscription)
        self._unseen += channel.published - len(missed.frames)
        self._subscriptions.append(subscription)
        if missed.frames:
            self._backlog.append((subscription, missed))
        if self._reads_lines:
            channel.read_lines(subscription)
        self.wake()

    def wake(self) -> None:
        """Wake the owner, unless it is taking already; no batch is written directly until it has taken what waits."""
        self.direct = None
        if not self._is_taking:
            self._on_wake()

    def fail(self) -> None:
        """Close after a failed write; to be called in the `except` block of the error, which is logged."""
        logger.exception("a subscriber could not be written to and is closed")
        on_wake = self._on_wake
        self.close()
        with suppress(Exception):
            on_wake()

    def close(self) -> None:
        """Remove every subscription, and drop the batches that wait. A second call does nothing."""
        if not self.is_closed:
            published = sum(subscription.channel.published for subscription in self._subscriptions)
            self.event_count = published - self._unseen - _event_count(self._backlog) - _event_count(self._queue)
        self.is_closed = True
        self.direct = None
        self._on_wake = lambda: None  # Only the garbage collector would find the circle with the owner.
        for subscription in self._subscriptions:
            subscription.channel.remove(subscription)
        self._subscriptions.clear()
        self._backlog.clear()
        self._lagging.clear()
        self._lagging_lines.clear()
        self._queue.clear()


def _divided(queued: Sequence[QueuedBatch]) -> tuple[list[QueuedBatch], list[QueuedBatch]]:
    lines = [each for each in queued if isinstance(each[1], LineBatch)]
    return lines, [each for each in queued if not isinstance(each[1], LineBatch)]


def _event_count(queued: Sequence[QueuedBatch]) -> int:
    return sum(len(batch.frames) for _, batch in queued)
