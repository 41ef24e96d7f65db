"""Tickets: each opens one stream, once, for a client that cannot send headers and has to put it into the URL.

A ticket stands for the token that it was issued for, which must still be valid when the ticket is used. The store keeps
the token under the ticket's hash, combined with another hash of the ticket. So neither a URL in a log nor the content
of the store reveals the token. The first request with the ticket redeems it, in any process.
"""

import hashlib
import secrets
from collections import OrderedDict, deque
from typing import Final, Protocol, runtime_checkable

from progress_sse._internal.clock import Clock

MAX_VALUES: Final = 10_000
"""Values that one process keeps at a time; beyond that the oldest is dropped."""


@runtime_checkable
class OneTimeStore(Protocol):
    """Keeps values for a moment; the first caller that takes a value removes it."""

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        """Keep `value` for `lifetime_s` seconds."""

    async def take(self, name: str) -> bytes | None:
        """Remove and return the value; `None` if there is none, or no longer."""


class MemoryOneTimeStore:
    """The store of a single process; all its values have the same lifetime."""

    def __init__(self, clock: Clock) -> None:
        """Measure by `clock`."""
        self._clock = clock
        self._kept: dict[str, tuple[float, bytes]] = {}

    def __len__(self) -> int:
        """Return the number of values, expired ones included."""
        return len(self._kept)

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        """Keep `value`, and drop expired values and the oldest beyond the limit."""
        now = self._clock.monotonic()
        while self._kept and (len(self._kept) >= MAX_VALUES or next(iter(self._kept.values()))[0] <= now):
            del self._kept[next(iter(self._kept))]
        self._kept[name] = (now + lifetime_s, value)

    async def take(self, name: str) -> bytes | None:
        """Remove and return the value; `None` if there is none, or it has expired."""
        until, value = self._kept.pop(name, (0.0, None))
        return value if self._clock.monotonic() < until else None


TICKET_BYTES: Final = 24
"""Random bytes of a ticket."""

LIFETIME_S: Final = 30
"""Seconds within which a ticket must be used."""

MAX_TICKETS_PER_TOKEN: Final = 100
"""Tickets that a token has at a time, as counted by one process; beyond that the token's oldest becomes invalid."""

MAX_TOKENS: Final = 10_000
"""Tokens whose tickets one process counts; beyond that it forgets the count of the one that got no ticket longest."""


class Tickets:
    """Issues tickets, and redeems them."""

    def __init__(self, store: OneTimeStore) -> None:
        """Keep the tokens in `store`."""
        self._store = store
        self._issued: OrderedDict[str, deque[str]] = OrderedDict()

    async def issue(self, token: str) -> str:
        """Return a ticket for the token, which is text as in a header.

        Raises:
            StoreUnavailableError: The token could not be kept.
        """
        ticket = secrets.token_urlsafe(TICKET_BYTES)
        name = _hash(ticket)
        await self._store.put(name, _combined_with_hash(token.encode("latin-1"), ticket), LIFETIME_S)
        excess = self._count(_hash(token), name)
        if excess is not None:
            await self._store.take(excess)
        return ticket

    def _count(self, token: str, ticket: str) -> str | None:
        """Count a ticket, and return the token's oldest one, used or not, if it now has too many."""
        issued = self._issued.setdefault(token, deque())
        self._issued.move_to_end(token)
        issued.append(ticket)
        if len(self._issued) > MAX_TOKENS:
            self._issued.popitem(last=False)
        return issued.popleft() if len(issued) > MAX_TICKETS_PER_TOKEN else None

    async def redeem(self, ticket: str) -> str | None:
        """Return the token that a ticket stands for; `None` if the ticket is invalid, used, or too old.

        Raises:
            StoreUnavailableError: The store does not answer, so that this is unknown.
        """
        value = await self._store.take(_hash(ticket))
        return None if value is None else _combined_with_hash(value, ticket).decode("latin-1")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _combined_with_hash(token: bytes, ticket: str) -> bytes:
    """Return the token XOR a hash of the ticket, which is a one-time pad; applied again, this returns the token."""
    pad = hashlib.shake_256(ticket.encode()).digest(len(token))
    return bytes(one ^ other for one, other in zip(token, pad, strict=True))
