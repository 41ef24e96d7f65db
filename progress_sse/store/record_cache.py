"""Records kept in memory in front of a slower place, as many as fit."""

from collections import OrderedDict
from typing import Final

from progress_sse.store.types import Record

DEFAULT_BYTES: Final = 64 * 1024 * 1024
"""Room for some ten thousand sessions of seven steps."""

# What the objects of a record take besides the texts that users send, roughly, with the body once it is rendered.
_RECORD_BYTES: Final = 1024
_DEFINITION_BYTES: Final = 128
_STEP_BYTES: Final = 512

_CHAR_BYTES: Final = 12
"""What a character of such a text takes at most: four bytes in the text, four in its UTF-8, which Python keeps beside
it, and four in the body."""


class RecordCache:
    """Maps session ids to records; what was used last stays. Whoever owns it has to keep it true."""

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        """Start empty; `max_bytes` is the room for all records together, by a rough estimate."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[Record, int, int]] = OrderedDict()
        self._oversized: str | None = None
        self._unused: set[str] = set()

    def get(self, session_id: str) -> Record | None:
        """Return the record, if it is here."""
        kept = self._kept.get(session_id)
        if kept is None:
            return None
        self._kept.move_to_end(session_id)
        self._unused.discard(session_id)
        return kept[0]

    def revision(self, session_id: str) -> int:
        """Return the revision of the record; 0 if it is not here, or has none."""
        kept = self._kept.get(session_id)
        return 0 if kept is None else kept[2]

    def put(self, session_id: str, record: Record, revision: int = 0) -> None:
        """Keep `record`, and let go of those that were not used for the longest time where there is no room.

        One that needs more room than there is takes the place of the last such one, and of nobody else: it would be
        read anew each time, with all those that it had driven out.
        """
        self.drop(session_id)
        size = estimated_bytes(record)
        if size > self._max_bytes:
            if self._oversized is not None:
                self.drop(self._oversized)
            self._oversized, size = session_id, 0
        self._kept[session_id] = record, size, revision
        self._unused.discard(session_id)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._bytes -= self._kept.popitem(last=False)[1][1]

    def drop_unused(self) -> None:
        """Let go of what was not used since this was called the last time."""
        for session_id in self._unused:
            self.drop(session_id)
        self._unused = set(self._kept)

    def drop(self, session_id: str) -> None:
        """Forget the session; one that is not here is no error."""
        kept = self._kept.pop(session_id, None)
        if kept is not None:
            self._bytes -= kept[1]


def estimated_bytes(record: Record) -> int:
    """Return roughly how much memory a record takes; no text that users send goes uncounted."""
    steps = record.session.progress.steps.values()
    definitions = record.session.definitions
    chars = sum(len(definition.name) for definition in definitions)
    chars += sum(len(step.message) + len(step.error) for step in steps)
    return _RECORD_BYTES + _DEFINITION_BYTES * len(definitions) + _STEP_BYTES * len(steps) + _CHAR_BYTES * chars
