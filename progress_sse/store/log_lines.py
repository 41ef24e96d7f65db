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
    """Some lines of a session, and the numbers of the oldest one that it keeps and of the newest.

    `last` is 0 if there was none; `first` is `last + 1` if none is kept.
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
    """Return the newest remembered keys with new ones; `ConflictError` if one of the new ones is known."""
    for key in new:
        if find_digest(keys, key.name) is not None:
            raise ConflictError
    return (keys + "".join(map("".join, new)))[-MAX_LINE_KEYS * _KEY_CHARS :]
