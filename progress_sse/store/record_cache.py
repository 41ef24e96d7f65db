"""A cache of records in memory, in front of a slower store."""

from collections import OrderedDict
from typing import Final

from progress_sse.core.details import MAX_DETAILS_BYTES, NO_DETAILS
from progress_sse.store.types import Record

DEFAULT_BYTES: Final = 64 * 1024 * 1024
"""Enough for some ten thousand sessions of seven steps."""

# Roughly the memory of a record's objects without the texts that users send, and with the encoded body.
_RECORD_BYTES: Final = 1024
_DEFINITION_BYTES: Final = 128
_STEP_BYTES: Final = 512

_CLAIM_CHARS: Final = 20
_UNTAUGHT_CHARS: Final = 8

_CHAR_BYTES: Final = 12
"""The most bytes that a character of such a text takes: four in the text, four in its UTF-8, which Python keeps beside
it, and four in the body."""


class RecordCache:
    """Maps session ids to records, and keeps those used last. Its owner has to keep the records current."""

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        """Start empty; `max_bytes` is the limit for all records together, by a rough estimate."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[Record, int, int]] = OrderedDict()
        self._oversized: str | None = None
        self._unused: set[str] = set()

    def get(self, session_id: str) -> Record | None:
        """Return the record, or `None` if it is not cached."""
        kept = self._kept.get(session_id)
        if kept is None:
            return None
        self._kept.move_to_end(session_id)
        self._unused.discard(session_id)
        return kept[0]

    def revision(self, session_id: str) -> int:
        """Return the revision of the record; 0 if it is not cached, or has none."""
        kept = self._kept.get(session_id)
        return 0 if kept is None else kept[2]

    def put(self, session_id: str, record: Record, revision: int = 0) -> None:
        """Cache `record`, and evict the least recently used ones if there is no room.

        A record that exceeds the whole limit replaces the previous such record and evicts no others. Without that, it
        and all the records that it evicts would be read again each time.
        """
        self.drop(session_id)
        size = estimated_bytes(record)
        if size > self._max_bytes:
            if self._oversized is not None:
                self.drop(self._oversized)
            self._oversized = session_id
            size = 0
        self._kept[session_id] = record, size, revision
        self._unused.discard(session_id)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._bytes -= self._kept.popitem(last=False)[1][1]

    def drop_unused(self) -> None:
        """Evict the records that were not used since the last call."""
        for session_id in self._unused:
            self.drop(session_id)
        self._unused = set(self._kept)

    def drop(self, session_id: str) -> None:
        """Remove the session; one that is not cached is no error."""
        kept = self._kept.pop(session_id, None)
        if kept is not None:
            self._bytes -= kept[1]


def estimated_bytes(record: Record) -> int:
    """Return roughly how many bytes of memory a record takes; all texts that users send are counted."""
    steps = record.session.progress.steps.values()
    definitions = record.session.definitions
    chars = sum(len(definition.name) for definition in definitions)
    chars += sum(len(step.message) + len(step.error) for step in steps)
    details = record.session.progress.details
    if details is not NO_DETAILS:
        chars += MAX_DETAILS_BYTES + len(details.error or "") + _CLAIM_CHARS * len(details.claims)
        chars += 0 if details.timing is None else _UNTAUGHT_CHARS * len(details.timing.untaught)
    return _RECORD_BYTES + _DEFINITION_BYTES * len(definitions) + _STEP_BYTES * len(steps) + _CHAR_BYTES * chars
