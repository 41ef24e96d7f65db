"""The log lines of a session as the store and the backends exchange them.

Lines are numbered from 1 within an epoch of their session, which is the *life* that readers see. An epoch that replaces
another one of the same session goes on with its lines and numbers.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from progress_sse.core.errors import ConflictError
from progress_sse.store.types import LineKey
from progress_sse.wire.log_lines_json import NumberedLine

MAX_LINE_KEYS: Final = 100
"""Idempotency keys of lines that a session remembers, apart from those of other updates."""

_FINGERPRINT_CHARS: Final = 32
_KEY_CHARS: Final = 2 * _FINGERPRINT_CHARS


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


def find_digest(keys: str, name: str) -> str | None:
    """Return the digest of the request under a key that is remembered, or `None`."""
    for start in range(0, len(keys), _KEY_CHARS):
        if keys.startswith(name, start):
            return keys[start + _FINGERPRINT_CHARS : start + _KEY_CHARS]
    return None


def with_keys(keys: str, new: Sequence[LineKey]) -> str:
    """Return the remembered keys with new ones; the oldest are forgotten where there are too many.

    Raises:
        ConflictError: One of the new ones is known.
    """
    for key in new:
        if find_digest(keys, key.name) is not None:
            raise ConflictError
    return (keys + "".join(map("".join, new)))[-MAX_LINE_KEYS * _KEY_CHARS :]
