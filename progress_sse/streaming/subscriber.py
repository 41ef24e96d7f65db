"""A subscriber's bounded queue, over one session or several."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from progress_sse.core.model import Position
from progress_sse.streaming.channel import Channel
from progress_sse.wire.frames import FrameBatch

if TYPE_CHECKING:
    from progress_sse.streaming.hub import Hub

logger = logging.getLogger(__name__)

MAX_QUEUED_BYTES: Final = 262_144
"""Bytes of frames that may wait for one reader before it counts as lagging; a single larger frame still passes."""


@dataclass(eq=False, slots=True)
class Member:
    """A reader's seat in a channel."""

    subscription: "Subscription"
    channel: Channel


Delivery: TypeAlias = tuple[Member | None, FrameBatch]
"""Something for a reader, and the seat that it came through (`None` for what belongs to no session)."""


class Subscription:
    """One reader of one session or several: what waits for it, bounded.

    Whoever reads is woken when something waits, and takes it with `take` when there is room for it. Nothing waits for
    a reader that keeps up and says so by setting `direct`: it is written to on the spot.

    Attributes:
        direct: Writes a chunk to the reader at once. Set by the reader when it has taken everything and has room for
            more; taken back when something has to wait, and by the reader when its room is used up.
        event_count: How many events were taken or written to it; known once it is closed.
    """

    __slots__ = (
        "_backlog",
        "_hub",
        "_is_closed",
        "_is_taking",
        "_lagging",
        "_members",
        "_queue",
        "_queued_bytes",
        "_session_count",
        "_unseen",
        "_wake_reader",
        "direct",
        "event_count",
    )

    def __init__(self, hub: "Hub", session_count: int, wake_reader: Callable[[], None]) -> None:
        """Wait for nothing yet; `Hub.join` takes a seat at each session.

        Args:
            hub: Where the sessions are.
            session_count: How many seats will be taken.
            wake_reader: Called when something waits, when `is_finished` may have changed, and when the subscription was
                closed because the reader failed. May close the subscription.
        """
        self.direct: Callable[[bytes], None] | None = None
        self._hub = hub
        self._session_count = session_count
        self._wake_reader = wake_reader
        self._members: list[Member] = []
        self._backlog: list[Delivery] = []
        self._queue: list[Delivery] = []
        self._queued_bytes = 0
        self._lagging: dict[Member, None] = {}
        self._is_closed = False
        self._is_taking = False
        # What its channels have published, less this, is what it got: so nothing is counted per delivery.
        self._unseen = 0
        self.event_count = 0

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return self._is_closed

    @property
    def positions(self) -> dict[str, Position]:
        """Where each session is that has a seat."""
        return {member.channel.session_id: member.channel.position for member in self._members}

    @property
    def is_finished(self) -> bool:
        """Whether every session is completed and all of it has been taken."""
        return (
            len(self._members) == self._session_count
            and not self.has_waiting
            and all(member.channel.is_completed for member in self._members)
        )

    @property
    def has_waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._backlog or self._lagging or self._queue)

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait because the reader does not keep up."""
        return self._queued_bytes + sum(len(batch.data) for _, batch in self._backlog)

    def take(self, max_bytes: int) -> list[Delivery]:
        """Return what waits, in order: no more than `max_bytes` of it, unless a single piece is larger."""
        if not self._backlog:
            caught_up = self._caught_up() if self._lagging else []
            self._backlog, self._queue, self._queued_bytes = caught_up + self._queue, [], 0
        count, size = 0, 0
        for _, batch in self._backlog:
            size += len(batch.data)
            if count and size > max_bytes:
                break
            count += 1
        taken, self._backlog = self._backlog[:count], self._backlog[count:]
        return taken

    def _caught_up(self) -> list[Delivery]:
        self._is_taking = True
        for member in self._lagging:
            member.channel.flush()  # What the snapshot will contain must not come after it.
        self._is_taking = False
        self._unseen -= len(self._lagging)
        caught_up: list[Delivery] = [(member, member.channel.snapshot()) for member in self._lagging]
        self._lagging.clear()
        return caught_up

    def offer(self, member: Member, batch: FrameBatch) -> None:
        """Hand over what was published: at once to a reader that keeps up, else by its queue, if there is room."""
        if self.direct is not None:
            self.direct(batch.chunk)
        elif not self._is_closed and member not in self._lagging:
            if self._queue and self._queued_bytes + len(batch.data) > MAX_QUEUED_BYTES:
                self._fall_behind(member, batch)
            else:
                self._enqueue(member, batch)
            self.wake()
        else:
            self._unseen += len(batch.frames)

    def _enqueue(self, member: Member | None, batch: FrameBatch) -> None:
        self._queue.append((member, batch))
        self._queued_bytes += len(batch.data)

    def _fall_behind(self, member: Member, batch: FrameBatch) -> None:
        dropped, self._queue, self._queued_bytes = self._queue, [], 0
        self._lagging.update(dict.fromkeys(seat for seat, _ in dropped if seat is not None))
        self._lagging[member] = None
        self._unseen += len(batch.frames) + _event_count(dropped)
        self._hub.resyncs["behind"] += 1
        logger.debug("a reader fell behind by %d batches and gets a snapshot", len(dropped) + 1)

    def send_heartbeat(self, batch: FrameBatch) -> None:
        """Show a sign of life, unless something is waiting: that says as much."""
        if self.direct is not None:
            self.direct(batch.chunk)
        elif not (self._is_closed or self.has_waiting):
            self._enqueue(None, batch)
            self.wake()

    def send_first(self, batch: FrameBatch) -> None:
        """Put this before everything else, without waking the reader."""
        self._backlog.append((None, batch))

    def attach(self, member: Member, missed: FrameBatch) -> None:
        """Take a seat, with what was missed as the first to be taken."""
        member.channel.seat(member)
        self._unseen += member.channel.published - len(missed.frames)
        self._members.append(member)
        if missed.frames:
            self._backlog.append((member, missed))
        self.wake()

    def wake(self) -> None:
        """Let the reader take what waits, if it is not at that; until it has, nothing is written past it."""
        self.direct = None
        if not self._is_taking:
            self._wake_reader()

    def fail(self) -> None:
        """Let go of a reader that cannot be written to; to be called where the error is handled, which is logged."""
        logger.exception("a reader could not be written to, and is let go")
        wake_reader = self._wake_reader
        self.close()
        with suppress(Exception):
            wake_reader()

    def close(self) -> None:
        """Give up every seat, and drop what waits. Closing twice is no error."""
        if not self._is_closed:
            published = sum(member.channel.published for member in self._members)
            self.event_count = published - self._unseen - _event_count(self._backlog) - _event_count(self._queue)
        self._is_closed = True
        self.direct = None
        self._wake_reader = _wake_nobody  # Else each would hold the other, until the collector comes.
        for member in self._members:
            del member.channel.members[member]
            self._hub.release(member.channel)
        self._members.clear()
        self._backlog.clear()
        self._lagging.clear()
        self._queue.clear()


def _wake_nobody() -> None:
    pass


def _event_count(deliveries: Sequence[Delivery]) -> int:
    return sum(len(batch.frames) for _, batch in deliveries)
