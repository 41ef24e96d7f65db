"""One session with subscribers: its record, its newest transitions, and those who get them."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from progress_sse.core import state_machine
from progress_sse.core.model import Position
from progress_sse.store.backend import Backend
from progress_sse.store.types import LogEntry, Notification, Record
from progress_sse.streaming.resume_point import Resume
from progress_sse.wire import session_json, sse
from progress_sse.wire.frames import Frame, FrameBatch

if TYPE_CHECKING:
    from progress_sse.streaming.hub import Hub
    from progress_sse.streaming.subscriber import Member

MAX_TAIL_BYTES: Final = 65_536
"""Bytes of the newest transitions that a channel keeps at hand, so that a short absence costs the store nothing."""

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
