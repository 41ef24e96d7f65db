"""Limits of connections: how long the server waits for requests, how many bytes it takes, how many clients it serves.

All connections of a queue have the same timeout, so the oldest is due first, and one timer serves thousands of them. A
connection is in one queue at most. A stream sends no requests, so it is in none and costs nothing. The kernel drops
clients that take no bytes of a stream (see ``server.sockets``).
"""

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES: Final = 65_536
"""Bytes that a request may have before its body, without white space around values."""

MAX_HEADERS: Final = 100
"""Header fields that a request may have; the default of Apache and of Go's proxies."""

MAX_URL_BYTES: Final = 32_768
"""Bytes of a request's target: enough for a stream of twenty sessions with ids of the maximum length."""

MAX_PIPELINED: Final = 10
"""Requests that may wait on one connection. Each takes a hundred times the memory of its few bytes; behind a stream it
takes that for as long as the stream lasts."""

MAX_UNSENT_BUFFER_BYTES: Final = 256 * 2**20
"""Bytes that may wait, in all, for clients that do not take their responses; streams have their own limit."""

FRAMING_FACTOR: Final = 2
"""How many times the bytes of the largest body its chunked form may have, as each chunk has a size."""

SWEEPS_PER_TIMEOUT: Final = 100
"""How many times a queue is checked during one timeout, at most."""


class LimitedConnection(Protocol):
    """A connection in a queue. It has been removed from the queue before it is called."""

    def evict(self) -> None:
        """Close, as another connection needs the place."""

    def on_head_overdue(self) -> None:
        """The head of a request did not arrive in time."""

    def on_body_overdue(self) -> None:
        """The body of a request did not arrive in time."""


Item = TypeVar("Item")


class DeadlineQueue(Generic[Item]):
    """Items with the same timeout, oldest first."""

    def __init__(self, timeout_s: float, on_overdue: Callable[[Item], None]) -> None:
        """Call `on_overdue` with each item that has been here for `timeout_s` seconds."""
        self._timeout_s = timeout_s
        self._on_overdue = on_overdue
        self._due: OrderedDict[Item, float] = OrderedDict()
        self._is_timed = False

    def __len__(self) -> int:
        """Return how many items are in the queue."""
        return len(self._due)

    @property
    def first(self) -> Item | None:
        """The oldest item."""
        return next(iter(self._due), None)

    @property
    def since(self) -> float:
        """The time of the event loop at which the oldest item came; infinite without one."""
        return next(iter(self._due.values()), math.inf) - self._timeout_s

    def enter(self, item: Item) -> None:
        """Add an item; its timeout begins now."""
        loop = asyncio.get_running_loop()
        self._due[item] = loop.time() + self._timeout_s
        if not self._is_timed:
            self._is_timed = True
            loop.call_later(self._timeout_s, self._sweep)

    def leave(self, item: Item) -> None:
        """Remove an item; does nothing if it is not in the queue."""
        self._due.pop(item, None)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._due:
            item, due = next(iter(self._due.items()))
            if due > now:
                loop.call_later(max(due - now, self._timeout_s / SWEEPS_PER_TIMEOUT), self._sweep)
                return
            del self._due[item]
            try:
                self._on_overdue(item)
            except Exception:
                logger.exception("a connection could not be ended")  # The others still can.
        self._is_timed = False


class UnsentBuffers:
    """Connections with unsent response bytes, oldest first."""

    def __init__(self, max_bytes: int) -> None:
        """Allow `max_bytes` unsent bytes for all connections together."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._unsent: dict[LimitedConnection, int] = {}

    @property
    def first(self) -> LimitedConnection | None:
        """The oldest of the connections."""
        return next(iter(self._unsent), None)

    def enter(self, connection: LimitedConnection, unsent_bytes: int) -> None:
        """Count the unsent bytes of a connection; if the total is too large, evict the oldest other connections."""
        self.leave(connection)
        self._unsent[connection] = unsent_bytes
        self._bytes += unsent_bytes
        while self._bytes > self._max_bytes and (first := self.first) is not connection and first is not None:
            self.leave(first)
            first.evict()

    def leave(self, connection: LimitedConnection) -> None:
        """Stop counting a connection; does nothing if it is not counted."""
        self._bytes -= self._unsent.pop(connection, 0)


class ConnectionLimits:
    """The limits that all connections of a server share, and its connections in the order of their deadlines.

    Attributes:
        awaiting_head: Connections that have sent no request yet, or a part of a head.
        idle: Connections whose requests are all answered.
        awaiting_body: Connections that have sent the head of a request.
        unsent_buffers: Connections whose clients do not take their responses.
        max_connections: Connections that may be open.
        max_rest_bytes: Bytes that may follow the head of a request: its body and the framing.
    """

    def __init__(
        self,
        *,
        head_timeout_s: float,
        body_timeout_s: float,
        keep_alive_s: float,
        max_body_bytes: int,
        max_connections: int,
    ) -> None:
        """Wait `head_timeout_s` for a head, `body_timeout_s` for its body, and `keep_alive_s` for the next request."""
        self.awaiting_head = DeadlineQueue[LimitedConnection](
            head_timeout_s, lambda connection: connection.on_head_overdue()
        )
        self.idle = DeadlineQueue[LimitedConnection](keep_alive_s, lambda connection: connection.on_head_overdue())
        self.awaiting_body = DeadlineQueue[LimitedConnection](
            body_timeout_s, lambda connection: connection.on_body_overdue()
        )
        self.unsent_buffers = UnsentBuffers(MAX_UNSENT_BUFFER_BYTES)
        self.max_connections = max_connections
        self.max_rest_bytes = FRAMING_FACTOR * max_body_bytes + MAX_HEAD_BYTES

    def make_room(self) -> bool:
        """Evict the connection that has been idle or overdue for longest; return whether there is one.

        A well-behaved client is in a queue so briefly that hardly any new connection takes its place.
        """
        without_request = min(self.awaiting_head, self.idle, key=lambda queue: queue.since)
        queues = (without_request, self.awaiting_body, self.unsent_buffers)
        connection = next((queue.first for queue in queues if queue.first is not None), None)
        if connection is not None:
            connection.evict()
        return connection is not None
