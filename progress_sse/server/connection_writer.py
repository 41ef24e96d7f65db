"""The body of a stream, written to its connection without a task or ASGI messages."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from progress_sse.wire.frames import FrameBatch


class Connection(Protocol):
    """The part of the HTTP protocol that a writer uses; `transport` is a `CoalescingTransport`."""

    flow: Any
    transport: Any
    detached: asyncio.BaseProtocol | None

    def on_response_complete(self) -> None:
        """Continue with the next request."""


class Response(Protocol):
    """The part of a response that a writer uses."""

    response_complete: bool
    keep_alive: bool


class ConnectionWriter:
    """Writes chunks [RFC 9112 §7.1]."""

    __slots__ = ("_connection", "_response")

    _END = b"0\r\n\r\n"

    def __init__(self, connection: Connection, response: Response) -> None:
        """Write the body of `response`, whose head is written."""
        self._connection = connection
        self._response = response

    @property
    def is_ready(self) -> bool:
        """Whether the connection's write buffer has room."""
        return not self._connection.flow.write_paused

    def write(self, batch: FrameBatch) -> None:
        """Write this next."""
        self._connection.transport.write_now(self._framed(batch))

    @property
    def write_chunk(self) -> Callable[[bytes], None] | None:
        """Writes a chunk at once; see `BodyWriter.write_chunk`."""
        write: Callable[[bytes], None] = self._connection.transport.write_through
        return write

    def finish(self, last: FrameBatch) -> None:
        """Write this and the end of the body; a kept-alive connection then serves the next request."""
        connection, response = self._connection, self._response
        connection.detached = None
        rest = self._framed(last) if last.data else b""  # An empty chunk would be the end already.
        connection.transport.write(rest + self._END)
        response.response_complete = True
        if not response.keep_alive:
            connection.transport.close()
        connection.on_response_complete()

    def _framed(self, batch: FrameBatch) -> bytes:
        return batch.chunk


class UnchunkedWriter(ConnectionWriter):
    """Writes for HTTP/1.0, where the end of the connection ends the body."""

    __slots__ = ()

    _END = b""
    write_chunk = None

    def _framed(self, batch: FrameBatch) -> bytes:
        return batch.data
