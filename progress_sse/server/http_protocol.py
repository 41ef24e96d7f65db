"""Uvicorn's HTTP/1.1, as thousands of streams and impatient servers need it.

A stream's response is detached from the application: the stream writes to the connection itself (see ``body_writer``).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from starlette.responses import Response
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from progress_sse.core.errors import (
    BodyTooLargeError,
    HeadTooLargeError,
    MalformedRequestError,
    OverloadedError,
    ProblemError,
    RequestTimeoutError,
    UrlTooLongError,
)
from progress_sse.server.connection_limits import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_PIPELINED,
    MAX_URL_BYTES,
    Client,
    Patience,
    Queue,
)
from progress_sse.server.request_parser import BadHeadError, RequestParser, check_head, head_bytes, head_size
from progress_sse.server.write_coalescing import JoiningTransport, Outbox
from progress_sse.streaming.body_writer import BodyWriter, extensions
from progress_sse.wire.frames import FrameBatch
from progress_sse.wire.headers import WHITE_SPACE


class HttpProtocol(HttpToolsProtocol):
    """Offers the application direct writing (see ``body_writer``), and spares HTTP/1.0 the chunks it does not know.

    It is stricter with heads than uvicorn is (see ``request_head``), and loses its patience (see there) with clients
    that send too slowly, or too much.
    """

    __slots__ = (
        "_is_deaf",
        "_is_in_head",
        "_outbox",
        "_patience",
        "_queue",
        "_received_bytes",
        "_refusal",
        "_running",
        "detached",
    )

    def __init__(
        self, *args: Any, outbox: Outbox, patience: Patience, refusal: Callable[[ProblemError], Response], **kwargs: Any
    ) -> None:
        """Send answers by `outbox`, and where it is for us to refuse, a `refusal`; the rest is uvicorn's."""
        super().__init__(*args, **kwargs)
        self.url = b""
        self.detached: asyncio.BaseProtocol | None = None
        self._outbox = outbox
        self.parser = RequestParser(self)
        self._patience = patience
        self._refusal = refusal
        self._queue: Queue[Client] | None = None
        self._running: RequestResponseCycle | None = None
        self._is_deaf = False
        self._is_in_head = True
        self._received_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accept a connection. At the limit of connections, end an idle one for it, or refuse it."""
        super().connection_made(JoiningTransport(transport, self._outbox))  # type: ignore[arg-type]  # as good as one
        if len(self.connections) > self._patience.max_connections and not self._patience.make_room():
            self.app = self._refusal(OverloadedError())
        self._settle()

    def data_received(self, data: bytes) -> None:
        """Read on; a head that is too large is not parsed to its end."""
        for start in range(0, len(data), MAX_HEAD_BYTES):
            if not (self._is_deaf or self.transport.is_closing()):
                self._feed(data[start : start + MAX_HEAD_BYTES])
        self._settle()

    def _feed(self, data: bytes) -> None:
        self._received_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._received_bytes > MAX_HEAD_BYTES:
            self._refuse(UrlTooLongError() if len(self.url) > MAX_URL_BYTES else HeadTooLargeError())
        elif self._received_bytes > self._patience.max_rest_bytes:
            self._refuse(BodyTooLargeError())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head, without the white space around its value: of too many, as many as show that.

        An offer of another protocol is overlooked (see ``request_head``). What comes behind the body is no header, and
        must not become one [RFC 9110 §6.5.1].
        """
        if self._is_in_head and len(self.headers) <= MAX_HEADERS and name.lower() != b"upgrade":
            super().on_header(name, value.strip(WHITE_SPACE))

    def on_headers_complete(self) -> None:
        """Set out to answer; the application itself starts in a task, and so after this."""
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            raise BadHeadError  # Those before it are answered, and then the connection closes.
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if len(self.url) > MAX_URL_BYTES:
            self.app = self._refusal(UrlTooLongError())
            self.url = b"/"  # Past 64 KiB it could not even be parsed.
        elif len(self.headers) > MAX_HEADERS or head_size(method, self.url, self.headers) > MAX_HEAD_BYTES:
            self.app = self._refusal(HeadTooLargeError())
        check_head(method, version, self.headers)
        self.expect_100_continue &= version != "1.0"  # A client of 1.0 would take it for the answer.
        super().on_headers_complete()
        self._is_in_head = False
        self._received_bytes = 0
        if not self.pipeline:
            self._running = self.cycle
        if self.scope["http_version"] == "1.0":
            _end_with_connection(self.cycle)
        self.scope["extensions"] = extensions(self)

    def on_body(self, body: bytes) -> None:
        """Keep a part of a body, unless it belongs to the request of a stream, which reads none."""
        if self.detached is None or self.cycle is not self._running:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request has come whole."""
        if not self.parser.should_upgrade():
            super().on_message_complete()
            self._is_in_head = True
            self._received_bytes = 0

    def head_without_offer(self) -> bytes:
        """Return the head that was read last, without its offer of another protocol."""
        return head_bytes(self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers)

    def detach(self, scope: Scope, protocol: asyncio.BaseProtocol) -> BodyWriter | None:
        """Detach a response from the application, unless the client has gone or a middleware holds the head back."""
        cycle = self._running
        if cycle is None or cycle.scope is not scope or cycle.disconnected or not cycle.response_started:
            return None
        cycle.disconnected = True  # The application may return, and whatever it still sent would be ignored.
        cycle.body.clear()
        if not self.pipeline:
            self.flow.resume_reading()  # Which a large body has paused; and the client's end is seen by reading alone.
        self.detached = protocol
        return (ConnectionWriter if cycle.chunked_encoding else UnchunkedWriter)(self, cycle)

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        if self.pipeline:
            self._running = self.pipeline[-1][0]
        super().on_response_complete()
        if self.transport.is_closing():
            self._close()
        elif self.pipeline:
            self.flow.pause_reading()  # Or each answer would let in far more requests than it is for.
        self._settle()

    def pause_writing(self) -> None:
        """Note that the client does not keep up."""
        super().pause_writing()
        if self.detached is not None:
            self.detached.pause_writing()
        else:
            self._patience.takers.enter(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Note that the client takes more."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._patience.takers.leave(self)
        if self.detached is not None:
            self.detached.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the connection."""
        super().connection_lost(exc)
        self._wait_for_nothing()
        if self.detached is not None:
            self.detached.connection_lost(exc)
            self.detached = None
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True  # uvicorn tells it to the last request alone.
            running.message_event.set()
        # The last request leads back here; left so, both would be there until the collector comes, which is seldom.
        if self.cycle is not None:
            vars(self.cycle).pop("send", None)
        self.scope = self.cycle = self._running = None  # type: ignore[assignment]  # as uvicorn does with the parser
        self.pipeline.clear()

    def _settle(self) -> None:
        """Wait for what the client has to do next, which may be nothing."""
        queue, running = None, self._running
        if self.detached is not None or self.parser is None:
            pass  # What comes during a stream has time; and from one that is lost nothing comes.
        elif not self._is_in_head:
            queue = self._patience.bodies if running is self.cycle else None
        elif running is None or running.response_complete:
            queue = self._patience.heads
        if queue is not self._queue:
            self._wait_in(queue)

    def _wait_in(self, queue: Queue[Client] | None) -> None:
        if self._queue is not None:
            self._queue.leave(self)
        self._queue = queue
        if queue is not None:
            queue.enter(self)

    def _wait_for_nothing(self) -> None:
        self._wait_in(None)
        self._patience.takers.leave(self)

    def give_way(self) -> None:
        """End the connection, whatever is under way on it."""
        self._wait_for_nothing()
        self.transport.abort()

    def on_head_overdue(self) -> None:
        """Close without a word what has sent none; one that still takes its last answer gets the rest of that."""
        self._wait_in(None)
        if self._received_bytes:
            self._refuse(RequestTimeoutError())
        else:
            self._close()

    def _close(self) -> None:
        """Close the connection as soon as the client has taken all that was sent, which may be never."""
        self.transport.close()
        if self.parser is not None:  # It is not lost yet.
            self._patience.takers.enter(self, self.transport.get_write_buffer_size())

    def on_body_overdue(self) -> None:
        """Give up on the request."""
        self._wait_in(None)
        self._refuse(RequestTimeoutError())

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP in the one form of all errors; `msg` is uvicorn's."""
        self._refuse(MalformedRequestError())

    def _refuse(self, error: ProblemError) -> None:
        """Answer the request under way from here, if it is its turn to be answered, and close the connection.

        Requests that have come whole before one that is none are still answered, or a client could not know of them.
        """
        if self.transport.is_closing():
            return
        running = self._running
        if not self._is_in_head and running is not self.cycle:
            self._forget_last(running)
        if self._is_in_head:
            has_turn = running is None or running.response_complete
        else:
            has_turn = running is self.cycle and not running.response_started
            self.cycle.disconnected = True  # The application's answer would come second.
        if has_turn:
            self.transport.write(_encoded(self._refusal(error), self.server_state.default_headers))
        elif self._is_in_head and running is not None and not running.response_started:
            self.cycle.keep_alive = False
            self._is_deaf = True  # Whatever follows belongs to a request that is refused.
            return
        self._close()

    def _forget_last(self, running: RequestResponseCycle | None) -> None:
        """Let there be no request that has not come whole, and whose turn it is not yet."""
        self.pipeline.popleft()
        self.cycle = self.pipeline[0][0] if self.pipeline else running  # type: ignore[assignment]  # as uvicorn has it
        self._is_in_head = True


def _encoded(response: Response, default_headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    fields = [b"%s: %s\r\n" % field for field in (*default_headers, *response.raw_headers)]
    return b"".join([STATUS_LINE[response.status_code], *fields, b"\r\n", response.body])


class ConnectionWriter:
    """Writes a response's body to its connection, with no task and no ASGI message in between."""

    __slots__ = ("_cycle", "_protocol")

    _END = b"0\r\n\r\n"

    def __init__(self, protocol: HttpProtocol, cycle: RequestResponseCycle) -> None:
        """Write the body of the response of `cycle`."""
        self._protocol = protocol
        self._cycle = cycle

    @property
    def is_ready(self) -> bool:
        """Whether the connection has sent most of what it was given."""
        return not self._protocol.flow.write_paused

    def write(self, batch: FrameBatch) -> None:
        """Write this next."""
        self._protocol.transport.write_now(self._framed(batch))  # type: ignore[attr-defined]

    @property
    def write_chunk(self) -> Callable[[bytes], None] | None:
        """Writes a chunk at once; see `BodyWriter.write_chunk`."""
        write: Callable[[bytes], None] = self._protocol.transport.write_through  # type: ignore[attr-defined]
        return write

    def finish(self, last: FrameBatch) -> None:
        """Write this, and then the end of the body; a connection that is kept is free for the next request."""
        protocol, cycle = self._protocol, self._cycle
        protocol.detached = None
        protocol.transport.write(self._framed(last) + self._END)
        cycle.response_complete = True
        if not cycle.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()

    def _framed(self, batch: FrameBatch) -> bytes:
        return batch.chunk


class UnchunkedWriter(ConnectionWriter):
    """Writes for HTTP/1.0, where the end of the connection ends the body."""

    __slots__ = ()

    _END = b""
    write_chunk = None

    def _framed(self, batch: FrameBatch) -> bytes:
        return batch.data


def _end_with_connection(cycle: RequestResponseCycle) -> None:
    """Let the end of the connection end a body of unknown length, which uvicorn would chunk [RFC 9112 §6.1]."""
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

    cycle.send = send_unchunked  # type: ignore[method-assign]  # the only place where uvicorn can be told
