"""Limits of connections: how long the server waits for requests, how many bytes it takes, how many clients it serves.

All connections of a queue have the same timeout, so the oldest is due first, and one timer serves thousands of them. A
connection is in one queue at most. A stream sends no requests, so it is in none and costs nothing. The kernel drops
clients that take no bytes of a stream (see ``server.sockets``).
"""

import asyncio
import logging
import math
from collections import OrderedDict
from typing import Any, Final, Protocol

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
    """A connection, and the queue that it is in."""

    transport: Any
    queue: "DeadlineQueue | None"

    def on_overdue(self) -> None:
        """Called when the request did not arrive in time; the connection is in no queue by then."""


class DeadlineQueue:
    """Connections with the same timeout, oldest first."""

    def __init__(self, timeout_s: float) -> None:
        """Call `on_overdue` of each connection that has been here for `timeout_s` seconds."""
        self._timeout_s = timeout_s
        self._due: OrderedDict[LimitedConnection, float] = OrderedDict()
        self._is_timed = False

    def __len__(self) -> int:
        return len(self._due)

    @property
    def first(self) -> LimitedConnection | None:
        """The oldest connection."""
        return next(iter(self._due), None)

    @property
    def since(self) -> float:
        """The time of the event loop at which the oldest connection came; infinite without one."""
        return next(iter(self._due.values()), math.inf) - self._timeout_s

    def enter(self, connection: LimitedConnection) -> None:
        """Take a connection from its former queue; its timeout begins now."""
        if connection.queue is not None:
            connection.queue.leave(connection)
        connection.queue = self
        loop = asyncio.get_running_loop()
        self._due[connection] = loop.time() + self._timeout_s
        if not self._is_timed:
            self._is_timed = True
            loop.call_later(self._timeout_s, self._sweep)

    def leave(self, connection: LimitedConnection) -> None:
        """Remove a connection of this queue."""
        del self._due[connection]
        connection.queue = None

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._due:
            connection, due = next(iter(self._due.items()))
            if due > now:
                loop.call_later(max(due - now, self._timeout_s / SWEEPS_PER_TIMEOUT), self._sweep)
                return
            self.leave(connection)
            try:
                connection.on_overdue()
            except Exception:
                logger.exception("a connection could not be ended")  # The others still can.
        self._is_timed = False


class ConnectionLimits:
    """The limits that all connections of a server share, and its connections in the order of their deadlines.

    Attributes:
        awaiting_head: Connections that have sent no request yet, or a part of a head.
        idle: Connections whose requests are all answered.
        awaiting_body: Connections that have sent the head of a request.
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
        self.awaiting_head = DeadlineQueue(head_timeout_s)
        self.idle = DeadlineQueue(keep_alive_s)
        self.awaiting_body = DeadlineQueue(body_timeout_s)
        self.max_connections = max_connections
        self.max_rest_bytes = FRAMING_FACTOR * max_body_bytes + MAX_HEAD_BYTES
        self._unsent: dict[LimitedConnection, int] = {}
        self._unsent_bytes = 0

    def make_room(self) -> bool:
        """Evict the connection that has been idle or overdue for longest; return whether there is one.

        A well-behaved client is in a queue so briefly that hardly any new connection takes its place.
        """
        without_request = min(self.awaiting_head, self.idle, key=lambda queue: queue.since)
        candidates = (without_request.first, self.awaiting_body.first, next(iter(self._unsent), None))
        connection = next(filter(None, candidates), None)
        if connection is not None:
            self._evict(connection)
        return connection is not None

    def enter_unsent(self, connection: LimitedConnection, unsent_bytes: int) -> None:
        """Count the unsent bytes of a connection; if the total is too large, evict the oldest other connections."""
        self.leave_unsent(connection)
        self._unsent[connection] = unsent_bytes
        self._unsent_bytes += unsent_bytes
        while self._unsent_bytes > MAX_UNSENT_BUFFER_BYTES and (first := next(iter(self._unsent))) is not connection:
            self._evict(first)

    def leave_unsent(self, connection: LimitedConnection) -> None:
        """Stop counting a connection's unsent bytes; does nothing if they are not counted."""
        self._unsent_bytes -= self._unsent.pop(connection, 0)

    def leave(self, connection: LimitedConnection) -> None:
        """Forget a connection."""
        if connection.queue is not None:
            connection.queue.leave(connection)
        self.leave_unsent(connection)

    def _evict(self, connection: LimitedConnection) -> None:
        self.leave(connection)
        connection.transport.abort()
