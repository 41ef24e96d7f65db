"""Follows a session by its event stream, and by polling while the stream brings nothing.

The stream is kept open for as long as it lives. Then the follower opens it again with the id of the last event: after
the time that the server asked for or, after a failure, after a random part of a span that doubles. If the stream
brings no event for a while, since the server is away or a proxy buffers it, the follower polls until it does.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.http_library import httpx
from progress_sse.cli.display import POLL_S, Connection, Display
from progress_sse.cli.log_reader import LogReader
from progress_sse.cli.responses import (
    HEAD_S,
    NotAllowedError,
    UnexpectedResponseError,
    check,
    client_of,
    get,
    read_json,
    words_of,
)
from progress_sse.client.availability import LONGEST_RETRY_AFTER_S
from progress_sse.client.config import Address
from progress_sse.story.observed_session import is_another_run
from progress_sse.story.session_state import SessionState, checked, folded, has_ended, parsed
from progress_sse.story.time_left import usual_times
from progress_sse.wire.sse import StreamDecoder, StreamEvent

FIRST_EVENT_S: Final = 5.0
"""Seconds within which a stream brings an event, a heartbeat at least, unless something buffers it."""

OVERDUE_HEARTBEATS: Final = 1.5
"""Heartbeat intervals without an event after which something must be buffering the stream."""

MISSED_HEARTBEATS: Final = 3
"""Heartbeat intervals without a byte after which the connection counts as dead."""

HEARTBEAT_S: Final = 15.0
"""Seconds between heartbeats, until the server has sent its interval."""

LONGEST_HEARTBEAT_S: Final = 3600.0
"""Maximum seconds between heartbeats that are expected of a server."""

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
"""Upper bounds of the random pause before a new stream, in seconds: after the first failure, after later ones."""

TICK_S: Final = 1.0
"""Seconds between two ticks of the display."""

HASTY_S: Final = 1.0
"""Seconds between two streams below which the server's own pace is ignored: it may ask for no pause at all."""

FAILURES_BEFORE_POLLS: Final = 3

STREAM_TIMEOUT: Final = httpx.Timeout(HEAD_S, connect=5, read=None)
"""Time limits of streams, in seconds; between the events of a stream any time may pass."""

SILENCE: Final = "something buffers the stream"

EVENT_STREAM: Final = "text/event-stream"

_ASKED: Final = {"Accept": EVENT_STREAM, "Cache-Control": "no-cache"}
"""The headers of an EventSource: no cache on the way may answer with a stream that it has stored."""

_EVENT_ID: Final = re.compile(r"[A-Za-z0-9._~-]{0,128}", re.ASCII)
"""An event id [docs/protocol.md], or none. It is sent back in a header, so nothing else is accepted."""


async def follow(address: Address, session_id: str, display: Display, *, has_log: bool = False) -> SessionState:
    """Follow a session until it is `completed` or `error`, without a time limit, and return its last state.

    With `has_log` the display is shown the session's log, too.

    Raises:
        NotAllowedError: The server does not let this client read the session.
        ConfigurationError: The URL, or the environment's proxies or certificates, cannot be used.
    """
    async with client_of(address) as client:
        return await Follower(client, session_id, display, has_log=has_log).run()


class Follower:
    """Follows one session by both means; see the module."""

    def __init__(self, client: httpx.AsyncClient, session_id: str, display: Display, *, has_log: bool = False) -> None:
        """Follow over a client whose `base_url` is the server."""
        self._client = client
        self._session_id = session_id
        self._path = f"/api/progress/{quote(session_id, safe='')}"
        self._display = display
        self._usual_times: asyncio.Task[None] | None = None
        self._log = LogReader(client, self._path, display.show_lines) if has_log else None
        self._connection: Connection | None = None
        self._state: SessionState | None = None
        self._position = ""
        self._last_event_id = ""  # Of the stream; `_position`, too, unless a poll has overtaken it.
        self._etag = ""
        self._events = 0
        self._failures = 0
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._heartbeat_s = HEARTBEAT_S
        self._polls = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[SessionState] = self._loop.create_future()
        self._overdue: asyncio.TimerHandle | None = None

    async def run(self) -> SessionState:
        """Follow; see `follow`."""
        runners = [self._stream(), self._poll(), self._tick(), *([self._log.run()] if self._log else [])]
        tasks = [self._loop.create_task(self._guard(each)) for each in runners]
        try:
            state = await self._over
            if self._log is not None:
                tasks.pop().cancel()
                await self._log.finish()
            return state
        finally:
            self._await_event(None)
            self._forget_usual_times()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _guard(self, runner: Coroutine[Any, Any, None]) -> None:
        try:
            await runner
        except Exception as error:  # noqa: BLE001  # `run` raises it
            if not self._over.done():
                self._over.set_exception(error)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._display.tick()

    def _set_connection(self, connection: Connection, reason: str = "") -> None:
        if connection != self._connection:
            self._connection = connection
            self._display.set_connection(connection, reason)

    # The stream.

    async def _stream(self) -> None:
        while True:
            self._last_event_id = self._position
            decoder = StreamDecoder(self._position)
            events = self._events
            pause_s = 0.0
            began = self._loop.time()
            self._await_event(FIRST_EVENT_S)
            try:
                await self._read(decoder)
                reason = "the server has ended the stream"
            except (httpx.HTTPError, TimeoutError, ValueError) as error:
                reason = words_of(error)
            except UnexpectedResponseError as error:
                reason = str(error)
                pause_s = error.retry_after_s
            self._await_event(None)
            self._failures += 1
            # A full server sends the time of the next attempt, and no event.
            if self._failures >= FAILURES_BEFORE_POLLS or (self._events == events and decoder.retry_ms is not None):
                self._poll_instead(reason)
            await asyncio.sleep(max(pause_s, self._pause_s(decoder.retry_ms, self._loop.time() - began)))

    def _pause_s(self, retry_ms: int | None, lasted_s: float) -> float:
        """Return the seconds to wait: as many as the stream has asked for, or more with each failure."""
        if retry_ms is not None and lasted_s + retry_ms / 1000 >= HASTY_S:
            return min(retry_ms / 1000, LONGEST_RETRY_AFTER_S)
        return self._backoff.next_s()

    async def _read(self, decoder: StreamDecoder) -> None:
        headers = {**_ASKED, **({"Last-Event-ID": self._position} if self._position else {})}
        params = {"heartbeat": "event", **({"log": "1"} if self._log else {})}
        request = self._client.build_request(
            "GET", f"{self._path}/events", params=params, headers=headers, timeout=STREAM_TIMEOUT
        )
        async with asyncio.timeout(HEAD_S):
            response = await self._client.send(request, stream=True)
        try:
            if response.status_code == httpx.codes.NO_CONTENT:
                self._position = ""  # The server takes it for the id of the end, which has not been seen here.
                await self._ask()
            check(response, EVENT_STREAM)
            chunks = response.aiter_raw()
            while (chunk := await self._next(chunks)) is not None:
                for event in decoder.feed(chunk):
                    self._take(event)
                self._move_to(decoder.last_event_id)  # A block without data is no event, but may have an id.
        finally:
            await response.aclose()

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        try:
            async with asyncio.timeout(MISSED_HEARTBEATS * self._heartbeat_s):
                return await anext(chunks, None)
        except TimeoutError:
            raise UnexpectedResponseError("the stream has gone silent") from None

    def _take(self, event: StreamEvent) -> None:
        try:
            state = self._read_event(event)
            self._move_to(event.event_id)
        except (ValueError, LookupError, TypeError, OverflowError) as error:
            self._position = ""
            raise UnexpectedResponseError("the stream is not that of a progress server") from error
        self._events += 1
        self._failures = 0
        self._backoff.reset()
        self._polls.clear()
        self._set_connection("live")
        self._await_event(OVERDUE_HEARTBEATS * self._heartbeat_s)
        if state is not None:
            self._etag = ""  # It belongs to the state of an earlier poll.
            self._set_state(state)

    def _move_to(self, event_id: str) -> None:
        """Reconnect with an id from now on, if it is new: an event without an id, as a heartbeat, has the last one."""
        if event_id != self._last_event_id:
            if not _EVENT_ID.fullmatch(event_id):
                raise ValueError("an id that no event has")
            self._last_event_id = self._position = event_id

    def _read_event(self, event: StreamEvent) -> SessionState | None:
        """Return the state after an event; `None` if an event of its kind has none."""
        if event.event == "heartbeat":
            self._take_heartbeat(parsed(event.data))
        if event.event == "log" and self._log is not None:
            self._log.add(parsed(event.data))
        if event.event == "snapshot":
            return checked(parsed(event.data), self._session_id)
        if event.event in ("step", "session"):
            # After a poll, the stream does not go on from the state that the poll brought.
            return folded(self._state if self._position else None, parsed(event.data))
        return None

    def _take_heartbeat(self, data: Any) -> None:
        interval_s = data["interval_ms"] / 1000
        if interval_s <= 0:
            raise ValueError("no interval")
        self._heartbeat_s = min(interval_s, LONGEST_HEARTBEAT_S)
        self._display.set_clock((datetime.fromisoformat(data["now"]) - datetime.now(UTC)).total_seconds())

    def _await_event(self, within_s: float | None) -> None:
        """Poll beside the stream if it brings no event within so many seconds (`None`: never)."""
        if self._overdue is not None:
            self._overdue.cancel()
        self._overdue = self._loop.call_later(within_s, self._poll_instead, SILENCE) if within_s is not None else None

    # Polling.

    def _poll_instead(self, reason: str) -> None:
        if not self._polls.is_set():
            self._polls.set()
            self._set_connection("polling", reason)

    async def _poll(self) -> None:
        while True:
            await self._polls.wait()
            pause_s = POLL_S * random.uniform(0.9, 1.1)  # noqa: S311  # spreads load
            connection: Connection = "polling"
            try:
                await self._ask()
                reason = "polls are answered"
            except httpx.HTTPError as error:
                connection = "reconnecting"
                reason = words_of(error)
            except UnexpectedResponseError as error:
                connection = "reconnecting"
                reason = str(error)
                pause_s = max(pause_s, error.retry_after_s)
            if self._polls.is_set():  # No event has come meanwhile.
                self._set_connection(connection, reason)
                if self._log is not None:
                    self._log.look()
            await asyncio.sleep(pause_s)

    async def _ask(self) -> None:
        events = self._events
        headers = {"If-None-Match": self._etag} if self._etag else {}
        response, content = await get(self._client, self._path, headers=headers)
        if response.status_code == httpx.codes.NOT_MODIFIED or self._events != events:
            return  # Nothing is new, or an event has overtaken the answer.
        state = read_json(response, content, lambda answer: checked(answer, self._session_id))
        etag = response.headers.get("ETag", "")
        self._etag = etag if etag.isascii() else ""  # It is sent back in a header.
        self._position = ""
        self._set_state(state)

    def _set_state(self, state: SessionState) -> None:
        before = self._state
        self._state = state
        if state != before:
            self._update_usual_times(before, state)
            self._display.show(state)
        if has_ended(state) and not self._over.done():
            self._over.set_result(state)

    # What the steps usually take.

    def _update_usual_times(self, before: SessionState | None, state: SessionState) -> None:
        """Ask once for each run, from when its server uses what it has learned."""
        if before is not None and is_another_run(before, state):
            self._forget_usual_times()
            self._display.set_usual_times({})
        uses_history = state.get("time", {}).get("basis") == "history"
        if uses_history and self._usual_times is None and not has_ended(state):
            self._usual_times = self._loop.create_task(self._ask_for_usual_times())

    def _forget_usual_times(self) -> None:
        if self._usual_times is not None:
            self._usual_times.cancel()
        self._usual_times = None

    async def _ask_for_usual_times(self) -> None:
        """Without an answer they stay unknown."""
        with suppress(httpx.HTTPError, UnexpectedResponseError, NotAllowedError):
            answer = await get(self._client, f"{self._path}/steps")
            self._display.set_usual_times(read_json(*answer, usual_times))
