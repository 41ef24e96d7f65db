"""The path of a database file, and of the files beside it."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from progress_sse.core.errors import StoreRefusedError

FileId: TypeAlias = tuple[int, int]
"""Device and inode of a file."""


def file_id(status: os.stat_result) -> FileId:
    """Return which file the status is of."""
    return status.st_dev, status.st_ino


def file_id_at(path: Path) -> FileId | None:
    """Return which file is at a path; `None` if there is none."""
    try:
        return file_id(path.stat())
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class StorePath:
    """The path of a database file; the names of the files beside it are its own with a suffix, `""` for the file."""

    path: Path

    @classmethod
    def resolve(cls, path: Path) -> "StorePath":
        """Follow links, so that one file has one log.

        Raises:
            StoreRefusedError: It cannot be accessed, or is not a regular file.
        """
        resolved = path
        try:
            resolved = Path(os.path.realpath(path))
            mode = resolved.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return cls(resolved)  # Opening the lock file shows whether the file can be created.
        except OSError as error:
            raise cls(resolved).refused(f"cannot be used: {error.strerror}") from error
        if not stat.S_ISREG(mode):
            raise cls(resolved).refused("cannot be used: it is not a regular file")
        return cls(resolved)

    def beside(self, suffix: str) -> Path:
        """Return the path with a suffix."""
        return Path(f"{self.path}{suffix}")

    def size(self, suffix: str = "") -> int:
        """Return the size in bytes; 0 if there is no such file."""
        try:
            return self.beside(suffix).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def file_id(self, suffix: str = "") -> FileId | None:
        """Return which file is there; `None` if there is none."""
        return file_id_at(self.beside(suffix))

    def open(self, suffix: str, access: int) -> int:
        """Open the file, which is created if it is missing, and return its descriptor.

        Raises:
            StoreRefusedError: It cannot be opened or created.
        """
        try:
            return os.open(self.beside(suffix), access | os.O_CREAT, 0o644)
        except FileNotFoundError as error:
            raise self.refused(f"cannot be made: there is no folder {self.path.parent}") from error
        except OSError as error:
            if self.beside(suffix).exists():
                raise self.refused(f"cannot be used: {error.strerror}") from error
            raise self.refused(f"cannot be used: its folder cannot be written ({error.strerror})") from error

    def refused(self, reason: str) -> StoreRefusedError:
        """Return the error that says why the store cannot be used."""
        return StoreRefusedError(f"The store {self.path} {reason}.")
