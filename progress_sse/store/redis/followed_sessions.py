"""The sessions that have listeners in this process: which messages and commits lead to notifications.

Messages about the commits of all processes, and our own commits, come in no order between the two. Revisions put both
in order: a message that is not newer than the last notification is an echo. Where a message is missing before another
one, the session is read, together with the missing transitions.

A server that loses data, or goes back to an earlier time, publishes nothing. So each process reads a rotating sample of
its sessions at intervals. If one of them is gone or has a new epoch without a message, all sessions are read.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from progress_sse._internal.tasks import cancel
from progress_sse.core.details import NO_DETAILS
from progress_sse.core.errors import ProblemError
from progress_sse.core.model import Position
from progress_sse.store.redis.codec import UNKNOWN, KnownState, ReadResult
from progress_sse.store.redis.messages import ChangeMessage, apply_message, decode_message
from progress_sse.store.types import Change, LogEntry, Notification, Record, to_notification
from progress_sse.wire import session_json

logger = logging.getLogger(__name__)

CATCH_UP_BATCH: Final = 100
"""Sessions that are read at the same time after a gap; more would only wait for each other."""

CATCH_UP_RETRY_S: Final = 1.0
"""Seconds until a session that could not be read after a gap is tried again."""

POLL_INTERVAL_S: Final = 5.0
"""Seconds between two reads of a sample of the sessions."""

POLL_SAMPLE: Final = 100
"""Sessions in a sample: enough to notice a loss of all sessions at once, and few enough to cost nothing."""

_ENDED_EPOCHS: Final = 8  # Ended epochs that are remembered of each session; the newest stay.

Read: TypeAlias = Callable[[str, Position], Awaitable[ReadResult]]
"""Reads a session, and its transitions after the position."""


@dataclass(eq=False, slots=True)
class FollowedSession:
    """One session that has listeners here.

    Attributes:
        shown: The state in the listeners' last notification, or in the first read after they were added.
        notified_revision: The revision of their last notification.
        last_read: The newest state that was read, for any reason.
        awaits_snapshot: Whether a change came that only a snapshot shows, since the last notification.
    """

    session_id: str
    publish: Callable[[Notification], None]
    shown: KnownState | None = None
    notified_revision: int = 0
    last_read: KnownState = UNKNOWN
    ended_epochs: deque[str] = field(default_factory=lambda: deque(maxlen=_ENDED_EPOCHS))
    awaits_snapshot: bool = False

    @property
    def record(self) -> Record | None:
        """The session as its listeners know it."""
        return self.shown.record if self.shown is not None else None

    @property
    def newest(self) -> KnownState:
        """The newest state that was read or shown."""
        return self.last_read if self.shown is None or self.shown.revision < self.last_read.revision else self.shown

    def on_read(self, result: ReadResult) -> None:
        """Remember a state that was read, and notify no listener."""
        if result.revision >= self.last_read.revision:
            self.last_read = KnownState(result.record, result.revision)
        if self.shown is None:
            self.shown = self.last_read

    def is_outdated(self, message: ChangeMessage) -> bool:
        """Whether the message is an echo, or of an epoch that is known to be over."""
        epoch = message.position.epoch if message.position is not None else None
        if epoch in self.ended_epochs:
            return True
        if message.revision <= self.notified_revision:
            return epoch is None or epoch == _epoch(self.record)
        if self.shown is not None and message.revision < self.shown.revision:
            return True
        return message.revision < self.last_read.revision and epoch != _epoch(self.last_read.record)

    def next_record(self, message: ChangeMessage) -> Record | None:
        """Return the session after the message; `None` if that does not follow from what the listeners know."""
        if self.shown is None or self.shown.record is None:
            return None
        if message.revision == self.shown.revision and message.position == self.shown.record.position:
            return self.shown.record
        return apply_message(self.shown.record, message) if message.previous == self.shown.revision else None

    def is_next(self, change: Change) -> bool:
        """Whether nothing is missing between the state that the listeners know and the change."""
        if self.shown is None:
            return True
        known = self.record
        return (known.position if known else None) == change.expected

    def notify(self, notification: Notification, revision: int) -> None:
        """Notify the listeners, and remember the state that they then know."""
        before = _epoch(self.record)
        if before is not None and before != _epoch(notification.record):
            self.ended_epochs.append(before)
        self.shown, self.notified_revision = KnownState(notification.record, revision), revision
        self.awaits_snapshot = False
        self.publish(notification)

    def catch_up(self, result: ReadResult) -> None:
        """Notify the listeners of a state that was read after a gap, if they do not know it yet."""
        known, record = self.record, result.record
        if record is None:
            if known is not None or self.shown is None:
                self.notify(Notification(self.session_id, None), result.revision)
            return
        is_same_epoch = known is not None and known.position.epoch == record.position.epoch
        if known is not None and is_same_epoch and record.position.offset <= known.position.offset:
            return
        # The beginning of an epoch that no listener knows is part of the notification, if the log still has it.
        start = known.position.offset if known is not None and is_same_epoch else 0
        entries: tuple[LogEntry, ...] = tuple(entry for entry in result.entries if entry.offset > start)
        is_whole = self.shown is not None and len(entries) == record.position.offset - start
        is_fresh = is_whole and not is_same_epoch and _begins_with_a_start(record, entries)
        missed = entries if is_whole else ()
        self.notify(
            Notification(self.session_id, record, is_fresh, missed, self.awaits_snapshot and not is_whole),
            result.revision,
        )


class FollowedSessions:
    """All followed sessions, by their channels."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._sessions: dict[str, FollowedSession] = {}
        self._to_catch_up: dict[str, None] = {}
        self._catching_up: asyncio.Task[None] | None = None
        self._polling: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to poll for lost sessions."""
        self._polling = asyncio.get_running_loop().create_task(self._poll_rotating_sample())

    def get(self, channel: str) -> FollowedSession | None:
        """Return the session of a channel, if it has listeners."""
        return self._sessions.get(channel)

    def follow(self, channel: str, session_id: str, notify: Callable[[Notification], None]) -> None:
        """Call `notify` with the changes of a session."""
        self._sessions[channel] = FollowedSession(session_id, notify)

    def leave(self, channel: str) -> None:
        """End that."""
        del self._sessions[channel]

    async def aclose(self) -> None:
        """Leave all sessions."""
        self._sessions.clear()
        for task in filter(None, (self._polling, self._catching_up)):
            await cancel(task)

    def on_message(self, channel: str, payload: bytes) -> None:
        """Notify the listeners of a commit that a process has published."""
        session, message = self._sessions[channel], decode_message(payload)
        if session.is_outdated(message):
            return
        if message.position is None:
            session.notify(Notification(session.session_id, None), message.revision)
        elif (record := session.next_record(message)) is not None:
            notification = Notification(session.session_id, record, message.is_fresh, message.entries)
            session.notify(notification, message.revision)
        else:
            session.awaits_snapshot |= message.is_told_whole
            self.on_gap(channel)

    def on_read(self, channel: str, result: ReadResult) -> None:
        """Remember a state that was read; notify the listeners if there was no message of what led to it."""
        session = self._sessions.get(channel)
        if session is not None:
            session.on_read(result)
            known = _epoch(session.record)
            if known is not None and known != _epoch(result.record):  # A server that loses data sends no message.
                self.on_gap(channel)

    async def on_commit(self, channel: str, change: Change, revision: int | None) -> None:
        """Notify of our own commit and all changes before it; `revision` is `None` if others may have come since."""
        session = self._sessions.get(channel)
        if session is None:
            return
        if change.expected is not None and change.is_fresh:
            session.ended_epochs.append(change.expected.epoch)
        if revision is None or not session.is_next(change):
            if revision is None or revision > session.notified_revision:
                try:
                    await self._catch_up(channel)
                except ProblemError:
                    self.on_gap(channel)
        elif revision > session.notified_revision:
            session.notify(to_notification(change), revision)

    def on_gap(self, channel: str) -> None:
        """Read a session of which something was missed, and notify its listeners."""
        self._to_catch_up[channel] = None
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up_all())

    async def _catch_up_all(self) -> None:
        while self._to_catch_up:
            batch = list(itertools.islice(self._to_catch_up, CATCH_UP_BATCH))
            for channel in batch:
                del self._to_catch_up[channel]
            if failed := await self._catch_up_batch(batch):
                self._to_catch_up.update(dict.fromkeys(failed))
                await asyncio.sleep(CATCH_UP_RETRY_S)

    async def _catch_up_batch(self, channels: Sequence[str]) -> Sequence[str]:
        """Read sessions, and return the channels of those that could not be read."""
        outcomes = await asyncio.gather(*map(self._catch_up, channels), return_exceptions=True)
        for unexpected in (each for each in outcomes if each is not None and not isinstance(each, ProblemError)):
            logger.error("A session could not be read after a gap", exc_info=unexpected)
        return [channel for channel, outcome in zip(channels, outcomes, strict=True) if outcome is not None]

    async def _poll_rotating_sample(self) -> None:
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            sample = list(itertools.islice(self._sessions, POLL_SAMPLE))
            for channel in sample:
                self._sessions[channel] = self._sessions.pop(channel)  # To the end: the next sample is of others.
            epochs = {channel: epoch for channel in sample if (epoch := self._epoch_of(channel)) is not None}
            await self._catch_up_batch(sample)
            if any(channel in self._sessions and self._epoch_of(channel) != epochs[channel] for channel in epochs):
                for channel in self._sessions:
                    self.on_gap(channel)

    def _epoch_of(self, channel: str) -> str | None:
        session = self._sessions.get(channel)
        return _epoch(session.record) if session is not None else None

    async def _catch_up(self, channel: str) -> None:
        session = self._sessions.get(channel)
        if session is None:
            return
        notified_before, record = session.notified_revision, session.record
        result = await self._read(session.session_id, record.position if record else Position("", 0))
        if session.notified_revision == notified_before or result.revision > session.notified_revision:
            session.catch_up(result)


def _begins_with_a_start(record: Record, entries: Sequence[LogEntry]) -> bool:
    """Return whether `state_machine.with_nothing_started` is what the transitions of an epoch begin from.

    A session that was created by itself may have begun with details, or open-ended with steps.
    """
    if record.session.details is NO_DETAILS or not entries:
        return True
    first = session_json.session_of_transition(entries[0].data)
    if first.keys() - session_json.SUMMARY_KEYS - {"open_ended"}:
        return False
    return "open_ended" not in first or (entries[0].step == 1 and first["total_steps"] == 1)


def _epoch(record: Record | None) -> str | None:
    return record.position.epoch if record is not None else None
