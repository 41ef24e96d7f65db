"""Event streams and HTTP checked against the standards, from outside."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.conftest import Serve
from tests.harness.chaos import ChaosProxy, Cut, Slice
from tests.harness.http1 import Connection, request_bytes
from tests.harness.oracle import fold_all
from tests.harness.rawsse import Block, EventStreamParser, RawStream
from tests.harness.serving import Server, Worker, events_path, publish, session_path
from tests.live.asgi_hosts import each_host, serve_only
from tests.live.browsing import BrowserStream, Playback, as_fired

ROOT = Path(__file__).parents[2]

HEARTBEAT_S = 0.5

LATE_S = 2
"""Seconds by which a heartbeat may be late on a busy machine; `tests/streaming` tests its exact time."""

AT_ONCE_S = 20
"""Seconds within which bytes that wait for nothing arrive, on a busy machine too."""

ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, factory: str | None) -> Iterator[Server]:
    """A server in memory that the tests of this module share; each test has sessions of its own."""
    settings: dict[str, Any] = {"heartbeat_s": HEARTBEAT_S, "retry_ms": 100, "allow_origins": ORIGIN}
    with Server(tmp_path_factory.mktemp("server"), factory=factory, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def quiet_server(tmp_path_factory: pytest.TempPathFactory, factory: str | None) -> Iterator[Server]:
    """A server without heartbeats during a test, so that a stream's bytes come at once or never."""
    settings: dict[str, Any] = {"heartbeat_s": 600, "retry_ms": 100, "allow_origins": ORIGIN}
    with Server(tmp_path_factory.mktemp("quiet"), factory=factory, **settings) as running:
        yield running


# SC-01


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
            await stream.wait_until(lambda s: s.first_body_t is not None, timeout_s=AT_ONCE_S)
            assert stream.status == 200
            assert re.fullmatch(r"text/event-stream(; ?charset=utf-8)?", stream.head.get("content-type") or "")
            assert "no-store" in (stream.head.get("cache-control") or "")
            assert stream.head.get("x-accel-buffering") == "no"
            assert stream.head.get("content-encoding") is None
            assert stream.head.get("content-length") is None
            assert stream.head.get("access-control-allow-origin") == (ORIGIN if origin else None)
            await stream.wait_until(lambda s: bool(s.retries))
            assert (await stream.next_event()).event == "snapshot"


# SC-02


async def record(serve: Serve, count: int) -> RawStream:
    """A recorded and closed stream of `count` steps, reported flat out between heartbeats of 10 ms."""
    server = serve(heartbeat_s=0.01, history=count)
    async with Worker.at(server) as worker:
        await worker.create("s", total_steps=1)
        await worker.start("s", 1)
    async with await RawStream.open(server.port, events_path("s")) as stream:
        await stream.next_event()
        texts = itertools.cycle(["plain", "日本語 \u2028 \x85", "two\nlines\r\n", ": data: x", ""])
        await publish(
            server.port,
            "s",
            ({"action": "progress", "step": 1, "current": n, "message": next(texts)} for n in range(count)),
        )
        await stream.wait_until(lambda s: s.events[-1].position.offset == count + 1)
    return stream


def feed(body: bytes, sizes: Iterator[int]) -> list[Block]:
    """Parse a body in pieces of the given sizes."""
    parser, blocks, start = EventStreamParser(), [], 0
    while start < len(body):
        size = next(sizes)
        blocks += parser.feed(body[start : start + size])
        start += size
    return blocks


@pytest.mark.full
async def test_a_long_stream_reads_the_same_however_it_is_cut(serve: Serve) -> None:
    """SC-02: 10 000 events between heartbeats follow the grammar, and parse the same in pieces of every size."""
    stream = await record(serve, 10_000)
    assert len(stream.events) > 9_000  # A snapshot may replace a few that the reader fell behind by.
    assert len(stream.comments) > 10
    blocks = [received.block for received in stream.log]
    body = bytes(stream.body)
    pieces = random.Random(2)
    assert feed(body, itertools.repeat(1)) == blocks
    assert feed(body, itertools.repeat(2)) == blocks
    assert feed(body, iter(lambda: pieces.randint(1, 5000), None)) == blocks
    fold_all(stream.events)


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(900)])])
async def test_three_parsers_agree(serve: Serve, chromium: Browser, count: int) -> None:
    """SC-02: a strict parser, npm's eventsource and Chromium read the same events, byte by byte over the network."""
    recording = await record(serve, count)
    expected = as_fired(recording.events)
    limit_s = 30 + count / 20
    async with Playback(bytes(recording.wire)) as playback, ChaosProxy(playback.port, [Slice(1)]) as proxy:
        async with await BrowserStream.open(chromium, proxy.port, "/stream") as browser:
            assert await browser.wait_for(len(expected), limit_s) == expected
        assert await read_with_npm(proxy.port, len(expected), limit_s) == expected


async def read_with_npm(port: int, count: int, timeout_s: float) -> list[tuple[str, str, str]]:
    """The events that npm's eventsource fires."""
    script, web = Path(__file__).with_name("eventsource_reader.mjs"), ROOT / "web"
    assert (web / "node_modules" / "eventsource").exists(), "npm's eventsource is missing: run `npm ci` in web/"
    process = await asyncio.create_subprocess_exec(
        "node", script, web, f"http://127.0.0.1:{port}/stream", str(count), stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return [tuple(event) for event in json.loads(output)]


# SC-03

TEXTS = {
    "LF": "a\nb",
    "CR": "a\rb",
    "CRLF": "a\r\nb",
    "blank lines": "\n\na\r\r\r\n\r\nb\n\n",
    "leading space": "  x",
    "leading colon": ": comment?",
    "a field": "data: x",
    "an event": "\n\nevent: x\nid: 9\ndata: y\n\n",
    "line and paragraph separators": "a\u2028b\u2029c",
    "next line": "a\u0085b",
    "VT, FF, ESC": "a\x0bb\x0cc\x1bd",
    "other controls": "".join(map(chr, [*range(1, 32), *range(127, 160)])),
    "byte order mark": "\ufeffa\ufeff",
    "emoji with joiners": "👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "שלום \u202e עולם \u2066\u0645\u0631\u062d\u0628\u0627\u2069",
    "combining marks": "e\u0301 é Z͑ͫ̓ͪ̂ͫ",
    "a script's end": "</script><!-- ]]>",
    "backslashes": r"\n \u2028 \\ \"",
    "beyond the basic plane": "\U0001d54f\U0010ffff",
    "noncharacters": "\ufffe\uffff\ufffd",
    "8192 line feeds": "\n" * 8192,
}


async def test_texts_arrive_code_point_for_code_point(server: Server, chromium: Browser, sid: str) -> None:
    """SC-03: for every text, Chromium, the poll and the POST agree on each code point."""
    async with Worker.at(server) as worker:
        await worker.create(sid, total_steps=1)
        await worker.start(sid, 1)
        async with (
            await BrowserStream.open(chromium, server.port, events_path(sid)) as browser,
            await RawStream.open(server.port, events_path(sid)) as raw,
        ):
            await browser.wait_for(1)
            await raw.next_event()
            for index, (name, text) in enumerate(TEXTS.items()):
                # An `error` status keeps the session open, and each text is another outcome.
                await worker.complete(sid, 1, success=False, message=text, error=text)
                assert (await worker.poll(sid))["steps"][0]["message"] == text, name
                assert (await raw.next_event()).json()["step"]["error"] == text, name
                await browser.wait_for(index + 2)
            code_points = await browser.evaluate(
                "fired.slice(1).map(([, data]) => ['message', 'error'].map("
                "key => Array.from(JSON.parse(data).step[key], character => character.codePointAt(0))))"
            )
            snapshot = (await worker.client.get(session_path(sid))).text
    assert code_points == [[[ord(character) for character in text]] * 2 for text in TEXTS.values()]
    for shown in [snapshot, *(event.data for event in raw.events)]:
        assert shown is not None
        assert shown.splitlines() == [shown], "a client that splits at every line end of Unicode gets it whole"
        assert "<" not in shown, "a client that writes it into HTML as it is writes no markup"


async def test_a_snapshot_equals_the_poll_for_every_text(server: Server, sid: str) -> None:
    """SC-03: both escape texts alike, in streams of one session and of several."""
    async with Worker.at(server) as worker:
        await worker.create(sid, steps=[{"name": text} for text in TEXTS.values()])
        await worker.start(sid, 1)
        await worker.complete(sid, 1, message=TEXTS["a script's end"], error=TEXTS["next line"])
        polled = (await worker.client.get(session_path(sid))).text
        for target in (events_path(sid), f"/api/events?session_id={sid}"):
            async with await RawStream.open(server.port, target) as stream:
                assert (await stream.next_event()).data == polled


# SC-04


@pytest.mark.parametrize("store", ["memory://", pytest.param("sqlite", marks=pytest.mark.full)])
async def test_ids_grow_and_never_come_back(serve: Serve, store: str) -> None:
    """SC-04: ids have the documented form, grow by one within an epoch, and are never reused in a later one."""
    server = serve(store=store)
    lives: list[dict[str, list[str]]] = []
    sessions = [f"session-{n}" for n in range(10)]
    async with Worker.at(server) as worker:
        for _ in range(2):
            lives.append(await run_once(server, worker, sessions, 50))
            for session_id in sessions:
                await worker.delete(session_id)
        lives.append(await run_once(server, worker, sessions, 5))
        await asyncio.to_thread(server.terminate)
        await asyncio.to_thread(server.start)
        after_restart = await resume_once(server, worker, sessions, lives[-1], survives=store == "sqlite")
    for life in lives:
        for ids in life.values():
            assert_ids_grow(ids)
    for session_id in sessions:
        epochs = [life[session_id][0].rpartition("-")[0] for life in lives]
        assert len(set(epochs)) == len(lives)
        if store == "sqlite":
            assert_ids_grow(lives[-1][session_id] + after_restart[session_id])
        else:
            assert after_restart[session_id][0].rpartition("-")[0] not in epochs


async def run_once(server: Server, worker: Worker, sessions: list[str], count: int) -> dict[str, list[str]]:
    """Create the sessions, report to all of them at once, and return the ids that each stream carried."""
    for session_id in sessions:
        await worker.create(session_id)
    streams = {s: await RawStream.open(server.port, events_path(s, "?heartbeat=event")) for s in sessions}
    updates = [{"action": "start", "step": 1}]
    updates += [{"action": "progress", "step": 1, "current": n} for n in range(count - 1)]
    for stream in streams.values():
        await stream.wait_until(lambda s: any(event.event == "snapshot" for event in s.events))
    await asyncio.gather(*(publish(server.port, session_id, updates) for session_id in sessions))
    ids = {}
    for session_id, stream in streams.items():
        await stream.wait_until(lambda s: sum(event.event == "step" for event in s.events) >= count)
        await stream.aclose()
        heartbeats = [event for event in stream.events if event.event == "heartbeat"]
        assert heartbeats
        assert all(event.id is None for event in heartbeats)
        ids[session_id] = [event.id or "" for event in stream.events if event.event != "heartbeat"]
    return ids


async def resume_once(
    server: Server, worker: Worker, sessions: list[str], life: dict[str, list[str]], *, survives: bool
) -> dict[str, list[str]]:
    """Resume with the last id after a restart, read one more step, and return the ids."""
    ids = {}
    for session_id in sessions:
        async with await RawStream.open(
            server.port, events_path(session_id), last_event_id=life[session_id][-1]
        ) as stream:
            if survives:
                await stream.received_head()
            else:
                assert (await stream.next_event()).json()["status"] == "not_found"
            await worker.start(session_id, 2)
            await stream.wait_until(lambda s: any(event.event == "step" for event in s.events))
            assert [e.event for e in stream.events] == ["step"] if survives else ["snapshot", "snapshot", "step"]
            ids[session_id] = [event.id or "" for event in stream.events if event.json().get("status") != "not_found"]
    return ids


def assert_ids_grow(ids: list[str]) -> None:
    """Check the documented form, one epoch, and offsets that grow by one."""
    for event_id in ids:
        assert re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", event_id)
    epochs, numbers = zip(*(event_id.rpartition("-")[::2] for event_id in ids), strict=True)
    assert len(set(epochs)) == 1
    assert [int(number) for number in numbers] == list(range(int(numbers[0]), int(numbers[0]) + len(ids)))


# SC-05


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


# SC-06


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


# SC-07


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=[pytest.mark.full, pytest.mark.timeout(180)])])
async def test_a_stream_cut_at_any_byte_resumes_without_loss_or_repeat(serve: Serve, every: int) -> None:
    """SC-07: a stream of a snapshot and five steps, cut after each number of bytes, resumes exactly where it was."""
    server = serve(heartbeat_s=30)
    length = await cut_each(server, "cuts-measure", [])
    offsets = range(0, length + 1, every)
    for start in range(0, len(offsets), 400):
        await cut_each(server, f"cuts-{start:07d}", offsets[start : start + 400])


async def cut_each(server: Server, session_id: str, offsets: Sequence[int]) -> int:
    """Cut one stream of the same session at each offset, and resume each; return the length of an uncut stream."""
    async with Worker.at(server) as worker, ChaosProxy(server.port, map(Cut, offsets)) as proxy:
        await worker.create(session_id, total_steps=6)
        # The first reader's snapshot may take longer and come in a chunk of its own; later readers get the same bytes.
        first = await RawStream.open(server.port, events_path(session_id))
        await first.next_event()
        control = await RawStream.open(server.port, events_path(session_id))
        await control.next_event()
        cut = [await RawStream.open(proxy.port, events_path(session_id)) for _ in offsets]
        # All readers are connected before the first step, but for those that are cut inside the head.
        for stream in cut:
            await stream.wait_until(lambda s: bool(s.events) or s.ending is not None)
        for step in range(1, 6):
            await worker.start(session_id, step)
        await control.wait_until(lambda s: len(s.events) == 6)
        length = len(control.wire)
        resumed = []
        for stream in cut:
            await stream.closed()
            last_event_id = stream.last_event_id or None
            resumed.append(await RawStream.open(server.port, events_path(session_id), last_event_id=last_event_id))
        for stream in resumed:
            await stream.received_head()
        await worker.start(session_id, 6)
        await control.wait_until(lambda s: len(s.events) == 7)
        for before, after in zip(cut, resumed, strict=True):
            await after.wait_until(lambda s: bool(s.events) and s.events[-1].json() == control.events[-1].json())
            assert_whole(before, after, control)
        for stream in [first, control, *resumed]:
            await stream.aclose()
        return length


def assert_whole(before: RawStream, after: RawStream, control: RawStream) -> None:
    """Check that both parts together are each event exactly once, in order."""
    union = [(event.id, event.event, event.data) for event in before.events + after.events]
    uncut = [(event.id, event.event, event.data) for event in control.events]
    if before.events:
        assert union == uncut
    else:  # Cut before the first event: the reader has no id yet, and starts with a snapshot of all five steps.
        assert [event.event for event in after.events] == ["snapshot", "step"]
        assert (after.events[0].id, after.events[1].id) == (control.events[-2].id, control.events[-1].id)
        assert fold_all(after.events) == fold_all(control.events)


# SC-08

LastEventId = Callable[[str, str], tuple[list[tuple[str, str]], str]]

# Each returns headers and query for the id to resume at and another id, and lists what arrives: numbers of steps, or
# `None` for a snapshot.
TRANSPORTS: dict[str, tuple[LastEventId, list[int] | None]] = {
    "header": (lambda at, _: ([("Last-Event-ID", at)], ""), [2, 3, 4]),
    "header in lower case": (lambda at, _: ([("last-event-id", at)], ""), [2, 3, 4]),
    "query": (lambda at, _: ([], f"?last_event_id={at}"), [2, 3, 4]),
    "both, the header wins": (lambda at, other: ([("Last-Event-ID", at)], f"?last_event_id={other}"), [2, 3, 4]),
    "empty header, the query counts": (lambda at, _: ([("Last-Event-ID", "")], f"?last_event_id={at}"), [2, 3, 4]),
    "empty header": (lambda *_: ([("Last-Event-ID", "")], ""), None),
    "empty query": (lambda *_: ([], "?last_event_id="), None),
    "neither": (lambda *_: ([], ""), None),
    "unknown header, the query does not count": (
        lambda at, _: ([("Last-Event-ID", "nonsense")], f"?last_event_id={at}"),
        None,
    ),
    "the same header twice": (lambda at, _: ([("Last-Event-ID", at)] * 2, ""), [2, 3, 4]),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_last_event_id_is_taken_where_the_protocol_says(server: Server, sid: str, transport: str) -> None:
    """SC-08: header, query, both, empty, twice: the id counts that the protocol names."""
    transported, expected = TRANSPORTS[transport]
    async with Worker.at(server) as worker:
        await worker.create(sid)
        async with await RawStream.open(server.port, events_path(sid)) as first:
            ids = [(await first.next_event()).id or ""]
            for step in range(1, 5):
                await worker.start(sid, step)
            ids += [event.id or "" for event in await first.next_events(4)]
        headers, query = transported(ids[1], ids[3])
        async with await RawStream.open(server.port, events_path(sid, query), headers) as resumed:
            count = len(expected) if expected is not None else 1
            events = await resumed.next_events(count)
            await worker.start(sid, 5)
            following = await resumed.next_event()
    if expected is None:
        assert [(event.event, event.id) for event in events] == [("snapshot", ids[4])]
    else:
        assert [(event.event, event.position.offset) for event in events] == [("step", n) for n in expected]
    assert following.position.offset == 5


async def test_two_different_last_event_ids_do_no_harm(server: Server, sid: str) -> None:
    """SC-08: a header sent twice with different ids gets 200 and the true state."""
    async with Worker.at(server) as worker:
        await worker.create(sid)
        async with await RawStream.open(server.port, events_path(sid)) as first:
            events = [await first.next_event()]
            for step in (1, 2, 3):
                await worker.start(sid, step)
            events += await first.next_events(3)
        headers = [("Last-Event-ID", events[1].id or ""), ("Last-Event-ID", events[2].id or "")]
        async with await RawStream.open(server.port, events_path(sid), headers) as resumed:
            await resumed.wait_until(lambda s: bool(s.events) and s.events[-1].id == events[-1].id)
            assert resumed.status == 200
            before = {"snapshot": 0, "step": resumed.events[0].position.offset}[resumed.events[0].event]
            assert fold_all([*events[:before], *resumed.events]) == await worker.poll(sid)


async def test_a_browser_resumes_by_itself(server: Server, chromium: Browser, sid: str) -> None:
    """SC-08: Chromium's own reconnect sends the last id, and the page gets every event exactly once."""
    async with Worker.at(server) as worker, ChaosProxy(server.port) as proxy:
        await worker.create(sid)
        async with (
            await RawStream.open(server.port, events_path(sid)) as control,
            await BrowserStream.open(chromium, proxy.port, events_path(sid)) as browser,
        ):
            expected = [await control.next_event()]
            await browser.wait_for(1)
            await worker.start(sid, 1)
            fired = await browser.wait_for(2)
            proxy.refuse()
            for link in proxy.links:
                link.reset()
            for step in (2, 3):
                await worker.start(sid, step)
            await proxy.listen()
            await browser.wait_for(4)
            await worker.start(sid, 4)
            expected += await control.next_events(4)
            assert await browser.wait_for(5) == as_fired(expected)
            resumed = proxy.links[-1].requests.decode().lower()
            assert f"last-event-id: {fired[-1][2]}".lower() in resumed


# SC-09


async def test_a_completed_session_ends_its_stream(server: Server, sid: str) -> None:
    """SC-09: an error ends nothing; completion sends the last step and `end`; a return gets the rest or 204."""
    async with Worker.at(server) as worker:
        await worker.create(sid, total_steps=1)
        async with await RawStream.open(server.port, events_path(sid)) as stream:
            await stream.next_event()
            await worker.start(sid, 1)
            await worker.complete(sid, 1, success=False, error="no")
            await worker.start(sid, 1)
            await worker.complete(sid, 1)
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


@pytest.mark.full
@pytest.mark.timeout(180)
async def test_three_tabs_stop_asking_after_the_end(server: Server, chromium: Browser, sid: str) -> None:
    """SC-09: three tabs see the last step and `end`, return once, get 204, and make no request for a minute."""
    async with Worker.at(server) as worker, ChaosProxy(server.port) as proxy, contextlib.AsyncExitStack() as stack:
        await worker.create(sid, total_steps=1)
        tabs = [
            await stack.enter_async_context(await BrowserStream.open(chromium, proxy.port, events_path(sid)))
            for _ in range(3)
        ]
        for tab in tabs:
            await tab.wait_for(1)
        await worker.start(sid, 1)
        await worker.complete(sid, 1)
        for tab in tabs:
            assert [name for name, *_ in await tab.wait_for(4)] == ["snapshot", "step", "step", "end"]
            await tab.page.wait_for_function("source.readyState === EventSource.CLOSED")
        requests = sum(link.requests.count(b"/events") for link in proxy.links)
        assert requests <= 2 * len(tabs)
        await asyncio.sleep(60)
        assert sum(link.requests.count(b"/events") for link in proxy.links) == requests
        for tab in tabs:
            assert len(await tab.fired()) == 4


# SC-12


async def test_head_answers_at_once_and_leaves_the_connection_usable(server: Server, sid: str) -> None:
    """SC-12: HEAD on a stream gets its headers and ends; the same connection then serves a poll."""
    async with await Connection.open(server.port) as connection:
        for target in (events_path(sid), f"/api/events?session_id={sid}", session_path(sid), "/livez", "/"):
            response = await connection.exchange(request_bytes("HEAD", target), "HEAD", timeout_s=1)
            assert (response.status, response.body) == (200, b""), target
            if "events" in target:
                assert (response.head.get("content-type") or "").startswith("text/event-stream")
            poll = await connection.request("GET", session_path(sid))
            assert poll.json()["status"] == "not_found"


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", "/api/progress/s/events", {"GET", "HEAD"}),
        ("PUT", "/api/progress/s/events", {"GET", "HEAD"}),
        ("DELETE", "/api/events", {"GET", "HEAD"}),
        ("PATCH", "/api/progress/s", {"GET", "HEAD", "PUT", "DELETE"}),
        ("TRACE", "/api/progress/s", {"GET", "HEAD", "PUT", "DELETE"}),
        ("GET", "/api/progress/s/update", {"POST"}),
        ("DELETE", "/api/progress", {"GET", "HEAD", "POST"}),
        ("POST", "/api/steps", {"GET", "HEAD"}),
        ("PROPFIND", "/api/steps", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_gets_405_with_allow(server: Server, method: str, target: str, allowed: set[str]) -> None:
    """SC-12: the response is a 405 problem with `Allow`."""
    async with await Connection.open(server.port) as connection:
        response = await connection.request(method, target)
    assert response.status == 405
    assert allowed <= set(re.split(r", *", response.head.get("allow") or "")) <= allowed | {"OPTIONS"}
    assert response.head.get("content-type") == "application/problem+json"
    assert response.json()["success"] is False


@pytest.mark.parametrize("target", ["/api/progress/s", "/api/progress/s/events", "/api/events", "/api/steps", "*"])
async def test_options_neither_hangs_nor_breaks(server: Server, target: str) -> None:
    """SC-12: OPTIONS is answered at once, also on a stream; a browser's preflight gets the headers that it needs."""
    preflight = [("Origin", ORIGIN), ("Access-Control-Request-Method", "POST")]
    async with await Connection.open(server.port) as connection:
        for headers in ([], preflight):
            response = await connection.exchange(request_bytes("OPTIONS", target, headers), timeout_s=1)
            assert response.status in ({200, 204} if headers else {200, 204, 404, 405})
            if headers:
                assert response.head.get("access-control-allow-origin") == ORIGIN


@serve_only  # A plain uvicorn answers HTTP/1.0 in chunks.
async def test_an_old_client_gets_its_stream(server: Server, sid: str) -> None:
    """SC-12: HTTP/1.0 has no chunks, so the body runs until the connection is closed."""
    request = request_bytes("GET", events_path(sid), version="HTTP/1.0")
    async with await RawStream.open(server.port, "", request=request) as stream:
        assert (await stream.next_event()).event == "snapshot"
        assert stream.head.get("transfer-encoding") is None
        async with Worker.at(server) as worker:
            await worker.create(sid, total_steps=1)
            await worker.start(sid, 1)
            await worker.complete(sid, 1)
        assert await stream.closed() == "end"
        assert [block.event for block in stream.events[-2:]] == ["step", "end"]
        assert stream.pending == b""
    async with await Connection.open(server.port) as connection:
        response = await connection.exchange(request_bytes("GET", session_path(sid), version="HTTP/1.0"))
        assert response.status == 200


@serve_only  # The server handles connections.
@pytest.mark.parametrize("target", ["/api/progress/{}", "/api/progress/{}/events"])
async def test_a_client_that_wants_the_connection_closed_gets_that(server: Server, sid: str, target: str) -> None:
    """SC-12: `Connection: close` is honoured, and a stream stays open under it."""
    path = target.format(sid)
    request = request_bytes("GET", path, [("Connection", "close")])
    if path.endswith("events"):
        async with await RawStream.open(server.port, "", request=request) as stream:
            await stream.next_event()
            await stream.wait_until(lambda s: bool(s.comments), timeout_s=5)
            assert stream.ending is None
    else:
        async with await Connection.open(server.port) as connection:
            assert (await connection.exchange(request)).status == 200
            async with asyncio.timeout(2):
                assert await connection.reader.read() == b""


@serve_only  # The server answers it.
async def test_expect_100_continue_is_answered(server: Server, sid: str) -> None:
    """SC-12: `Expect: 100-continue` is answered before the body arrives."""
    body = json.dumps({"action": "start", "step": 1}).encode()
    headers = [("Content-Type", "application/json"), ("Expect", "100-continue")]
    head = request_bytes("POST", session_path(sid, "update"), [*headers, ("Content-Length", str(len(body)))])
    async with await Connection.open(server.port) as connection:
        connection.writer.write(head)
        async with asyncio.timeout(2):
            assert await connection.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        response = await connection.exchange(body)
        assert response.json() == {"success": True, "session_id": sid}


@serve_only  # The server answers it.
async def test_a_client_of_http_1_0_gets_one_answer(server: Server, sid: str) -> None:
    """SC-12: HTTP/1.0 has no interim responses; its client would take one for the final one [RFC 9110 §10.1.1]."""
    body = json.dumps({"action": "start", "step": 1}).encode()
    headers = [("Content-Type", "application/json"), ("Expect", "100-continue")]
    request = request_bytes("POST", session_path(sid, "update"), headers, body, version="HTTP/1.0")
    async with await Connection.open(server.port) as connection:
        response = await connection.exchange(request)
    assert (response.status, response.interim) == (200, ())


@serve_only  # The server parses it.
async def test_a_proxy_style_target_is_understood(server: Server, sid: str) -> None:
    """SC-12: an absolute-form target [RFC 9112 §3.2.2] names the same resource."""
    async with await Connection.open(server.port) as connection:
        response = await connection.request("GET", f"http://somewhere.example{session_path(sid)}")
        assert response.json()["session_id"] == sid
    async with await RawStream.open(server.port, f"http://somewhere.example{events_path(sid)}") as stream:
        assert (await stream.next_event()).event == "snapshot"


@pytest.mark.parametrize("target", ["/api/progress/s/", "/api/progress/s/events/", "/api/events/", "/livez/", "/s/x/"])
async def test_a_trailing_slash_is_no_redirect(server: Server, target: str) -> None:
    """SC-12: an unknown path is 404, and never a redirect to a host that the request names."""
    async with await Connection.open(server.port) as connection:
        response = await connection.exchange(request_bytes("GET", target, host="evil"), timeout_s=2)
    assert response.status == 404
    assert response.head.get("location") is None
    assert b"evil" not in response.body


async def test_a_get_with_a_body_is_just_a_get(server: Server, sid: str) -> None:
    """SC-12: the body is ignored, and does not count as the next request."""
    async with await Connection.open(server.port) as connection:
        for _ in range(2):
            response = await connection.request("GET", session_path(sid), body=b"GET /x HTTP/1.1\r\n\r\n")
            assert response.json()["status"] == "not_found"
    request = request_bytes("GET", events_path(sid), body=b"ignored")
    async with await RawStream.open(server.port, "", request=request) as stream:
        assert (await stream.next_event()).event == "snapshot"


def test_the_log_has_no_traceback(server: Server) -> None:
    """SC-12: after all tests of this module the log has no traceback."""
    assert "Traceback" not in server.log()
