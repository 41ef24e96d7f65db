"""Event ids on a stream of several sessions: one short text that holds a position in each of them [docs/protocol.md].

An id has at most 128 characters, and 20 full positions would not fit. So each position is written as a 6-byte digest of
session id and epoch, and the offset as a varint. The sessions that changed last come first; a session that no longer
fits gets a snapshot on reconnection. A digest cannot be decoded. It is compared with the digest of the session as it is
now, and equality is all that an epoch is used for. The id of the `end` event is one digest of all positions: it only
has to differ from every other.
"""

import base64
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final, TypeAlias

from progress_sse.core.model import Position

_PREFIX: Final = "m."
_END_PREFIX: Final = "e."
_MAX_BYTES: Final = 93
_MAX_CHARS: Final = 124  # in base64url
_DIGEST_BYTES: Final = 6


class StreamCursor:
    """A subscriber's position in each of its sessions; advances with each event that is sent."""

    def __init__(self) -> None:
        self._encoded: OrderedDict[str, bytes] = OrderedDict()

    def advance(self, session_id: str, position: Position) -> str:
        """Move to `position` in one session, and return the id that holds all positions."""
        self._encoded[session_id] = _digest(session_id, position) + _varint(position.offset)
        self._encoded.move_to_end(session_id)
        packed = bytearray()
        for item in reversed(self._encoded.values()):
            if len(packed) + len(item) > _MAX_BYTES:
                break
            packed += item
        return _PREFIX + _to_text(packed)


def parse_cursor(text: str) -> dict[bytes, int] | None:
    """Return the offset for each digest in an id; `None` for any other text."""
    if not text.startswith(_PREFIX) or len(text) > len(_PREFIX) + _MAX_CHARS:
        return None  # None of ours is longer, and the time to decode one grows faster than its length.
    packed = _from_text(text.removeprefix(_PREFIX))
    offsets: dict[bytes, int] = {}
    while packed:
        digest, packed = packed[:_DIGEST_BYTES], packed[_DIGEST_BYTES:]
        n, length = _read_varint(packed)
        if not length:
            return None
        offsets[digest] = n
        packed = packed[length:]
    return offsets


def cursor_position(offsets: Mapping[bytes, int], session_id: str, current: Position) -> Position | None:
    """Return the position that a parsed id holds of a session that is at `current` now, if it holds one."""
    offset = offsets.get(_digest(session_id, current))
    return None if offset is None else Position(current.epoch, offset)


def end_id(positions: Mapping[str, Position]) -> str:
    """Return the id of the `end` event of a stream whose sessions are completed at `positions`."""
    whole = blake2b(digest_size=16)
    for session_id in sorted(positions):
        whole.update(_digest(session_id, positions[session_id]) + _varint(positions[session_id].offset))
    return _END_PREFIX + _to_text(whole.digest())


def is_end_id(text: str) -> bool:
    """Return whether the text may be the id of an `end` event."""
    return text.startswith(_END_PREFIX)


def _digest(session_id: str, position: Position) -> bytes:
    # All absences of a session have one digest: a client that saw one has missed nothing in another.
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
    """Return the number and its length in bytes; 0 bytes if it is incomplete."""
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
    except ValueError:
        return b""


ResumePoint: TypeAlias = Callable[[Position], Position | None]
"""Returns the position that a returning subscriber has reached, given the session's; `None` if it is unknown."""


def resume_from(position: Position | None) -> ResumePoint | None:
    """Return the resume point of a subscriber that has reached `position`; `None` for a new subscriber."""
    return None if position is None else lambda _current: position
