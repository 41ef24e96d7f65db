"""The index by which the sessions of a label are found, in the order of a list.

Its statements run on a connection in a transaction, as those of ``mutations`` and ``queries`` do. A row is a label of a
session, and goes with the session.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from progress_sse.core.session_filter import Label

TABLES: Final = (
    """
    CREATE TABLE labels (
        label TEXT NOT NULL,
        created_at TEXT NOT NULL,
        session_id TEXT NOT NULL,
        life INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        PRIMARY KEY (label, created_at, session_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX labels_by_session ON labels (life)",
    # Written when the status changes, which few transitions do; see `mutations`.
    "CREATE INDEX sessions_by_status ON sessions (status, created_at, session_id)",
)


def text_of(label: Label) -> str:
    """Return a label as its rows have it; the key has no colon."""
    return ":".join(label)


def texts_of(labels: Mapping[str, str]) -> frozenset[str]:
    """Return the labels of a session as their rows have them."""
    return frozenset(map(text_of, labels.items()))


def load(connection: sqlite3.Connection, life: int) -> frozenset[str]:
    """Return the labels of a session that are in the index."""
    return frozenset(label for (label,) in connection.execute("SELECT label FROM labels WHERE life = ?", (life,)))


def remove(connection: sqlite3.Connection, life: int, labels: Iterable[str]) -> None:
    """Remove labels of a session."""
    connection.executemany("DELETE FROM labels WHERE life = ? AND label = ?", ((life, label) for label in labels))


def add(connection: sqlite3.Connection, life: int, labels: Iterable[str]) -> None:
    """Add labels of a session."""
    connection.executemany(
        "INSERT INTO labels SELECT ?, created_at, session_id, life FROM sessions WHERE life = ?",
        ((label, life) for label in labels),
    )
