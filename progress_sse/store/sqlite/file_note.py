"""The note in the `.lock` file that shows whether a database file is as this program left it.

A backup that was put back has gone back in time, and so has a file whose log is gone. The note records how both were
left; a file that does not match it gets new epochs. A folder that is put back has its note as well. So the note also
records when it was written: the time of the last change of a copy differs, and no program can set that time.
"""

import os
import time
from contextlib import suppress
from typing import Final

from progress_sse.core.errors import StoreRefusedError
from progress_sse.store.sqlite.file_locks import FileLocks
from progress_sse.store.sqlite.store_path import StorePath

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
        changed_at_ns = os.fstat(self._locks.name_lock).st_ctime_ns
        return written_at.isdecimal() and abs(changed_at_ns - int(written_at)) <= _TOLERANCE_NS

    def check_owner_of_log(self) -> None:
        """Refuse a log that is of the file that was here before: SQLite would read it into this file."""
        written_at, state = self._read()
        if not self._is_original(written_at):  # It came with the log, whose inode may have the same number by chance.
            return
        noted, in_use = state.split(), self._in_use().split()
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
