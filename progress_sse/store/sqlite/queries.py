"""The statements that read.

They run on a connection in a transaction. None knows of threads, files or the event loop, and none catches an error of
SQLite.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence

from progress_sse.core.details import NO_DETAILS
from progress_sse.core.model import Position, Session, SessionProgress, SessionStatus
from progress_sse.core.session_filter import STATES
from progress_sse.store.health import UNREADABLE, DamageLog
from progress_sse.store.seals import checked_position, checksum, header, unsealed
from progress_sse.store.sqlite.schema import DETAILS
from progress_sse.store.types import LogEntry, Record, RememberedKey, checked_key, fingerprint
from progress_sse.wire import details_json, session_json


def count_sessions(connection: sqlite3.Connection) -> int:
    """Return how many sessions there are."""
    count: int = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
    return count


def count_by_status(connection: sqlite3.Connection) -> Mapping[SessionStatus, int]:
    """Return how many sessions there are of each status."""
    counts = Counter[SessionStatus]()
    for state, count in connection.execute("SELECT state, count(*) FROM sessions GROUP BY state"):
        if state in STATES:
            counts[STATES[state][0]] += count
    return counts


def load(connection: sqlite3.Connection, session_id: str) -> Record | None:
    """Return the session, or `None`."""
    row = connection.execute(
        "SELECT life, epoch, n, state, current_step, created_at, updated_at, listed, data"
        " FROM sessions LEFT JOIN definitions USING (life) WHERE session_id = ?",
        (session_id,),
    ).fetchone()
    if row is None:
        return None
    life, epoch, n, state, current_step, created_at, updated_at, listed, definitions = row
    unsealed(listed, session_id, header(n, state, current_step, created_at, updated_at))
    status, _ = STATES[state]
    defined = session_json.decode_definitions(unsealed(definitions, session_id, "definitions"))
    rows = connection.execute("SELECT step, data FROM steps WHERE life = ? ORDER BY step", (life,))
    sealed_steps = {number: unsealed(data, session_id, number) for number, data in rows}
    stored = sealed_steps.pop(DETAILS, None)
    details = NO_DETAILS if stored is None else details_json.decode_details(stored)
    steps = {number: session_json.decode_step(data) for number, data in sealed_steps.items()}
    progress = SessionProgress(session_id, current_step, len(defined), status, steps, created_at, updated_at, details)
    return Record(Session(progress, defined), checked_position(epoch, n))


def list_leased(connection: sqlite3.Connection) -> Sequence[str]:
    """Return the sessions in which a worker may hold a lease; those with damaged details are left out."""
    # Nearly all sessions have no such row, and looking that up is faster than reading all steps.
    stored = connection.execute(
        "SELECT session_id, data FROM sessions CROSS JOIN steps ON steps.life = sessions.life AND step = ?", (DETAILS,)
    )
    return [session_id for session_id, data in stored if _has_leases(session_id, data)]


def _has_leases(session_id: str, details: bytes) -> bool:
    try:
        claims = details_json.decode_details(unsealed(details, session_id, DETAILS)).claims
    except UNREADABLE:
        return False
    return any(claim.lease_ms is not None for claim in claims.values())


def find_idempotency_key(connection: sqlite3.Connection, session_id: str, name: str) -> RememberedKey | None:
    """Return the last use of an idempotency key, or `None`."""
    row = connection.execute(
        "SELECT name, digest, answer, epoch, keys.used_at FROM keyrings JOIN keys USING (keyring)"
        " WHERE owner = ? AND name = ?",
        (fingerprint(session_id), name),
    ).fetchone()
    return checked_key(RememberedKey(*row)) if row else None


def list_stale_keyrings(connection: sqlite3.Connection, used_before: str, limit: int, after: int) -> Sequence[int]:
    """Return a page of the keyrings that were last used before the time stamp, after the keyring `after`."""
    rows = connection.execute(
        "SELECT keyring FROM keyrings WHERE keyring > ? AND used_at < ? ORDER BY keyring LIMIT ?",
        (after, used_before, limit),
    )
    return [keyring for (keyring,) in rows]


def replay(
    connection: sqlite3.Connection, session_id: str, after: Position, damage: DamageLog
) -> Sequence[LogEntry] | None:
    """Return the transitions after the position; `None` if it is of another epoch, or some are not kept or damaged."""
    stored = connection.execute(
        "SELECT life, n FROM sessions WHERE session_id = ? AND epoch = ?", (session_id, after.epoch)
    ).fetchone()
    if stored is None or after.offset > stored[1]:
        return None
    rows = connection.execute(
        "SELECT n, step, data, checksum FROM log WHERE life = ? AND n > ? ORDER BY n", (stored[0], after.offset)
    )
    entries = []
    for n, step, data, expected in rows:
        if not isinstance(data, bytes) or checksum(data, session_id, f"{n} {step}") != expected:
            damage.record(session_id, ValueError("a transition has another checksum"))
            return None
        entries.append(LogEntry(n, step, data))
    return entries if len(entries) == stored[1] - after.offset else None
