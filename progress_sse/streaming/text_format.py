"""A stream in plain text, for terminals: a line for each change of a session, until it is over."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Final

from progress_sse._internal.clock import Clock
from progress_sse.story.changes import Said, changes, reminders
from progress_sse.story.observed_session import ObservedSession, observed
from progress_sse.story.plain_text import log_line
from progress_sse.story.session_state import after
from progress_sse.story.steps import running_steps
from progress_sse.story.worker_words import life_sign
from progress_sse.streaming.line_batch import LineBatch
from progress_sse.streaming.subscriber import QueuedBatch, Subscriber
from progress_sse.wire import sse
from progress_sse.wire.frames import Frame, FrameBatch
from progress_sse.wire.log_lines_json import decode_line

TEXT: Final = "text/plain"

_INTERRUPTED: Final = b"(the server ends this here, and the job may go on)\n"


class TextFormat:
    """The lines of one session."""

    __slots__ = ("_clock", "_said", "_session", "_verified_s")

    media_type = TEXT
    is_shared = False

    def __init__(self, clock: Clock) -> None:
        """Say times of `clock` in UTC: the reader's zone is not known."""
        self._clock = clock
        self._session: ObservedSession | None = None
        self._verified_s = 0.0
        self._said = Said()

    @property
    def _now_s(self) -> float:
        return self._clock.now().timestamp()

    def first(self) -> None:
        """Return nothing: the first line is of the session."""

    def batches(self, queued: Sequence[QueuedBatch]) -> Iterator[FrameBatch]:
        """Yield the lines of all events together."""
        data = b"".join([self._told(batch) for _, batch in queued])
        if data:
            yield FrameBatch((), data)

    def _told(self, batch: FrameBatch) -> bytes:
        """Return the lines of events, and those of the log; a heartbeat is one already."""
        if isinstance(batch, LineBatch):
            return _encoded([log_line(decode_line(line.data)) for line in batch.shown.lines])
        return _encoded([line for frame in batch.frames for line in self._lines(frame)]) if batch.frames else batch.data

    def _lines(self, frame: Frame) -> Iterator[str]:
        name, data = sse.decode_event(frame.data)
        told, before, now_s = json.loads(data), self._session, self._now_s
        state = told if name == "snapshot" or before is None else after(before.state, told)
        self._session = observed(before, state, now_s, self._verified_s)
        self._verified_s = now_s
        return changes(before, self._session, now_s, "", UTC)

    def heartbeat(self) -> FrameBatch | None:
        """Return that the worker is silent, and again when it has been so for twice as long; and what is late."""
        session, now_s = self._session, self._now_s
        if session is None:
            return None
        sign = life_sign(session.state, session.reported_s, now_s, UTC)
        lines, self._said = reminders(self._said, session, sign, now_s)
        return FrameBatch((), _encoded(lines)) if lines else None

    def is_finished(self, subscriber: Subscriber) -> bool:
        """Return whether the session is over: it is completed, or it has failed and none of its steps runs."""
        if self._session is None or subscriber.has_waiting or not subscriber.has_all_lines:
            return False
        state = self._session.state
        return state["status"] == "completed" or (state["status"] == "error" and not running_steps(state))

    def end(self, _subscriber: Subscriber) -> bytes:
        """Return nothing: the last line is of the end."""
        return b""

    def interrupted(self, _retry_ms: int) -> bytes:
        """Return that more may come."""
        return _INTERRUPTED


def _encoded(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
