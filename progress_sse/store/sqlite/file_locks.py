"""The locks that keep other processes from a database file, and the note that shows whether it is as we left it.

A lock on the file itself keeps them out, by any of its names. A lock on the `.lock` file beside it keeps them from
the name, by which SQLite finds the write-ahead log.

The descriptor of the first lock is the only one that SQLite does not know of, and is closed last: closing *any*
descriptor of a file drops the locks that SQLite holds on it in this process
<https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>.
So a file that this process already holds is refused before it is opened.

A backup that was put back has gone back in time, and so has a file whose log is gone. The note in the `.lock` file
records how both were left; a file that does not match it gets new epochs. A folder that is put back has its note as
well. So the note also records when it was written: the time of the last change of a copy differs, and no program can
set that time.
"""

import fcntl
import os
import threading
import time
from contextlib import suppress
from typing import Final

from progress_sse.core.errors import StoreRefusedError
from progress_sse.store.sqlite.store_path import FileId, StorePath, file_id

_held: Final[set[FileId]] = set()
"""The files that this process holds; changed only under `_holding`."""

_holding: Final = threading.Lock()

_NOT_HELD: Final = -1


class FileLocks:
    """The descriptors of the locked `.lock` file and of the locked database file."""

    def __init__(self, path: StorePath) -> None:
        """Name the file; nothing is locked yet."""
        self._path = path
        self.name_lock = _NOT_HELD
        self.file_lock = _NOT_HELD

    @property
    def is_held(self) -> bool:
        """Whether the file is locked."""
        return self.file_lock != _NOT_HELD

    def acquire(self) -> None:
        """Lock the name, and then the file; both are created where they are missing.

        Raises:
            StoreRefusedError: The store is in use, or its files cannot be opened or locked.
        """
        self.name_lock = self._lock(".lock", os.O_RDWR)
        with _holding:
            if self._path.file_id() in _held:
                raise self._in_use()
            self.file_lock = self._lock("", os.O_RDONLY)
            _held.add(file_id(self.status()))

    def release(self) -> None:
        """Release the locks that are held; all connections to the file must be closed."""
        if self.file_lock != _NOT_HELD:
            with _holding:
                _held.discard(file_id(self.status()))
                _unlock(self.file_lock)
        if self.name_lock != _NOT_HELD:
            _unlock(self.name_lock)  # The `.lock` file stays: removing it would race with the next process.
        self.name_lock = _NOT_HELD
        self.file_lock = _NOT_HELD

    def status(self) -> os.stat_result:
        """Return the status of the locked file."""
        return os.fstat(self.file_lock)

    def _lock(self, suffix: str, access: int) -> int:
        descriptor = self._path.open(suffix, access)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise self._in_use() from error
            raise self._path.refused(f"cannot be locked: {error.strerror}") from error
        return descriptor

    def _in_use(self) -> StoreRefusedError:
        return self._path.refused(
            "is in use by another process; end that one, or set PROGRESS_SSE_STORE to another store, such as "
            "sqlite:///other.db"
        )


def _unlock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # A forked process still has the file open.
    os.close(descriptor)


_NOTE_BYTES: Final = 120
"""The length of every note, so that a later one fits where there was space for the first."""

_TOLERANCE_NS: Final = 100_000_000
"""Nanoseconds between the time in a note and that of its change, which the kernel keeps to some milliseconds."""


class FileNote:
    """Reads and writes the note beside a database file, whose `.lock` file is held open by its locks."""

    def __init__(self, path: StorePath, locks: FileLocks) -> None:
        self._path = path
        self._locks = locks

    def write(self, *, is_closed: bool) -> None:
        """Note that the file is in use from now on; or that it was closed in order, and needs no log."""
        state = self._closed() if is_closed else self._in_use()
        with suppress(OSError, StoreRefusedError):  # Without a note, the next process gives the sessions new epochs.
            note = self._path.open(".lock", os.O_RDWR)
            try:
                os.pwrite(note, f"{time.time_ns()} {state}".ljust(_NOTE_BYTES).encode(), 0)
            finally:
                os.close(note)

    def matches(self) -> bool:
        """Whether the file is as the note has it, and the note is no copy."""
        written_at, state = self._read()
        return self._is_original(written_at) and state in (self._closed(), self._in_use())

    def _is_original(self, written_at: str) -> bool:
        """Return whether the note is no copy, which can share everything with it except the time of its last change."""
        changed_at_ns = os.fstat(self._locks.name_lock).st_ctime_ns
        return written_at.isdecimal() and abs(changed_at_ns - int(written_at)) <= _TOLERANCE_NS

    def check_owner_of_log(self) -> None:
        """Make sure that the log beside the file is not of the file that was here before.

        Raises:
            StoreRefusedError: It is; SQLite would read it into this file.
        """
        written_at, state = self._read()
        if not self._is_original(written_at):  # It came with the log, whose inode may have the same number by chance.
            return
        noted = state.split()
        in_use = self._in_use().split()
        is_same_log = noted[:2] == in_use[:2] and noted[3:] == in_use[3:] and self._path.size("-wal") > 0
        if is_same_log and noted[2:3] != in_use[2:3]:
            raise self._path.refused(
                "has taken the place of another file, whose log (-wal) is still beside it: remove that log, or put the"
                " other file back"
            )

    def _read(self) -> tuple[str, str]:
        note = os.pread(self._locks.name_lock, _NOTE_BYTES, 0).decode(errors="replace").rstrip()
        written_at, _, state = note.partition(" ")
        return written_at, state

    def _in_use(self) -> str:
        """Identify the file and its log by their inodes; devices are numbered anew at each start of the machine."""
        _, inode = self._path.file_id() or (0, 0)
        _, log = self._path.file_id("-wal") or (0, 0)
        return f"in use {inode} {log}"

    def _closed(self) -> str:
        """Identify the file, which needs no log; one put in its place, or copied over it, differs."""
        status = self._path.path.stat()
        return f"left {status.st_ino} {status.st_size} {status.st_mtime_ns}"
