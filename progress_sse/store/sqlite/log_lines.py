"""The statements that append and read log lines.

They run on a connection in a transaction, as those of ``mutations`` and ``queries`` do.
"""

import sqlite3
from typing import NamedTuple

from progress_sse.store.health import DamageLog
from progress_sse.store.log_lines import StoredLines, find_digest, with_keys
from progress_sse.store.seals import checked_position, checksum
from progress_sse.store.types import Change, StorageLimits
from progress_sse.wire.log_lines_json import NumberedLine


class _Ring(NamedTuple):
    """The columns of a row of `line_rings`."""

    last: int = 0
    lines_kept: int = 0
    bytes_kept: int = 0
    keys: str = ""


def check_keys(connection: sqlite3.Connection, life: int, change: Change) -> None:
    """Check that the keys of a change's lines are unknown.

    Raises:
        ConflictError: One of them is known.
    """
    with_keys(_find_ring(connection, life).keys, change.line_keys)


def append(connection: sqlite3.Connection, life: int, epoch: str, change: Change, limits: StorageLimits) -> StoredLines:
    """Append the lines of a change, and trim the log to its newest ones."""
    ring = _find_ring(connection, life)
    lines = [NumberedLine(n, each) for n, each in enumerate(change.lines, ring.last + 1)]
    rows_of_lines = [(life, *line, checksum(line.data, change.session_id, line.n)) for line in lines]
    connection.executemany("INSERT INTO lines VALUES (?, ?, ?, ?)", rows_of_lines)
    last = ring.last + len(lines)
    kept = ring.lines_kept + len(lines)
    size = ring.bytes_kept + sum(map(len, change.lines))
    kept, size = trim(connection, "lines", life, kept, size, limits.log_lines, limits.log_bytes)
    keys = with_keys(ring.keys, change.line_keys)
    connection.execute("REPLACE INTO line_rings VALUES (?, ?, ?, ?, ?)", (life, last, kept, size, keys))
    return StoredLines(epoch, last + 1 - kept, last, lines)


def _find_ring(connection: sqlite3.Connection, life: int) -> _Ring:
    row = connection.execute(
        "SELECT last, lines_kept, bytes_kept, keys FROM line_rings WHERE life = ?", (life,)
    ).fetchone()
    if row is None:
        return _Ring()
    *numbers, keys = row
    if not (all(type(each) is int and each >= 0 for each in numbers) and isinstance(keys, str)):
        raise ValueError("its log has no numbers")
    return _Ring(*row)


def trim(
    connection: sqlite3.Connection, table: str, life: int, rows: int, size: int, most_rows: int, most_bytes: int
) -> tuple[int, int]:
    """Delete the oldest rows of a log beyond the limits; return how many rows and bytes are left of its `size`."""
    if rows <= most_rows and size <= most_bytes:
        return rows, size
    last = 0
    oldest = connection.execute(f"SELECT n, length(data) FROM {table} WHERE life = ? ORDER BY n", (life,))  # noqa: S608
    while rows > most_rows or size > most_bytes:
        last, trimmed = oldest.fetchone()
        rows -= 1
        size -= trimmed
    oldest.close()
    connection.execute(f"DELETE FROM {table} WHERE life = ? AND n <= ?", (life, last))  # noqa: S608
    return rows, size


def load(connection: sqlite3.Connection, session_id: str, after: int, damage: DamageLog) -> StoredLines | None:
    """Return the kept lines after a number that are not damaged; see `Lines.read_lines`."""
    stored = connection.execute("SELECT life, epoch FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
    if stored is None:
        return None
    life, epoch = stored
    checked_position(epoch, 0)
    ring = _find_ring(connection, life)
    least = after if after >= 0 else ring.last + after
    rows = connection.execute("SELECT n, data, checksum FROM lines WHERE life = ? AND n > ? ORDER BY n", (life, least))
    lines = []
    for n, data, expected in rows:
        if isinstance(data, bytes) and checksum(data, session_id, n) == expected:
            lines.append(NumberedLine(n, data))
        else:
            damage.record(session_id, ValueError("a log line has another checksum"))
    return StoredLines(epoch, ring.last + 1 - ring.lines_kept, ring.last, lines)


def find_key(connection: sqlite3.Connection, session_id: str, name: str) -> str | None:
    """Return the digest of the request that brought lines under a key; see `Lines.find_line_key`."""
    row = connection.execute("SELECT life FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
    return None if row is None else find_digest(_find_ring(connection, *row).keys, name)
