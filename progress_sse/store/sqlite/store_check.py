"""Whether a database holds a store that can be used; if not, it is left as it is, byte for byte."""

import sqlite3
import time
from typing import Final

from progress_sse.store.sqlite import schema
from progress_sse.store.sqlite.store_path import StorePath

CHECK_S: Final = 3.0
"""Seconds that the check for damage may take on opening; a store too large for that is checked in part."""

_PROBE_OPERATIONS: Final = 10_000
"""SQLite's virtual machine instructions between two looks at the clock."""


def check_mode(path: StorePath) -> str:
    """Return how to open the file for the check, so that it leaves as few traces as possible."""
    if path.size("-journal") > 0:
        return "mode=rw"  # The power failed during the creation, which has to be undone before the file can be read.
    if path.size("-wal") > 0:
        return "mode=ro"
    return "mode=ro&immutable=1"  # Creates no -wal and -shm beside it.


def is_new(connection: sqlite3.Connection, path: StorePath) -> bool:
    """Return whether the database is empty; if it is not, make sure that it holds a whole store of this program."""
    application_id, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
    found = {name for (name,) in names}
    if not (application_id or version or found):
        return True
    if application_id != schema.APPLICATION_ID:
        raise path.refused("is the database of another application")
    if version != schema.VERSION:
        raise path.refused(
            f"has format {version}, made by another version of this program, which knows format {schema.VERSION}"
        )
    if found != schema.TABLES:
        raise path.refused("holds other tables than a store does")
    if not (_is_complete(connection, path) and _seems_sound(connection)):
        raise path.refused("is damaged: restore it from a backup, or move it away to start with an empty one")
    return False


def _is_complete(connection: sqlite3.Connection, path: StorePath) -> bool:
    """Whether the last page is whole: SQLite reads zeros for the missing part."""
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    return path.size("-wal") > 0 or path.size() % page_size == 0


def _seems_sound(connection: sqlite3.Connection) -> bool:
    until = time.monotonic() + CHECK_S
    connection.set_progress_handler(lambda: time.monotonic() > until, _PROBE_OPERATIONS)
    try:
        return connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return True
        if error.sqlite_errorcode == sqlite3.SQLITE_CORRUPT:
            return False
        raise
    finally:
        connection.set_progress_handler(None, 0)
