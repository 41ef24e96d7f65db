"""The tables of a store in SQLite.

They have one format. With another `VERSION` comes an upgrade from the one before, in one transaction: it belongs where
`DatabaseFile` creates the tables. Until then `DatabaseFile` refuses every file that has another number.

A row of `sessions` is one epoch of a session, numbered by the column `life`. All other rows about that epoch refer to
it and are deleted with it, so that nothing of a session which was removed or replaced can reach the next one of its id.
Ids are compared byte by byte as UTF-8, which is code point by code point.

A row of `steps` with the number 0 is what a session has besides its steps; a row of `log` with it is a transition of
the session and of none of its steps.

The values of `sessions`, `definitions`, `steps`, `notices` and `kept_values` are sealed, and rows of `log` and `lines`
have a checksum; see ``seals``. So a value that another program has written is found.

A row of `keyrings` is a session id on which idempotency keys were used, and outlives its sessions. So neither it nor
the rows of `keys` that refer to it hold a text that a client sent.

A row of `profiles` is a profile that runs have taught, and a row of `cells` is how often they taught one of its cells.

A row of `line_rings` is there from the first log line of a session on; its `keys` are those of
``store.log_lines.with_keys``.

A row of `notices` is a notice that waits to be sent, or is dead; it outlives its session.
"""

import sqlite3
from typing import Final

from progress_sse.core.session_filter import Label
from progress_sse.store.types import new_epoch

APPLICATION_ID: Final = 0x50534531
"""Marks the file as ours in its header ("PSE1"), for us and for ``file(1)``."""

VERSION: Final = 1
"""The format of the store, which is `user_version` in the file."""

DETAILS: Final = 0
"""The number of the row of `steps` that holds a session's details."""

SCHEMA: Final = (
    # `updated_at` has no index, since every transition would have to write it.
    """
    CREATE TABLE sessions (
        life INTEGER PRIMARY KEY,
        session_id TEXT NOT NULL UNIQUE,
        epoch TEXT NOT NULL,
        n INTEGER NOT NULL,
        state TEXT NOT NULL,
        current_step INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        listed BLOB NOT NULL,
        log_rows INTEGER NOT NULL,
        log_bytes INTEGER NOT NULL
    )
    """,
    "CREATE INDEX sessions_by_creation ON sessions (created_at, session_id)",
    # Written when the state changes, which few transitions do; see `mutations`.
    "CREATE INDEX sessions_by_state ON sessions (state, created_at, session_id)",
    # In their own table, because they can be large and never change.
    """
    CREATE TABLE definitions (
        life INTEGER PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
        data BLOB NOT NULL
    )
    """,
    # With rowids: else inner pages would hold data too, and a damaged step could hide those of other sessions.
    """
    CREATE TABLE steps (
        life INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        step INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (life, step)
    )
    """,
    # Stored in the order of arrival: concurrent sessions write to the same page, instead of several of their own each.
    """
    CREATE TABLE log (
        life INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        n INTEGER NOT NULL,
        step INTEGER NOT NULL,
        data BLOB NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (life, n)
    )
    """,
    """
    CREATE TABLE line_rings (
        life INTEGER PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
        last INTEGER NOT NULL,
        lines_kept INTEGER NOT NULL,
        bytes_kept INTEGER NOT NULL,
        keys TEXT NOT NULL
    )
    """,
    # Stored in the order of arrival, as the table `log`.
    """
    CREATE TABLE lines (
        life INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        n INTEGER NOT NULL,
        data BLOB NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (life, n)
    )
    """,
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
    # `mark` orders the ids whose session was removed; it is 0 while the session exists. See `mutations`.
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
    # `taught` orders the profiles by the run that taught them last; `cells_kept` counts their cells.
    """
    CREATE TABLE profiles (
        profile INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        taught INTEGER NOT NULL,
        cells_kept INTEGER NOT NULL
    )
    """,
    "CREATE INDEX profiles_by_lesson ON profiles (taught)",
    """
    CREATE TABLE cells (
        profile INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE,
        week INTEGER NOT NULL,
        name TEXT NOT NULL,
        bucket INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (profile, week, name, bucket)
    ) WITHOUT ROWID
    """,
    # In the order of the commits, and behind them what was dead and is tried again; see `outbox`.
    """
    CREATE TABLE notices (
        rank INTEGER PRIMARY KEY,
        notice_id TEXT NOT NULL UNIQUE,
        queue TEXT NOT NULL,
        lane TEXT NOT NULL,
        made_ms INTEGER NOT NULL,
        due_ms INTEGER NOT NULL,
        wait_ms INTEGER NOT NULL,
        tries INTEGER NOT NULL,
        first_try_ms INTEGER,
        is_dead INTEGER NOT NULL,
        size INTEGER NOT NULL,
        body BLOB NOT NULL
    )
    """,
    "CREATE TABLE queues_off (queue TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE kept_values (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
)

TABLES: Final = frozenset(name for _, kind, name, *_ in map(str.split, SCHEMA) if kind == "TABLE")
"""The names of the tables."""


def label_text(label: Label) -> str:
    """Return a label as its rows have it; the key has no colon."""
    return ":".join(label)


def create(connection: sqlite3.Connection) -> None:
    """Create the tables in an empty database."""
    # Still without a write-ahead log, so that the header of the file itself names its owner from the first moment.
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def renew_epochs(connection: sqlite3.Connection) -> None:
    """Give each session a new epoch at its present offset, and drop the transitions before that."""
    connection.create_function("new_epoch", 0, new_epoch)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM log")
    connection.execute("UPDATE sessions SET epoch = new_epoch(), log_rows = 0, log_bytes = 0")
    connection.execute("COMMIT")
