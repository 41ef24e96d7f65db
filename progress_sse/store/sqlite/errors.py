"""Errors of SQLite, and their translation into those of the store."""

import sqlite3
from typing import Final

from progress_sse.core.errors import OutcomeUnknownError, StoreFullError, StoreUnavailableError

DAMAGE_CODES: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""The result codes of a damaged file."""


class DiskFullError(sqlite3.OperationalError):
    """Raised, as if by SQLite, when the remaining disk space is reserved for removals."""

    sqlite_errorcode = sqlite3.SQLITE_FULL

    def __init__(self) -> None:
        super().__init__("the disk is nearly full; the remaining space is reserved for removals")


def primary_code(error: Exception) -> int:
    """Return SQLite's result code without its extension [sqlite.org/rescode.html]; 0 if there is none."""
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF


def not_applied(error: Exception) -> Exception:
    """Translate an error after which it is certain that nothing was changed."""
    if primary_code(error) == sqlite3.SQLITE_FULL:
        return _caused(StoreFullError("The disk of the store is full."), error)
    return _caused(StoreUnavailableError(), error)


def not_committed(error: Exception) -> Exception:
    """Translate an error of COMMIT.

    If a lock or disk space was missing, the last page of the transaction was not written, and only that makes it valid.
    Any other failure may leave a valid transaction on the disk, or none.
    """
    if primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL):
        return not_applied(error)
    return _caused(OutcomeUnknownError(), error)


def _caused(translated: Exception, error: Exception) -> Exception:
    translated.__cause__ = error
    return translated
