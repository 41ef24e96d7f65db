"""The form of a stream: the bytes of its events, of its heartbeats and of its end."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from progress_sse.core.model import Position
from progress_sse.streaming.heartbeat import COMMENT, Heartbeat
from progress_sse.streaming.publisher import Subscription
from progress_sse.streaming.subscriber import QueuedBatch, Subscriber
from progress_sse.wire import json_text, sse
from progress_sse.wire.cursor import StreamCursor, end_id
from progress_sse.wire.frames import FrameBatch

EVENTS: Final = "text/event-stream"

MAX_COPIED_BYTES: Final = 16_384
"""Bytes of an event that are copied for each stream with ids of its own; these share one copy of a larger event."""


class StreamFormat(Protocol):
    """The form of one stream."""

    @property
    def media_type(self) -> str:
        """The media type."""

    @property
    def is_shared(self) -> bool:
        """Whether batches are written as they are, so that all streams share their bytes."""

    def first(self) -> FrameBatch | None:
        """Return the first bytes, before any event."""

    def batches(self, queued: Sequence[QueuedBatch]) -> Iterator[FrameBatch]:
        """Yield the batches to write for those that were taken from the queue."""

    def heartbeat(self) -> FrameBatch | None:
        """Return a sign of life; `None` if there is none to give."""

    def is_finished(self, subscriber: Subscriber) -> bool:
        """Return whether nothing more is to be said."""

    def end(self, subscriber: Subscriber) -> bytes:
        """Return the last bytes of a stream that is finished."""

    def interrupted(self, retry_ms: int) -> bytes:
        """Return the last bytes of any other stream, whose client comes back after `retry_ms`."""


class EventFormat:
    """Server-Sent Events."""

    __slots__ = ("_cursor", "_first", "_heartbeat", "_heartbeat_events")

    media_type = EVENTS

    def __init__(self, first: FrameBatch, heartbeat: Heartbeat, *, heartbeat_events: bool, is_combined: bool) -> None:
        """Begin with `first`; see `StreamRequest` for the rest."""
        self._first = first
        self._heartbeat = heartbeat
        self._heartbeat_events = heartbeat_events
        self._cursor = StreamCursor() if is_combined else None

    @property
    def is_shared(self) -> bool:
        """Whether the ids are those of one session."""
        return self._cursor is None

    def first(self) -> FrameBatch:
        """Return a `retry` field, which the first event completes to a block."""
        if not self._heartbeat_events:
            return self._first
        return FrameBatch((), self._first.data + self._heartbeat.event().data)

    def batches(self, queued: Sequence[QueuedBatch]) -> Iterator[FrameBatch]:
        """Join the batches to write. A single batch is shared with other subscribers, so it is not copied."""
        if len(queued) == 1 and self._cursor is None:
            yield queued[0][1]
            return
        joined: list[bytes] = []
        for subscription, batch in queued:
            if self._cursor is None or subscription is None:
                joined.append(batch.data)
            elif len(batch.frames) == 1 and len(batch.data) > MAX_COPIED_BYTES:
                joined.append(self._id_field(subscription, batch.frames[0].position))
                yield FrameBatch((), b"".join(joined))
                yield batch.without_id
                joined = []
            else:
                joined += (self._id_field(subscription, frame.position) + frame.without_id for frame in batch.frames)
        if joined:
            yield FrameBatch((), b"".join(joined))

    def _id_field(self, subscription: Subscription, position: Position) -> bytes:
        assert self._cursor is not None
        return sse.encode_id_field(self._cursor.advance(subscription.channel.session_id, position))

    def heartbeat(self) -> FrameBatch:
        """Return an event that an EventSource dispatches, or a comment."""
        return self._heartbeat.event() if self._heartbeat_events else COMMENT

    def is_finished(self, subscriber: Subscriber) -> bool:
        """Return whether every session is completed, and every event written."""
        return subscriber.is_finished

    def end(self, subscriber: Subscriber) -> bytes:
        """Return the `end` event."""
        positions = subscriber.positions
        event_id = end_id(positions) if self._cursor else str(next(iter(positions.values())))
        return sse.encode_event("end", json_text.encode_json({"session_ids": list(positions)}), event_id=event_id)

    def interrupted(self, retry_ms: int) -> bytes:
        """Return when to come back."""
        return sse.encode_final_retry(retry_ms)
