"""Sessions in the memory of one process, lost when it ends."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from progress_sse.core.errors import ConflictError, SignSeenError, StoreFullError
from progress_sse.core.history import Cell, History
from progress_sse.core.model import Position, SessionStatus
from progress_sse.core.session_filter import SessionFilter
from progress_sse.store.histories import Histories
from progress_sse.store.leases import LocalLeases
from progress_sse.store.listeners import ListenerRegistry
from progress_sse.store.memory_index import MemoryIndex
from progress_sse.store.types import (
    Change,
    ChangesListener,
    Listener,
    LogEntry,
    Notification,
    PageCursor,
    Record,
    RememberedKey,
    SessionSummary,
    StorageLimits,
    fingerprint,
    to_notification,
)
from progress_sse.wire import session_json


@dataclass(slots=True)
class _StoredSession:
    record: Record
    log: deque[LogEntry] = field(default_factory=deque)
    log_bytes: int = 0

    def add(self, change: Change, limits: StorageLimits) -> None:
        if change.resets_log:
            self.log.clear()
            self.log_bytes = 0
        for entry in change.entries:
            self.log.append(entry)
            self.log_bytes += len(entry.data)
        while len(self.log) > limits.history or self.log_bytes > limits.history_bytes:
            self.log_bytes -= len(self.log.popleft().data)


class _Keyrings:
    """The idempotency keys of each session id, in the order of their use; they outlive the session."""

    def __init__(self, limits: StorageLimits) -> None:
        self._limits = limits
        self._rings: dict[str, OrderedDict[str, RememberedKey]] = {}
        self._orphans: OrderedDict[str, int] = OrderedDict()
        self._orphaned_keys = 0

    def get(self, session_id: str, name: str) -> RememberedKey | None:
        ring = self._rings.get(fingerprint(session_id))
        return ring.get(name) if ring else None

    def add(self, session_id: str, keys: Sequence[RememberedKey]) -> None:
        if keys and self._limits.history:  # A ring is never empty.
            ring = self._rings.setdefault(fingerprint(session_id), OrderedDict())
            for key in keys:
                ring[key.name] = replace(key, former_use="")
                ring.move_to_end(key.name)
            while len(ring) > self._limits.history:
                ring.popitem(last=False)

    def adopt(self, session_id: str) -> None:
        """Record that a session of this id exists."""
        self._orphaned_keys -= self._orphans.pop(fingerprint(session_id), 0)

    def orphan(self, session_id: str) -> None:
        """Record that the session of this id was removed, and delete the oldest orphaned keys beyond the limit."""
        owner = fingerprint(session_id)
        if owner in self._rings:
            self._orphans[owner] = len(self._rings[owner])
            self._orphaned_keys += self._orphans[owner]
            while self._orphaned_keys - (first := next(iter(self._orphans.items())))[1] >= self._limits.orphaned_keys:
                self._drop(first[0])

    def forget(self, used_before: str) -> None:
        for owner, ring in tuple(self._rings.items()):
            if next(reversed(ring.values())).used_at < used_before:
                self._drop(owner)

    def _drop(self, owner: str) -> None:
        del self._rings[owner]
        self._orphaned_keys -= self._orphans.pop(owner, 0)


class MemoryBackend:
    """Keeps sessions in a dictionary; no method waits."""

    forgets_silently = False

    def __init__(self, limits: StorageLimits) -> None:
        """Start empty, and keep as much as `limits` allow."""
        self._limits = limits
        self._sessions: dict[str, _StoredSession] = {}
        self._index = MemoryIndex()
        self._keyrings = _Keyrings(limits)
        self._histories = Histories()
        self._listeners = ListenerRegistry()
        self.leases = LocalLeases()

    async def open(self) -> None:
        """Do nothing."""

    async def aclose(self) -> None:
        """Forget everything."""
        self._sessions.clear()
        self._index = MemoryIndex()
        self._keyrings = _Keyrings(self._limits)
        self._histories = Histories()
        self._listeners.clear()
        self.leases = LocalLeases()

    async def ping(self) -> None:
        """Return, since memory always works."""

    async def load(self, session_id: str) -> Record | None:
        """Return the session, or `None`."""
        stored = self._sessions.get(session_id)
        return stored.record if stored else None

    def cached_record(self, session_id: str) -> None:
        """Return `None`: `load` answers at once, with records that are certain."""

    async def commit(self, change: Change) -> None:
        """Apply the change; see `Backend.commit`."""
        stored = self._sessions.get(change.session_id)
        if (stored.record.position if stored else None) != change.expected:
            raise ConflictError
        for key in change.keys:
            used = self._keyrings.get(change.session_id, key.name)
            if (used.used_at if used else "") != key.former_use:
                raise ConflictError
        if change.silence is not None and not self.leases.is_silent(change.session_id, change.silence):
            raise SignSeenError
        before = stored.record.session.progress if stored else None
        if change.record is None:
            self._sessions.pop(change.session_id, None)
        else:
            self._store(stored, change, change.record)
        self._index.update(before, change.record.session.progress if change.record else None)
        self._keyrings.add(change.session_id, change.keys)
        if change.record is None:
            self._keyrings.orphan(change.session_id)
        if change.lesson is not None:
            self._histories.teach(change.lesson)
        self.leases.on_commit(change)
        self._listeners.notify(to_notification(change))

    def _store(self, stored: _StoredSession | None, change: Change, record: Record) -> None:
        if stored is None and len(self._sessions) >= self._limits.max_sessions:
            raise StoreFullError
        if stored is None or change.is_fresh:
            stored = self._sessions[change.session_id] = _StoredSession(record)
            self._keyrings.adopt(change.session_id)
        stored.record = record
        stored.add(change, self._limits)

    async def find_idempotency_key(self, session_id: str, name: str) -> RememberedKey | None:
        """Return the last use of the key, or `None`."""
        return self._keyrings.get(session_id, name)

    async def forget_keys(self, used_before: str) -> None:
        """Delete old keys; see `Backend.forget_keys`."""
        self._keyrings.forget(used_before)

    async def history(self, profile: str) -> History:
        """Return how often each cell was taught."""
        return self._histories.get(profile)

    async def forget_history(self, profile: str, cells: Collection[Cell] | None = None) -> None:
        """Forget cells; see `Backend.forget_history`."""
        self._histories.forget(profile, cells)

    async def replay(self, session_id: str, after: Position) -> Sequence[LogEntry] | None:
        """Return the transitions after the position; see `Backend.replay`."""
        stored = self._sessions.get(session_id)
        if stored is None or stored.record.position.epoch != after.epoch:
            return None
        missing = stored.record.position.offset - after.offset
        if not 0 <= missing <= len(stored.log):
            return None
        return [entry for entry in stored.log if entry.offset > after.offset]

    async def listen(self, session_id: str, listener: Listener) -> None:
        """Notify `listener` of the session's changes."""
        self._listeners.add(session_id, listener)

    def unlisten(self, session_id: str, listener: Listener) -> None:
        """Undo `listen`."""
        self._listeners.remove(session_id, listener)

    async def listen_to_all(self, listener: ChangesListener) -> None:
        """Notify `listener` of the changes of all sessions."""
        self._listeners.add_to_all(listener)

    def unlisten_to_all(self, listener: ChangesListener) -> None:
        """Undo `listen_to_all`."""
        self._listeners.remove_from_all(listener)

    async def list_summaries(
        self, wanted: SessionFilter, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return a page of sessions, newest first; see `Backend.list_summaries`."""
        found = (self._sessions[session_id].record for session_id in self._index.find(wanted, limit, after))
        return [_summary(record) for record in islice((each for each in found if _is_of(wanted, each)), limit)]

    async def load_summaries(self, session_ids: Collection[str]) -> Mapping[str, SessionSummary]:
        """Return the sessions that there are; see `Backend.load_summaries`."""
        stored = ((session_id, self._sessions.get(session_id)) for session_id in session_ids)
        return {session_id: _summary(each.record) for session_id, each in stored if each is not None}

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        """Return how many sessions there are."""
        return Counter(stored.record.status for stored in self._sessions.values())

    async def expire(self, created_before: str, should_remove: Callable[[SessionSummary], bool]) -> int:
        """Remove old sessions; see `Backend.expire`."""
        old = [self._sessions[session_id].record for session_id in self._index.created_before(created_before)]
        removed = [record.session.progress.session_id for record in old if should_remove(_summary(record))]
        for session_id in removed:
            self._index.update(self._sessions.pop(session_id).record.session.progress, None)
            self._keyrings.orphan(session_id)
            self._listeners.notify(Notification(session_id, None))
        return len(removed)


def _is_of(wanted: SessionFilter, record: Record) -> bool:
    progress = record.session.progress
    return wanted.matches(progress.session_id, progress.status, progress.details.labels)


def _summary(record: Record) -> SessionSummary:
    progress = record.session.progress
    listed = session_json.encode_listed(record.session)
    return SessionSummary(progress.session_id, progress.status, progress.created_at, progress.updated_at, listed)
