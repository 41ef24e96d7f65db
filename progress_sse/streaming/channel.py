"""One session with subscribers: its record, its newest transitions, and its subscriptions."""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, TypeAlias

from progress_sse._internal.tasks import run_eagerly
from progress_sse.core import state_machine
from progress_sse.core.model import Position, is_over
from progress_sse.store.idempotency import was_removed
from progress_sse.store.listeners import Unsubscribe, changes_of
from progress_sse.store.types import LogEntry, Notification, Record
from progress_sse.streaming.line_feed import LineFeed
from progress_sse.streaming.publisher import Delivery, Publisher, Subscription
from progress_sse.wire import session_json, sse
from progress_sse.wire.cursor import ResumePoint
from progress_sse.wire.frames import Frame, FrameBatch

MAX_TAIL_BYTES: Final = 65_536
"""Bytes of the newest transitions that a channel keeps, so that a short absence costs no read of the store."""


Watcher: TypeAlias = Callable[[Record | None], None]
"""Takes a session after a change; `None` stands for one that does not exist."""


class Channel(Publisher):
    """One session, as the subscribers in this process see it.

    Attributes:
        record: The session as it was last known; `None` if there is none, or before it is loaded.
        watchers: Called with the session after each change.
        is_open: Whether it listens and has loaded the session, or has found that there is none.
    """

    def __init__(self, session_id: str, delivery: Delivery, on_unused: Callable[[], object]) -> None:
        """Start without the session's record; `open` loads it."""
        super().__init__(session_id, _absent_position(session_id), delivery, on_unused)
        self.record: Record | None = None
        self._is_gone = False
        self.watchers: dict[Watcher, None] = {}
        self._tail: deque[Frame] = deque()
        self._tail_bytes = 0
        self._snapshot: FrameBatch | None = None
        self._notification_count = 0
        self._opening: asyncio.Task[None] | None = None
        self.is_open = False
        self._replay_lock = asyncio.Lock()
        self._feed: LineFeed | None = None
        self._unsubscribe: Unsubscribe | None = None

    @property
    def is_completed(self) -> bool:
        """Whether the session is completed, as far as is known, and its subscribers have been handed all of it."""
        return not self._unsent and self.record is not None and self.record.status == "completed"

    @property
    def is_over(self) -> bool:
        """Whether nothing of the session is left to do: it is completed, or in error with no step running."""
        return self.record is not None and is_over(self.record.status, self.record.session.progress.steps)

    @property
    def has_all_lines(self) -> bool:
        """Whether the readers of the log have been handed all lines that came before the session was over."""
        return self._feed is None or self._feed.is_settled

    async def open(self) -> None:
        """Listen, then load the session. Concurrent calls wait for the same load, unless it needs no wait."""
        if not self.is_open and self._opening is None:
            self._opening = run_eagerly(self._open())
        if self._opening is not None:
            await asyncio.shield(self._opening)

    async def _open(self) -> None:
        if self._unsubscribe is None:
            self._unsubscribe = await self._backend.subscribe(changes_of(self.session_id), self.on_notification)
        await self.refresh()
        self.is_open = True

    def close(self) -> None:
        """Stop listening."""
        self.is_open = False
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None  # Its exception would refer to this channel and keep it alive.
        if self._unsubscribe is not None:
            self._unsubscribe()

    def read_lines(self, subscription: Subscription) -> None:
        """Hand the lines of the log, too, to a subscription; they are followed while there are readers of them."""
        if self._feed is None:
            self._feed = LineFeed(self, self._backend, self._counts)
        self._feed.add(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Remove a subscription, and release its use."""
        if self._feed is not None and self._feed.remove(subscription):
            self._feed = None
        super().remove(subscription)

    def line_tail(self) -> FrameBatch | None:
        """Return the newest lines of the log; `None` if none is known."""
        return None if self._feed is None else self._feed.tail()

    async def refresh(self) -> None:
        """Load the session; notifications that arrive meanwhile are newer than the loaded record."""
        before = self._notification_count
        record = await self._backend.load(self.session_id)
        if record is None:
            self._is_gone = await was_removed(self._backend, self.session_id)
        entries = () if record is None else await self._missing_up_to(record.position)
        # Within one epoch the offsets show which is newer. Between epochs only the order of arrival does.
        if self._notification_count == before or (record is not None and record.position.epoch == self.position.epoch):
            self.on_notification(Notification(self.session_id, record, entries=entries))

    async def _missing_up_to(self, position: Position) -> tuple[LogEntry, ...]:
        """Return the transitions up to the position that the channel has not seen, as far as the store keeps them."""
        if position.epoch != self.position.epoch or position.offset <= self.position.offset:
            return ()
        entries = await self._backend.replay(self.session_id, self.position)
        return tuple(entry for entry in entries or () if entry.offset <= position.offset)

    def on_notification(self, notification: Notification) -> None:
        """Apply a change and publish it."""
        self._notification_count += 1
        if self._feed is not None:
            self._feed.flush()  # These lines came before.
        before = self.position.epoch
        record = notification.record
        if record is None:
            if self.record is not None:
                self._is_gone = True
                self._reset_to(None)
        elif notification.is_fresh and record.position.epoch != self.position.epoch:
            self._reset_to(_as_created(record))
            self._apply(record, notification)
        elif record.position.epoch != self.position.epoch:
            self._reset_to(record)
        else:
            self._apply(record, notification)
        if self._feed is not None:
            self._feed.on_change(is_new_epoch=self.position.epoch != before)
        for watcher in tuple(self.watchers):
            watcher(self.record)

    def _apply(self, record: Record, notification: Notification) -> None:
        entries = notification.entries
        missing = record.position.offset - self.position.offset
        if missing <= 0:
            return
        if missing > len(entries):
            if not notification.is_told_whole:
                self._counts.resyncs["gap"] += len(self.subscriptions)
            self._reset_to(record)
            return
        self.record = record
        self.position = record.position
        self._snapshot = None
        for entry in entries[-missing:]:
            frame = self._transition(entry)
            self._keep(frame)
            self._publish(frame)

    def _keep(self, frame: Frame) -> None:
        self._tail.append(frame)
        self._tail_bytes += len(frame.data)
        while self._tail_bytes > MAX_TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft().data)

    def _reset_to(self, record: Record | None) -> None:
        self.record = record
        self._snapshot = None
        self.position = record.position if record else _absent_position(self.session_id)
        self._keep_only(())
        if self.subscriptions:
            self._publish(*self.snapshot().frames)

    def _keep_only(self, frames: Iterable[Frame]) -> None:
        self._tail.clear()
        self._tail_bytes = 0
        for frame in frames:
            self._keep(frame)

    def snapshot(self) -> FrameBatch:
        """Return the session as an event. All subscribers share the bytes, as they may be many and slow."""
        if self._snapshot is None:
            absent = session_json.encode_absent(self.session_id, is_gone=self._is_gone)
            body = self.record.body if self.record else absent
            event = sse.encode_event("snapshot", body, retry_ms=self._retry_ms)
            self._snapshot = FrameBatch([Frame.of(self.position, event)])
        return self._snapshot

    def _transition(self, entry: LogEntry) -> Frame:
        name = "step" if entry.step else "session"
        return Frame.of(Position(self.position.epoch, entry.offset), sse.encode_event(name, entry.data))

    def has_passed(self, position: Position) -> bool:
        """Whether the position lies in the current epoch, and not ahead of the channel's position."""
        return position.epoch == self.position.epoch and position.offset <= self.position.offset

    def missed(self, resume_point: ResumePoint | None) -> FrameBatch | None:
        """Return the first batch for a new subscription; `None` if that needs a read of the store."""
        if resume_point is None:
            return self.snapshot()
        position = resume_point(self.position)
        missed = None if position is None else self.since(position)
        return None if missed is None else FrameBatch(missed)

    def since(self, position: Position) -> list[Frame] | None:
        """Return the frames after the position; `None` if the channel does not have all of them."""
        if self.record is None and position.is_absence_of(self.session_id):
            return []
        if not self.has_passed(position):
            return None
        missing = self.position.offset - position.offset
        if missing > len(self._tail):
            return None
        return list(islice(self._tail, len(self._tail) - missing, None))

    async def replay(self, position: Position) -> list[Frame] | None:
        """Return the frames after the position, from the store if necessary; `None` if it no longer has them.

        Afterwards the tail reaches back as far, within its limit. Subscribers that were cut off together come back
        together, so they wait here for one replay.
        """
        async with self._replay_lock:
            missed = self.since(position)
            if missed is not None or not self.has_passed(position):
                return missed
            entries = await self._backend.replay(self.session_id, position)
            missed = None if entries is None else self._merge(position, entries)
            if missed is not None:
                self._keep_only(missed)
            return missed

    def _merge(self, position: Position, entries: Sequence[LogEntry]) -> list[Frame] | None:
        """Join the entries that the store returned with the frames that arrived since; `None` if some are missing."""
        if not self.has_passed(position):
            return None
        replayed = [self._transition(entry) for entry in entries if entry.offset <= self.position.offset]
        newest = self.since(Position(position.epoch, position.offset + len(replayed)))
        return None if newest is None else replayed + newest


def _absent_position(session_id: str) -> Position:
    return Position.absent(session_id, secrets.token_hex(4))


def _as_created(record: Record) -> Record:
    """Return a session as it was at the beginning of its epoch: only a `start` creates one and goes on at once."""
    if not record.position.offset:
        return record
    return Record(state_machine.with_nothing_started(record.session), Position(record.position.epoch, 0))
