"""The form of a stream: the bytes of its events, of its heartbeats and of its end, as events or as lines of text."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Final, TypeAlias

from progress_sse._internal.clock import Clock
from progress_sse.core.model import Position
from progress_sse.story.changes import Pace, Reminded, changes, reminders, step_lines
from progress_sse.story.observed_session import ObservedSession, observed
from progress_sse.story.plain_text import log_line
from progress_sse.story.session_state import after
from progress_sse.story.steps import steps_in
from progress_sse.story.worker_words import life_sign
from progress_sse.streaming.line_feed import LineBatch
from progress_sse.streaming.publisher import Subscription
from progress_sse.streaming.subscriber import QueuedBatch, Subscriber
from progress_sse.streaming.timers import COMMENT, Heartbeat
from progress_sse.wire import json_text, sse
from progress_sse.wire.cursor import StreamCursor, end_id
from progress_sse.wire.frames import Frame, FrameBatch
from progress_sse.wire.log_lines_json import decode_line

EVENTS: Final = "text/event-stream"

MAX_COPIED_BYTES: Final = 16_384
"""Bytes of an event that are copied for each stream with ids of its own; these share one copy of a larger event."""


class EventFormat:
    """Server-Sent Events."""

    __slots__ = ("_cursor", "_first", "_heartbeat", "_heartbeat_events")

    media_type = EVENTS

    def __init__(self, first: FrameBatch, heartbeat: Heartbeat, *, heartbeat_events: bool, is_combined: bool) -> None:
        self._first = first
        self._heartbeat = heartbeat
        self._heartbeat_events = heartbeat_events
        self._cursor = StreamCursor() if is_combined else None

    @property
    def is_shared(self) -> bool:
        """Whether all streams share the bytes of a batch, as the ids are those of one session."""
        return self._cursor is None

    def first(self) -> FrameBatch:
        """Return a `retry` field, which the first event completes to a block."""
        if not self._heartbeat_events:
            return self._first
        return FrameBatch((), self._first.data + self._heartbeat.event().data)

    def batches(self, queued: Sequence[QueuedBatch]) -> Iterator[FrameBatch]:
        """Join the batches that were taken. A single one is shared with other subscribers, so it is not copied."""
        if len(queued) == 1 and self._cursor is None:
            yield queued[0][1]
            return
        joined: list[bytes] = []
        for subscription, batch in queued:
            if self._cursor is None or subscription is None or not batch.frames:
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
        """Return the last bytes of a stream that is not finished: when to come back."""
        return sse.encode_final_retry(retry_ms)


TEXT: Final = "text/plain"

_INTERRUPTED: Final = b"(the server ends this here, and the job may go on)\n"


class TextFormat:
    """The lines of one session, with times in UTC: the reader's zone is not known."""

    __slots__ = ("_clock", "_pace", "_reminded", "_session", "_verified_s")

    media_type = TEXT
    is_shared = False

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._session: ObservedSession | None = None
        self._verified_s = 0.0
        self._pace = Pace()
        self._reminded = Reminded()

    @property
    def _now_s(self) -> float:
        return self._clock.now().timestamp()

    def first(self) -> None:
        """Return nothing: the first line is of the session."""

    def batches(self, queued: Sequence[QueuedBatch]) -> Iterator[FrameBatch]:
        """Yield the lines of all events together."""
        data = b"".join([self._encode(batch) for _, batch in queued])
        if data:
            yield FrameBatch((), data)

    def _encode(self, batch: FrameBatch) -> bytes:
        """Return the lines of events, and those of the log; a heartbeat is one already."""
        if isinstance(batch, LineBatch):
            return _encoded([log_line(decode_line(line.data)) for line in batch.shown.lines])
        return _encoded([line for frame in batch.frames for line in self._lines(frame)]) if batch.frames else batch.data

    def _lines(self, frame: Frame) -> Iterator[str]:
        name, data = sse.decode_event(frame.data)
        change = json.loads(data)
        before = self._session
        now_s = self._now_s
        state = change if name == "snapshot" or before is None else after(before.state, change)
        self._session = observed(before, state, now_s, self._verified_s)
        self._verified_s = now_s
        return changes(before, self._session, now_s, "", self._pace, UTC)

    def heartbeat(self) -> FrameBatch | None:
        """Return the lines that had to wait, and reminders: that the worker is silent, or that the job is late.

        A silence is reported again when it has lasted twice as long. Returns `None` if there is nothing to say.
        """
        session = self._session
        now_s = self._now_s
        if session is None:
            return None
        sign = life_sign(session.state, session.reported_s, now_s, UTC)
        lines, self._reminded = reminders(self._reminded, session, sign, now_s)
        lines = [*step_lines(session, now_s, self._pace, UTC), *lines]
        return FrameBatch((), _encoded(lines)) if lines else None

    def is_finished(self, subscriber: Subscriber) -> bool:
        """Return whether the session is over: it is completed, or it has failed and none of its steps runs."""
        if self._session is None or subscriber.has_waiting or not subscriber.has_all_lines:
            return False
        state = self._session.state
        return state["status"] == "completed" or (state["status"] == "error" and not steps_in(state, "running"))

    def end(self, _subscriber: Subscriber) -> bytes:
        """Return nothing: the last line is of the end."""
        return b""

    def interrupted(self, _retry_ms: int) -> bytes:
        """Return that more may come."""
        return _INTERRUPTED


StreamFormat: TypeAlias = EventFormat | TextFormat
"""The form of one stream."""


def _encoded(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
