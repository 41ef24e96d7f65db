"""The form of an event stream: its headers, its lines, its heartbeats and its end."""

import itertools
import re
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.conftest import Serve
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path
from tests.live.asgi_hosts import each_host
from tests.live.browsing import BrowserStream, as_fired
from tests.live.standards.server_settings import HEARTBEAT_S, ORIGIN

LATE_S = 2
"""Seconds by which a heartbeat may be late on a busy machine; `tests/streaming` tests its exact time."""

AT_ONCE_S = 20
"""Seconds within which bytes that wait for nothing arrive, on a busy machine too."""


@pytest.mark.protocol("P-5.2", "P-5.3")
@pytest.mark.parametrize("accept_encoding", [[], [("Accept-Encoding", "gzip, br")]], ids=["plain", "gzip-br"])
@pytest.mark.parametrize("origin", [[], [("Origin", ORIGIN)]], ids=["same-origin", "cross-origin"])
@each_host
async def test_headers_come_at_once(
    quiet_server: Server, sid: str, accept_encoding: list[tuple[str, str]], origin: list[Any]
) -> None:
    """SC-01: on a session without events the stream's headers are right, and come at once with its first bytes."""
    async with Worker.at(quiet_server) as worker:
        await worker.create(sid)
    for target in (events_path(sid), f"/api/events?session_id={sid}&session_id=other"):
        async with await RawStream.open(quiet_server.port, target, [*accept_encoding, *origin]) as stream:
            await stream.wait_until(lambda s: bool(s.body), timeout_s=AT_ONCE_S)
            assert stream.status == 200
            assert re.fullmatch(r"text/event-stream(; ?charset=utf-8)?", stream.head.get("content-type") or "")
            assert "no-store" in (stream.head.get("cache-control") or "")
            assert stream.head.get("incremental") == "?1"
            assert stream.head.get("x-accel-buffering") == "no"
            assert stream.head.get("content-encoding") is None
            assert stream.head.get("content-length") is None
            assert stream.head.get("access-control-allow-origin") == (ORIGIN if origin else None)
            await stream.wait_until(lambda s: bool(s.retries))
            assert (await stream.next_event()).event == "snapshot"


@pytest.mark.protocol("P-5.3", "P-5.16")
@pytest.mark.parametrize("target", ["/api/progress/{}/events?", "/api/events?session_id={}&session_id=absent&"])
async def test_nothing_but_events_ends_in_an_empty_line(server: Server, sid: str, target: str) -> None:
    """SC-05: `retry:` comes first and inside the first event's block, as some clients take each block for an event."""
    async with Worker.at(server) as worker:
        await worker.create(sid)
        async with await RawStream.open(server.port, target.format(sid)) as fresh:
            await fresh.wait_until(lambda s: bool(s.events and s.comments))
        for query in ("", "heartbeat=event"):
            position = fresh.last_event_id
            async with await RawStream.open(server.port, target.format(sid) + query, last_event_id=position) as stream:
                await stream.wait_until(lambda s: bool(s.comments + s.events))
                await worker.start(sid, 1)
                await stream.wait_until(lambda s: bool(s.last_event_id))
            for each in (fresh, stream):
                assert each.body.startswith(b"retry: 100\n")
                assert each.body.count(b"\n\n") == len(each.events)


@pytest.mark.protocol("P-5.14", "P-5.15")
@pytest.mark.parametrize(("heartbeat_s", "duration_s"), [(HEARTBEAT_S, 2), pytest.param(1, 60, marks=pytest.mark.full)])
async def test_an_idle_stream_gets_heartbeats(
    serve: Serve, server: Server, chromium: Browser, sid: str, heartbeat_s: float, duration_s: float
) -> None:
    """SC-06: comments keep an idle stream alive, on time; no EventSource fires for them, and its last id stays."""
    beating = server if heartbeat_s == HEARTBEAT_S else serve(heartbeat_s=heartbeat_s)
    count = round(duration_s / heartbeat_s)
    async with Worker.at(beating) as worker:
        await worker.create(sid)
        async with (
            await BrowserStream.open(chromium, beating.port, events_path(sid)) as browser,
            await RawStream.open(beating.port, events_path(sid)) as idle,
            await RawStream.open(beating.port, events_path(sid, "?heartbeat=event")) as as_events,
        ):
            await browser.wait_for(1)
            snapshot = await idle.next_event()
            await idle.wait_until(lambda s: len(s.comments) >= count, timeout_s=duration_s + 10)
            times = [received.t for received in idle.log if received.block.comment is not None or received.block.data]
            assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= heartbeat_s + LATE_S
            assert [event.event for event in idle.events] == ["snapshot"]
            assert idle.last_event_id == snapshot.id
            assert_heartbeat_events(as_events, heartbeat_s, snapshot.id or "")
            await worker.start(sid, 1)
            assert await browser.wait_for(2) == as_fired([snapshot, await idle.next_event()])
            assert await browser.states() == ["open"]


def assert_heartbeat_events(stream: RawStream, heartbeat_s: float, snapshot_id: str) -> None:
    """Check that the first comes at once, none has an id, and each has the time and the interval."""
    beats = [received for received in stream.log if received.block.event == "heartbeat"]
    assert stream.events[0].event == "heartbeat"
    gaps = [later.t - earlier.t for earlier, later in itertools.pairwise(beats)]
    assert max(gaps) <= heartbeat_s + LATE_S
    for beat in beats:
        assert beat.block.id is None
        assert set(beat.block.json()) == {"now", "interval_ms"}
        assert beat.block.json()["interval_ms"] == heartbeat_s * 1000
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)", beat.block.json()["now"])
    assert beats[-1].block.last_event_id == snapshot_id


@pytest.mark.protocol("P-5.11", "P-6.11", "P-6.12")
async def test_a_completed_session_ends_its_stream(server: Server, sid: str) -> None:
    """SC-09: an error ends nothing; completion sends the last step and `end`; a return gets the rest or 204."""
    async with Worker.at(server) as worker:
        await worker.create(sid, total_steps=1)
        async with await RawStream.open(server.port, events_path(sid)) as stream:
            await stream.next_event()
            await worker.run(sid, 1, success=False, error="no")
            await worker.run(sid, 1)
            assert await stream.closed() == "end"
            assert [event.event for event in stream.events] == ["snapshot", "step", "step", "step", "step", "end"]
            *_, last, end = stream.events
            assert last.json()["session"]["status"] == "completed"
            assert (end.id, end.json()) == (last.id, {"session_ids": [sid]})
        for held, expected in ((0, ["step"] * 4), (2, ["step"] * 2), (None, ["snapshot"])):
            at = stream.events[held].id if held is not None else None
            async with await RawStream.open(server.port, events_path(sid), last_event_id=at) as again:
                assert await again.closed() == "end"
                assert [event.event for event in again.events] == [*expected, "end"]
                assert again.last_event_id == end.id
        async with await RawStream.open(server.port, events_path(sid), last_event_id=end.id) as done:
            assert (await done.received_head()).status == 204
        await worker.start(sid, 1)
        async with await RawStream.open(server.port, events_path(sid)) as reopened:
            assert (await reopened.next_event()).json()["status"] == "running"
            await worker.complete(sid, 1)
            assert await reopened.closed() == "end"
