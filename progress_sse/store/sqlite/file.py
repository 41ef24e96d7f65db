"""The database file of a store: whose it is, whether it can be used, and connections to it.

A backup that was put back has gone back in time, and so has a file whose log is gone. So a note beside it, `.lock`,
says how both were left, and a file that was not left so by us gets new epochs: no reader shall be given steps of
another history than the one that it has seen. The note says when it was written, since a folder that is put back has
its note as well: of a copy the time of the last change is another one, which no program can set.

Refusing must not harm. What cannot be used is left as it is, byte for byte, and never replaced by an empty store; so a
file is looked at first through a connection that cannot write.

A lock on the file itself keeps other processes out, whatever its names are; one on `.lock` keeps them from the name, by
which SQLite finds the log. The descriptor of the former is the only one of the file that SQLite does not know of, and
is closed last: to close *any* drops the locks that SQLite holds in this process
<https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>.
So a file that this process holds already is refused before it is opened.
"""

import fcntl
import os
import sqlite3
import stat
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, TypeAlias

from progress_sse.core.errors import StoreRefusedError
from progress_sse.store.sqlite import room, tables

APPLICATION_ID: Final = 0x50534531
"""Marks the file as ours in its header ("PSE1"), for us and for ``file(1)``."""

CHECK_S: Final = 3.0
"""Seconds that looking for damage may take on opening; a store so large that they do not suffice is checked in part."""

LOCK_POLL_S: Final = 0.1
"""Seconds that the writing connection waits for a lock in one go; in between it sees who has waited too long."""

WAL_PAGES: Final = 1000
"""Pages (of 4 KiB) of write-ahead log after which its content moves to the database; SQLite's own default."""

_WAL_BYTES: Final = 16 * 1024 * 1024
"""What the write-ahead log is cut back to after it had to grow beyond, because somebody was reading."""

_PROBE_OPERATIONS: Final = 10_000
"""SQLite's virtual machine instructions between two looks at the clock."""

_SUFFIXES: Final = ("", "-wal", "-shm")
"""Of the file itself, and of what SQLite keeps beside it while it is in use: the log, and the index of that."""

_NOTE_BYTES: Final = 120
"""The length of every note, so that a later one fits where there was room for the first."""

_NOTE_TOLERANCE_NS: Final = 100_000_000
"""Between the time that a note names and that of its change, which the kernel keeps to some milliseconds."""

_Identity: TypeAlias = tuple[int, int]
"""Device and inode of a file."""

_held: Final[set[_Identity]] = set()
"""The files that this process holds; to be changed under `_holding`."""

_holding: Final = threading.Lock()


class DatabaseFile:
    """A file of one store, held by one process.

    A connection of its own stays open as long as the file is held: SQLite removes the files beside it with the last
    one, and so they are the same ones all the time.

    Attributes:
        publishing: Held from a COMMIT until the event loop will hear of it, and while a reader fixes what it is going
            to see. So nobody sees a change before it is told of, or is told of one that is older than what they saw.
    """

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        """Name the file; nothing is touched yet.

        Args:
            path: Where it is, or will be.
            busy_timeout_s: Seconds to wait while another process has it locked.
        """
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._name_lock: int | None = None
        self._lock: int | None = None
        self._keeper: sqlite3.Connection | None = None
        self._files: tuple[Path, ...] = ()
        self._identities: tuple[_Identity | None, ...] = ()
        self.publishing = threading.Lock()

    def acquire(self) -> None:
        """Make the file this process's own, and make sure that it holds a store.

        Raises:
            StoreRefusedError: It cannot be used; it is left as it is.
        """
        self._find()
        self._check_log()
        try:
            self._take_locks()
            self._prepare()
            self._files = tuple(map(self._beside, _SUFFIXES))
            self._identities = (_identified(self._locked_status()), *map(_identity, self._files[1:]))
            self.check_in_place()
            self.checkpoint()  # What was removed just before a kill is in the log still.
        except sqlite3.Error as error:
            self.release()
            raise self._refused(f"cannot be used: {error}") from error
        except OSError as error:
            self.release()
            raise self._refused(f"cannot be used: {error.strerror}") from error
        except BaseException:
            self.release()
            raise
        self._note(self._in_use())

    def check_in_place(self) -> None:
        """Make sure that the file and its log are still where they were: SQLite goes on writing to those removed.

        Raises:
            sqlite3.OperationalError: One was removed, moved away or replaced by another, so what is written would be
                lost with the process.
        """
        for file, known in zip(self._files, self._identities, strict=True):
            if known is None or _identity(file) != known:
                raise sqlite3.OperationalError(f"{file} was removed, or another file is in its place")

    def checkpoint(self) -> None:
        """Move what the log holds into the database, where that is still in place: the log may be without a name.

        The log is empty then, so that one that was only moved away can do no harm when it is put back.
        """
        if self._keeper is not None and self._is_in_place():
            with suppress(sqlite3.Error):
                self._keeper.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _note(self, state: str) -> None:
        with suppress(OSError, StoreRefusedError):  # Without it, the next one knows nothing, and takes no chances.
            note = self._open(".lock", os.O_RDWR)
            try:
                os.pwrite(note, f"{time.time_ns()} {state}".ljust(_NOTE_BYTES).encode(), 0)
            finally:
                os.close(note)

    def _read_note(self) -> tuple[str, str]:
        """Return when the note was written, in nanoseconds, and what it says."""
        assert self._name_lock is not None
        note = os.pread(self._name_lock, _NOTE_BYTES, 0).decode(errors="replace").rstrip()
        written_at, _, state = note.partition(" ")
        return written_at, state

    def _is_as_it_was_left(self) -> bool:
        assert self._name_lock is not None
        written_at, state = self._read_note()
        changed_at_ns = os.fstat(self._name_lock).st_ctime_ns
        # A copy of a note may have everything of the first one but the time of its last change.
        is_copy = not written_at.isdecimal() or abs(changed_at_ns - int(written_at)) > _NOTE_TOLERANCE_NS
        return not is_copy and state in (self._left_in_order(), self._in_use())

    def _in_use(self) -> str:
        """Tell the file and then its log from others put in their places; devices are numbered anew at each start."""
        _, inode = _identity(self._path) or (0, 0)
        _, log = _identity(self._beside("-wal")) or (0, 0)
        return f"in use {inode} {log}"

    def _left_in_order(self) -> str:
        """Tell the file, which needs no log, from others put in its place or copied over it."""
        status = self._path.stat()
        return f"left {status.st_ino} {status.st_size} {status.st_mtime_ns}"

    def _is_in_place(self) -> bool:
        return self._identities[:1] == (_identity(self._path),)

    def release(self) -> None:
        """Let another process have the file; all other connections to it must be closed."""
        if self._keeper is not None:
            self.checkpoint()  # SQLite does so as well, but not while another program has the file open.
            self._keeper.close()
            self._keeper = None
        if self._lock is not None:
            if self._is_in_place() and not self._size("-wal"):
                self._note(self._left_in_order())
            self._identities = ()
            with _holding:
                _held.discard(_identified(self._locked_status()))
                _unlock(self._lock)
            self._lock = None
        if self._name_lock is not None:
            _unlock(self._name_lock)  # The lock file stays: to remove it would race with who comes next.
            self._name_lock = None

    def room(self, connection: sqlite3.Connection) -> room.Room | None:
        """Return what the next transaction may use of the disk; `None` where there is plenty."""
        assert self._lock is not None
        free = room.free_bytes(self._lock)
        if free >= room.PLENTY_BYTES:
            return None
        page_bytes, pages, unused = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
        )
        return room.room(free, page_bytes, pages, unused, self._locked_status().st_size)

    def connect_writer(self) -> sqlite3.Connection:
        """Return the connection that writes; of those there must be only one [SQLite below 3.51.3 may corrupt else]."""
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
            connection.execute("PRAGMA user_version")  # Until something is read the log is not opened.
            self.check_in_place()
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._path.as_uri()}?{mode}", uri=True, timeout=self._busy_timeout_s, isolation_level=None
        )

    def _find(self) -> None:
        """Follow links, so that one file has one log, and look at what is there."""
        try:
            self._path = Path(os.path.realpath(self._path))
            mode = self._path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return  # Whether it can be made, the lock file will show.
        except OSError as error:
            raise self._refused(f"cannot be used: {error.strerror}") from error
        if not stat.S_ISREG(mode):
            raise self._refused("cannot be used: it is a folder, or something else that is no file")

    def _check_log(self) -> None:
        """Refuse a log whose database is missing: SQLite would take it for a leftover and delete it."""
        if self._size("-wal") > 0 and self._size() == 0:
            raise self._refused("is missing or empty, but the log beside it (-wal) is not: restore it, or remove both")

    def _check_owner_of_log(self) -> None:
        """Refuse a log of the file that was here before: SQLite would read it into this one."""
        _, state = self._read_note()
        noted, in_use = state.split(), self._in_use().split()
        is_same_log = noted[:2] == in_use[:2] and noted[3:] == in_use[3:] and self._size("-wal") > 0
        if is_same_log and noted[2:3] != in_use[2:3]:
            raise self._refused(
                "has taken the place of another file, whose log (-wal) is still beside it: remove that log, or put the"
                " other file back"
            )

    def _take_locks(self) -> None:
        self._name_lock = self._open_locked(".lock", os.O_RDWR)
        with _holding:
            if _identity(self._path) in _held:
                raise self._in_use_elsewhere()
            self._lock = self._open_locked("", os.O_RDONLY)
            _held.add(_identified(self._locked_status()))

    def _open_locked(self, suffix: str, access: int) -> int:
        descriptor = self._open(suffix, access)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise self._in_use_elsewhere() from error
            raise self._refused(f"cannot be locked: {error.strerror}") from error
        return descriptor

    def _locked_status(self) -> os.stat_result:
        assert self._lock is not None
        return os.fstat(self._lock)

    def _open(self, suffix: str, access: int) -> int:
        """Open the file or the note beside it, which is made where it is missing."""
        try:
            return os.open(self._beside(suffix), access | os.O_CREAT, 0o644)
        except FileNotFoundError as error:
            raise self._refused(f"cannot be made: there is no folder {self._path.parent}") from error
        except OSError as error:
            if self._beside(suffix).exists():
                raise self._refused(f"cannot be used: {error.strerror}") from error
            raise self._refused(f"cannot be used: its folder cannot be written ({error.strerror})") from error

    def _prepare(self) -> None:
        self._check_owner_of_log()
        is_new = True
        if self._size() > 0:
            with closing(self._connect(self._least_mode())) as probe:
                is_new = self._is_new(probe)
        is_unknown = not is_new and not self._is_as_it_was_left()
        if is_unknown and self._locked_status().st_nlink > 1:
            raise self._refused(
                "has several names (hard links), and its log (-wal) is kept by the one that was used last, which is"
                " perhaps not this one: remove the others"
            )
        self._keeper = self._connect("mode=rwc")
        if is_new:
            self._create(self._keeper)
        else:
            tables.upgrade(self._keeper)
        self._try_writing(self._keeper)
        if is_unknown:
            tables.renew_epochs(self._keeper)
        self._keeper.execute(f"PRAGMA busy_timeout = {int(LOCK_POLL_S * 1000)}")

    def _least_mode(self) -> str:
        """Return how to open the file for a look that leaves as few traces as possible."""
        if self._size("-journal") > 0:
            return "mode=rw"  # It was being created when the power went, which has to be undone before it can be read.
        if self._size("-wal") > 0:
            return "mode=ro"
        return "mode=ro&immutable=1"  # Makes no -wal and -shm beside it.

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        """Return whether there is nothing in the file at all; else make sure that it holds a store of ours."""
        application_id, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
        found = {name for (name,) in names}
        if not (application_id or version or found):
            return True
        if application_id != APPLICATION_ID:
            raise self._refused("is the database of another application")
        if version not in tables.TABLES:
            raise self._refused(
                f"has format {version}, made by another version of this program, which knows format"
                f" {tables.SCHEMA_VERSION}"
            )
        if found != tables.TABLES[version]:
            raise self._refused("holds other tables than a store does")
        if not (self._is_complete(connection) and _seems_sound(connection)):
            raise self._refused("is damaged: restore it from a backup, or move it away to start with an empty one")
        return False

    def _create(self, connection: sqlite3.Connection) -> None:
        # Still without a write-ahead log, so that the header in the file itself says whose it is from the first moment.
        connection.execute("BEGIN IMMEDIATE")
        for statement in tables.SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {tables.SCHEMA_VERSION}")
        connection.execute("COMMIT")

    def _try_writing(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise self._refused("is on a file system that cannot keep a write-ahead log")
        # SQLite opens a file that it may only read without a word, and even begins to write.
        try:
            connection.execute(f"PRAGMA user_version = {tables.SCHEMA_VERSION}")
        except sqlite3.Error as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:  # A store that is full can be read, and be emptied.
                raise

    def _is_complete(self, connection: sqlite3.Connection) -> bool:
        """Return whether the last page is whole: SQLite takes what is missing of it for zeros."""
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        return self._size("-wal") > 0 or self._size() % page_size == 0

    def _size(self, suffix: str = "") -> int:
        try:
            return self._beside(suffix).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def _beside(self, suffix: str) -> Path:
        return Path(f"{self._path}{suffix}")

    def _in_use_elsewhere(self) -> StoreRefusedError:
        return self._refused("is in use by another process, and only one can use it at a time")

    def _refused(self, reason: str) -> StoreRefusedError:
        return StoreRefusedError(f"The store {self._path} {reason}.")


def _unlock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # A process that was forked off has the file open still.
    os.close(descriptor)


def _identity(path: Path) -> _Identity | None:
    try:
        return _identified(path.stat())
    except OSError:
        return None


def _identified(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _seems_sound(connection: sqlite3.Connection) -> bool:
    """Look for damage, as far as `CHECK_S` goes."""
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
