"""Sessions in the memory of one process, lost when it ends."""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from progress_sse.core.errors import ConflictError, SignSeenError, StoreFullError
from progress_sse.core.model import Position
from progress_sse.store.histories import LocalHistories
from progress_sse.store.idempotency import removal
from progress_sse.store.leases import LocalLeases
from progress_sse.store.listeners import LocalTopics, N, Topic, Unsubscribe
from progress_sse.store.log_lines import StoredLines, find_digest, with_keys
from progress_sse.store.memory_index import MemoryIndex, summary_of
from progress_sse.store.outbox import LocalOutbox
from progress_sse.store.types import (
    ANY_USE,
    Change,
    LogEntry,
    Record,
    RememberedKey,
    SessionSummary,
    StorageLimits,
    fingerprint,
    to_notification,
)
from progress_sse.wire.log_lines_json import NumberedLine


@dataclass(slots=True)
class _StoredSession:
    record: Record
    log: deque[LogEntry] = field(default_factory=deque)
    log_bytes: int = 0
    ring: "_LineRing | None" = None

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
        """Store keys, at least one."""
        if self._limits.history:  # A ring is never empty.
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


class _LineRing:
    """The newest log lines of a session, and the keys that they came with."""

    __slots__ = ("_bytes", "_lines", "keys", "last")

    def __init__(self) -> None:
        self.last = 0
        self.keys = ""
        self._lines: deque[NumberedLine] = deque()
        self._bytes = 0

    def append(self, data: Sequence[bytes], limits: StorageLimits) -> Sequence[NumberedLine]:
        lines = [NumberedLine(n, each) for n, each in enumerate(data, self.last + 1)]
        self.last += len(lines)
        self._lines += lines
        self._bytes += sum(map(len, data))
        while len(self._lines) > limits.log_lines or self._bytes > limits.log_bytes:
            self._bytes -= len(self._lines.popleft().data)
        return lines

    def shown(self, epoch: str, lines: Sequence[NumberedLine]) -> StoredLines:
        """Return lines with the numbers of the oldest line that is kept and of the newest."""
        return StoredLines(epoch, self.last + 1 - len(self._lines), self.last, lines)

    def after(self, n: int) -> Sequence[NumberedLine]:
        least = n if n >= 0 else self.last + n
        return [line for line in self._lines if line.n > least]


class _Lines:
    def __init__(self, sessions: Mapping[str, _StoredSession]) -> None:
        self._sessions = sessions

    async def read_lines(self, session_id: str, after: int) -> StoredLines | None:
        stored = self._sessions.get(session_id)
        if stored is None:
            return None
        ring = stored.ring or _LineRing()
        return ring.shown(stored.record.position.epoch, ring.after(after))

    async def find_line_key(self, session_id: str, name: str) -> str | None:
        stored = self._sessions.get(session_id)
        return None if stored is None or stored.ring is None else find_digest(stored.ring.keys, name)


class MemoryBackend:
    """Keeps sessions in a dictionary; no method waits."""

    damage_count = 0

    def __init__(self, limits: StorageLimits) -> None:
        """Start empty, and keep as much as `limits` allow."""
        self._limits = limits
        self._topics = LocalTopics()
        self._set_up()

    def _set_up(self) -> None:
        self._sessions: dict[str, _StoredSession] = {}
        self._keyrings = _Keyrings(self._limits)
        self.lists = MemoryIndex(self._find)
        self.lines = _Lines(self._sessions)
        self.histories = LocalHistories()
        self.leases = LocalLeases()
        self.outbox = LocalOutbox()

    async def open(self) -> None:
        """Do nothing."""

    async def aclose(self) -> None:
        """Forget everything."""
        self._topics.clear()
        self._set_up()

    async def ping(self) -> None:
        """Return, since memory always works."""

    async def load(self, session_id: str) -> Record | None:
        """Return the session, or `None`."""
        stored = self._sessions.get(session_id)
        return None if stored is None else stored.record

    def _find(self, session_id: str) -> Record | None:
        stored = self._sessions.get(session_id)
        return stored.record if stored else None

    def cached_record(self, session_id: str) -> None:
        """Return `None`: `load` answers at once, with records that are certain."""

    async def commit(self, change: Change) -> None:
        """Apply the change; see `Backend.commit`."""
        stored = self._sessions.get(change.session_id)
        if (stored.record.position if stored else None) != change.expected:
            raise ConflictError
        if change.keys:
            self._check_keys(change)
        if change.line_keys and stored is not None and stored.ring is not None and not change.is_fresh:
            with_keys(stored.ring.keys, change.line_keys)
        if change.silence is not None and not self.leases.is_silent(change.session_id, change.silence):
            raise SignSeenError
        has_lines_alone = bool(change.lines) and change.has_lines_alone
        if not has_lines_alone:
            self._apply(change, stored)
        if change.signs or change.is_fresh or change.record is None:
            self.leases.on_commit(change)
        if change.notices:
            self.outbox.on_commit(change.notices)
        if not has_lines_alone:
            self._topics.publish(to_notification(change))
        if change.lines and change.record is not None:
            self._topics.publish_lines(change.session_id, self._append(change, change.record))

    def _check_keys(self, change: Change) -> None:
        for key in change.keys:
            used = self._keyrings.get(change.session_id, key.name)
            if key.former_use not in (ANY_USE, used.used_at if used else ""):
                raise ConflictError

    def _append(self, change: Change, record: Record) -> StoredLines:
        stored = self._sessions[change.session_id]
        ring = stored.ring = stored.ring or _LineRing()
        ring.keys = with_keys(ring.keys, change.line_keys)
        return ring.shown(record.position.epoch, ring.append(change.lines, self._limits))

    def _apply(self, change: Change, stored: _StoredSession | None) -> None:
        before = stored.record.session.progress if stored else None
        if change.record is None:
            self._sessions.pop(change.session_id, None)
        else:
            if stored is None and len(self._sessions) >= self._limits.max_sessions:
                raise StoreFullError
            if stored is None or change.is_fresh:
                stored = self._sessions[change.session_id] = _StoredSession(change.record)
                self._keyrings.adopt(change.session_id)
            stored.record = change.record
            stored.add(change, self._limits)
        self.lists.update(before, change.record.session.progress if change.record else None)
        if change.keys:
            self._keyrings.add(change.session_id, change.keys)
        if change.record is None:
            self._keyrings.orphan(change.session_id)
        if change.lesson is not None:
            self.histories.teach(change.lesson)

    async def find_idempotency_key(self, session_id: str, name: str) -> RememberedKey | None:
        """Return the last use of the key, or `None`."""
        return self._keyrings.get(session_id, name)

    async def forget_keys(self, used_before: str) -> None:
        """Delete old keys; see `Backend.forget_keys`."""
        self._keyrings.forget(used_before)

    async def replay(self, session_id: str, after: Position) -> Sequence[LogEntry] | None:
        """Return the transitions after the position; see `Backend.replay`."""
        stored = self._sessions.get(session_id)
        if stored is None or stored.record.position.epoch != after.epoch:
            return None
        missing = stored.record.position.offset - after.offset
        if not 0 <= missing <= len(stored.log):
            return None
        return [entry for entry in stored.log if entry.offset > after.offset]

    async def subscribe(self, topic: Topic[N], listener: Callable[[N], None]) -> Unsubscribe:
        """Notify `listener`; see `Backend.subscribe`."""
        return self._topics.subscribe(topic, listener)

    async def expire(self, created_before: str, should_remove: Callable[[SessionSummary], bool]) -> int:
        """Remove old sessions; see `Backend.expire`."""
        old = [self._sessions[session_id].record for session_id in self.lists.created_before(created_before)]
        removed = [record for record in old if should_remove(summary_of(record))]
        for record in removed:
            await self.commit(removal(record.session.progress.session_id, record.position))
        return len(removed)
