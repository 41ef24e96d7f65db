"""Uvicorn's HTTP/1.1 protocol with direct writing, deadlines and limits.

A stream's response is detached from the application: the stream writes to the connection itself (see ``body_writer``).
Requests on hot routes are answered without the application (see ``direct_exchange``).
"""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from progress_sse.api.hot_routes import HotRoutes
from progress_sse.core import errors
from progress_sse.server.connection_limits import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_PIPELINED,
    MAX_URL_BYTES,
    ConnectionLimits,
    DeadlineQueue,
)
from progress_sse.server.connection_writer import CoalescingTransport, ConnectionWriter, WriteCoalescer
from progress_sse.server.direct_exchange import DirectExchange, encode_fields
from progress_sse.server.request_parser import BadHeadError, RequestParser, check_head, head_size
from progress_sse.streaming.body_writer import BodyWriter, extensions
from progress_sse.wire.headers import WHITE_SPACE, HeaderIndex, RawHeaders


class HttpProtocol(HttpToolsProtocol):
    """Lets a stream write to the connection itself (see ``body_writer``), and sends no chunks to HTTP/1.0 clients.

    It is stricter with heads than uvicorn is (see ``request_parser``), and refuses clients that send too slowly or too
    much (see ``connection_limits``).
    """

    __slots__ = (
        "_coalescer",
        "_discards_input",
        "_hot_routes",
        "_is_in_head",
        "_limits",
        "_ready",
        "_received_bytes",
        "_refusal",
        "_running",
        "detached",
        "queue",
    )

    def __init__(
        self,
        *args: Any,
        coalescer: WriteCoalescer,
        limits: ConnectionLimits,
        refusal: Callable[[errors.ProblemError], Response],
        hot_routes: HotRoutes | None = None,
        **kwargs: Any,
    ) -> None:
        """Send responses by `coalescer`, and a `refusal` where this class refuses; the rest is for uvicorn.

        Requests that `hot_routes` finds are answered without the application.
        """
        super().__init__(*args, **kwargs)
        self.url = b""
        self.detached: asyncio.BaseProtocol | None = None
        self.queue: DeadlineQueue | None = None
        self._coalescer = coalescer
        self.parser = RequestParser(self)
        self._limits = limits
        self._refusal = refusal
        self._hot_routes = hot_routes
        self._running: RequestResponseCycle | DirectExchange | None = None
        self._ready: DirectExchange | None = None
        self._discards_input = False
        self._is_in_head = True
        self._received_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accept a connection. At the limit of connections, end an idle one for it, or refuse it."""
        super().connection_made(CoalescingTransport(transport, self._coalescer))  # type: ignore[arg-type]  # delegates to one
        if len(self.connections) > self._limits.max_connections and not self._limits.make_room():
            self._refuse_all(errors.OverloadedError())
        self._update_deadline()

    def data_received(self, data: bytes) -> None:
        """Parse the data in pieces; a head that is too large is not parsed to its end."""
        for start in range(0, len(data), MAX_HEAD_BYTES):
            if not (self._discards_input or self.transport.is_closing()):
                self._parse(data[start : start + MAX_HEAD_BYTES])
        self._begin_direct_response()
        self._update_deadline()

    def _begin_direct_response(self) -> None:
        """Answer a request that is complete: behind the parser, so that the requests behind it wait as usual."""
        exchange, self._ready = self._ready, None
        if exchange is None:
            if isinstance(self.cycle, DirectExchange) and not self._is_in_head:
                self._hand_over(self.cycle)
        elif not exchange.disconnected:
            if self.queue is not None:  # Once it is answered, the client has the whole time for the next request.
                self.queue.leave(self)
            exchange.start()

    def _hand_over(self, exchange: DirectExchange) -> None:
        """Let the application answer a request whose body comes in parts: it may refuse it before the rest comes."""
        if exchange.body and not exchange.disconnected:
            self.cycle = None  # type: ignore[assignment]  # else the request would wait for it
            self._begin_cycle("1.1")
            self._running = self.cycle
            self.cycle.body = exchange.body
            self.cycle.message_event.set()

    def _parse(self, data: bytes) -> None:
        self._received_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._received_bytes > MAX_HEAD_BYTES:
            self._refuse(errors.UrlTooLongError() if len(self.url) > MAX_URL_BYTES else errors.HeadTooLargeError())
        elif self._received_bytes > self._limits.max_rest_bytes:
            self._refuse(errors.BodyTooLargeError())

    def _refuse_all(self, error: errors.ProblemError) -> None:
        """Refuse the requests of this connection from now on."""
        self.app = self._refusal(error)
        self._hot_routes = None

    def on_message_begin(self) -> None:
        """Begin a request; its scope is made only if the application gets it."""
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field, without white space around its value; of too many fields, keep one above the limit.

        An offer of another protocol is ignored (see ``request_parser``). Trailer fields behind the body must not become
        header fields [RFC 9110 §6.5.1].
        """
        if self._is_in_head and len(self.headers) <= MAX_HEADERS:
            name = name.lower()
            if name != b"upgrade":
                self.headers.append((name, value.strip(WHITE_SPACE)))

    def on_headers_complete(self) -> None:
        """Check the head and start the application, in a task, so after this callback."""
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            raise BadHeadError  # The earlier requests are answered, and then the connection closes.
        method = self.parser.get_method()
        version = self.parser.get_http_version()
        if len(self.url) > MAX_URL_BYTES:
            self._refuse_all(errors.UrlTooLongError())
            self.url = b"/"  # Above 64 KiB it could not be parsed.
        elif len(self.headers) > MAX_HEADERS or head_size(method, self.url, self.headers) > MAX_HEAD_BYTES:
            self._refuse_all(errors.HeadTooLargeError())
        index = HeaderIndex(self.headers)
        check_head(method, version, index)
        if not self._begin_direct_exchange(method, version, index):
            self._begin_cycle(version)
        self._is_in_head = False
        self._received_bytes = 0
        if not self.pipeline:
            self._running = self.cycle

    def _begin_direct_exchange(self, method: bytes, version: str, headers: HeaderIndex) -> bool:
        """Prepare to answer the request without the application, if that can be; return whether it can."""
        is_busy = self._running is not None and not self.cycle.response_complete
        # uvicorn's cycle waits until a client takes its earlier responses, and lets the requests behind it wait.
        if self._hot_routes is None or version != "1.1" or is_busy or self.flow.write_paused:
            return False
        request = self._hot_routes.find(method, self.url, headers)
        if request is None:
            return False
        self.cycle = DirectExchange(self, self._hot_routes, request, keep_alive=self.parser.should_keep_alive())  # type: ignore[assignment]  # has what uvicorn uses
        return True

    def _begin_cycle(self, version: str) -> None:
        """Start the application, after giving uvicorn what was read of the head."""
        url = self.url
        headers = self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = version != "1.0"  # A 1.0 client would take it for the response.
            self.headers.append((name, value))  # The scope has this list.
        super().on_headers_complete()
        if version == "1.0":
            _end_with_connection(self.cycle)
        self.scope["extensions"] = extensions(self)

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        if not self.parser.should_upgrade():
            self._is_in_head = True
            self._received_bytes = 0
            if isinstance(self.cycle, DirectExchange):
                self._ready = self.cycle
            else:
                super().on_message_complete()

    def detach(self, scope: Scope, protocol: asyncio.BaseProtocol) -> BodyWriter | None:
        """Detach a response from the application, unless the client has gone or a middleware holds the head back."""
        cycle = self._running
        if cycle is None or cycle.scope is not scope or cycle.disconnected or not cycle.response_started:
            return None
        cycle.disconnected = True  # The application may return; uvicorn ignores what it still sends.
        if not self.pipeline:
            self.flow.resume_reading()  # A large body may have paused it; only reading detects a lost client.
        self.detached = protocol
        return ConnectionWriter(self, cycle)

    def on_response_complete(self) -> None:
        """Continue with the next request."""
        if self.pipeline:
            self._running = self.pipeline[-1][0]
            super().on_response_complete()
        else:  # uvicorn would set a timer for each connection; a queue has one for all of them.
            self.server_state.total_requests += 1
            if not self.transport.is_closing():
                self.flow.resume_reading()
        if self.transport.is_closing():
            self._close()
        elif self.pipeline:
            self.flow.pause_reading()  # Else each response would let in many more requests.
        self._update_deadline()

    def pause_writing(self) -> None:
        """Note that the client does not keep up."""
        super().pause_writing()
        if self.detached is not None:
            self.detached.pause_writing()
        else:
            self._limits.enter_unsent(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Note that the client takes more."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._limits.leave_unsent(self)
        if self.detached is not None:
            self.detached.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection."""
        super().connection_lost(exc)
        self._limits.leave(self)
        if self.detached is not None:
            self.detached.connection_lost(exc)
            self.detached = None
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True  # uvicorn sets it for the last request alone.
            running.message_event.set()
        # The last request refers to this protocol: only the garbage collector, which runs seldom, would free the cycle.
        if isinstance(self.cycle, RequestResponseCycle):
            vars(self.cycle).pop("send", None)
        self.scope = self.cycle = self._running = self._ready = None  # type: ignore[assignment]  # as uvicorn does with the parser
        self.pipeline.clear()

    def _update_deadline(self) -> None:
        """Enter the queue for the next act expected of the client, if there is one."""
        queue = None
        running = self._running
        if self.detached is not None or self.parser is None:
            pass  # Requests during a stream have no deadline, and a lost connection sends none.
        elif not self._is_in_head:
            queue = self._limits.awaiting_body if running is self.cycle else None
        elif running is None or running.response_complete:
            is_idle = running is not None and not self._received_bytes
            queue = self._limits.idle if is_idle else self._limits.awaiting_head
        if queue is self.queue:
            return
        if queue is not None:
            queue.enter(self)
        elif self.queue is not None:
            self.queue.leave(self)

    def on_overdue(self) -> None:
        """Refuse a request that has begun; an idle connection closes once the client has its last response."""
        if self._received_bytes or not self._is_in_head:
            self._refuse(errors.RequestTimeoutError())
        else:
            self._close()

    def _close(self) -> None:
        """Close the connection once the client has taken all bytes, which may never happen."""
        self.transport.close()
        if self.parser is not None:  # The connection is not lost yet.
            self._limits.enter_unsent(self, self.transport.get_write_buffer_size())

    def send_400_response(self, msg: str) -> None:
        """Refuse a malformed request with a problem like all other errors; `msg` is uvicorn's."""
        self._refuse(errors.MalformedRequestError())

    def _refuse(self, error: errors.ProblemError) -> None:
        """Refuse the current request, if it is its turn to be answered, and close the connection.

        Complete requests before a malformed one are still answered, or their outcome would stay unknown to the client.
        """
        if self.transport.is_closing():
            return
        running = self._running
        if not self._is_in_head and running is not self.cycle:
            # The last request is incomplete, and its turn to be answered has not come: it is dropped.
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else running  # type: ignore[assignment]  # as uvicorn has it
            self._is_in_head = True
        if self._is_in_head:
            has_turn = running is None or running.response_complete
        else:
            has_turn = running is self.cycle and not running.response_started
            self.cycle.disconnected = True  # The application's response would be a second one.
        if has_turn:
            self.transport.write(_encoded(self._refusal(error), self.server_state.default_headers))
        elif self._is_in_head and running is not None and not running.response_started:
            self.cycle.keep_alive = False
            self._discards_input = True  # All further bytes belong to a refused request.
            return
        self._close()


def _encoded(response: Response, default_headers: RawHeaders) -> bytes:
    fields = encode_fields([*default_headers, *response.raw_headers])
    return b"".join([STATUS_LINE[response.status_code], fields, b"\r\n", response.body])


def _end_with_connection(cycle: RequestResponseCycle) -> None:
    """End a body of unknown length by closing the connection, where uvicorn would chunk it [RFC 9112 §6.1]."""
    send = cycle.send
    is_unbounded = False

    async def send_unchunked(message: Any) -> None:
        nonlocal is_unbounded
        if message["type"] == "http.response.start":
            is_unbounded = all(name.lower() != b"content-length" for name, _ in message.get("headers", []))
            cycle.chunked_encoding = False if is_unbounded else None
        elif message["type"] == "http.response.body" and is_unbounded:
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    cycle.send = send_unchunked  # type: ignore[method-assign]  # uvicorn has no other place for this
