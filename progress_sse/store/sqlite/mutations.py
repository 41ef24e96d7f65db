"""The statements that apply a change.

They run on a connection in a transaction. None knows of threads, files or the event loop, and none catches an error of
SQLite.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from progress_sse.core.errors import ConflictError, StoreFullError
from progress_sse.core.model import Position
from progress_sse.store.seals import checksum
from progress_sse.store.sqlite import histories, log_lines, notices
from progress_sse.store.sqlite.encoded_change import EncodedChange
from progress_sse.store.sqlite.queries import find_idempotency_key
from progress_sse.store.types import ANY_USE, Change, Record, StorageLimits, fingerprint

_TABLES_OF_LIVES: Final = ("definitions", "steps", "log", "lines", "line_rings", "labels")

MAX_ROWS: Final = 10_000
"""Sessions whose row the writer remembers; each takes about 300 bytes."""


@dataclass(slots=True)
class _SessionRow:
    """The columns of a row of `sessions` that the next change needs, and the session's labels, once they are known."""

    epoch: str
    offset: int
    life: int
    state: str = ""
    log_rows: int = 0
    log_bytes: int = 0
    labels: frozenset[str] | None = None


class SessionRows(dict[str, _SessionRow]):
    """The rows of the sessions that changed last, so that a change need not read the row that it changes.

    Only one process uses the file, so a row stays true until the next change of its session.
    """

    def find(self, connection: sqlite3.Connection, session_id: str) -> _SessionRow | None:
        """Return the session's row; `None` if there is no such session."""
        row = self.get(session_id)
        if row is None:
            stored = connection.execute(
                "SELECT epoch, n, life, state, log_rows, log_bytes FROM sessions WHERE session_id = ?", (session_id,)
            ).fetchone()
            row = _SessionRow(*stored) if stored else None
        return row

    def keep(self, session_id: str, row: _SessionRow) -> None:
        """Remember the row, and forget the one that was read first if there are too many."""
        self[session_id] = row
        if len(self) > MAX_ROWS:
            del self[next(iter(self))]


def write(
    connection: sqlite3.Connection, rows: SessionRows, encoded: EncodedChange, limits: StorageLimits, *, has_room: bool
) -> int:
    """Apply a change, and return the difference that it makes to the number of sessions.

    Args:
        connection: In a transaction that can write.
        rows: What is known of the sessions; to be cleared if the transaction is rolled back.
        encoded: The change; its `appended` is set if it has lines.
        limits: How much is kept of the session's log, of the keys of its id, and of the keys of removed sessions.
        has_room: Whether one more session may be created.

    Raises:
        ConflictError: The session, or one of its keys, is not as the change expects it; nothing was written.
        StoreFullError: The session is new and there is no room for it; nothing was written.
    """
    change = encoded.change
    row = stored = rows.find(connection, change.session_id)
    _check(connection, stored, change)
    if change.record is not None and stored is None and not has_room:
        raise StoreFullError
    if row is not None and (change.record is None or change.is_fresh):
        connection.execute("DELETE FROM sessions WHERE life = ?", (row.life,))
        rows.pop(change.session_id, None)
        row = None
    if change.record is not None:
        row = row or _insert_session(connection, encoded, change.record)
        if encoded.header is not None:
            _update_session(connection, encoded, row, limits)
        if change.lines:
            encoded.appended = log_lines.append(connection, row.life, row.epoch, change, limits)
        rows.keep(change.session_id, row)
    if change.keys:
        _store_keys(connection, change, limits)
    if change.record is None or stored is None:
        _mark_keys(connection, change, limits)
    if change.lesson is not None:
        histories.teach(connection, change.lesson)
    if change.notices:
        notices.insert(connection, change.notices)
    return (change.record is not None) - (stored is not None)


def _check(connection: sqlite3.Connection, stored: _SessionRow | None, change: Change) -> None:
    if (Position(stored.epoch, stored.offset) if stored else None) != change.expected:
        raise ConflictError
    for key in change.keys:
        used = find_idempotency_key(connection, change.session_id, key.name)
        if key.former_use not in (ANY_USE, used.used_at if used else ""):
            raise ConflictError
    if change.line_keys and stored is not None and not change.is_fresh:
        log_lines.check_keys(connection, stored.life, change)


def _insert_session(connection: sqlite3.Connection, encoded: EncodedChange, record: Record) -> _SessionRow:
    progress = record.session.progress
    epoch = record.position.epoch
    cursor = connection.execute(
        "INSERT INTO sessions VALUES (NULL, ?, ?, 0, '', 0, ?, '', x'', 0, 0)",
        (progress.session_id, epoch, progress.created_at),
    )
    assert cursor.lastrowid is not None
    for table in _TABLES_OF_LIVES:  # Another program may have given the number to rows of another session.
        connection.execute(f"DELETE FROM {table} WHERE life = ?", (cursor.lastrowid,))  # noqa: S608
    connection.execute("INSERT INTO definitions VALUES (?, ?)", (cursor.lastrowid, encoded.definitions))
    return _SessionRow(epoch, 0, cursor.lastrowid, labels=frozenset())


def _update_session(
    connection: sqlite3.Connection, encoded: EncodedChange, row: _SessionRow, limits: StorageLimits
) -> None:
    if encoded.change.has_new_definitions:
        connection.execute("UPDATE definitions SET data = ? WHERE life = ?", (encoded.definitions, row.life))
    for step in encoded.steps:
        connection.execute(
            "INSERT INTO steps VALUES (?, ?, ?) ON CONFLICT (life, step) DO UPDATE SET data = excluded.data",
            (row.life, *step),
        )
    if encoded.change.resets_log:
        connection.execute("DELETE FROM log WHERE life = ?", (row.life,))
        row.log_rows = row.log_bytes = 0
    _append_to_log(connection, row, encoded.change, limits)
    assert encoded.header is not None
    row.offset, state, *header = encoded.header
    updated = connection.execute(
        "UPDATE sessions SET n = ?, current_step = ?, updated_at = ?, listed = ?,"
        " log_rows = ?, log_bytes = ? WHERE life = ? AND session_id = ?",
        (row.offset, *header, row.log_rows, row.log_bytes, row.life, encoded.change.session_id),
    )
    if updated.rowcount != 1:
        raise sqlite3.IntegrityError("another program has removed a session")
    if state != row.state:  # Else its index would be written with each change.
        connection.execute("UPDATE sessions SET state = ? WHERE life = ?", (state, row.life))
        row.state = state
    if encoded.labels is not None:
        _update_labels(connection, row, encoded.labels)


def _update_labels(connection: sqlite3.Connection, row: _SessionRow, labels: frozenset[str]) -> None:
    before = row.labels
    if before is None:
        stored = connection.execute("SELECT label FROM labels WHERE life = ?", (row.life,))
        before = frozenset(label for (label,) in stored)
    for label in before - labels:
        connection.execute("DELETE FROM labels WHERE life = ? AND label = ?", (row.life, label))
    for label in labels - before:
        connection.execute(
            "INSERT INTO labels SELECT ?, created_at, session_id, life FROM sessions WHERE life = ?", (label, row.life)
        )
    row.labels = labels


def _append_to_log(connection: sqlite3.Connection, row: _SessionRow, change: Change, limits: StorageLimits) -> None:
    for entry in change.entries:
        seal = checksum(entry.data, change.session_id, f"{entry.offset} {entry.step}")
        connection.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?)", (row.life, *entry, seal))
        row.log_rows += 1
        row.log_bytes += len(entry.data)
    if row.log_rows > limits.history or row.log_bytes > limits.history_bytes:
        row.log_rows, row.log_bytes = log_lines.trim(
            connection, "log", row.life, row.log_rows, row.log_bytes, limits.history, limits.history_bytes
        )


def _store_keys(connection: sqlite3.Connection, change: Change, limits: StorageLimits) -> None:
    """Store the keys of a change, at least one, and delete the oldest of its session id beyond the limit."""
    owner = fingerprint(change.session_id)
    used_at = change.keys[-1].used_at
    connection.execute("INSERT INTO keyrings VALUES (NULL, ?, 0, 0, ?, 0) ON CONFLICT DO NOTHING", (owner, used_at))
    keyring, rank, kept = connection.execute(
        "SELECT keyring, newest_rank, keys_kept FROM keyrings WHERE owner = ?", (owner,)
    ).fetchone()
    for key in change.keys:
        again = connection.execute("DELETE FROM keys WHERE keyring = ? AND name = ?", (keyring, key.name)).rowcount
        rank += 1
        kept += 1 - again
        connection.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            (keyring, rank, key.name, key.digest, key.answer, key.epoch, key.used_at),
        )
    surplus = kept - limits.history
    if surplus > 0:
        connection.execute(
            "DELETE FROM keys WHERE keyring = ?"
            " AND rank IN (SELECT rank FROM keys WHERE keyring = ? ORDER BY rank LIMIT ?)",
            (keyring, keyring, surplus),
        )
        kept = limits.history
    connection.execute(
        "UPDATE keyrings SET newest_rank = ?, keys_kept = ?, used_at = ? WHERE keyring = ?",
        (rank, kept, used_at, keyring),
    )


def _mark_keys(connection: sqlite3.Connection, change: Change, limits: StorageLimits) -> None:
    """Mark the keys of an id whose session was removed; remove the mark where one was created."""
    if change.record is None:
        _orphan_keys(connection, change.session_id, limits)
    else:
        connection.execute("UPDATE keyrings SET mark = 0 WHERE owner = ?", (fingerprint(change.session_id),))


def _orphan_keys(connection: sqlite3.Connection, session_id: str, limits: StorageLimits) -> None:
    """Mark the keys of an id whose session was removed, and delete the oldest such keys beyond the limit.

    A mark counts up by the number of keys. So the difference of two marks is the number of keys orphaned in between.
    """
    (mark,) = connection.execute("SELECT ifnull(max(mark), 0) FROM keyrings WHERE mark > 0").fetchone()
    marked = connection.execute(
        "UPDATE keyrings SET mark = ? + keys_kept WHERE owner = ? RETURNING mark", (mark, fingerprint(session_id))
    ).fetchone()
    if marked is not None:
        connection.execute("DELETE FROM keyrings WHERE mark > 0 AND mark <= ?", (marked[0] - limits.orphaned_keys,))


def delete_stale_keys(connection: sqlite3.Connection, keyrings: Sequence[int], used_before: str) -> None:
    """Delete keyrings, unless a key of theirs was used again since the time stamp."""
    for keyring in keyrings:
        connection.execute("DELETE FROM keyrings WHERE keyring = ? AND used_at < ?", (keyring, used_before))
