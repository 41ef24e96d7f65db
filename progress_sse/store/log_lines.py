"""The log lines of a session as the store and the backends exchange them, and the ring that keeps the newest ones.

Lines are numbered from 1 within an epoch of their session, which is the *life* that readers see. An epoch that takes
the place of another one of the same session goes on with its lines and numbers.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from progress_sse.core.errors import ConflictError
from progress_sse.core.model import Position
from progress_sse.store.types import Record, StorageLimits
from progress_sse.wire.log_lines_json import NumberedLine

MAX_LINE_KEYS: Final = 100
"""Idempotency keys of lines that a session remembers, apart from those of other updates."""

_FINGERPRINT_CHARS: Final = 32
_KEY_CHARS: Final = 2 * _FINGERPRINT_CHARS


class LineKey(NamedTuple):
    """The idempotency key of a request that brings lines, as two fingerprints: of the key, and of the request."""

    name: str
    digest: str


class LineUnit(NamedTuple):
    """The lines of one request, encoded; all or none of them are appended.

    Of a request that is refused (`is_refused`) there are none, and its key is looked up alone: it may be a repeat.
    """

    lines: Sequence[bytes]
    key: LineKey | None = None
    is_refused: bool = False


class LineAppend(NamedTuple):
    """Lines to append to the log of a session.

    Attributes:
        session_id: The session.
        expected: The position at which it must be.
        units: The lines of each request.
    """

    session_id: str
    expected: Position
    units: Sequence[LineUnit]


class StoredLines(NamedTuple):
    """Lines of a session as they are stored.

    Attributes:
        epoch: The epoch of the session.
        first: The number of the oldest line that is kept; `last + 1` if none is.
        last: The number of the newest line; 0 if there was none.
        lines: Lines that were asked for.
    """

    epoch: str
    first: int
    last: int
    lines: Sequence[NumberedLine]


class LineNotification(NamedTuple):
    """Lines that were appended, for the listeners of their session.

    It comes after those of the transitions before which they were accepted, as far as this process committed them.

    Attributes:
        session_id: The session.
        stored: The lines, which end with the newest one; none, or `None`, where a listener has to read what is new.
    """

    session_id: str
    stored: StoredLines | None


def find_digest(keys: str, name: str) -> str | None:
    """Return the digest of the request under a key that is remembered, or `None`."""
    for start in range(0, len(keys), _KEY_CHARS):
        if keys.startswith(name, start):
            return keys[start + _FINGERPRINT_CHARS : start + _KEY_CHARS]
    return None


def with_key(keys: str, key: LineKey) -> str:
    """Return the remembered keys with a new one; the oldest is forgotten where there are too many."""
    return (keys + key.name + key.digest)[-MAX_LINE_KEYS * _KEY_CHARS :]


def admit_units(units: Sequence[LineUnit], keys: str) -> tuple[list[bytes], list[str | None], str]:
    """Return the lines to append, the digest of each unit's request where its key is known, and the keys afterwards."""
    lines, known = list[bytes](), list[str | None]()
    for unit in units:
        digest = None if unit.key is None else find_digest(keys, unit.key.name)
        known.append(digest)
        if digest is None:
            lines += unit.lines
            keys = keys if unit.key is None or unit.is_refused else with_key(keys, unit.key)
    return lines, known, keys


class LineRing:
    """The newest lines of a session in memory.

    Attributes:
        last: The number of the newest line; 0 if there was none.
    """

    __slots__ = ("_bytes", "_keys", "_lines", "last")

    def __init__(self) -> None:
        """Begin empty."""
        self.last = 0
        self._lines: deque[NumberedLine] = deque()
        self._bytes = 0
        self._keys = ""

    @property
    def first(self) -> int:
        """The number of the oldest line that is kept; `last + 1` if none is."""
        return self.last + 1 - len(self._lines)

    def append(
        self, units: Sequence[LineUnit], limits: StorageLimits
    ) -> tuple[Sequence[NumberedLine], Sequence[str | None]]:
        """Append lines, and return them with what `admit_units` knows of their keys."""
        data, known, self._keys = admit_units(units, self._keys)
        lines = [NumberedLine(n, each) for n, each in enumerate(data, self.last + 1)]
        self.last += len(lines)
        self._lines += lines
        self._bytes += sum(map(len, data))
        while len(self._lines) > limits.log_lines or self._bytes > limits.log_bytes:
            self._bytes -= len(self._lines.popleft().data)
        return lines, known

    def after(self, n: int) -> Sequence[NumberedLine]:
        """Return the lines with a greater number."""
        return [line for line in self._lines if line.n > n]


class MemoryLines:
    """The log lines of sessions in the memory of one process."""

    def __init__(
        self,
        find: Callable[[str], Record | None],
        limits: StorageLimits,
        publish: Callable[[LineNotification], None],
    ) -> None:
        """Begin empty; `find` returns a session, and `publish` notifies of its lines."""
        self._find = find
        self._limits = limits
        self._publish = publish
        self._rings: dict[str, LineRing] = {}

    def drop(self, session_id: str) -> None:
        """Remove the lines of a session that is gone, or replaced."""
        self._rings.pop(session_id, None)

    async def append_lines(self, append: LineAppend) -> Sequence[str | None]:
        """Append lines; see `Lines.append_lines`."""
        record = self._find(append.session_id)
        if record is None or record.position != append.expected:
            raise ConflictError
        ring = self._rings.setdefault(append.session_id, LineRing())
        lines, known = ring.append(append.units, self._limits)
        if lines:
            appended = StoredLines(append.expected.epoch, ring.first, ring.last, lines)
            self._publish(LineNotification(append.session_id, appended))
        return known

    async def read_lines(self, session_id: str, after: int) -> StoredLines | None:
        """Return kept lines; see `Lines.read_lines`."""
        record = self._find(session_id)
        if record is None:
            return None
        ring = self._rings.get(session_id) or LineRing()
        return StoredLines(record.position.epoch, ring.first, ring.last, ring.after(after))
