"""Seals: checksums that show whether a stored value is as the server wrote it, and where the server put it.

Any program may write into a file of SQLite or a Redis, and a disk may fail. A value that was changed may be no JSON, or
JSON with which a rule fails later. A seal finds all of that at the read, at less than the cost of parsing.

The JSON of a session in lists, its definitions, its details and each of its steps are stored behind a seal. The seal of
the first one covers the other columns or fields of the session, too, except its epoch, which changes without the rest.
Transitions and log lines, whose bytes are limited, have their checksum beside them.
"""

from typing import Final
from zlib import crc32

from progress_sse.core.model import Position

_HEX_DIGITS: Final = 8


def checksum(data: bytes, session_id: str, place: object) -> int:
    """Return the checksum of a value of a session; `place` names what of the session it is."""
    return crc32(data, crc32(f"{session_id}\0{place}".encode()))


def sealed(data: bytes, session_id: str, place: object) -> bytes:
    """Return a value behind its seal."""
    return b"%08x%b" % (checksum(data, session_id, place), data)


def unsealed(value: object, session_id: str, place: object) -> bytes:
    """Return the value that `sealed` took.

    Raises:
        ValueError: It is not as it was written, or was written for another place.
    """
    if isinstance(value, bytes):
        data = value[_HEX_DIGITS:]
        if value[:_HEX_DIGITS] == b"%08x" % checksum(data, session_id, place):
            return data
    raise ValueError("its seal does not match")


def header(offset: object, status: object, current_step: object, created_at: object, updated_at: object) -> str:
    """Return the place of a session's JSON in lists: what is stored of the session beside it."""
    return f"{offset}\0{status}\0{current_step}\0{created_at}\0{updated_at}"


def checked_position(epoch: object, offset: object) -> Position:
    """Return the position of a stored session, whose epoch has no seal.

    Raises:
        ValueError: It is none.
    """
    if not (isinstance(epoch, str) and epoch.isascii() and epoch.isalnum() and type(offset) is int):
        raise ValueError("its epoch is none")
    return Position(epoch, offset)
