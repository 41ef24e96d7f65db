"""A request on a hot route and its response, without ASGI.

It stands where uvicorn's protocol keeps a `RequestResponseCycle`, and has the names that the protocol uses. It begins
once the whole request has arrived, and runs without a task up to its first wait, which most requests do not have.
"""

import asyncio
import contextvars
import logging
from functools import lru_cache
from typing import Any, Final, Protocol

from starlette.responses import Response
from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from progress_sse._internal.tasks import run_eagerly
from progress_sse.api.hot_routes import HotRequest, HotRoutes
from progress_sse.api.replies import Reply
from progress_sse.streaming.body_writer import DirectWriteExtension, extensions
from progress_sse.wire.headers import RawHeaders

logger: Final = logging.getLogger(__name__)

SHORT_BODY_BYTES: Final = 1024
"""Bytes of a body up to which it is written together with its head; a longer one is not copied for it."""


class Connection(DirectWriteExtension, Protocol):
    """The HTTP protocol, as its responses use it.

    Attributes:
        detached: What is notified of the connection in place of the application; see `DirectWriteExtension.detach`.
        flow: Whether the connection has room for more, as uvicorn keeps it.
        server_state: What uvicorn's connections share; it has the header fields of every response.
        tasks: The tasks that the server waits for when it shuts down.
        transport: A `CoalescingTransport`, which writes to the connection.
    """

    detached: asyncio.BaseProtocol | None
    flow: Any
    server_state: ServerState
    tasks: set[asyncio.Task[None]]
    transport: Any

    def on_response_complete(self) -> None:
        """Continue with the next request."""


class DirectExchange:
    """One request, and its response; see `RequestResponseCycle` for the attributes."""

    __slots__ = (
        "_connection",
        "_request",
        "_routes",
        "body",
        "disconnected",
        "keep_alive",
        "response_complete",
        "response_started",
        "scope",
    )

    chunked_encoding = True
    message_event: Final = asyncio.Event()
    """uvicorn sets it; no coroutine of an exchange waits for it."""

    def __init__(self, connection: Connection, routes: HotRoutes, request: HotRequest, *, keep_alive: bool) -> None:
        """Begin with the head of a request; its body is added."""
        self._connection = connection
        self._routes = routes
        self._request = request
        self.scope = request.scope  # As far as endpoints and streams read it.
        self.scope["extensions"] = extensions(connection)
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.disconnected = False
        self.response_started = False
        self.response_complete = False

    def start(self) -> None:
        """Respond to the request, which is complete."""
        # A context of its own, as a task would have, so that no request sees the variables of another one.
        rest = contextvars.copy_context().run(run_eagerly, self._respond())
        if rest is not None:
            self._connection.tasks.add(rest)
            rest.add_done_callback(self._connection.tasks.discard)

    async def _respond(self) -> None:
        try:
            response = await self._routes.respond(self._request, self._receive)
            if isinstance(response, Reply | Response):
                self._write(response)
            else:
                await response(self.scope, self._receive, self._send)
        except Exception:
            logger.exception("a response failed")
            self._connection.transport.close()  # As uvicorn does: the client must not wait for the rest.

    async def _receive(self) -> Message:
        return {"type": "http.request", "body": bytes(self.body)}

    def _write(self, response: Reply | Response) -> None:
        """Write a whole response, unless the client has gone."""
        if self.disconnected:
            return
        self.response_started = True
        transport = self._connection.transport
        lines = response.lines if isinstance(response, Reply) else encode_fields(response.raw_headers)
        head = self._head(response.status_code, lines) + b"\r\n"
        body = bytes(response.body)
        if len(body) <= SHORT_BODY_BYTES:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)  # Apart, as all connections share a session's body.
        self.response_complete = True
        if not self.keep_alive:
            transport.close()
        self._connection.on_response_complete()

    async def _send(self, message: Message) -> None:
        """Write the head of a stream, which writes its body itself."""
        if message["type"] == "http.response.start" and not self.disconnected:
            self.response_started = True
            head = self._head(message["status"], encode_fields(message["headers"]))
            self._connection.transport.write(head + b"transfer-encoding: chunked\r\n\r\n")

    def _head(self, status: int, lines: bytes) -> bytes:
        end = b"" if self.keep_alive else b"connection: close\r\n"
        defaults = _encode_defaults(tuple(self._connection.server_state.default_headers))
        return b"".join([STATUS_LINE[status], defaults, lines, end])


@lru_cache(maxsize=1)  # The date among them changes each second.
def _encode_defaults(headers: RawHeaders) -> bytes:
    return encode_fields(headers)


def encode_fields(headers: RawHeaders) -> bytes:
    """Return header fields as a connection carries them."""
    return b"".join([b"%b: %b\r\n" % field for field in headers])
