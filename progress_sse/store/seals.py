"""Seals: checksums that show whether a stored value is as the server wrote it, and where the server put it.

Any program may write into a file of SQLite or a Redis, and a disk may fail. A value that was changed may be no JSON, or
JSON with which a rule fails later. A seal finds all of that at the read, at less than the cost of parsing.

The JSON of a session in lists, its definitions, its details and each of its steps are stored behind a seal. The seal of
the first one covers the other columns or fields of the session, too, except its epoch, which changes without the rest.
Transitions and log lines, whose bytes are limited, have their checksum beside them.
"""

from typing import Final
from zlib import crc32

from progress_sse.core.model import Position, SessionProgress

_HEX_DIGITS: Final = 8


def checksum(data: bytes, *place: object) -> int:
    """Return the checksum of a value for its place: a session, and what of it the value is."""
    return crc32(data, crc32("\0".join(map(str, place)).encode("utf-8", "surrogatepass")))


def sealed(data: bytes, *place: object) -> bytes:
    """Return a value behind its seal."""
    return b"%08x%b" % (checksum(data, *place), data)


def unsealed(value: object, *place: object) -> bytes:
    """Return the value that `sealed` took.

    Raises:
        ValueError: It is not as it was written, or was written for another place.
    """
    if isinstance(value, bytes):
        data = value[_HEX_DIGITS:]
        if value[:_HEX_DIGITS] == b"%08x" % checksum(data, *place):
            return data
    raise ValueError("its seal does not match")


def session_place(offset: int, progress: SessionProgress) -> tuple[object, ...]:
    """Return what the JSON of a session in lists is sealed for: what is stored of the session beside it."""
    return (
        progress.session_id,
        offset,
        progress.status,
        progress.current_step,
        progress.created_at,
        progress.updated_at,
    )


def checked_position(epoch: object, offset: object) -> Position:
    """Return the position of a stored session, whose epoch has no seal.

    Raises:
        ValueError: It is none.
    """
    if not (isinstance(epoch, str) and epoch.isascii() and epoch.isalnum() and type(offset) is int):
        raise ValueError("its epoch is none")
    return Position(epoch, offset)
