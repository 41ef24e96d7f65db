"""The statements on notices that wait or are dead, on a connection in a transaction."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from progress_sse.store.health import DamageLog
from progress_sse.store.outbox import Entry, Later, Notice
from progress_sse.store.seals import sealed, unsealed


def insert(connection: sqlite3.Connection, notices: Iterable[Notice]) -> None:
    """Write the notices of a commit."""
    for notice_id, queue, lane, made_ms, body in notices:
        connection.execute(
            "INSERT INTO notices VALUES (NULL, ?, ?, ?, ?, ?, 0, 0, NULL, 0, ?, ?) ON CONFLICT DO NOTHING",
            (notice_id, queue, lane, made_ms, made_ms, len(body), sealed(body, queue, notice_id)),
        )


class Stored(NamedTuple):
    """What a file has: the notices that wait, those that are dead, and the queues that are off."""

    waiting: Sequence[Entry] = ()
    dead: Sequence[Entry] = ()
    off: Sequence[str] = ()


def load(connection: sqlite3.Connection, _what: str) -> Stored:
    """Return all that is stored, in the order of the commits, without the bodies."""
    waiting, dead = list[Entry](), list[Entry]()
    rows = connection.execute(
        "SELECT notice_id, queue, lane, made_ms, due_ms, wait_ms, tries, first_try_ms, is_dead, size"
        " FROM notices ORDER BY rank"
    )
    for notice_id, queue, lane, made_ms, due_ms, wait_ms, tries, first_try_ms, is_dead, size in rows:
        notice = Notice(notice_id, queue, lane, made_ms, b"")
        (dead if is_dead else waiting).append(Entry(notice, size, due_ms, wait_ms, tries, first_try_ms))
    off = [queue for (queue,) in connection.execute("SELECT queue FROM queues_off")]
    return Stored(waiting, dead, off)


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


def delete(connection: sqlite3.Connection, notice_ids: Iterable[str]) -> None:
    """Remove notices."""
    connection.executemany("DELETE FROM notices WHERE notice_id = ?", ((each,) for each in notice_ids))


def put_off(connection: sqlite3.Connection, notice_id: str, due_ms: int, later: Later) -> None:
    """Note when a notice is to be tried again."""
    connection.execute(
        "UPDATE notices SET due_ms = ?, wait_ms = ?, tries = ?, first_try_ms = ? WHERE notice_id = ?",
        (due_ms, *later, notice_id),
    )


def bury(connection: sqlite3.Connection, notice_id: str) -> None:
    """Note that a notice is dead."""
    connection.execute("UPDATE notices SET is_dead = 1 WHERE notice_id = ?", (notice_id,))


def revive(connection: sqlite3.Connection, queue: str, notice_id: str | None, now_ms: int) -> None:
    """Let dead notices of a queue wait again, behind all that wait."""
    connection.execute(
        "UPDATE notices SET is_dead = 0, due_ms = ?, wait_ms = 0, tries = 0, first_try_ms = NULL,"
        " rank = rank + (SELECT max(rank) FROM notices)"
        " WHERE is_dead AND queue = ? AND ifnull(notice_id = ?, 1)",
        (now_ms, queue, notice_id),
    )


def turn(connection: sqlite3.Connection, queue: str, *, is_on: bool) -> None:
    """Turn a queue off, or on again."""
    """Let dead notices of a queue wait again, behind all that wait."""
    """Note that a notice is dead."""
    """Note when a notice is to be tried again."""
    """Remove notices."""
    statement = "DELETE FROM queues_off WHERE queue = ?" if is_on else "INSERT OR IGNORE INTO queues_off VALUES (?)"
    connection.execute(statement, (queue,))
