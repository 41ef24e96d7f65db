"""A subscriber of one session, which the random machine compares with the stored session."""

import json
from collections.abc import Sequence
from typing import Any

from progress_sse.core import state_machine
from progress_sse.core.model import Position
from progress_sse.store.types import LogEntry, Notification, Record
from progress_sse.wire import json_text, session_json
from tests.harness.oracle import fold


class Subscriber:
    """Follows one session as a browser does: from a snapshot, by folding transitions into it.

    Attributes:
        record: The session in the last notification.
        shown: The session as it is shown; `None` if there is none.
        position: Its position.
        began_at: The offset of its last snapshot, behind which all transitions arrived.
        bodies: The JSON of the session at each position that was shown.
        published: The data of the transition to each position.
    """

    def __init__(self, *, meets_gaps: bool) -> None:
        """Show nothing; with `meets_gaps`, changes may come as a snapshot that transitions could have told."""
        self.record: Record | None = None
        self.shown: dict[str, Any] | None = None
        self.position = Position("", 0)
        self.began_at = 0
        self.bodies: dict[Position, bytes] = {}
        self.published: dict[Position, bytes] = {}
        self._error: Exception | None = None
        self._meets_gaps = meets_gaps

    def on_notification(self, notification: Notification) -> None:
        """Apply a change; an error is kept for `check`, since a backend would only log it."""
        try:
            self._apply(notification)
        except Exception as error:  # noqa: BLE001
            self._error = self._error or error

    def _apply(self, notification: Notification) -> None:
        self.record = record = notification.record
        if record is None:
            self.shown = None
            return
        epoch = record.position.epoch
        entries = notification.entries
        if epoch != self.position.epoch or self.shown is None:
            assert epoch not in {each.epoch for each in self.bodies}
            assert notification.is_fresh or self._meets_gaps
            self._begin(record, is_fresh=notification.is_fresh and bool(entries))
        missing = record.position.offset - self.position.offset
        assert missing >= 0
        if missing > len(entries):
            assert notification.is_told_whole or self._meets_gaps
            self._show(json.loads(record.body), record.position)
            self.began_at = record.position.offset - len(entries)
            self.published |= {record.position._replace(offset=each.offset): each.data for each in entries}
        elif missing:
            for entry in entries[-missing:]:
                self._fold(entry)
        assert self.position == record.position

    def _begin(self, record: Record, *, is_fresh: bool) -> None:
        """Show a new epoch; of a fresh one from its beginning, if transitions follow."""
        if is_fresh:
            body = session_json.encode_session(state_machine.with_nothing_started(record.session))
            self._show(json.loads(body), record.position._replace(offset=0))
        else:
            self._show(json.loads(record.body), record.position)
        self.began_at = self.position.offset

    def _fold(self, entry: LogEntry) -> None:
        assert self.shown is not None
        assert entry.offset == self.position.offset + 1
        position = self.position._replace(offset=entry.offset)
        self.published[position] = entry.data
        self._show(fold(self.shown, json.loads(entry.data)), position)

    def _show(self, shown: dict[str, Any], position: Position) -> None:
        self.shown = shown
        self.position = position
        self.bodies[position] = json_text.encode_json(shown)

    def is_at(self, stored: Record | None) -> bool:
        """Whether the stored session is shown; raises the error of a change that could not be applied."""
        if self._error is not None:
            raise self._error
        return self.shown is None if stored is None else stored.position == self.position

    def check(self, stored: Record | None) -> None:
        """Compare the session that is shown, byte for byte, with the stored one."""
        if self._error is not None:
            raise self._error
        assert (stored is None) == (self.shown is None)
        assert self.record == stored
        if stored is not None:
            assert stored.position == self.position
            assert stored.body == self.bodies[self.position]

    def check_replay(self, after: Position, entries: Sequence[LogEntry] | None, history: int) -> None:
        """Compare a replay with what was published; from a stored position it is the rest, from all others none.

        A subscriber that reads a new epoch late, or meets a gap, begins with a snapshot. The store may still keep the
        transitions before it.
        """
        newest = self.position.offset
        if self.shown is None or not newest - history <= after.offset <= newest:
            assert entries is None
            return
        if entries is None:
            assert after.offset < self.began_at
            return
        assert [entry.offset for entry in entries] == list(range(after.offset + 1, newest + 1))
        assert after.offset >= self.began_at or self._meets_gaps
        replayed = self.bodies.get(after)
        for entry in entries:
            position = after._replace(offset=entry.offset)
            assert entry.data == self.published.get(position, entry.data)
            if replayed is not None:
                replayed = json_text.encode_json(fold(json.loads(replayed), json.loads(entry.data)))
                assert replayed == self.bodies.get(position, replayed)
