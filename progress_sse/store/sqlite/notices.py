"""The statements on notices that wait or are dead, on a connection in a transaction."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from progress_sse.store.health import DamageLog
from progress_sse.store.outbox import Entry, Notice
from progress_sse.store.seals import sealed, unsealed


def insert(connection: sqlite3.Connection, notices: Iterable[Notice]) -> None:
    """Write the notices of a commit."""
    for notice_id, queue, lane, made_ms, body, _ in notices:
        connection.execute(
            "INSERT INTO notices VALUES (NULL, ?, ?, ?, ?, ?, 0, 0, NULL, 0, ?, ?) ON CONFLICT DO NOTHING",
            (notice_id, queue, lane, made_ms, made_ms, len(body), sealed(body, queue, notice_id)),
        )


Stored: TypeAlias = tuple[Sequence[Entry], Sequence[Entry], Sequence[str]]
"""What waits, what is dead, and the queues that are off."""


def stored(connection: sqlite3.Connection, notices: Iterable[Notice]) -> list[Notice]:
    """Return those of the notices that are stored."""
    query = "SELECT 1 FROM notices WHERE notice_id = ?"
    return [each for each in notices if connection.execute(query, (each.notice_id,)).fetchone()]


def load(connection: sqlite3.Connection) -> Stored:
    """Return what waits, what is dead, both in the order of the commits and without bodies, and the queues off."""
    waiting: list[Entry] = []
    dead: list[Entry] = []
    rows = connection.execute(
        "SELECT notice_id, queue, lane, made_ms, size, due_ms, wait_ms, tries, first_try_ms, is_dead"
        " FROM notices ORDER BY rank"
    )
    for notice_id, queue, lane, made_ms, *rest in rows:
        entry = Entry(Notice(notice_id, queue, lane, made_ms, b""), *rest)
        (dead if entry.is_dead else waiting).append(entry)
    return waiting, dead, [queue for (queue,) in connection.execute("SELECT queue FROM queues_off")]


def load_bodies(
    connection: sqlite3.Connection, queue: str, notice_ids: Iterable[str], damage: DamageLog
) -> Mapping[str, bytes]:
    """Return the bodies of those notices that are whole."""
    bodies = {}
    for notice_id in notice_ids:
        row = connection.execute("SELECT body FROM notices WHERE notice_id = ?", (notice_id,)).fetchone()
        try:
            bodies[notice_id] = unsealed(row and row[0], queue, notice_id)
        except ValueError as error:
            damage.record(notice_id, error)
    return bodies


def store(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Store the state of notices; one that waits anew comes behind all others, as in memory."""
    for entry in entries:
        state = (entry.due_ms, entry.wait_ms, entry.tries, entry.first_try_ms, entry.is_dead)
        connection.execute(
            "UPDATE notices SET rank = CASE WHEN is_dead THEN 1 + (SELECT max(rank) FROM notices) ELSE rank END,"
            " due_ms = ?, wait_ms = ?, tries = ?, first_try_ms = ?, is_dead = ? WHERE notice_id = ?",
            (*state, entry.notice.notice_id),
        )


def delete(connection: sqlite3.Connection, notice_ids: Iterable[str]) -> None:
    """Delete notices."""
    connection.executemany("DELETE FROM notices WHERE notice_id = ?", ((each,) for each in notice_ids))


def turn(connection: sqlite3.Connection, queue: str, *, is_on: bool) -> None:
    """Turn a queue off, or on again."""
    statement = "DELETE FROM queues_off WHERE queue = ?" if is_on else "INSERT OR IGNORE INTO queues_off VALUES (?)"
    connection.execute(statement, (queue,))


def keep(connection: sqlite3.Connection, name: str, value: bytes) -> None:
    """Keep a value under a name, unless there is one."""
    connection.execute("INSERT OR IGNORE INTO kept_values VALUES (?, ?)", (name, sealed(value, "", name)))


def load_kept(connection: sqlite3.Connection, name: str) -> bytes:
    """Return the value that is kept under a name."""
    (value,) = connection.execute("SELECT value FROM kept_values WHERE name = ?", (name,)).fetchone()
    return unsealed(value, "", name)
