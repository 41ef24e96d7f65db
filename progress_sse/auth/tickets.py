"""Tickets: what opens one stream, once, for whoever cannot send headers and has to put something into an address.

A ticket stands for the token that bought it, which has to be good still when it is used. It says nothing by itself: the
token is kept under its digest and masked by it, so that neither an address in a log nor a look into the store is worth
anything, and taken out by the first who brings the ticket, in whichever process.
"""

import hashlib
import secrets
from collections import OrderedDict, deque
from typing import Final, Protocol, runtime_checkable

from progress_sse._internal.clock import Clock

TICKET_BYTES: Final = 24
LIFETIME_S: Final = 30
"""Seconds in which a ticket has to be used."""

MAX_TICKETS: Final = 10_000
"""Tickets that one process keeps at a time, where it keeps them itself; past it the oldest goes unused."""

MAX_TICKETS_PER_TOKEN: Final = 100
"""Tickets that one token has at a time, by the count of one process; past it, its own oldest counts no more."""


@runtime_checkable
class OneTimeStore(Protocol):
    """Where something lies for a moment, until the first who asks takes it out."""

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        """Keep `value` for `lifetime_s` seconds."""

    async def take(self, name: str) -> bytes | None:
        """Return it, once; `None` if it is not there, or not any more."""


class MemoryOneTimeStore:
    """The drawer of a single process; everything in it lies there equally long."""

    def __init__(self, clock: Clock) -> None:
        """Measure by `clock`."""
        self._clock = clock
        self._kept: dict[str, tuple[float, bytes]] = {}

    def __len__(self) -> int:
        """Return how much lies in it."""
        return len(self._kept)

    async def put(self, name: str, value: bytes, lifetime_s: int) -> None:
        """Keep `value`."""
        now = self._clock.monotonic()
        while self._kept and (len(self._kept) >= MAX_TICKETS or self._oldest_until <= now):
            del self._kept[next(iter(self._kept))]
        self._kept[name] = (now + lifetime_s, value)

    @property
    def _oldest_until(self) -> float:
        return next(iter(self._kept.values()))[0]

    async def take(self, name: str) -> bytes | None:
        """Return it, once."""
        until, value = self._kept.pop(name, (0.0, None))
        return value if self._clock.monotonic() < until else None


class Tickets:
    """Sells tickets, and takes them."""

    def __init__(self, drawer: OneTimeStore) -> None:
        """Keep in `drawer` what they stand for."""
        self._drawer = drawer
        self._sold: OrderedDict[str, deque[str]] = OrderedDict()

    async def issue(self, token: str) -> str:
        """Return a ticket for the token, which is text as a header has it.

        Raises:
            StoreUnavailableError: It could not be kept.
        """
        ticket = secrets.token_urlsafe(TICKET_BYTES)
        await self._drawer.put(_name(ticket), _masked(token.encode("latin-1"), ticket), LIFETIME_S)
        surplus = self._surplus(token, _name(ticket))
        if surplus is not None:
            await self._drawer.take(surplus)
        return ticket

    def _surplus(self, token: str, name: str) -> str | None:
        """Note a ticket, and return which one of the same token gives way to it, used or not."""
        sold = self._sold.setdefault(_name(token), deque())
        self._sold.move_to_end(_name(token))
        sold.append(name)
        if len(self._sold) > MAX_TICKETS:
            self._sold.popitem(last=False)
        return sold.popleft() if len(sold) > MAX_TICKETS_PER_TOKEN else None

    async def redeem(self, ticket: str) -> str | None:
        """Return the token that a ticket stands for; `None` if it is none, is used, or is too old.

        Raises:
            StoreUnavailableError: Nobody knows.
        """
        value = await self._drawer.take(_name(ticket))
        return None if value is None else _masked(value, ticket).decode("latin-1")


def _name(ticket: str) -> str:
    return hashlib.sha256(ticket.encode(errors="surrogatepass")).hexdigest()


def _masked(text: bytes, ticket: str) -> bytes:
    """Return the text under a pad that only the ticket makes, and makes once; of that again, the text."""
    pad = hashlib.shake_256(ticket.encode()).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, pad, strict=True))
