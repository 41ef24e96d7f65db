"""A subscriber that drops its connection again and again, and resumes where it left off."""

import random
from collections.abc import Sequence
from urllib.parse import quote

from tests.harness.event_stream import Block
from tests.harness.oracle import Body, Oracle
from tests.harness.rawsse import RawStream, StreamEndedError
from tests.harness.serving import events_path


class Follower:
    """One reader of one session, or of several on one stream, over any number of connections.

    The oracle gets its events under its name. It keeps the last event id for ever, as an EventSource does, and
    connects to the current value of `port`.
    """

    def __init__(
        self, oracle: Oracle, name: str, port: int, session_ids: Sequence[str], *, several: bool = False
    ) -> None:
        """Make a reader without events; `several` requests the stream of several sessions even for one."""
        self.session_ids = list(session_ids)
        self.last_event_id: str | None = None
        self.connections = 0
        self._several = several or len(session_ids) > 1
        self._oracle = oracle
        self._name = name
        self.port = port

    @property
    def target(self) -> str:
        if not self._several:
            return events_path(self.session_ids[0])
        query = "&".join(f"session_id={quote(session_id, safe='')}" for session_id in self.session_ids)
        return f"/api/events?{query}"

    def state(self, session_id: str) -> Body | None:
        return self._oracle.view(session_id, self._name).state

    async def read(self, count: int, at_most_s: float) -> None:
        """Connect, wait for `count` events or the time limit, and drop the connection in one of several ways."""
        stream = await self.connect()
        try:
            await stream.wait_until(lambda s: len(s.events) >= count, at_most_s)
        except (StreamEndedError, TimeoutError):
            pass  # The events that came count.
        finally:
            await (stream.abort() if random.random() < 0.5 else stream.aclose())
            self.take(stream)

    async def read_until(self, states: dict[str, Body], timeout_s: float = 30) -> None:
        """Connect, and read until every session is in its given state."""
        stream = await self.connect()
        seen = 0

        def is_there(stream: RawStream) -> bool:
            nonlocal seen
            self._log(stream.events[seen:])
            seen = len(stream.events)
            return all(self.state(session_id) == state for session_id, state in states.items())

        try:
            await stream.wait_until(is_there, timeout_s)
        finally:
            await stream.aclose()
            self._log(stream.events[seen:])
            self.last_event_id = stream.last_event_id or self.last_event_id

    async def connect(self) -> RawStream:
        self.connections += 1
        return await RawStream.open(self.port, self.target, last_event_id=self.last_event_id)

    def take(self, stream: RawStream) -> None:
        self._log(stream.events)
        self.last_event_id = stream.last_event_id or self.last_event_id

    def _log(self, events: list[Block]) -> None:
        for event in events:
            if event.event not in ("snapshot", "step", "session"):
                continue
            body = event.json()
            session_id = body["session_id"] if event.event == "snapshot" else body["session"]["session_id"]
            self._oracle.view(session_id, self._name).saw(event, has_position=not self._several)
