"""Idempotency keys in requests: which are valid, and the request that each stands for."""

import hashlib
from typing import Any, Final, Protocol

from starlette.requests import Request

from progress_sse.core.errors import InvalidKeyError
from progress_sse.core.idempotency import IdempotencyKey
from progress_sse.wire.headers import header_values

MAX_KEY_CHARS: Final = 255
_KEY_RULE: Final = f"An Idempotency-Key has 1 to {MAX_KEY_CHARS} printable ASCII characters."

KEY_SCHEMA: Final[dict[str, Any]] = {"pattern": "^ *[!-~][ -~]*$", "maxLength": MAX_KEY_CHARS}

UPDATE: Final = "update"
"""The kind of request that an update is; a key identifies a request of one kind."""


class Canonical(Protocol):
    """A parsed body that stands for all bodies that say the same."""

    def canonical(self) -> str:
        """Return what the body says, as text."""


def idempotency_key(request: Request, kind: str, body: Canonical) -> IdempotencyKey | None:
    """Return the request's `Idempotency-Key` with a digest of its parsed body; `None` if it has none.

    Raises:
        InvalidKeyError: It is empty, over 255 characters, not printable ASCII, or there are several.
    """
    keys = header_values(request, b"idempotency-key")
    if not keys:
        return None
    if len(keys) > 1:
        raise InvalidKeyError(_KEY_RULE)
    return make_key(keys[0].decode("latin-1"), kind, body.canonical())


def make_key(key: str, kind: str, body: str) -> IdempotencyKey:
    """Return the key with a digest of the request's kind and parsed body.

    Raises:
        InvalidKeyError: It is empty, over 255 characters, or not printable ASCII.
    """
    stripped = key.strip(" ")  # As a header strips its value.
    if not stripped or len(key) > MAX_KEY_CHARS or not (key.isascii() and key.isprintable()):
        raise InvalidKeyError(_KEY_RULE)
    return IdempotencyKey(stripped, hashlib.sha256(f"{kind} {body}".encode()).hexdigest())
