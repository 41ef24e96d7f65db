"""For how long a server waits for its clients, for how much, and for how many of them at once.

All in a queue wait equally long, so whoever came first is due first: one timer serves thousands of them. A connection
is in one queue at most; a stream, which nothing is expected from, is in none and costs nothing. Those who do not take
what they asked for are not for here: the kernel drops them (see ``listener``).
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES: Final = 65_536
"""Bytes that a request may have before its body, white space around values not counted."""

MAX_HEADERS: Final = 100
"""Header fields that a request may have; as many as Apache and Go's proxies let through by default."""

MAX_URL_BYTES: Final = 32_768
"""Bytes of a request's target: enough for a stream of twenty sessions whose ids are as long as ids can be."""

MAX_PIPELINED: Final = 10
"""Requests that may wait on one connection for their turn; each takes a hundred times the memory of its few bytes, and
behind a stream it takes that for as long as the stream lasts."""

MAX_UNTAKEN_BYTES: Final = 256 * 2**20
"""Bytes that may wait, in all, for those who do not take their answers; the streams have a bound of their own."""

FRAMING: Final = 2
"""How many times the bytes of the largest body may come for one, as chunks have a size each."""

SWEEPS: Final = 100
"""How often a queue is gone through while one timeout passes, at most."""


class Client(Protocol):
    """One that is waited for; it is out of the queue when it is told that its time is over."""

    def give_way(self) -> None:
        """Somebody else needs the place."""

    def on_head_overdue(self) -> None:
        """No request has come."""

    def on_body_overdue(self) -> None:
        """The request is not complete."""


Waiting = TypeVar("Waiting")


class Queue(Generic[Waiting]):
    """Those who are waited for equally long, the first to come first."""

    def __init__(self, timeout_s: float, on_overdue: Callable[[Waiting], None]) -> None:
        """Call `on_overdue` with whoever has been here for `timeout_s` seconds."""
        self._timeout_s = timeout_s
        self._on_overdue = on_overdue
        self._due: OrderedDict[Waiting, float] = OrderedDict()
        self._is_timed = False

    def __len__(self) -> int:
        """Return how many are waited for."""
        return len(self._due)

    @property
    def first(self) -> Waiting | None:
        """Whoever has been waited for longest."""
        return next(iter(self._due), None)

    def enter(self, waiting: Waiting) -> None:
        """Wait for this one from now on."""
        loop = asyncio.get_running_loop()
        self._due[waiting] = loop.time() + self._timeout_s
        if not self._is_timed:
            self._is_timed = True
            loop.call_later(self._timeout_s, self._sweep)

    def leave(self, waiting: Waiting) -> None:
        """Wait for this one no more; if that was over already, it is no error."""
        self._due.pop(waiting, None)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._due:
            waiting, due = next(iter(self._due.items()))
            if due > now:
                loop.call_later(max(due - now, self._timeout_s / SWEEPS), self._sweep)
                return
            del self._due[waiting]
            try:
                self._on_overdue(waiting)
            except Exception:
                logger.exception("a connection could not be ended")  # The others still can.
        self._is_timed = False


class Takers:
    """Those who do not take what they asked for as fast as it comes, or at all; whoever came first is first."""

    def __init__(self, max_bytes: int) -> None:
        """Let as much wait for all of them together."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._unsent: dict[Client, int] = {}

    @property
    def first(self) -> Client | None:
        """Whoever has been one for longest."""
        return next(iter(self._unsent), None)

    def enter(self, client: Client, unsent_bytes: int) -> None:
        """Count what waits for this one; where that is too much with all the rest, those who came first give way."""
        self.leave(client)
        self._unsent[client] = unsent_bytes
        self._bytes += unsent_bytes
        while self._bytes > self._max_bytes and (first := self.first) is not client and first is not None:
            self.leave(first)
            first.give_way()

    def leave(self, client: Client) -> None:
        """Count this one no more; if it was none, it is no error."""
        self._bytes -= self._unsent.pop(client, 0)


class Patience:
    """What a server grants its clients.

    Attributes:
        heads: Those who have a request to send; each that is idle is among them.
        bodies: Those who have begun one.
        takers: Those who do not take their answers.
        max_connections: Connections that may be open.
        max_rest_bytes: Bytes that may follow the head of a request: its body, and how that is framed.
    """

    def __init__(
        self,
        *,
        head_timeout_s: float,
        body_timeout_s: float,
        max_body_bytes: int,
        max_connections: int,
    ) -> None:
        """Wait so many seconds for a head, and then for its body."""
        self.heads = Queue[Client](head_timeout_s, lambda client: client.on_head_overdue())
        self.bodies = Queue[Client](body_timeout_s, lambda client: client.on_body_overdue())
        self.takers = Takers(MAX_UNTAKEN_BYTES)
        self.max_connections = max_connections
        self.max_rest_bytes = FRAMING * max_body_bytes + MAX_HEAD_BYTES

    def make_room(self) -> bool:
        """End the connection that has been idle for longest, or else been waited for; return whether there is one.

        Whoever means well is waited for so briefly that hardly any newcomer takes his place.
        """
        candidates = (self.heads.first, self.bodies.first, self.takers.first)
        client = next((each for each in candidates if each is not None), None)
        if client is not None:
            client.give_way()
        return client is not None
