"""The follower of `progress-sse watch` reads the vectors of event streams over connections that end."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import httpx
import pytest

from progress_sse.cli import follower as following
from progress_sse.cli.follower import Follower
from progress_sse.cli.responses import NotAllowedError, client_of
from progress_sse.client.config import Address
from progress_sse.story.session_state import SessionState
from progress_sse.wire.sse import StreamEvent
from tests.cli import responders
from tests.cli.responders import FAILED, WAIT_S, Recorder, failing, once
from tests.harness.http1 import HOST
from tests.harness.vectors import ANSWERS, CORPUS, VectorServer, later, response

# `watch` follows by no link.
READERS = [each for each in json.loads((CORPUS / "readers.json").read_text("utf-8")) if "by_link" not in each]

END = response(f"id: e-9\nevent: snapshot\ndata: {json.dumps(FAILED)}\n\n")

# With other ids it gives the stream up, since no server makes them [P-6.1]: see `test_an_invalid_stream_is_abandoned`.
NUMBERS = [number for number, answer in enumerate(ANSWERS) if answer["last_event_id"].isascii()]


class Listening(Follower):
    """Takes no event for one of its session but the snapshot at the end, and keeps the others."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.events: list[dict[str, str]] = []

    def _read_event(self, event: StreamEvent) -> SessionState | None:
        if event.event == "snapshot":
            return super()._read_event(event)
        self.events.append({"event": event.event, "data": event.data, "last_event_id": event.event_id})
        return None


@pytest.mark.protocol("P-8.1", "P-8.3", "P-8.7", "P-8.12")
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: ANSWERS[number]["name"])
@pytest.mark.parametrize("size", [1, 1000])
async def test_a_stream_is_read_as_the_vectors_say(number: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each further request has the last id, also after a stream without one; no cache may answer it."""
    for name in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S", "LONGEST_RETRY_AFTER_S"):
        monkeypatch.setattr(following, name, 0.001)
    server = VectorServer(END)
    answer = ANSWERS[number]
    async with await asyncio.start_server(server.answer, HOST, 0) as listening:
        url = f"http://{HOST}:{listening.sockets[0].getsockname()[1]}/{number}/{size}"
        async with client_of(Address(url, None)) as client:
            follower = Listening(client, "s", Recorder())
            assert await asyncio.wait_for(follower.run(), WAIT_S) == FAILED
    assert follower.events == [*answer["events"], later(answer)]
    assert server.positions(number, size) == ["", *[answer["last_event_id"]] * 2]
    accepted = {(headers["accept"], headers["cache-control"]) for headers in server.asked[number, size]}
    assert accepted == {("text/event-stream", "no-cache")}


@pytest.mark.parametrize("vector", READERS, ids=lambda vector: vector["name"])
async def test_a_reader_does_as_the_vectors_say(vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for streams in this way, and for no more, and holds the session in the end."""
    is_overtaken = "after_poll" in vector["streams"][0]
    monkeypatch.setattr(following, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(following, "FIRST_EVENT_S", 0.001 if is_overtaken else WAIT_S)
    asked: list[tuple[str, str]] = []
    times: list[float] = []
    poll = vector["poll"]
    recorder = Recorder()
    token = vector.get("token")
    poll_came, events_came, poll_answered = (asyncio.Event() for _ in range(3))

    async def answered_poll() -> AsyncIterator[bytes]:
        poll_came.set()
        if is_overtaken:
            await events_came.wait()
        yield json.dumps(poll["session"]).encode()
        poll_answered.set()

    async def events(stream: dict[str, Any]) -> AsyncIterator[bytes]:
        if is_overtaken:
            await poll_came.wait()
        yield stream["stream"].encode()
        if is_overtaken:
            events_came.set()
            await poll_answered.wait()
            yield stream["after_poll"].encode()

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers.get("Authorization") == (token and f"Bearer {token}")
        assert str(token) not in str(request.url)
        path, is_stream, _ = request.url.raw_path.decode().partition("/events?")
        if not is_stream:
            json_type = {"Content-Type": "application/json"}
            content = answered_poll() if "session" in poll else once(b"")
            return httpx.Response(poll["status"], headers=json_type, content=content)
        asked.append((path, request.headers.get("Last-Event-ID", "")))
        times.append(time.monotonic())
        stream = vector["streams"][len(asked) - 1]
        if "stream" not in stream:
            return failing(stream["status"])
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=events(stream))

    async with responders.client_of(answer, token) as client:
        with pytest.raises(NotAllowedError) if poll["status"] in (401, 403) else nullcontext():
            await asyncio.wait_for(Follower(client, vector["session_id"], recorder).run(), WAIT_S)
    assert asked == [(vector["path"], stream["last_event_id"]) for stream in vector["streams"]]
    assert [*recorder.states[-1:], None][0] == vector["session"]
    for before, after, stream in zip(times, times[1:], vector["streams"][1:], strict=False):
        assert after - before >= stream.get("after_ms", 0) / 1000
