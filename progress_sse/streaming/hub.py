"""Hands each change of a session to whoever reads it here.

A session with readers has one `Channel`: the session as last heard of, the newest transitions, and its readers. A
reader is a `Subscription`: a bounded queue over one session or several. The rules:

* **Replay and live meet in one place**, `Hub.join`. The channel listens before it looks. What a reader missed is
  worked out from the channel and, further back, from the store; and between that and the reader's place among the
  readers nothing is awaited. So there is no gap and no repeat, by construction.
* **A channel trusts numbers, not deliveries.** A notice that does not follow on what it has is a gap, and a gap is
  bridged by a snapshot. A transition that it already has is dropped.
* **A queue has a bound, and overflow has a name.** A reader that falls behind is *lagging*: its queue is dropped, and
  what it gets next is one snapshot of how things are when it is ready for it.
* **A channel without readers is gone**, with everything it held.
* **No reader is another one's trouble.** One that cannot be written to is let go, and the others hear nothing of it.

What must not go in here: how bytes get to a client (``body_writer``), rules (``machine``), storage (``backends``).
"""

import asyncio
import logging
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, TypeAlias

from progress_sse._internal.histogram import Histogram
from progress_sse.core import state_machine
from progress_sse.core.model import Position
from progress_sse.store.backend import Backend
from progress_sse.store.types import LogEntry, Notification, Record
from progress_sse.wire import session_json, sse
from progress_sse.wire.frames import Frame, FrameBatch

logger = logging.getLogger(__name__)

MAX_QUEUED_BYTES: Final = 262_144
"""Bytes of frames that may wait for one reader before it counts as lagging; a single larger frame still passes."""

MAX_TAIL_BYTES: Final = 65_536
"""Bytes of the newest transitions that a channel keeps at hand, so that a short absence costs the store nothing."""

Resume: TypeAlias = Callable[[Position], Position | None]
"""Given where a session is, tells where a returning reader was; `None` where it does not know."""


def standing_at(position: Position | None) -> Resume | None:
    """Return how a reader resumes that was at `position`, or, with `None`, that comes afresh."""
    return None if position is None else lambda _current: position


Resync: TypeAlias = Literal["behind", "gap", "forgotten"]
"""Why a reader got a snapshot in place of transitions: it fell behind; not all of them had been heard of here; or it
came back from a place that is not known any more."""


class Channel:
    """One session, as the readers in this process see it.

    Attributes:
        published: How many events were handed to whoever was reading.
    """

    def __init__(self, session_id: str, hub: "Hub", backend: Backend, retry_ms: int) -> None:
        """Start without knowing the session; `open` looks it up."""
        self.session_id = session_id
        self._hub = hub
        self.record: Record | None = None
        self.position = self._new_absence()
        self.members: dict[Member, None] = {}
        self.users = 0
        self._backend = backend
        self._retry_ms = retry_ms
        self._tail: deque[Frame] = deque()
        self._tail_bytes = 0
        self._unsent: list[Frame] = []
        self._published_at = 0.0
        self.published = 0
        self._snapshot: FrameBatch | None = None
        self._notices = 0
        self._opening: asyncio.Task[None] | None = None
        self._recalling = asyncio.Lock()

    @property
    def is_completed(self) -> bool:
        """Whether the session is completed, as far as is known, and its readers have been handed all of it."""
        return not self._unsent and self.record is not None and self.record.status == "completed"

    async def open(self) -> None:
        """Listen, then look. Whoever comes while that is under way waits for the same answer."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        await self._backend.listen(self.session_id, self.hear)
        await self.refresh()

    def close(self) -> None:
        """Stop listening."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None  # How it ends has this channel in it, and would be kept with it.
        self._backend.unlisten(self.session_id, self.hear)

    async def refresh(self) -> None:
        """Ask the store how the session is; what is heard meanwhile is newer than the answer."""
        before = self._notices
        record = await self._backend.load(self.session_id)
        entries = () if record is None else await self._missing_up_to(record.position)
        # Of two things said of one life the numbers tell which is newer; of two lives only the order of hearing does.
        if self._notices == before or (record is not None and record.position.epoch == self.position.epoch):
            self.hear(Notification(self.session_id, record, entries=entries))

    async def _missing_up_to(self, position: Position) -> tuple[LogEntry, ...]:
        """Return what the store keeps of the transitions from here to the position: its readers would miss them."""
        if position.epoch != self.position.epoch or position.offset <= self.position.offset:
            return ()
        entries = await self._backend.replay(self.session_id, self.position)
        return tuple(entry for entry in entries or () if entry.offset <= position.offset)

    def hear(self, notification: Notification) -> None:
        """Take in a change and hand it to the readers."""
        self._notices += 1
        record = notification.record
        if record is None:
            if self.record is not None:
                self._turn_to(None)
        elif notification.is_fresh and record.position.epoch != self.position.epoch:
            self._turn_to(
                Record(state_machine.with_nothing_started(record.session), Position(record.position.epoch, 0))
            )
            self._follow(record, notification.entries)
        elif record.position.epoch != self.position.epoch:
            self._turn_to(record)
        else:
            self._follow(record, notification.entries)

    def _follow(self, record: Record, entries: Sequence[LogEntry]) -> None:
        missing = record.position.offset - self.position.offset
        if missing <= 0:
            return
        if missing > len(entries):
            self._hub.resyncs["gap"] += len(self.members)
            self._turn_to(record)
            return
        self.record, self.position, self._snapshot = record, record.position, None
        for entry in entries[-missing:]:
            frame = self._step(entry)
            self._keep(frame)
            self._publish(frame)

    def _publish(self, frame: Frame) -> None:
        if self.members:
            if not self._unsent:
                self._published_at = time.monotonic()
                self._hub.flush_soon(self)
            self._unsent.append(frame)

    def flush(self) -> None:
        """Hand what was published since the last flush to every reader, as one batch."""
        if self._unsent:
            batch, self._unsent = FrameBatch(self._unsent), []
            is_completed = self.is_completed
            self.published += len(batch.frames)
            self._hub.deliveries += len(batch.frames) * len(self.members)
            for member in tuple(self.members):  # Whoever is finished with it gives up its seat.
                try:
                    member.subscription.offer(member, batch)
                    if is_completed:
                        member.subscription.wake()
                except Exception:  # noqa: BLE001  # whatever it is, it is this reader's and not its neighbours'
                    member.subscription.fail()
            self._hub.delivery_seconds.add(time.monotonic() - self._published_at)

    def seat(self, member: "Member") -> None:
        """Take on a reader that has all there is: what is still to be flushed it must not get again."""
        self.flush()
        self.members[member] = None

    def _keep(self, frame: Frame) -> None:
        self._tail.append(frame)
        self._tail_bytes += len(frame.data)
        while self._tail_bytes > MAX_TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft().data)

    def _new_absence(self) -> Position:
        return Position.absent(self.session_id, secrets.token_hex(4))

    def _turn_to(self, record: Record | None) -> None:
        self.record, self._snapshot = record, None
        self.position = record.position if record else self._new_absence()
        self._forget_tail()
        if self.members:
            self._publish(*self.snapshot().frames)

    def _forget_tail(self) -> None:
        self._tail.clear()
        self._tail_bytes = 0

    def snapshot(self) -> FrameBatch:
        """Return the session as it is, as an event: the same bytes for all, as it may be large and they may be slow."""
        if self._snapshot is None:
            body = self.record.body if self.record else session_json.encode_absent(self.session_id)
            event = sse.encode_event("snapshot", body, retry_ms=self._retry_ms)
            self._snapshot = FrameBatch([Frame.of(self.position, event)])
        return self._snapshot

    def _step(self, entry: LogEntry) -> Frame:
        return Frame.of(Position(self.position.epoch, entry.offset), sse.encode_event("step", entry.data))

    @property
    def is_open(self) -> bool:
        """Whether it listens, and knows how the session is: perhaps that there is none."""
        return self._opening is not None and self._opening.done() and self._opening.exception() is None

    def has_passed(self, position: Position) -> bool:
        """Whether the position lies in this life of the session, and not ahead of what is known."""
        return position.epoch == self.position.epoch and position.offset <= self.position.offset

    def missed(self, resume: Resume | None) -> FrameBatch | None:
        """Return what a reader gets first, as far as it is at hand; `None` if the store has to be asked."""
        if resume is None:
            return self.snapshot()
        position = resume(self.position)
        missed = None if position is None else self.since(position)
        return None if missed is None else FrameBatch(missed)

    def since(self, position: Position) -> list[Frame] | None:
        """Return what came after the position, as far as it is at hand; `None` if it is not."""
        if self.record is None and position.is_absence_of(self.session_id):
            return []
        if not self.has_passed(position):
            return None
        missing = self.position.offset - position.offset
        if missing > len(self._tail):
            return None
        return list(islice(self._tail, len(self._tail) - missing, None))

    async def recall(self, position: Position) -> list[Frame] | None:
        """Return what came after the position, from the store if need be; `None` if it has that no more.

        The tail reaches back as far afterwards, if it can: readers that were cut off together come back together, and
        wait here for each other.
        """
        async with self._recalling:
            missed = self.since(position)
            if missed is not None or not self.has_passed(position):
                return missed
            entries = await self._backend.replay(self.session_id, position)
            missed = None if entries is None else self._stitched(position, entries)
            if missed is not None:
                self._forget_tail()
                for frame in missed:
                    self._keep(frame)
            return missed

    def _stitched(self, position: Position, entries: Sequence[LogEntry]) -> list[Frame] | None:
        """Join what the store had at some moment and what came in since."""
        if not self.has_passed(position):
            return None
        replayed = [self._step(entry) for entry in entries if entry.offset <= self.position.offset]
        newest = self.since(Position(position.epoch, position.offset + len(replayed)))
        return None if newest is None else replayed + newest


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


class Hub:
    """The channels of this process.

    Attributes:
        deliveries: How many events were handed to readers, each to each of them.
        delivery_seconds: From the news of a change to when it was written to the last of the readers that keep up.
        replays: How many readers came back and got exactly what they had missed.
        resyncs: How many got a snapshot in place of transitions, by the reason.
    """

    def __init__(self, backend: Backend, *, retry_ms: int) -> None:
        """Serve readers from `backend`; each snapshot tells them to wait `retry_ms` before they reconnect."""
        self.deliveries = 0
        self.delivery_seconds = Histogram()
        self.replays = 0
        self.resyncs: Counter[Resync] = Counter()
        self._backend = backend
        self._retry_ms = retry_ms
        self._channels: dict[str, Channel] = {}
        self._to_flush: list[Channel] = []

    @property
    def channel_count(self) -> int:
        """How many sessions have readers here."""
        return len(self._channels)

    @property
    def reader_count(self) -> int:
        """How many readers there are, each counted once for each of its sessions."""
        return sum(len(channel.members) for channel in self._channels.values())

    def flush_soon(self, channel: Channel) -> None:
        """Flush the channel at the end of this turn of the event loop, together with all others."""
        if not self._to_flush:
            asyncio.get_running_loop().call_soon(self._flush)
        self._to_flush.append(channel)

    def _flush(self) -> None:
        channels, self._to_flush = self._to_flush, []
        for channel in channels:
            channel.flush()

    def join_nowait(self, subscription: Subscription, session_id: str, resume: Resume | None) -> bool:
        """Seat a reader without asking the store, and return whether that was possible; see `join`."""
        channel = self._channels.get(session_id)
        missed = channel.missed(resume) if channel is not None and channel.is_open else None
        if channel is None or missed is None:
            return False
        channel.users += 1  # The seat's, from here on.
        self.replays += resume is not None
        subscription.attach(Member(subscription, channel), missed)
        return True

    async def join(self, subscription: Subscription, session_id: str, resume: Resume | None = None) -> None:
        """Seat a reader at a session: first what it missed or a snapshot, then every change, in order.

        Args:
            subscription: The reader.
            session_id: The session; it need not exist.
            resume: Tells where the reader was; `None` for one that comes afresh.

        Raises:
            StoreUnavailableError: The store does not answer; nothing was changed, and joining may be tried again.
        """
        channel = self._acquire(session_id)
        try:
            await channel.open()
            missed = channel.missed(resume)
            if missed is None:
                assert resume is not None
                missed = await self._looked_up(channel, resume)
            elif resume is not None:
                self.replays += 1
        except BaseException:
            self.release(channel)
            raise
        if subscription.is_closed:
            self.release(channel)
        else:
            subscription.attach(Member(subscription, channel), missed)

    async def _looked_up(self, channel: Channel, resume: Resume) -> FrameBatch:
        position = resume(channel.position)
        if position is None or not channel.has_passed(position):
            # The id is news to this process: the store may know more.
            await channel.refresh()
            position = resume(channel.position)
        missed = None if position is None else await channel.recall(position)
        if missed is None:
            self.resyncs["forgotten"] += 1
            return channel.snapshot()
        self.replays += 1
        return FrameBatch(missed)

    def _acquire(self, session_id: str) -> Channel:
        channel = self._channels.get(session_id)
        if channel is None:
            channel = self._channels[session_id] = Channel(session_id, self, self._backend, self._retry_ms)
        channel.users += 1
        return channel

    def release(self, channel: Channel) -> None:
        """Give up one use of a channel; the last one closes it."""
        channel.users -= 1
        if channel.users == 0:
            del self._channels[channel.session_id]
            channel.close()
