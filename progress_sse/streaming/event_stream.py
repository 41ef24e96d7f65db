"""A live stream: a subscription written to a client, and all the ways in which that ends.

Nothing here waits. `EventStream.pump` moves what the subscription has to the outlet, as far as there is room, and is
called whenever either has changed. Who can end a stream, and how:

* the *hub*: all sessions are completed and everything has been written: an `end` event;
* the *client*, by going: the outlet tells (`on_lost`);
* the *outlet*, when the client takes nothing for the send timeout: by public ASGI the send is cut off, and under our
  own server the kernel drops the connection (see ``serving.listener``);
* `Streams.drain`, when the server goes down: a hint when to come back;
* the *expiry*, when what the client was let in by has ended: it comes back, and is told so;
* the *joiner*, a task for seats at sessions that the store has to be asked for, if that fails for good.

Whichever is first closes the stream, and closing does everything that there is to do.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from sse_starlette import EventSourceResponse
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.clock import Clock
from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.streaming.expiry import Expiry
from progress_sse.streaming.heartbeat import COMMENT, Heartbeat
from progress_sse.streaming.hub import Delivery, Hub, Member, Resume, Subscription
from progress_sse.streaming.transport import AsgiOutlet, Outlet, direct_outlet
from progress_sse.wire import session_json, sse
from progress_sse.wire.cursor import StreamCursor, end_id
from progress_sse.wire.frames import Burst
from progress_sse.wire.headers import VARY

logger = logging.getLogger(__name__)

MAX_CHUNK_BYTES: Final = 65_536
"""Bytes handed to the server at a time; it keeps about as much again for a client that does not read."""

MAX_COPIED_BYTES: Final = 16_384
"""Bytes of an event that are copied for each stream with ids of its own; of a larger one they share the one copy."""

REFUSED_RETRY_MS: Final = 30_000
"""Milliseconds after which a client that found no room is to come back."""

DRAIN_SPREAD_MS: Final = 6_000
"""Milliseconds over which clients come back after a shutdown, so that they don't come all at once."""

JOIN_DELAY_S: Final = (0.1, 2.0)
"""Seconds, at most, between attempts to join while the store is away: after the first failure, and after any."""

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-store", "Vary": VARY, "X-Accel-Buffering": "no"}
_RAW_HEADERS: Final = [
    (b"content-type", f"{MEDIA_TYPE}; charset=utf-8".encode()),
    *((name.lower().encode(), value.encode()) for name, value in HEADERS.items()),
]


Ending: TypeAlias = Literal["completed", "gone", "stuck", "drained", "expired", "failed"]
"""Why a stream ended: its sessions are completed; its client has gone, or took nothing for the send timeout; the server
goes down; what the client was let in by has ended; or something went wrong here."""

Refusal: TypeAlias = Literal["streams-full", "streams-of-caller-full", "streams-rate-exceeded", "draining"]
"""Why a client was asked to come later, in place of a stream."""


class StreamRequest(NamedTuple):
    """What a client asked for.

    Attributes:
        resumes: Per session, where the client was; `None` for one that comes afresh.
        is_combined: Whether the ids are those of a stream of several sessions.
        heartbeat_events: Whether heartbeats are events rather than comments.
        expires_at: When the client's right to it ends, in seconds since 1970; `None` for never.
        caller: Who asks (see ``access.callers``); `None` if that makes no difference.
    """

    resumes: Mapping[str, Resume | None]
    is_combined: bool
    heartbeat_events: bool
    expires_at: float | None
    caller: str | None = None


class Streams:
    """All open streams of this process: how many, their heartbeat, and their end when the server goes down.

    Attributes:
        endings: How many have ended, by the reason.
        refusals: How many were refused, by the reason.
    """

    def __init__(
        self,
        hub: Hub,
        heartbeat: Heartbeat,
        expiry: Expiry,
        clock: Clock,
        *,
        retry_ms: int,
        send_timeout_s: float,
        max_streams: int,
        max_streams_per_caller: int | None = None,
    ) -> None:
        """Keep at most `max_streams`; cut off those that take nothing for `send_timeout_s` seconds.

        `max_streams_per_caller` counts for those whose `StreamRequest.caller` is known.
        """
        self.hub = hub
        self.heartbeat = heartbeat
        self.expiry = expiry
        self.clock = clock
        self.retry_ms = retry_ms
        self.send_timeout_s = send_timeout_s
        self.endings: Counter[Ending] = Counter()
        self.refusals: Counter[Refusal] = Counter()
        self._max_streams = max_streams
        self._max_per_caller = max_streams_per_caller or max_streams
        self._open_by_caller: Counter[str] = Counter()
        self._greeting = Burst((), sse.encode_retry_field(retry_ms))
        self._is_draining = False
        self._open: dict[EventStream, Callable[[], None]] = {}

    def __len__(self) -> int:
        """Return how many streams are open."""
        return len(self._open)

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait for readers that do not keep up."""
        return sum(stream.queued_bytes for stream in self._open)

    @property
    def is_draining(self) -> bool:
        """Whether the server is going down."""
        return self._is_draining

    def respond(self, request: StreamRequest) -> Response:
        """Return the stream, or the soft refusal that an EventSource takes as "later"."""
        if self._is_draining:
            return self._refusal("draining", self._spread_retry_ms(random.random()))  # noqa: S311  # spreads load
        if len(self._open) >= self._max_streams:
            return self._refusal("streams-full", REFUSED_RETRY_MS)
        if request.caller is not None and self._open_by_caller[request.caller] >= self._max_per_caller:
            return self._refusal("streams-of-caller-full", REFUSED_RETRY_MS)
        return EventStream(self, request)

    def refuse_by_rate(self) -> Response:
        """Return the soft refusal for a caller who comes too often."""
        return self._refusal("streams-rate-exceeded", REFUSED_RETRY_MS)

    def drain(self) -> None:
        """End every stream, each with its own time to come back."""
        self._is_draining = True
        streams = list(self._open)
        for index, stream in enumerate(streams):
            try:
                stream.dismiss("drained", self._spread_retry_ms(index / max(1, len(streams) - 1)))
            except Exception:
                logger.exception("a stream could not be ended")  # The others still can.

    def reopen(self) -> None:
        """Let clients in again: whoever was told to go down did not end with that."""
        self._is_draining = False

    def _spread_retry_ms(self, share: float) -> int:
        return self.retry_ms + round(DRAIN_SPREAD_MS * share)

    def _refusal(self, reason: Refusal, retry_ms: int) -> Response:
        self.refusals[reason] += 1
        return Response(sse.encode_final_retry(retry_ms), headers=HEADERS, media_type=MEDIA_TYPE)

    def greeting(self, *, heartbeat_events: bool) -> Burst:
        """Return what every stream begins with: `retry`, in one block with the first event, whichever that is."""
        if not heartbeat_events:
            return self._greeting
        return Burst((), self._greeting.data + self.heartbeat.event().data)

    def admit(self, stream: "EventStream") -> None:
        """Count a stream, and let it beat with the others."""
        self._open[stream] = self.heartbeat.add(stream.beat)
        if stream.caller is not None:
            self._open_by_caller[stream.caller] += 1
        if stream.expires_at is not None:
            self.expiry.add(stream.expires_at, stream.expire)

    def forget(self, stream: "EventStream", ending: Ending) -> None:
        """Take a stream off the books, and tell of its end. Doing so twice is no error."""
        leave = self._open.pop(stream, None)
        if leave is not None:
            leave()
            self.endings[ending] += 1
            stream.log_end(ending)
            if stream.caller is not None:
                self._release(stream.caller)
            if stream.expires_at is not None:
                self.expiry.remove(stream.expires_at, stream.expire)

    def _release(self, caller: str) -> None:
        self._open_by_caller[caller] -= 1
        if not self._open_by_caller[caller]:
            del self._open_by_caller[caller]


def _head() -> Message:
    return {"type": "http.response.start", "status": 200, "headers": list(_RAW_HEADERS)}


class EventStream(EventSourceResponse):
    """The response of a stream: sse-starlette's, written to by its publisher instead of by tasks of its own.

    Of the class above it has the meaning and not the parts: a lock, a generator and a ping for each of ten thousand
    streams are what that class's own initialiser is about, so it is not called.
    """

    def __init__(self, streams: Streams, request: StreamRequest) -> None:
        """Prepare to stream; nothing is taken or counted until the response is sent."""
        self.expires_at = request.expires_at
        self.caller = request.caller
        self._opened_at = streams.clock.monotonic()
        self._streams = streams
        self._resumes = request.resumes
        self._heartbeat_events = request.heartbeat_events
        self._cursor = StreamCursor() if request.is_combined else None
        self._session_count = len(request.resumes)
        self._subscription = Subscription(streams.hub, self._session_count, self.pump)
        self._outlet: Outlet | None = None
        self._farewell = b""
        self._joiner: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and set the stream going; by public ASGI, also see it to its end."""
        if scope["method"] == "HEAD":
            await send(_head())
            await send({"type": "http.response.body", "body": b""})
            return
        is_taken_over = False
        self._streams.admit(self)
        try:
            await send(_head())
            direct = direct_outlet(scope, self)
            if direct is not None:
                self._open(direct)
                is_taken_over = True
            else:
                outlet = AsgiOutlet(receive, send, self._streams.send_timeout_s)
                self._open(outlet)
                await outlet.run(self)
        finally:
            if not is_taken_over:
                self._close("gone")

    def _open(self, outlet: Outlet) -> None:
        """Begin, in one piece: whoever comes in time gets greeting and snapshot in one write."""
        if self._subscription.is_closed:  # Dismissed while the head was under way.
            outlet.finish(Burst((), self._farewell))
            return
        self._subscription.greet(self._streams.greeting(heartbeat_events=self._heartbeat_events))
        rest = self._join_at_hand()
        if rest:
            self._joiner = asyncio.create_task(self._join(rest))
        self._outlet = outlet
        self.pump()

    def _join_at_hand(self) -> Mapping[str, Resume | None]:
        """Take the seats that can be had without asking the store; return the others."""
        join_nowait, subscription = self._streams.hub.join_nowait, self._subscription
        resumes, self._resumes = self._resumes, {}
        return {
            session_id: resume
            for session_id, resume in resumes.items()
            if not join_nowait(subscription, session_id, resume)
        }

    async def _join(self, resumes: Mapping[str, Resume | None]) -> None:
        """Take these seats, each by itself: one that cannot be had yet, or takes its time, keeps from no other."""
        seats = [self._take_seat(session_id, resume) for session_id, resume in resumes.items()]
        if len(seats) == 1:  # Most often; a task more for each of thousands is much.
            await seats[0]
        else:
            await asyncio.gather(*seats)

    async def _take_seat(self, session_id: str, resume: Resume | None) -> None:
        backoff = Backoff(*JOIN_DELAY_S)
        while not await self._is_joined(session_id, resume):
            await self._streams.clock.sleep(backoff.next_s())

    async def _is_joined(self, session_id: str, resume: Resume | None) -> bool:
        try:
            await self._streams.hub.join(self._subscription, session_id, resume)
        except StoreUnavailableError:
            return False
        except Exception:
            logger.exception("a stream could not be joined to its session")
            self.dismiss("failed", REFUSED_RETRY_MS)
        return True

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait because the client does not keep up."""
        return self._subscription.queued_bytes

    def log_end(self, ending: Ending) -> None:
        """Tell the operator what the stream was, now that it has ended; nothing of whose it was."""
        facts = {
            "sessions": self._session_count,
            "seconds": round(self._streams.clock.monotonic() - self._opened_at, 3),
            "events": self._subscription.event_count,
            "reason": ending,
        }
        logger.info("a stream ended: sessions=%d seconds=%.3f events=%d reason=%s", *facts.values(), extra=facts)

    def pump(self) -> None:
        """Write what waits, as far as there is room, and end the stream if that was all there will ever be."""
        outlet, subscription = self._outlet, self._subscription
        if outlet is None:
            return
        if subscription.is_closed:
            self.dismiss("failed", REFUSED_RETRY_MS)
            return
        while outlet.is_ready and subscription.has_waiting:
            for burst in self._bursts(subscription.take(MAX_CHUNK_BYTES)):
                outlet.write(burst)
        if subscription.is_finished:
            self._finish("completed", self._end())
        elif outlet.is_ready:
            subscription.direct = outlet.write_chunk if self._cursor is None else None

    def _bursts(self, deliveries: Sequence[Delivery]) -> Iterator[Burst]:
        """Yield what goes out, joined; the very burst that others get where it is only one, and what is large."""
        if len(deliveries) == 1 and self._cursor is None:
            yield deliveries[0][1]
            return
        joined: list[bytes] = []
        for member, burst in deliveries:
            if self._cursor is None or member is None:
                joined.append(burst.data)
            elif len(burst.messages) == 1 and len(burst.data) > MAX_COPIED_BYTES:
                joined.append(self._id_field(member, burst.messages[0].position))
                yield Burst((), b"".join(joined))
                yield burst.unnumbered
                joined = []
            else:
                joined += (self._id_field(member, message.position) + message.unnumbered for message in burst.messages)
        if joined:
            yield Burst((), b"".join(joined))

    def _id_field(self, member: Member, position: Position) -> bytes:
        assert self._cursor is not None
        return sse.encode_id_field(self._cursor.advance(member.channel.session_id, position))

    def _end(self) -> bytes:
        positions = self._subscription.positions
        event_id = end_id(positions) if self._cursor else str(next(iter(positions.values())))
        return sse.encode_event("end", session_json.encode_json({"session_ids": list(positions)}), event_id=event_id)

    def beat(self) -> None:
        """Show a sign of life."""
        self._subscription.beat(self._streams.heartbeat.event() if self._heartbeat_events else COMMENT)

    def expire(self) -> None:
        """End the stream, as the right to it has ended; the client is not told of that before it comes back."""
        self.dismiss("expired", self._streams.retry_ms)

    def dismiss(self, ending: Ending, retry_ms: int) -> None:
        """End the stream; the client is to come back after `retry_ms`."""
        self._farewell = sse.encode_final_retry(retry_ms)
        self._finish(ending, self._farewell)

    def on_ready(self) -> None:
        """Go on writing."""
        self.pump()

    def on_full(self) -> None:
        """Let what comes wait."""
        self._subscription.direct = None

    def on_lost(self, *, is_overdue: bool) -> None:
        """Give everything up."""
        self._close("stuck" if is_overdue else "gone")

    def _finish(self, ending: Ending, last: bytes) -> None:
        outlet = self._outlet
        self._close(ending)
        if outlet is not None:
            outlet.finish(Burst((), last))

    def _close(self, ending: Ending) -> None:
        self._outlet = None
        self._subscription.close()
        self._streams.forget(self, ending)
        if self._joiner is not None:
            self._joiner.cancel()
            self._joiner = None  # How it ends has this stream in it, and would be kept with it.
