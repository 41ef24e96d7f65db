"""One session that has listeners in this process: it decides which messages and commits lead to notifications. No I/O.

The server sends messages about the commits of all processes, and listeners are notified of our own commits before the
worker is answered; in no order between the two. Revisions put both in order: a message that is not newer than the last
notification is an echo. Each notification follows on the one before.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from progress_sse.core.details import NO_DETAILS
from progress_sse.store.redis.codec import UNKNOWN, KnownState, ReadResult
from progress_sse.store.redis.messages import ChangeMessage, apply_message
from progress_sse.store.types import Change, LogEntry, Notification, Record
from progress_sse.wire import session_json

_ENDED_EPOCHS: Final = 8
"""Ended epochs that are remembered of each session; the newest stay."""


@dataclass(eq=False, slots=True)
class FollowedSession:
    """One session that has listeners here.

    Attributes:
        session_id: The session.
        publish: Called with each notification.
        shown: The state in the listeners' last notification, or in the first read after they were added.
        notified_revision: The revision of their last notification.
        last_read: The newest state that was read, for any reason.
        ended_epochs: Epochs that are over.
        awaits_snapshot: Whether a change came that only a snapshot tells, since the last notification.
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
    def epoch(self) -> str | None:
        """The epoch that its listeners know."""
        return _epoch(self.record)

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

    def is_in_another_epoch(self, result: ReadResult) -> bool:
        """Whether the state that was read does not continue the state that the listeners know."""
        known = self.epoch
        return known is not None and known != _epoch(result.record)

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
