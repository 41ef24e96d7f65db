"""The statements on what the runs of each profile taught.

They run on a connection in a transaction, as those of ``mutations`` and ``queries`` do.
"""

import sqlite3
from collections.abc import Collection

from progress_sse.core.history import MAX_PROFILES, Cell, History, Lesson
from progress_sse.store.health import DamageLog
from progress_sse.store.histories import MAX_STORED_CELLS, is_count_of_cell


def teach(connection: sqlite3.Connection, lesson: Lesson) -> None:
    """Add a lesson, and forget the profile that was taught last the longest ago if there are too many."""
    (taught,) = connection.execute("SELECT ifnull(max(taught), 0) + 1 FROM profiles").fetchone()
    profile, kept = connection.execute(
        "INSERT INTO profiles VALUES (NULL, ?, ?, 0) ON CONFLICT (name) DO UPDATE SET taught = excluded.taught"
        " RETURNING profile, cells_kept",
        (lesson.profile, taught),
    ).fetchone()
    for cell in lesson.cells:
        known = connection.execute(
            "UPDATE cells SET count = count + 1 WHERE profile = ? AND week = ? AND name = ? AND bucket = ?",
            (profile, *cell),
        ).rowcount
        if not known and kept < MAX_STORED_CELLS:
            connection.execute("INSERT INTO cells VALUES (?, ?, ?, ?, 1)", (profile, *cell))
            kept += 1
    connection.execute("UPDATE profiles SET cells_kept = ? WHERE profile = ?", (kept, profile))
    connection.execute(
        "DELETE FROM profiles WHERE taught <= (SELECT taught FROM profiles ORDER BY taught DESC LIMIT 1 OFFSET ?)",
        (MAX_PROFILES,),
    )


def load(connection: sqlite3.Connection, profile: str, damage: DamageLog) -> History:
    """Return how often each cell of a profile was taught, without damaged ones."""
    rows = connection.execute(
        "SELECT week, cells.name, bucket, count FROM profiles JOIN cells USING (profile) WHERE profiles.name = ?",
        (profile,),
    )
    history = {}
    for week, name, bucket, count in rows:
        cell = Cell(week, name, bucket)
        if is_count_of_cell(cell, count):
            history[cell] = count
        else:
            damage.record(profile, ValueError("what its runs taught has a cell that no run teaches"))
    return history


def forget(connection: sqlite3.Connection, profile: str, cells: Collection[Cell] | None) -> None:
    """Forget cells of a profile, or all of it; see `Histories.forget`."""
    if cells is None:
        connection.execute("DELETE FROM profiles WHERE name = ?", (profile,))
        return
    row = connection.execute("SELECT profile, cells_kept FROM profiles WHERE name = ?", (profile,)).fetchone()
    if row is None:
        return
    number, kept = row
    for cell in cells:
        kept -= connection.execute(
            "DELETE FROM cells WHERE profile = ? AND week = ? AND name = ? AND bucket = ?", (number, *cell)
        ).rowcount
    if kept:
        connection.execute("UPDATE profiles SET cells_kept = ? WHERE profile = ?", (kept, number))
    else:
        connection.execute("DELETE FROM profiles WHERE profile = ?", (number,))
