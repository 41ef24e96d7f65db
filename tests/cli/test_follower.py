"""The follower at servers, or other responders, that misbehave."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
import pytest

from progress_sse.cli import follower as following
from progress_sse.cli import responses
from progress_sse.cli.follower import Follower, follow
from progress_sse.client.config import Address
from progress_sse.core.errors import ConfigurationError
from tests.cli.responders import (
    BEAT,
    FAILED,
    RUNNING,
    STEP,
    WAIT_S,
    Recorder,
    client_of,
    endless,
    event,
    failing,
    follow_by,
    followed,
    once,
    polled,
    streaming,
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten all pauses."""
    for name in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S", "POLL_S", "TICK_S"):
        monkeypatch.setattr(following, name, 0.001)
    monkeypatch.setattr(following, "FAILURES_BEFORE_POLLS", 1)


@pytest.mark.parametrize(
    "content",
    [
        event("snapshot", b"[" * 100_000),
        event("snapshot", {**RUNNING, "session_id": "other", "status": "completed"}),
        event("snapshot", {**RUNNING, "percentage": float("nan")}),
        event("snapshot", RUNNING, "\u00e9"),
        event("snapshot", RUNNING, "x" * 129),
        event("snapshot", RUNNING) + event("step", {"step": {**STEP, "status": "\x1b[31m"}, "session": {}}),
        event("snapshot", RUNNING) + event("step", {"step": STEP, "session": {"session_id": "other"}}),
        event("heartbeat", []),
        event("heartbeat", {**BEAT, "now": "yesterday"}),
        event("heartbeat", {**BEAT, "now": "2026-11-25"}),
        event("heartbeat", {**BEAT, "interval_ms": 10**400}),
        event("heartbeat", {**BEAT, "interval_ms": float("nan")}),
        event("heartbeat", {**BEAT, "interval_ms": 0}),
        event("heartbeat", {**BEAT, "interval_ms": "15000"}),
    ],
)
async def test_an_invalid_stream_is_abandoned(content: bytes) -> None:
    """Only the session's own states are shown, and polls replace the stream."""
    recorder = await followed([streaming(content)], lambda: polled(FAILED))
    assert [each for each in recorder.states if each not in (RUNNING, FAILED)] == []
    assert "the stream is not that of a progress server" in recorder.reasons


async def test_polls_that_fail_are_reported_until_they_are_answered_again() -> None:
    """Without an answer nothing is known of the worker. An answer that is not the server's is none."""

    def away() -> httpx.Response:
        raise httpx.ConnectError("refused")

    for failure in (lambda: failing(503), lambda: polled(b"{"), away):
        recorder = await followed([], lambda: polled(RUNNING), failure, lambda: polled(RUNNING), lambda: polled(FAILED))
        assert recorder.connections == ["polling", "reconnecting", "polling"]


async def test_the_display_is_notified_that_time_goes_by() -> None:
    """While nothing arrives, too; and what it raises ends the following."""

    class Ticking(Recorder):
        def tick(self) -> None:
            super().tick()
            if self.ticks == 3:
                raise BrokenPipeError

    recorder = Ticking()
    async with client_of(lambda _: failing(503)) as client:
        with pytest.raises(BrokenPipeError):
            await asyncio.wait_for(Follower(client, "s", recorder).run(), WAIT_S)
    assert recorder.ticks == 3


async def test_an_endless_pause_of_a_stream_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is that of a poll: the pause has an upper limit."""
    for module in (following, responses):
        monkeypatch.setattr(module, "LONGEST_RETRY_AFTER_S", 0.001)
    full = {"Retry-After": "9" * 400}
    odd = {"Retry-After": f"Mon, 01 Jan {10**20} 00:00:00 GMT", "Date": "Wed, 25 Nov 2026 10:00:00 GMT"}
    stream = b"retry: 999999999999999\n" + event("snapshot", RUNNING)
    await followed(
        [streaming(stream)], lambda: failing(503, **full), lambda: failing(503, **odd), lambda: polled(FAILED)
    )


async def test_a_poll_after_an_event_asks_for_the_whole_state() -> None:
    """A delayed event may have set the state back, and the ETag of an earlier poll does not cover that."""
    asked: list[str | None] = []
    streams = [streaming(event("snapshot", RUNNING))]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return streams.pop() if streams and asked else failing(500)
        asked.append(request.headers.get("If-None-Match"))
        if asked[-1] == '"5"':
            return failing(304)
        return polled({**RUNNING, "percentage": 66} if streams else FAILED, ETag='"5"')

    recorder = await follow_by(answer)
    assert [each["percentage"] for each in recorder.states][:2] == [66, 0]


async def test_an_event_without_an_id_does_not_undo_a_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that a poll has overtaken is abandoned at its next step, which would set the state back."""
    monkeypatch.setattr(following, "MISSED_HEARTBEATS", 10**6)
    ahead = {**RUNNING, "percentage": 66}
    session = {key: RUNNING[key] for key in RUNNING if key != "steps"}
    positions: list[str | None] = []
    polls = 0
    is_taken = asyncio.Event()

    async def overtaken() -> AsyncIterator[bytes]:
        yield event("snapshot", RUNNING) + event("heartbeat", {**BEAT, "interval_ms": 1})
        await is_taken.wait()
        yield b"event: extra\ndata: x\n\n" + event("step", {"step": STEP, "session": session}, "e-2")

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal polls
        if not request.url.path.endswith("/events"):
            polls += 1
            if polls > 1:  # The answer to the first one has been read.
                is_taken.set()
            return polled(FAILED if positions[1:] else ahead)
        positions.append(request.headers.get("Last-Event-ID"))
        content = once(event("snapshot", FAILED)) if positions[1:] else overtaken()
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=content)

    recorder = await follow_by(answer)
    assert (recorder.states, positions) == ([RUNNING, ahead, FAILED], [None, None])


@pytest.mark.full
async def test_an_endless_line_or_body_is_not_read_to_its_end() -> None:
    """No compressed content is unpacked."""
    bomb = gzip.compress(event("snapshot", RUNNING))
    unbounded = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=endless())
    streams = [unbounded, streaming(bomb, **{"Content-Encoding": "gzip"})]
    recorder = await followed(
        streams, lambda: httpx.Response(200, content=endless()), lambda: failing(503) if streams else polled(FAILED)
    )
    assert streams == []
    assert recorder.states == [FAILED]


@pytest.mark.parametrize(
    "content",
    [b"{", b"[" * 100_000, {**FAILED, "session_id": "other"}, {**FAILED, "percentage": float("inf")}, [FAILED]],
)
async def test_an_invalid_poll_is_not_shown(content: Any) -> None:
    """The next valid one is."""
    recorder = await followed([], lambda: polled(content), lambda: polled(FAILED))
    assert recorder.states == [FAILED]


async def test_an_etag_that_no_header_can_have_is_not_sent_back() -> None:
    """The poll succeeds without it."""
    headers = [(b"Content-Type", b"application/json"), (b"ETag", b'"\xe9"')]
    tagged = httpx.Response(200, headers=headers, content=once(json.dumps(RUNNING).encode()))
    await followed([], lambda: tagged, lambda: polled(FAILED))


LEARNED = {"steps": [{"name": "Find", "learned": {"runs": 6, "p50_ms": 5000, "p90_ms": 9000}}, {"name": "new"}]}
ABSENT = {**RUNNING, "status": "not_found", "current_step": 0, "total_steps": 0, "steps": []}
NEXT = {**RUNNING, "steps": [{**STEP, "started_at": "2026-11-25T11:00:00+00:00"}]}


def of_history(state: dict[str, Any]) -> dict[str, Any]:
    """The state on a server that uses what it has learned."""
    return {**state, "time": {"percentage": 0, "finish_at": None, "basis": "history", "runs": 6}}


async def in_turn(states: Sequence[dict[str, Any]]) -> AsyncIterator[bytes]:
    """Each state as an event, once what was asked about the one before is answered."""
    for number, state in enumerate(states):
        yield event("snapshot", state, f"e-{number}")
        asking = [task for task in asyncio.all_tasks() if "_ask_for_usual_times" in repr(task.get_coro())]
        await asyncio.gather(*asking, return_exceptions=True)


async def usual_times_of(answer: Callable[[], httpx.Response], *states: dict[str, Any]) -> tuple[Recorder, list[str]]:
    """Follow a session through these states; return what was recorded, and the paths asked for its steps."""
    paths: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/steps"):
            paths.append(request.url.path)
            return answer()
        if request.url.path.endswith("/events"):
            return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=in_turn(states))
        return polled(FAILED)

    return await follow_by(respond), paths


async def test_what_steps_usually_take_is_asked_once_for_each_run() -> None:
    """From when the server uses it; until the answer for the next run is there, nothing of it is known."""
    again = {**RUNNING, "percentage": 5}
    recorder, paths = await usual_times_of(
        lambda: polled(LEARNED), RUNNING, of_history(RUNNING), of_history(again), ABSENT, of_history(NEXT)
    )
    assert paths == ["/api/progress/s/steps"] * 2
    assert recorder.usual == [{"Find": 5000}, {}, {}, {"Find": 5000}]


async def test_what_steps_usually_take_is_not_asked_where_the_server_does_not_use_it() -> None:
    """Nor of a session that is over."""
    assert (await usual_times_of(lambda: polled(LEARNED), RUNNING, of_history(FAILED)))[1] == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda: failing(403),
        lambda: failing(404),
        lambda: failing(503),
        lambda: polled({"steps": [{"name": "Find", "learned": {"p50_ms": "1"}}]}),
        lambda: polled({"steps": [{"name": ["Find"], "learned": {"p50_ms": 1}}]}),
        lambda: polled({"steps": 1}),
        lambda: polled([1]),
        lambda: polled(b"{"),
        lambda: httpx.Response(200, headers={"Content-Type": "application/json"}, content=endless()),
    ],
    ids=("403", "404", "503", "a text", "no name", "no steps", "a list", "no JSON", "endless"),
)
async def test_what_steps_usually_take_is_not_asked_again_where_it_is_not_answered(
    answer: Callable[[], httpx.Response],
) -> None:
    """The session is followed all the same."""
    recorder, paths = await usual_times_of(answer, of_history(RUNNING), {**of_history(RUNNING), "percentage": 9})
    assert (recorder.usual, paths) == ([], ["/api/progress/s/steps"])


async def test_an_unusable_environment_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples are a proxy of an unknown kind, as desktops set it, a missing file, and an invalid URL."""
    for url, name, value in [
        ("http://h", "ALL_PROXY", "socks://127.0.0.1:7890/"),
        ("https://h", "SSL_CERT_FILE", "/no/such/file"),
        ("http://h/\x01", "NO_PROXY", ""),
    ]:
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(ConfigurationError, match="Cannot connect"):
                await follow(Address(url, None), "s", Recorder())


async def test_streams_that_end_at_once_are_retried_with_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds whatever `retry` the server sends."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def recorded(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", recorded)
    await followed([streaming(b"retry: 0\n" + event("heartbeat", BEAT)) for _ in range(5)], lambda: polled(FAILED))
    assert 0 not in pauses
