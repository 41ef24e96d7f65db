"""All open streams of this process: their limits, and their end when the server shuts down."""

import logging
import random
from collections import Counter
from typing import Final, Literal, TypeAlias

from starlette.responses import Response
from starlette.types import ASGIApp

from progress_sse._internal.clock import Clock
from progress_sse.core.errors import OverloadedError
from progress_sse.streaming.event_stream import HEADERS, REFUSED_RETRY_MS, EndReason, EventStream, StreamRequest
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.stream_format import EVENTS, EventFormat, StreamFormat, TextFormat
from progress_sse.streaming.timers import Expiry, Heartbeat
from progress_sse.streaming.waits import Places, Shortage, Waits
from progress_sse.wire import sse
from progress_sse.wire.frames import FrameBatch

logger = logging.getLogger(__name__)

DRAIN_SPREAD_MS: Final = 6_000
"""Milliseconds over which clients come back after a shutdown, to spread their load."""

RefusalReason: TypeAlias = Literal[Shortage, "streams-rate-exceeded"]
"""Why a client was refused a stream."""


class Streams:
    """The open streams of this process.

    Attributes:
        waits: The requests that wait, which share the places of the streams.
        ended: How many streams have ended, by reason.
        refusals: How many streams were refused, by reason.
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
        """Keep at most `max_streams`; disconnect clients that take nothing for `send_timeout_s` seconds.

        `max_streams_per_caller` applies to requests whose `StreamRequest.caller` is known.
        """
        self.hub = hub
        self.heartbeat = heartbeat
        self.expiry = expiry
        self.clock = clock
        self.retry_ms = retry_ms
        self.send_timeout_s = send_timeout_s
        self.ended: Counter[EndReason] = Counter()
        self.refusals: Counter[RefusalReason] = Counter()
        self._places = Places(max_streams, max_streams_per_caller)
        self.waits = Waits(hub, expiry, clock, self._places)
        self._first = FrameBatch((), sse.encode_retry_field(retry_ms))
        self._open: set[EventStream] = set()

    def __len__(self) -> int:
        """Return how many streams are open."""
        return len(self._open)

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait for clients that do not keep up."""
        return sum(stream.queued_bytes for stream in self._open)

    @property
    def is_draining(self) -> bool:
        """Whether the server is shutting down."""
        return self._places.are_draining

    def respond(self, request: StreamRequest) -> ASGIApp:
        """Return the stream, or a refusal: a stream that only sends when to come back.

        Raises:
            OverloadedError: The client takes text, which has no such form.
        """
        reason = self._places.shortage(request.caller)
        if reason is None:
            return EventStream(self, request)
        if request.is_text:
            raise OverloadedError("The server has no room for a further stream.")
        share = random.random()  # noqa: S311  # spreads load
        return self._refusal(reason, self._spread_retry_ms(share) if reason == "draining" else REFUSED_RETRY_MS)

    def refuse_by_rate(self) -> Response:
        """Return the refusal for a client that opens streams too often."""
        return self._refusal("streams-rate-exceeded", REFUSED_RETRY_MS)

    def drain(self) -> None:
        """End every stream and every wait. Each client of a stream gets its own delay before it comes back."""
        self._places.are_draining = True
        self.waits.drain()
        streams = list(self._open)
        for index, stream in enumerate(streams):
            try:
                stream.end("drained", self._spread_retry_ms(index / max(1, len(streams) - 1)))
            except Exception:
                logger.exception("a stream could not be ended")  # The others still can.

    def reopen(self) -> None:
        """Accept streams again, in a process that continues after a drain."""
        self._places.are_draining = False

    def _spread_retry_ms(self, share: float) -> int:
        return self.retry_ms + round(DRAIN_SPREAD_MS * share)

    def _refusal(self, reason: RefusalReason, retry_ms: int) -> Response:
        self.refusals[reason] += 1
        return Response(sse.encode_final_retry(retry_ms), headers=HEADERS, media_type=EVENTS)

    def format_of(self, request: StreamRequest) -> StreamFormat:
        """Return the form that a client wants its stream in."""
        if request.is_text:
            return TextFormat(self.clock)
        return EventFormat(
            self._first, self.heartbeat, heartbeat_events=request.heartbeat_events, is_combined=request.is_combined
        )

    def admit(self, stream: EventStream) -> None:
        """Count a stream as open."""
        self._open.add(stream)
        self._places.take(stream.caller)
        self.expiry.add(stream.expires_at, stream.expire)

    def forget(self, stream: EventStream, reason: EndReason) -> None:
        """Count a stream as ended, and log its end. A second call does nothing."""
        if stream not in self._open:
            return
        self._open.remove(stream)
        self.ended[reason] += 1
        stream.log_end(reason)
        self._places.give_back(stream.caller)
        self.expiry.remove(stream.expires_at, stream.expire)
