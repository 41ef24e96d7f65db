"""A live stream: one subscriber's frames on their way to its client, and all causes of its end.

The frames take one of two paths. Under our own server the stream *writes directly*: `_pump` moves waiting frames to the
connection, as far as there is room, and is called whenever either has changed. Under any other server the stream is the
*body* of sse-starlette's `EventSourceResponse`, which awaits one `send` after the other.

The first of these to happen closes the stream, and closing releases everything that it holds:

* the *hub*: all sessions are completed and everything has been written: an `end` event;
* the *client* goes: the connection reports that, or `EventSourceResponse`;
* the *client* takes nothing for the send timeout: under our own server the kernel drops the connection (see
  ``server.sockets``), and under any other `EventSourceResponse` cancels the `send`;
* `Streams.drain`, when the server shuts down: the stream ends with a `retry` field;
* the *expiry*, when the client's authorization has ended: the client comes back and is refused;
* the *subscribing task*, for sessions that must be read from the store, if that fails for good.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, Literal, NamedTuple, ParamSpec, Protocol, TypeAlias

from sse_starlette import EventSourceResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.clock import Clock
from progress_sse._internal.tasks import run_eagerly
from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.session_filter import SessionFilter
from progress_sse.streaming.body_writer import BodyWriter, DirectWriteExtension, direct_write_extension
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.publisher import RETRY_S
from progress_sse.streaming.stream_format import StreamFormat
from progress_sse.streaming.timers import Heartbeat
from progress_sse.wire.cursor import ResumePoint
from progress_sse.wire.frames import FrameBatch
from progress_sse.wire.headers import VARY_WITH_ACCEPT

P = ParamSpec("P")

logger = logging.getLogger(__name__)

MAX_CHUNK_BYTES: Final = 65_536
"""Bytes that go to the server at a time. The server keeps about as much again for a client that does not read."""

REFUSED_RETRY_MS: Final = 30_000
"""Milliseconds after which a refused client comes back."""

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Vary": VARY_WITH_ACCEPT,
    "Incremental": "?1",  # Lets proxies forward each piece at once [RFC 10036].
    "X-Accel-Buffering": "no",  # The same, for nginx and others that copy it.
}
_RAW_HEADERS: Final = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


EndReason: TypeAlias = Literal["completed", "gone", "stuck", "drained", "expired", "failed"]
"""Why a stream ended: its sessions are completed; its client has gone, or took nothing for the send timeout; the server
shuts down; the client's authorization has expired; or an error occurred in the server."""


class StreamRequest(NamedTuple):
    """The request of a client for a stream.

    Attributes:
        resume_points: For each session, where the client goes on; `None` if it is new.
        is_combined: Whether the ids are those of a stream of several sessions.
        heartbeat_events: Whether heartbeats are events rather than comments.
        expires_at: When the client's right to it ends, in seconds since 1970; `None` for never.
        caller: The identity of the client (see `caller_of`); `None` if streams are not limited by it.
        is_text: Whether it gets lines of text, of one session, and no events.
        reads_lines: Whether it gets the lines of the sessions' logs, too.
        wanted: The list that it follows; `None` if it follows sessions.
    """

    resume_points: Mapping[str, ResumePoint | None]
    is_combined: bool = False
    heartbeat_events: bool = False
    expires_at: float | None = None
    caller: str | None = None
    is_text: bool = False
    reads_lines: bool = False
    wanted: SessionFilter | None = None


class StreamRegistry(Protocol):
    """The part of the registry that a stream uses (see ``registry``)."""

    hub: Hub
    heartbeat: Heartbeat
    clock: Clock
    retry_ms: int
    send_timeout_s: float

    def format_of(self, request: StreamRequest) -> StreamFormat:
        """Return the form of a stream."""

    def admit(self, stream: "EventStream") -> None:
        """Count a stream as open."""

    def forget(self, stream: "EventStream", reason: EndReason) -> None:
        """Count a stream as ended. A second call does nothing."""


def _head(media_type: str) -> Message:
    content_type = (b"content-type", f"{media_type}; charset=utf-8".encode())
    return {"type": "http.response.start", "status": 200, "headers": [content_type, *_RAW_HEADERS]}


class EventStream(asyncio.BaseProtocol):
    """The response of one stream. Under our own server it is also the asyncio protocol that writes it."""

    def __init__(self, registry: StreamRegistry, request: StreamRequest) -> None:
        """Prepare a stream, which counts as open only once the response is called."""
        self.expires_at = request.expires_at
        self.caller = request.caller
        self._opened_at = registry.clock.monotonic()
        self._registry = registry
        self._resume_points = request.resume_points
        self._format = registry.format_of(request)
        self._session_count = len(request.resume_points)
        self._wanted = request.wanted
        self._subscriber = registry.hub.new_subscriber(
            self._session_count or 1, self._wake, reads_lines=request.reads_lines
        )
        self._writer: BodyWriter | None = None
        self._has_more: asyncio.Event | None = None
        self._stop_heartbeat: Callable[[], None] | None = None
        self._final_frame = b""
        self._subscribing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start the stream under our own server; run it to its end under any other."""
        if scope["method"] == "HEAD":
            await self._response()(scope, receive, send)
            return
        is_detached = False
        self._registry.admit(self)
        try:
            extension = direct_write_extension(scope)
            if extension is None:
                await self._send_by(self._response(), scope, receive, send)
            else:
                await send(_head(self._format.media_type))
                is_detached = self._detach(extension, scope)
        finally:
            if not is_detached:
                self._close("gone")

    def _response(self) -> EventSourceResponse:
        response = EventSourceResponse(
            self._body(),
            headers=HEADERS,
            media_type=self._format.media_type,
            ping=0,  # One timer writes the heartbeats of all streams, as frames.
            send_timeout=self._registry.send_timeout_s,
            # `Streams.drain` ends it. sse-starlette would end it when any uvicorn of the process shuts down.
            shutdown_grace_period=math.inf,
        )
        del response.headers["Connection"]  # It is for the server to send, and HTTP/2 has none [RFC 9113 §8.2.2].
        return response

    async def _send_by(self, response: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await response(scope, receive, send)
        except* TimeoutError:
            self._close("stuck")
        except* OSError as errors:  # Some servers report a lost client in this way.
            logger.debug("a stream ended: %r", errors.exceptions)

    async def _body(self) -> AsyncIterator[bytes]:
        """Yield the frames that wait, until the stream ends."""
        subscriber = self._subscriber
        self._has_more = asyncio.Event()
        if not subscriber.is_closed:  # The stream may have ended while the head was under way.
            self._start()
        while not subscriber.is_closed:
            if subscriber.has_waiting:
                yield b"".join([batch.data for batch in self._format.batches(subscriber.take(MAX_CHUNK_BYTES))])
            elif self._format.is_finished(subscriber):
                self._finish("completed", self._format.end(subscriber))
            else:
                await self._has_more.wait()
                self._has_more.clear()
        yield self._final_frame

    def _detach(self, extension: DirectWriteExtension, scope: Scope) -> bool:
        """Detach the response from the application and write it directly; return `False` if the client has gone."""
        writer = extension.detach(scope, self)
        if writer is None:
            return False
        if not self._subscriber.is_closed:
            self._start()
        if self._subscriber.is_closed:  # Ended while the head was under way, or as it began.
            writer.finish(FrameBatch((), self._final_frame))
            return True
        self._writer = writer
        self._pump(writer)
        return True

    def _start(self) -> None:
        """Subscribe to the sessions. The first bytes and a snapshot in memory go out in one write."""
        self._stop_heartbeat = self._registry.heartbeat.add(self.send_heartbeat)
        first = self._format.first()
        if first is not None:
            self._subscriber.send_first(first)
        if self._wanted is not None:
            work = self._repeat(self._registry.hub.lists.subscribe, self._subscriber, self._wanted)
            self._subscribing = run_eagerly(work)
            return
        rest = self._subscribe_nowait()
        if rest:
            self._subscribing = run_eagerly(self._subscribe_all(rest))

    def _subscribe_nowait(self) -> Mapping[str, ResumePoint | None]:
        """Subscribe to the sessions that need no read of the store; return the others."""
        subscribe_nowait = self._registry.hub.subscribe_nowait
        subscriber = self._subscriber
        resume_points = self._resume_points
        self._resume_points = {}
        return {
            session_id: resume_point
            for session_id, resume_point in resume_points.items()
            if not subscribe_nowait(subscriber, session_id, resume_point)
        }

    async def _subscribe_all(self, resume_points: Mapping[str, ResumePoint | None]) -> None:
        """Subscribe to these sessions concurrently: one that fails or takes long does not delay the others."""
        hub = self._registry.hub
        subscriber = self._subscriber
        subscribing = [self._repeat(hub.subscribe, subscriber, *each) for each in resume_points.items()]
        if len(subscribing) == 1:  # The usual case, which saves a task for each of thousands of streams.
            await subscribing[0]
        else:
            await asyncio.gather(*subscribing)

    async def _repeat(self, subscribe: Callable[P, Awaitable[None]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Subscribe, as often as it takes while the store is away; any other error ends the stream."""
        backoff = Backoff(*RETRY_S)
        while True:
            try:
                await subscribe(*args, **kwargs)
            except StoreUnavailableError:
                await self._registry.clock.sleep(backoff.next_s())
                continue
            except Exception:
                logger.exception("a stream could not subscribe")
                self.end("failed", REFUSED_RETRY_MS)
            return

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait because the client does not keep up."""
        return self._subscriber.queued_bytes

    def log_end(self, reason: EndReason) -> None:
        """Log the facts of the ended stream, without the ids of its sessions and its client."""
        facts = {
            "sessions": self._session_count,
            "seconds": round(self._registry.clock.monotonic() - self._opened_at, 3),
            "events": self._subscriber.event_count,
            "reason": reason,
        }
        logger.info("a stream ended: sessions=%d seconds=%.3f events=%d reason=%s", *facts.values(), extra=facts)

    def _wake(self) -> None:
        """Write the waiting frames, or let the body yield them."""
        if self._subscriber.is_closed:
            self.end("failed", REFUSED_RETRY_MS)
        elif self._writer is not None:
            self._pump(self._writer)
        elif self._has_more is not None:
            self._has_more.set()

    def _pump(self, writer: BodyWriter) -> None:
        """Write waiting frames, as far as there is room; end the stream once its sessions are completed and written."""
        subscriber = self._subscriber
        while writer.is_ready and subscriber.has_waiting:
            for batch in self._format.batches(subscriber.take(MAX_CHUNK_BYTES)):
                writer.write(batch)
        if self._format.is_finished(subscriber):
            self._finish("completed", self._format.end(subscriber))
        elif writer.is_ready:
            subscriber.direct = writer.write_chunk if self._format.is_shared else None

    def send_heartbeat(self) -> None:
        """Write a heartbeat, unless frames wait."""
        heartbeat = self._format.heartbeat()
        if heartbeat is not None:
            self._subscriber.send_heartbeat(heartbeat)

    def expire(self) -> None:
        """End the stream, as its authorization has expired. The client gets the refusal when it comes back."""
        self.end("expired", self._registry.retry_ms)

    def end(self, reason: EndReason, retry_ms: int) -> None:
        """End the stream; the client comes back after `retry_ms`."""
        self._finish(reason, self._format.interrupted(retry_ms))

    def resume_writing(self) -> None:
        """Write on: the connection has room again."""
        if self._writer is not None:
            self._pump(self._writer)

    def pause_writing(self) -> None:
        """Let new frames wait: the connection has no room."""
        self._subscriber.direct = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the stream: the client has gone, or took nothing for the send timeout (`TimeoutError`)."""
        self._close("stuck" if isinstance(exc, TimeoutError) else "gone")

    def _finish(self, reason: EndReason, final_frame: bytes) -> None:
        """Close the stream, and send these last bytes."""
        self._final_frame = final_frame
        writer = self._writer
        self._close(reason)
        if writer is not None:
            writer.finish(FrameBatch((), final_frame))
        elif self._has_more is not None:
            self._has_more.set()

    def _close(self, reason: EndReason) -> None:
        self._writer = None
        self._subscriber.close()
        self._registry.forget(self, reason)
        # Both refer to this stream: only the garbage collector would find such a circle.
        if self._stop_heartbeat is not None:
            self._stop_heartbeat()
            self._stop_heartbeat = None
        if self._subscribing is not None:
            self._subscribing.cancel()
            self._subscribing = None
