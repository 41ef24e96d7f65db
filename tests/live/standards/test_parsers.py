"""Parsers of event streams read the same events, and the same texts in them."""

import asyncio
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.conftest import Serve
from tests.harness.chaos import ChaosProxy, Slice
from tests.harness.event_stream import Block, EventStreamParser
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, publish, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.browsing import BrowserStream, Playback, as_fired

ROOT = Path(__file__).parents[3]


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


@pytest.mark.protocol("P-8.1", "P-8.2", "P-8.3")
@pytest.mark.parametrize("count", [40, pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(3600)])])
@serve_only  # The test above reads as many events of each host.
async def test_three_parsers_agree(serve: Serve, chromium: Browser, count: int) -> None:
    """SC-02: a strict parser, npm's eventsource and Chromium read the same events, byte by byte over the network."""
    recording = await record(serve, count)
    expected = as_fired(recording.events)
    limit_s = 30 + count / 6  # Four million segments of one byte, beside other tests.
    async with Playback(bytes(recording.wire)) as playback, ChaosProxy(playback.port, [Slice(1)]) as proxy:
        async with await BrowserStream.open(chromium, proxy.port, "/stream") as browser:
            assert await browser.wait_for(len(expected), limit_s) == expected
        assert await read_with_npm(proxy.port, len(expected), limit_s) == expected


async def read_with_npm(port: int, count: int, timeout_s: float) -> list[tuple[str, str, str]]:
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


@pytest.mark.protocol("P-5.5")
async def test_a_snapshot_equals_the_poll_for_every_text(server: Server, sid: str) -> None:
    """SC-03: both escape texts alike, in streams of one session and of several."""
    async with Worker.at(server) as worker:
        await worker.create(sid, steps=[{"name": text} for text in TEXTS.values()])
        await worker.run(sid, 1, message=TEXTS["a script's end"], error=TEXTS["next line"])
        polled = (await worker.client.get(session_path(sid))).text
        for target in (events_path(sid), f"/api/events?session_id={sid}"):
            async with await RawStream.open(server.port, target) as stream:
                assert (await stream.next_event()).data == polled
