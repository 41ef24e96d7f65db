"""Sessions as rows of SQLite: the tables, and the statements that read and write them.

Every function works on a connection that it is handed, within whatever transaction that is in; none knows of threads,
files or the event loop, and none catches an error of SQLite.

A row of `sessions` is one *life* of a session. Whatever else is kept of it hangs on that life and goes with it, so that
nothing of a session which was removed or replaced can reach the next one of its id. Ids are compared byte by byte as
UTF-8, which is code point by code point.

A row of `keyrings` is a session id on which idempotency keys were used, and outlives its sessions; so neither it nor
what hangs on it holds a text that a client sent.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from progress_sse.core.errors import ConflictError, StoreFullError
from progress_sse.core.model import Position, Session, SessionProgress, SessionStatus
from progress_sse.store.types import (
    Change,
    LogEntry,
    PageCursor,
    Record,
    RememberedKey,
    SessionSummary,
    StorageLimits,
    fingerprint,
    new_epoch,
)
from progress_sse.wire import session_json

SCHEMA_VERSION: Final = 3

_KEY_TABLES: Final = (
    # `mark` orders the ids whose session was removed; it is 0 while there is one. See `_orphan`.
    """
    CREATE TABLE keyrings (
        keyring INTEGER PRIMARY KEY,
        owner TEXT NOT NULL UNIQUE,
        newest_rank INTEGER NOT NULL,
        keys_kept INTEGER NOT NULL,
        used_at TEXT NOT NULL,
        mark INTEGER NOT NULL
    )
    """,
    "CREATE INDEX keyrings_by_mark ON keyrings (mark) WHERE mark > 0",
    """
    CREATE TABLE keys (
        keyring INTEGER NOT NULL REFERENCES keyrings ON DELETE CASCADE,
        rank INTEGER NOT NULL,
        name TEXT NOT NULL,
        digest TEXT NOT NULL,
        answer TEXT NOT NULL,
        epoch TEXT NOT NULL,
        used_at TEXT NOT NULL,
        PRIMARY KEY (keyring, rank),
        UNIQUE (keyring, name)
    ) WITHOUT ROWID
    """,
)

SCHEMA: Final = (
    # `updated_at` and `status` have no index: it would have to be written with every transition.
    """
    CREATE TABLE sessions (
        life INTEGER PRIMARY KEY,
        session_id TEXT NOT NULL UNIQUE,
        epoch TEXT NOT NULL,
        n INTEGER NOT NULL,
        status TEXT NOT NULL,
        current_step INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        listed BLOB NOT NULL,
        log_rows INTEGER NOT NULL,
        log_bytes INTEGER NOT NULL
    )
    """,
    "CREATE INDEX sessions_by_creation ON sessions (created_at, session_id)",
    # In a table of their own because they can be large and never change.
    """
    CREATE TABLE definitions (
        life INTEGER PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
        data BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE steps (
        life INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        step INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (life, step)
    ) WITHOUT ROWID
    """,
    # In the order of arrival: rows of many sessions at once share a page, where each would dirty several of its own.
    """
    CREATE TABLE log (
        life INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        n INTEGER NOT NULL,
        step INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (life, n)
    )
    """,
    *_KEY_TABLES,
)

_UPGRADE: Final = (
    "ALTER TABLE keys RENAME TO former_keys",
    *_KEY_TABLES,
    "INSERT INTO keyrings SELECT life, fingerprint(session_id), max(rank), count(*), max(used_at), 0"
    " FROM former_keys JOIN sessions USING (life) GROUP BY life",
    "INSERT INTO keys SELECT life, rank, fingerprint(session_id || '/' || key), fingerprint(key || ' ' || digest),"
    " answer, epoch, used_at FROM former_keys JOIN sessions USING (life)",
    "DROP TABLE former_keys",
    "ALTER TABLE sessions DROP COLUMN keys_kept",
    "ALTER TABLE sessions DROP COLUMN keys_used",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

_FORMER_TABLES: Final = frozenset({"sessions", "definitions", "steps", "log", "keys"})

TABLES: Final = {SCHEMA_VERSION - 1: _FORMER_TABLES, SCHEMA_VERSION: _FORMER_TABLES | {"keyrings"}}
"""The tables of each format that can be used; see `upgrade`."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A change with its rows encoded, so that what remains to be done is SQL alone.

    Attributes:
        stale: Keyrings to let go of, as long as they have not been used again.
        used_before: The time stamp after which they must not have been used.
    """

    change: Change
    header: tuple[int, str, int, str, bytes] | None = None
    definitions: bytes = b""
    steps: tuple[tuple[int, bytes], ...] = ()
    stale: Sequence[int] = ()
    used_before: str = ""

    @classmethod
    def forgetting(cls, stale: Sequence[int], used_before: str) -> "Draft":
        """Return what lets go of keyrings, and changes no session: none has the empty id."""
        return cls(Change("", None, None), stale=stale, used_before=used_before)

    @classmethod
    def of(cls, change: Change) -> "Draft":
        """Encode what `change` says of the session and of the steps that its entries name."""
        record = change.record
        if record is None:
            return cls(change)
        session, progress = record.session, record.session.progress
        is_new = change.is_fresh or change.expected is None
        steps, summary = {}, None
        for entry in change.entries:
            steps[entry.step], summary = session_json.split_transition(entry.data)
        listed = session_json.encode_listed(session, summary)
        return cls(
            change,
            (record.position.offset, progress.status, progress.current_step, progress.updated_at, listed),
            session_json.encode_definitions(session.definitions) if is_new else b"",
            tuple(steps.items()),
        )


@dataclass(slots=True)
class _Life:
    """What a row of `sessions` says of the rows that hang on it."""

    life: int
    log_rows: int = 0
    log_bytes: int = 0


def write(connection: sqlite3.Connection, draft: Draft, limits: StorageLimits, *, has_room: bool) -> int:
    """Apply a change, and return by how many sessions there are more (or fewer, if negative) than before.

    Args:
        connection: In a transaction that can write.
        draft: The change.
        limits: How much is kept of the session's log, of the keys of its id, and of those of ids without a session.
        has_room: Whether there may be one session more.

    Raises:
        ConflictError: The session, or one of its keys, is not as the change expects it; nothing was written.
        StoreFullError: The session is new and there is no room for it; nothing was written.
    """
    change = draft.change
    stored = connection.execute(
        "SELECT epoch, n, life, log_rows, log_bytes FROM sessions WHERE session_id = ?",
        (change.session_id,),
    ).fetchone()
    if (Position(*stored[:2]) if stored else None) != change.expected:
        raise ConflictError
    for key in change.keys:
        used = find_idempotency_key(connection, change.session_id, key.name)
        if (used.used_at if used else "") != key.former_use:
            raise ConflictError
    if change.record is not None and stored is None and not has_room:
        raise StoreFullError
    life = _Life(*stored[2:]) if stored else None
    if life is not None and (change.record is None or change.is_fresh):
        connection.execute("DELETE FROM sessions WHERE life = ?", (life.life,))
        life = None
    if change.record is not None:
        _keep(connection, draft, life or _born(connection, draft, change.record), limits)
    _remember(connection, change, limits)
    if change.record is None:
        _orphan(connection, change.session_id, limits)
    elif stored is None:
        connection.execute("UPDATE keyrings SET mark = 0 WHERE owner = ?", (fingerprint(change.session_id),))
    _forget(connection, draft)
    return (change.record is not None) - (stored is not None)


def _born(connection: sqlite3.Connection, draft: Draft, record: Record) -> _Life:
    progress, epoch = record.session.progress, record.position.epoch
    cursor = connection.execute(
        "INSERT INTO sessions VALUES (NULL, ?, ?, 0, '', 0, ?, '', x'', 0, 0)",
        (progress.session_id, epoch, progress.created_at),
    )
    assert cursor.lastrowid is not None
    connection.execute("INSERT INTO definitions VALUES (?, ?)", (cursor.lastrowid, draft.definitions))
    return _Life(cursor.lastrowid)


def _keep(connection: sqlite3.Connection, draft: Draft, life: _Life, limits: StorageLimits) -> None:
    for step in draft.steps:
        connection.execute(
            "INSERT INTO steps VALUES (?, ?, ?) ON CONFLICT (life, step) DO UPDATE SET data = excluded.data",
            (life.life, *step),
        )
    _append(connection, life, draft.change.entries, limits)
    assert draft.header is not None
    connection.execute(
        "UPDATE sessions SET n = ?, status = ?, current_step = ?, updated_at = ?, listed = ?,"
        " log_rows = ?, log_bytes = ? WHERE life = ?",
        (*draft.header, life.log_rows, life.log_bytes, life.life),
    )


def _append(connection: sqlite3.Connection, life: _Life, entries: Sequence[LogEntry], limits: StorageLimits) -> None:
    for entry in entries:
        connection.execute("INSERT INTO log VALUES (?, ?, ?, ?)", (life.life, entry.offset, entry.step, entry.data))
        life.log_rows += 1
        life.log_bytes += len(entry.data)
    if life.log_rows > limits.history or life.log_bytes > limits.history_bytes:
        _trim(connection, life, limits)


def _trim(connection: sqlite3.Connection, life: _Life, limits: StorageLimits) -> None:
    last = 0
    oldest = connection.execute("SELECT n, length(data) FROM log WHERE life = ? ORDER BY n", (life.life,))
    while life.log_rows > limits.history or life.log_bytes > limits.history_bytes:
        last, size = oldest.fetchone()
        life.log_rows -= 1
        life.log_bytes -= size
    oldest.close()
    connection.execute("DELETE FROM log WHERE life = ? AND n <= ?", (life.life, last))


def _remember(connection: sqlite3.Connection, change: Change, limits: StorageLimits) -> None:
    if not change.keys:
        return
    owner, used_at = fingerprint(change.session_id), change.keys[-1].used_at
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


def _orphan(connection: sqlite3.Connection, session_id: str, limits: StorageLimits) -> None:
    """Keep the keys of an id whose session was removed, in place of those before which so many were left since.

    Marks add up: between two of them lie as many keys as were left meanwhile.
    """
    (mark,) = connection.execute("SELECT ifnull(max(mark), 0) FROM keyrings WHERE mark > 0").fetchone()
    marked = connection.execute(
        "UPDATE keyrings SET mark = ? + keys_kept WHERE owner = ? RETURNING mark", (mark, fingerprint(session_id))
    ).fetchone()
    if marked is not None:
        connection.execute("DELETE FROM keyrings WHERE mark > 0 AND mark <= ?", (marked[0] - limits.orphaned_keys,))


def _forget(connection: sqlite3.Connection, draft: Draft) -> None:
    for keyring in draft.stale:
        connection.execute("DELETE FROM keyrings WHERE keyring = ? AND used_at < ?", (keyring, draft.used_before))


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a store of the format before this one up to date, all of it or nothing."""
    if connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,):
        return
    connection.create_function("fingerprint", 1, fingerprint)
    connection.execute("PRAGMA secure_delete = ON")  # It held keys as they came.
    connection.execute("BEGIN IMMEDIATE")
    for statement in _UPGRADE:
        connection.execute(statement)
    connection.execute("COMMIT")


def renew_epochs(connection: sqlite3.Connection) -> None:
    """Give each session a new epoch where it is, and no transitions before that."""
    connection.create_function("new_epoch", 0, new_epoch)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM log")
    connection.execute("UPDATE sessions SET epoch = new_epoch(), log_rows = 0, log_bytes = 0")
    connection.execute("COMMIT")


def count_sessions(connection: sqlite3.Connection) -> int:
    """Return how many sessions there are."""
    count: int = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
    return count


def count_by_status(connection: sqlite3.Connection) -> Mapping[SessionStatus, int]:
    """Return how many sessions there are of each status."""
    return dict(connection.execute("SELECT status, count(*) FROM sessions GROUP BY status"))


def load(connection: sqlite3.Connection, session_id: str) -> Record | None:
    """Return the session, or `None`."""
    row = connection.execute(
        "SELECT life, epoch, n, status, current_step, created_at, updated_at, data"
        " FROM sessions JOIN definitions USING (life) WHERE session_id = ?",
        (session_id,),
    ).fetchone()
    if row is None:
        return None
    life, epoch, n, status, current_step, created_at, updated_at, definitions = row
    rows = connection.execute("SELECT data FROM steps WHERE life = ? ORDER BY step", (life,))
    steps = {step.step: step for step in (session_json.decode_step(data) for (data,) in rows)}
    defined = session_json.decode_definitions(definitions)
    progress = SessionProgress(session_id, current_step, len(defined), status, steps, created_at, updated_at)
    return Record(Session(progress, defined), Position(epoch, n))


def find_idempotency_key(connection: sqlite3.Connection, session_id: str, name: str) -> RememberedKey | None:
    """Return what is remembered of an idempotency key."""
    row = connection.execute(
        "SELECT name, digest, answer, epoch, keys.used_at FROM keyrings JOIN keys USING (keyring)"
        " WHERE owner = ? AND name = ?",
        (fingerprint(session_id), name),
    ).fetchone()
    return RememberedKey(*row) if row else None


def list_stale(connection: sqlite3.Connection, used_before: str, limit: int, after: int) -> Sequence[int]:
    """Return a page of the keyrings whose last use was before the time stamp, behind one of them."""
    rows = connection.execute(
        "SELECT keyring FROM keyrings WHERE keyring > ? AND used_at < ? ORDER BY keyring LIMIT ?",
        (after, used_before, limit),
    )
    return [keyring for (keyring,) in rows]


def replay(connection: sqlite3.Connection, session_id: str, after: Position) -> Sequence[LogEntry] | None:
    """Return the transitions after the position; `None` where it is of another life, or not all of them are kept."""
    stored = connection.execute(
        "SELECT life, n FROM sessions WHERE session_id = ? AND epoch = ?", (session_id, after.epoch)
    ).fetchone()
    if stored is None or after.offset > stored[1]:
        return None
    rows = connection.execute(
        "SELECT n, step, data FROM log WHERE life = ? AND n > ? ORDER BY n", (stored[0], after.offset)
    )
    entries = [LogEntry(*row) for row in rows]
    return entries if len(entries) == stored[1] - after.offset else None


def list_summaries(
    connection: sqlite3.Connection, status: SessionStatus | None, limit: int, after: PageCursor | None
) -> Sequence[SessionSummary]:
    """Return a page of sessions, newest first; see `Backend.list_summaries`."""
    behind = (after.created_at, after.session_id) if after else ("~", "")  # "~" sorts behind every time stamp
    rows = connection.execute(
        "SELECT session_id, status, created_at, updated_at, listed FROM sessions"
        " WHERE (created_at, session_id) < (?, ?) AND status = ifnull(?, status)"
        " ORDER BY created_at DESC, session_id DESC LIMIT ?",
        (*behind, status, limit),
    )
    return [SessionSummary(*row) for row in rows]


def list_old(
    connection: sqlite3.Connection, created_before: str, limit: int, after: PageCursor | None
) -> Sequence[tuple[SessionSummary, Position]]:
    """Return a page of the sessions that were created before the time stamp, oldest first, each with its position."""
    behind = (after.created_at, after.session_id) if after else ("", "")
    rows: Sequence[tuple[Any, ...]] = connection.execute(
        "SELECT session_id, status, created_at, updated_at, listed, epoch, n FROM sessions"
        " WHERE (created_at, session_id) > (?, ?) AND created_at < ? ORDER BY created_at, session_id LIMIT ?",
        (*behind, created_before, limit),
    ).fetchall()
    return [(SessionSummary(*row[:5]), Position(*row[5:])) for row in rows]
