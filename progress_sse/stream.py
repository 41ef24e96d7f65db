"""A live stream: a subscription written to a socket, and all the ways in which that ends.

A stream is a race with named runners:

* the *writer* (the request's own task) sends what the subscription has; under our own server a reader that keeps up is
  written to by the publisher itself, and the writer sleeps;
* the *watcher* waits for the client to go, and closes the subscription; under our own server the connection tells;
* the *joiner* takes the seats at the sessions that the store has to be asked for, again and again while it is away;
* the shared heartbeat queues a sign of life, and cuts the stream off when a send has not come to an end within the
  send timeout; under our own server the kernel drops the connection of a client that takes nothing (see ``cli``);
* `Streams.drain` dismisses the stream when the server goes down.

Whoever ends it, ends it by closing the subscription; only a writer that is stuck in a send has to be cut off.
"""

import asyncio
import logging
import random
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sse_starlette import EventSourceResponse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from progress_sse import sse, wire
from progress_sse.clock import Clock
from progress_sse.cursor import StreamCursor, end_id
from progress_sse.errors import StoreUnavailableError
from progress_sse.heartbeat import COMMENT, Heartbeat
from progress_sse.hub import Delivery, Hub, Resume, Subscription
from progress_sse.transport import Connection, connection_of

logger = logging.getLogger(__name__)

MAX_CHUNK_BYTES: Final = 65_536
"""Bytes handed to the server at a time; it keeps about as much again for a client that does not read."""

REFUSED_RETRY_MS: Final = 30_000
"""Milliseconds after which a client that found no room is to come back."""

DRAIN_SPREAD_MS: Final = 6_000
"""Milliseconds over which clients come back after a shutdown, so that they don't come all at once."""

JOIN_DELAY_S: Final = (0.1, 2.0)
"""Seconds between attempts to join while the store is away: first and longest."""

HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What a client asked for.

    Attributes:
        resumes: Per session, where the client was; `None` for one that comes afresh.
        is_combined: Whether the ids are those of a stream of several sessions.
        heartbeat_events: Whether heartbeats are events rather than comments.
    """

    resumes: Mapping[str, Resume | None]
    is_combined: bool
    heartbeat_events: bool


class Streams:
    """All open streams of this process: how many, their heartbeat, and their end when the server goes down."""

    def __init__(
        self, hub: Hub, heartbeat: Heartbeat, clock: Clock, *, retry_ms: int, send_timeout_s: float, max_streams: int
    ) -> None:
        """Keep at most `max_streams`; cut off those that take nothing for `send_timeout_s` seconds."""
        self.hub = hub
        self.heartbeat = heartbeat
        self.clock = clock
        self.retry_ms = retry_ms
        self.send_timeout_s = send_timeout_s
        self._max_streams = max_streams
        self._is_draining = False
        self._open: set[EventStream] = set()

    def __len__(self) -> int:
        """Return how many streams are open."""
        return len(self._open)

    @property
    def is_draining(self) -> bool:
        """Whether the server is going down."""
        return self._is_draining

    def respond(self, request: StreamRequest) -> Response:
        """Return the stream, or the soft refusal that an EventSource takes as "later"."""
        if self._is_draining:
            return self._refusal(self._spread_retry_ms(random.random()))  # noqa: S311  # spreads load
        if len(self._open) >= self._max_streams:
            return self._refusal(REFUSED_RETRY_MS)
        return EventStream(self, request)

    def drain(self) -> None:
        """End every stream, each with its own time to come back."""
        self._is_draining = True
        streams = list(self._open)
        for index, stream in enumerate(streams):
            stream.dismiss(self._spread_retry_ms(index / max(1, len(streams) - 1)))

    def _spread_retry_ms(self, share: float) -> int:
        return self.retry_ms + round(DRAIN_SPREAD_MS * share)

    def _refusal(self, retry_ms: int) -> Response:
        return Response(sse.encode_retry_field(retry_ms) + b"\n", headers=HEADERS, media_type="text/event-stream")

    @contextmanager
    def admitted(self, stream: "EventStream") -> Iterator[None]:
        """Count a stream, and let it beat with the others."""
        self._open.add(stream)
        leave = self.heartbeat.add(stream.beat)
        try:
            yield
        finally:
            leave()
            self._open.discard(stream)


class EventStream(EventSourceResponse):
    """The response of a stream: sse-starlette's, with one writer in place of a task group with a ping of its own."""

    def __init__(self, streams: Streams, request: StreamRequest) -> None:
        """Prepare to stream; nothing is taken or counted until the response is sent."""
        super().__init__(iter(()), headers=HEADERS)
        del self.headers["connection"]  # The server's business: it knows whether it keeps the connection.
        self._subscription = Subscription(streams.hub, tuple(request.resumes))
        self._streams = streams
        self._request = request
        self._cursor = StreamCursor() if request.is_combined else None
        self._connection: Connection | None = None
        self._farewell = b""
        self._sending_since: float | None = None
        self._deadline = asyncio.timeout(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until one of the runners ends it."""
        if scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        with self._streams.admitted(self), self._watched(connection_of(scope), receive), self._joined():
            try:
                async with self._deadline:
                    await self._write(send)
            except OSError as error:  # Cut off, or a server that says in this way that the client has gone.
                logger.debug("a stream ended: %r", error)
            finally:
                self._subscription.close()

    @contextmanager
    def _watched(self, connection: Connection | None, receive: Receive) -> Iterator[None]:
        """Close the subscription when the client goes."""
        if connection is None:
            with _running(self._watch(receive)):
                yield
            return
        self._connection = connection
        connection.when_lost(self._subscription.close)
        if self._cursor is None:
            self._subscription.outlet = connection.write_chunk
        try:
            yield
        finally:
            connection.when_lost(None)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._subscription.close()

    @contextmanager
    def _joined(self) -> Iterator[None]:
        """Take the seats: now, where the sessions are at hand, else as soon as the store answers."""
        join_nowait, subscription = self._streams.hub.join_nowait, self._subscription
        rest = {
            session_id: resume
            for session_id, resume in self._request.resumes.items()
            if not join_nowait(subscription, session_id, resume)
        }
        if not rest:
            yield
            return
        with _running(self._join(rest)):
            yield

    async def _join(self, resumes: Mapping[str, Resume | None]) -> None:
        for session_id, resume in resumes.items():
            delay_s, longest_s = JOIN_DELAY_S
            while not await self._is_joined(session_id, resume):
                await self._streams.clock.sleep(delay_s * random.uniform(0.5, 1))  # noqa: S311  # spreads load
                delay_s = min(longest_s, 2 * delay_s)

    async def _is_joined(self, session_id: str, resume: Resume | None) -> bool:
        try:
            await self._streams.hub.join(self._subscription, session_id, resume)
        except StoreUnavailableError:
            return False
        except Exception:
            logger.exception("a stream could not be joined to its session")
            self.dismiss(REFUSED_RETRY_MS)
        return True

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await self._send(send, self._greeting())
        while (deliveries := await self._subscription.receive()) is not None:
            for chunk in self._chunks(deliveries):
                await self._send(send, chunk)
            if self._subscription.is_finished:
                await self._send(send, self._end())
                break
        await self._send(send, self._farewell, more_body=False)

    async def _send(self, send: Send, body: bytes, *, more_body: bool = True) -> None:
        self._sending_since = self._streams.clock.monotonic()
        await send({"type": "http.response.body", "body": body, "more_body": more_body})
        self._sending_since = None

    def _greeting(self) -> bytes:
        retry = sse.encode_retry_field(self._streams.retry_ms) + b"\n"
        return retry + self._streams.heartbeat.event().data if self._request.heartbeat_events else retry

    def _chunks(self, deliveries: Sequence[Delivery]) -> Iterator[bytes]:
        parts: list[bytes] = []
        size = 0
        for delivery in deliveries:
            data = self._data(delivery)
            if size + len(data) > MAX_CHUNK_BYTES and parts:
                yield b"".join(parts)
                parts, size = [], 0
            parts.append(data)
            size += len(data)
        if parts:
            yield b"".join(parts)

    def _data(self, delivery: Delivery) -> bytes:
        member, burst = delivery
        if self._cursor is None or member is None:
            return burst.data
        session_id = member.channel.session_id
        return b"".join(
            sse.encode_id_field(self._cursor.advance(session_id, message.position)) + message.unnumbered
            for message in burst.messages
        )

    def _end(self) -> bytes:
        positions = self._subscription.positions
        event_id = end_id(positions) if self._cursor else str(next(iter(positions.values())))
        return sse.encode_event("end", wire.encode_json({"session_ids": list(positions)}), event_id=event_id)

    def beat(self) -> None:
        """Show a sign of life; give up on a client that has not taken anything for too long."""
        if self._is_stuck():
            self._cut_off()
        elif self._request.heartbeat_events:
            self._subscription.beat(self._streams.heartbeat.event())
        else:
            self._subscription.beat(COMMENT)

    def _is_stuck(self) -> bool:
        """Whether a send has not come to an end in time; under our own server, the kernel tells slow from stuck."""
        since = self._sending_since
        if since is None or self._connection is not None:
            return False
        return self._streams.clock.monotonic() - since > self._streams.send_timeout_s

    def _cut_off(self) -> None:
        logger.info("a stream is cut off: its client took nothing for %g s", self._streams.send_timeout_s)
        self._deadline.reschedule(asyncio.get_running_loop().time())

    def dismiss(self, retry_ms: int) -> None:
        """End the stream; the client is to come back after `retry_ms`."""
        self._farewell = sse.encode_retry_field(retry_ms) + b"\n"
        self._subscription.close()


@contextmanager
def _running(runner: Coroutine[Any, Any, None]) -> Iterator[None]:
    """Let `runner` run beside the block, at the longest until the block ends."""
    task = asyncio.create_task(runner)
    try:
        yield
    finally:
        task.cancel()
