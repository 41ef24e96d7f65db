"""How bytes go onto a connection: the writes of one turn of the event loop together, and a stream without ASGI."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from progress_sse.server.direct_exchange import Connection, DirectExchange
from progress_sse.wire.frames import FrameBatch

MAX_COALESCED_BYTES: Final = 16_384
"""Bytes that are copied into one write; longer data may be shared by many connections and is not copied."""


class WriteCoalescer:
    """Flushes the connections that were written to in one turn of the event loop, one right after the other.

    Most of the cost of a short write on one machine is waking the process that reads. In this way a proxy that holds
    all connections is woken once, and not once for each of them.
    """

    def __init__(self) -> None:
        self._waiting: list[CoalescingTransport] = []

    def add(self, transport: "CoalescingTransport") -> None:
        """Flush this transport at the end of the turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(transport)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            transport.flush()


class CoalescingTransport:
    """Buffers writes until the end of the loop's turn, so that head and body of a response go out in one write.

    Servers may hold a head back [ASGI HTTP, Response Start]. What this class does not define is the transport's.
    """

    __slots__ = ("_coalescer", "_transport", "_unsent", "is_closing", "write_through")

    def __init__(self, transport: asyncio.Transport, coalescer: WriteCoalescer) -> None:
        """Write to `transport`; `write_through` writes at once, for callers that know that nothing is buffered."""
        self._transport = transport
        self._coalescer = coalescer
        self._unsent = b""
        self.write_through = transport.write
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send this at the end of the turn; at once if it is large."""
        if len(self._unsent) + len(data) > MAX_COALESCED_BYTES:
            self.write_now(data)
        elif self._unsent:
            self._unsent += data
        else:
            self._unsent = data
            self._coalescer.add(self)

    def write_now(self, data: bytes) -> None:
        """Send buffered bytes and then this, without joining them: shared data would be copied for each connection."""
        self._send_unsent()
        self.write_through(data)

    def flush(self) -> None:
        """Send buffered bytes, unless the connection is closing: then no client would receive them."""
        if not self.is_closing():
            self._send_unsent()

    def _send_unsent(self) -> None:
        unsent, self._unsent = self._unsent, b""
        if unsent:
            self.write_through(unsent)

    def close(self) -> None:
        """Close after everything has been sent."""
        self.flush()
        self._transport.close()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the addresses without the socket object that uvicorn would create for each connection."""
        if name == "socket":
            return None
        value = self._transport.get_extra_info(name, default)
        return value[:2] if isinstance(value, tuple) else value  # IPv6 has four parts; uvicorn expects two.

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class ConnectionWriter:
    """A `BodyWriter` behind the head of a response: in chunks [RFC 9112 §7.1], but not for HTTP/1.0."""

    __slots__ = ("_connection", "_is_chunked", "_response")

    def __init__(self, connection: Connection, response: RequestResponseCycle | DirectExchange) -> None:
        """Write the body of `response`, whose head is written."""
        self._connection = connection
        self._response = response
        self._is_chunked = bool(response.chunked_encoding)

    @property
    def is_ready(self) -> bool:
        """Whether the connection's write buffer has room."""
        return not self._connection.flow.write_paused

    def write(self, batch: FrameBatch) -> None:
        """Write this next."""
        self._connection.transport.write_now(batch.chunk if self._is_chunked else batch.data)

    @property
    def write_chunk(self) -> Callable[[bytes], None] | None:
        """Writes a chunk at once; see `BodyWriter.write_chunk`."""
        write: Callable[[bytes], None] = self._connection.transport.write_through
        return write if self._is_chunked else None

    def finish(self, last: FrameBatch) -> None:
        """Write this and the end of the body; a kept-alive connection then serves the next request."""
        connection = self._connection
        response = self._response
        connection.detached = None
        # An empty chunk would be the end already.
        rest = (last.chunk if last.data else b"") + b"0\r\n\r\n" if self._is_chunked else last.data
        connection.transport.write(rest)
        response.response_complete = True
        if not response.keep_alive:
            connection.transport.close()
        connection.on_response_complete()
