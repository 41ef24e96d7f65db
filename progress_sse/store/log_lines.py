"""The log lines of a session as the store and the backends exchange them, and the ring that keeps the newest ones.

Lines are numbered from 1 within an epoch of their session, which is the *life* that readers see. An epoch that replaces
another one of the same session goes on with its lines and numbers.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from progress_sse.core.errors import ConflictError
from progress_sse.store.types import Change, LineKey, Record, StorageLimits
from progress_sse.wire.log_lines_json import NumberedLine

MAX_LINE_KEYS: Final = 100
"""Idempotency keys of lines that a session remembers, apart from those of other updates."""

_FINGERPRINT_CHARS: Final = 32
_KEY_CHARS: Final = 2 * _FINGERPRINT_CHARS


class StoredLines(NamedTuple):
    """Lines that were asked for, and what their session keeps.

    Attributes:
        epoch: The epoch of the session.
        first: The number of the oldest line that is kept; `last + 1` if none is.
        last: The number of the newest line; 0 if there was none.
        lines: Those that were asked for.
    """

    epoch: str
    first: int
    last: int
    lines: Sequence[NumberedLine]


def find_digest(keys: str, name: str) -> str | None:
    """Return the digest of the request under a key that is remembered, or `None`."""
    for start in range(0, len(keys), _KEY_CHARS):
        if keys.startswith(name, start):
            return keys[start + _FINGERPRINT_CHARS : start + _KEY_CHARS]
    return None


def with_keys(keys: str, new: Sequence[LineKey]) -> str:
    """Return the remembered keys with new ones, without the oldest beyond the limit.

    Raises:
        ConflictError: One of the new ones is known.
    """
    for key in new:
        if find_digest(keys, key.name) is not None:
            raise ConflictError
    return (keys + "".join(map("".join, new)))[-MAX_LINE_KEYS * _KEY_CHARS :]


class LineRing:
    """The newest lines of a session in memory, and the keys that they came with."""

    __slots__ = ("_bytes", "_lines", "keys", "last")

    def __init__(self) -> None:
        self.last = 0
        self.keys = ""
        self._lines: deque[NumberedLine] = deque()
        self._bytes = 0

    def append(self, data: Sequence[bytes], limits: StorageLimits) -> Sequence[NumberedLine]:
        """Append lines, and return them with their numbers."""
        lines = [NumberedLine(n, each) for n, each in enumerate(data, self.last + 1)]
        self.last += len(lines)
        self._lines += lines
        self._bytes += sum(map(len, data))
        while len(self._lines) > limits.log_lines or self._bytes > limits.log_bytes:
            self._bytes -= len(self._lines.popleft().data)
        return lines

    def shown(self, epoch: str, lines: Sequence[NumberedLine]) -> StoredLines:
        """Return lines with the numbers of the oldest line that is kept and of the newest."""
        return StoredLines(epoch, self.last + 1 - len(self._lines), self.last, lines)

    def after(self, n: int) -> Sequence[NumberedLine]:
        """Return the lines with a greater number."""
        return [line for line in self._lines if line.n > n]


class MemoryLines:
    """The log lines of sessions in the memory of one process."""

    def __init__(self, find: Callable[[str], Record | None], limits: StorageLimits) -> None:
        self._find = find
        self._limits = limits
        self._rings: dict[str, LineRing] = {}

    def drop(self, session_id: str) -> None:
        """Remove the lines of a session that is gone, or replaced."""
        self._rings.pop(session_id, None)

    def check_keys(self, change: Change) -> None:
        """Raise `ConflictError` if a key of a change's lines is known."""
        if not change.is_fresh and change.session_id in self._rings:
            with_keys(self._rings[change.session_id].keys, change.line_keys)

    def append(self, change: Change, epoch: str) -> StoredLines:
        """Append the lines of a change."""
        ring = self._rings.setdefault(change.session_id, LineRing())
        ring.keys = with_keys(ring.keys, change.line_keys)
        return ring.shown(epoch, ring.append(change.lines, self._limits))

    async def read_lines(self, session_id: str, after: int) -> StoredLines | None:
        """Return kept lines; see `Lines.read_lines`."""
        record = self._find(session_id)
        if record is None:
            return None
        ring = self._rings.get(session_id) or LineRing()
        return ring.shown(record.position.epoch, ring.after(after))

    async def find_line_key(self, session_id: str, name: str) -> str | None:
        """Return the digest of a request; see `Lines.find_line_key`."""
        ring = self._rings.get(session_id)
        return None if ring is None else find_digest(ring.keys, name)
