"""Ids for a stream of several sessions: one short text that tells where each of them was [docs/protocol.md].

An id has at most 128 characters, and 20 full positions would not fit. So each session is told by a 6-byte digest of
its id and epoch and its number as a varint; the sessions that moved last come first, and those that no longer fit get
a snapshot on return. A digest cannot be turned back; it is compared with the one of the session as it is now, which
is all that an epoch is good for. The id of the `end` is a digest of everything instead: it is good for being told
from all others.
"""

import base64
import binascii
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from progress_sse.core.model import Position

_PREFIX: Final = "m."
_END_PREFIX: Final = "e."
_MAX_BYTES: Final = 93
_MAX_CHARS: Final = 124  # in base64url
_DIGEST_BYTES: Final = 6


class StreamCursor:
    """Where a reader is in each of its sessions; grows as messages are delivered."""

    def __init__(self) -> None:
        """Start with no session told."""
        self._told: OrderedDict[str, bytes] = OrderedDict()

    def advance(self, session_id: str, position: Position) -> str:
        """Note that the reader has got to `position`, and return the id that says so."""
        self._told[session_id] = _digest(session_id, position) + _varint(position.offset)
        self._told.move_to_end(session_id)
        packed = bytearray()
        for item in reversed(self._told.values()):
            if len(packed) + len(item) > _MAX_BYTES:
                break
            packed += item
        return _PREFIX + _to_text(packed)


def parse_cursor(text: str) -> dict[bytes, int] | None:
    """Return the digests and numbers that an id tells; `None` for any other text."""
    if not text.startswith(_PREFIX) or len(text) > len(_PREFIX) + _MAX_CHARS:
        return None  # None of ours is longer, and to read one takes time that grows faster than its length.
    packed = _from_text(text.removeprefix(_PREFIX))
    told: dict[bytes, int] = {}
    while packed:
        digest, packed = packed[:_DIGEST_BYTES], packed[_DIGEST_BYTES:]
        n, length = _read_varint(packed)
        if not length:
            return None
        told[digest] = n
        packed = packed[length:]
    return told


def position_told(told: Mapping[bytes, int], session_id: str, current: Position) -> Position | None:
    """Return where the reader was in a session that is at `current` now, if the id tells."""
    n = told.get(_digest(session_id, current))
    return None if n is None else Position(current.epoch, n)


def end_id(positions: Mapping[str, Position]) -> str:
    """Return the id of the `end` of a stream whose sessions are completed at `positions`."""
    whole = blake2b(digest_size=16)
    for session_id in sorted(positions):
        whole.update(_digest(session_id, positions[session_id]) + _varint(positions[session_id].offset))
    return _END_PREFIX + _to_text(whole.digest())


def is_end_id(text: str) -> bool:
    """Whether the text may be the id of an `end`."""
    return text.startswith(_END_PREFIX)


def _digest(session_id: str, position: Position) -> bytes:
    # All absences of a session look alike: who saw one has missed nothing in another.
    epoch = "" if position.is_absence_of(session_id) else position.epoch
    return blake2b(f"{epoch}/{session_id}".encode(), digest_size=_DIGEST_BYTES).digest()


def _varint(n: int) -> bytes:
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def _read_varint(packed: bytes) -> tuple[int, int]:
    """Return the number and how many bytes it took; 0 bytes if there is no whole number."""
    n = 0
    for index, byte in enumerate(packed[:8]):
        n |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return n, index + 1
    return 0, 0


def _to_text(packed: bytes | bytearray) -> str:
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _from_text(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return b""
