"""The locks that keep other processes from a database file.

A lock on the file itself keeps them out, by any of its names. A lock on the `.lock` file beside it keeps them from
the name, by which SQLite finds the write-ahead log.

The descriptor of the first lock is the only one that SQLite does not know of, and is closed last: closing *any*
descriptor of a file drops the locks that SQLite holds on it in this process
<https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>.
So a file that this process already holds is refused before it is opened.
"""

import fcntl
import os
import threading
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
        self._path = path
        self.name_lock = self.file_lock = _NOT_HELD

    @property
    def is_held(self) -> bool:
        """Whether the file is locked."""
        return self.file_lock != _NOT_HELD

    def acquire(self) -> None:
        """Lock the name, and then the file; both are created where they are missing."""
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
        self.name_lock = self.file_lock = _NOT_HELD

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
