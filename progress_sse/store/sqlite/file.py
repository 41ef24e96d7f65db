"""The database file of a store: acquiring it, connections to it, and whether it is still in place.

Refusing must not harm: a file that cannot be used is left as it is. So a file is looked at first through a connection
that cannot write.
"""

import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from progress_sse.store.sqlite import room, schema
from progress_sse.store.sqlite.file_locks import FileLocks, FileNote
from progress_sse.store.sqlite.store_path import FileId, StorePath, file_id, file_id_at

LOCK_POLL_S: Final = 0.1
"""Seconds that the writing connection waits for a lock at a time; in between it sees which changes are overdue."""

WAL_PAGES: Final = 1000
"""Pages (of 4 KiB) of write-ahead log after which its content moves to the database; SQLite's own default."""

_WAL_BYTES: Final = 16 * 1024 * 1024
"""The size that the write-ahead log is cut back to after it had to grow beyond, during a long read."""

_SUFFIXES_BESIDE: Final = ("-wal", "-shm")
"""Of the files that SQLite keeps beside a database in use: the write-ahead log, and its index."""

CHECK_S: Final = 3.0
"""Seconds that the check for damage may take on opening; a store too large for that is checked in part."""

_PROBE_OPERATIONS: Final = 10_000
"""SQLite's virtual machine instructions between two looks at the clock."""


class DatabaseFile:
    """A file of one store, held by one process.

    It keeps a connection of its own open as long as the file is held: SQLite removes the files beside it with the last
    connection, and so they stay the same ones. Each connection waits `busy_timeout_s` for a lock of another process.

    The lock `publishing` is held from a COMMIT until its notification of the event loop is scheduled, and while a
    reader fixes its snapshot. So no read shows a change before its listeners are notified, and no notification is of a
    change older than one that a read has shown.
    """

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        """Name the file, and touch nothing yet; see the class for `busy_timeout_s`."""
        self.busy_timeout_s = busy_timeout_s
        self._keeper: sqlite3.Connection | None = None
        self._files: Mapping[Path, FileId | None] = {}
        self.publishing = threading.Lock()
        self._use(StorePath(path))

    def _use(self, path: StorePath) -> None:
        self._path = path
        self._locks = FileLocks(path)
        self._note = FileNote(path, self._locks)

    def acquire(self) -> None:
        """Lock the file for this process, and make sure that it holds a store.

        Raises:
            StoreRefusedError: It cannot be used; it is left as it is.
        """
        self._use(StorePath.resolve(self._path.path))
        self._check_log()
        try:
            self._locks.acquire()
            self._prepare()
            beside = {file: file_id_at(file) for file in map(self._path.beside, _SUFFIXES_BESIDE)}
            self._files = {self._path.path: file_id(self._locks.status()), **beside}
            self.check_in_place()
            self.checkpoint()  # The log may still hold text that was removed just before a kill.
        except (sqlite3.Error, OSError) as error:
            self.release()
            reason = error.strerror if isinstance(error, OSError) else error
            raise self._path.refused(f"cannot be used: {reason}") from error
        except BaseException:
            self.release()
            raise
        self._note.write(is_closed=False)

    def check_in_place(self) -> None:
        """Check that the file and its log are where they were: SQLite would go on writing to removed ones.

        Raises:
            sqlite3.OperationalError: One was removed, moved away or replaced by another, so that written data would be
                lost with the process.
        """
        for file, known in self._files.items():
            found: FileId | None
            try:
                status = file.stat()
                found = status.st_dev, status.st_ino
            except OSError:
                found = None
            if found is None or found != known:
                raise sqlite3.OperationalError(f"{file} was removed, or another file is in its place")

    def checkpoint(self) -> None:
        """Move the content of the log into the database, if that is in place, even if the log has lost its name.

        A log that was only moved away is empty then, and does no harm when it is put back.
        """
        if self._keeper is not None and self._is_in_place():
            with suppress(sqlite3.Error):
                self._keeper.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def release(self) -> None:
        """Let another process have the file; all other connections to it must be closed."""
        if self._keeper is not None:
            self.checkpoint()  # SQLite does so as well, but not while another program has the file open.
            self._keeper.close()
            self._keeper = None
        if self._locks.is_held and self._is_in_place() and not self._path.size("-wal"):
            self._note.write(is_closed=True)
        self._files = {}
        self._locks.release()

    def room(self, connection: sqlite3.Connection) -> room.Room | None:
        """Return how much of the disk the next transaction may use; `None` if there is plenty."""
        free = room.free_bytes(self._locks.file_lock)
        if free >= room.PLENTY_BYTES:
            return None
        page_bytes, pages, unused = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
        )
        return room.room(free, page_bytes, pages, unused, self._locks.status().st_size)

    def connect_writer(self) -> sqlite3.Connection:
        """Return the connection that writes; there must be only one [SQLite below 3.51.3 may corrupt the file else]."""
        connection = self._connect("mode=rw")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        connection.execute(f"PRAGMA busy_timeout = {int(LOCK_POLL_S * 1000)}")
        return connection

    def connect_reader(self) -> sqlite3.Connection:
        """Return a connection that cannot write.

        Raises:
            sqlite3.OperationalError: The file or its log is not in place; beside another log it would read nonsense.
        """
        self.check_in_place()  # Or SQLite would make a new log.
        connection = self._connect("mode=ro")
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA user_version")  # SQLite opens the log at the first read.
            self.check_in_place()
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.path.as_uri()}?{mode}", uri=True, timeout=self.busy_timeout_s, isolation_level=None
        )
        # What is no UTF-8 has surrogates, so one damaged row does not hide those that follow it.
        connection.text_factory = lambda text: text.decode(errors="surrogateescape")
        return connection

    def _is_in_place(self) -> bool:
        return bool(self._files) and self._files[self._path.path] == self._path.file_id()

    def _check_log(self) -> None:
        """Refuse a log whose database is missing: SQLite would take it for a leftover and delete it."""
        if self._path.size("-wal") > 0 and self._path.size() == 0:
            raise self._path.refused(
                "is missing or empty, but the log beside it (-wal) is not: restore it, or remove both"
            )

    def _prepare(self) -> None:
        """Create the store, or check it, and keep a connection."""
        self._note.check_owner_of_log()
        creates = True
        if self._path.size() > 0:
            with closing(self._connect(_check_mode(self._path))) as probe:
                creates = _is_new(probe, self._path)
        is_unknown = not creates and not self._note.matches()
        if is_unknown and self._locks.status().st_nlink > 1:
            raise self._path.refused(
                "has several names (hard links), and its log (-wal) is kept by the one that was used last, which is"
                " perhaps not this one: remove the others"
            )
        self._keeper = self._connect("mode=rwc")
        if creates:
            schema.create(self._keeper)
        self._try_writing(self._keeper)
        if is_unknown:
            schema.renew_epochs(self._keeper)
        self._keeper.execute(f"PRAGMA busy_timeout = {int(LOCK_POLL_S * 1000)}")

    def _try_writing(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise self._path.refused("is on a file system that cannot keep a write-ahead log")
        # SQLite opens a read-only file without an error, and even begins to write.
        try:
            connection.execute(f"PRAGMA user_version = {schema.VERSION}")
        except sqlite3.Error as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:  # A store that is full can be read, and be emptied.
                raise


def _check_mode(path: StorePath) -> str:
    """Return how to open the file for the check, so that it leaves as few traces as possible."""
    if path.size("-journal") > 0:
        return "mode=rw"  # The power failed during the creation, which has to be undone before the file can be read.
    if path.size("-wal") > 0:
        return "mode=ro"
    return "mode=ro&immutable=1"  # Creates no -wal and -shm beside it.


def _is_new(connection: sqlite3.Connection, path: StorePath) -> bool:
    """Return whether the database is empty; refuse one that holds no whole store of this program."""
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
    """Return whether the last page is whole: SQLite reads zeros for the missing part."""
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    return path.size("-wal") > 0 or path.size() % page_size == 0


def _seems_sound(connection: sqlite3.Connection) -> bool:
    """Check for damage, for `CHECK_S` at most; return whether none was found."""
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
