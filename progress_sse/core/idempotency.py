"""Idempotency keys: how a client marks a request that it may send again, so that it is applied once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key that a client chose for one request, and a digest of that request as parsed."""

    key: str
    digest: str
