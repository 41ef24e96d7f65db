"""Texts that look like events, fields or headers: Chromium and a strict parser read them as texts."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Browser

from tests.harness.event_stream import Block
from tests.harness.http1 import Connection
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path
from tests.live.asgi_hosts import serve_only
from tests.live.browsing import BrowserStream, as_fired

pytestmark = serve_only  # The content of a stream is the same on every host.

FORGED = "\n\nevent: x\nid: 9\ndata: y\n\n"
TEXTS = [
    *(f"a{end}b" for end in ("\r", "\n", "\r\n", "\u0085", "\u2028", "\u2029", "\x0b", "\x0c")),
    FORGED,
    FORGED.replace("\n", "\r"),
    FORGED.replace("\n", "\r\n"),
    "\r\nSet-Cookie: x=y\r\n\r\n",
    "\nretry: 1\n:",
    "data: y",
]
NUL = "a\0b"

WITNESS = """() => {
    window.forged = [];
    for (const name of ["x", "y", "error", "open"])
        source.addEventListener(name, event => event instanceof MessageEvent && forged.push(name));
}"""


class Watched:
    """A stream that Chromium and the strict parser read side by side."""

    def __init__(self, raw: RawStream, browser: BrowserStream) -> None:
        self.raw = raw
        self._browser = browser
        self._seen = 0

    async def next_event(self) -> Block:
        return (await self.next_events(1))[0]

    async def next_events(self, count: int) -> list[Block]:
        """The `count` events that both have received since."""
        events = await self.raw.next_events(count)
        self._seen += count
        await self._browser.wait_for(self._seen)
        assert await self._browser.fired() == as_fired(self.raw.events)
        assert len(self.raw.events) == self._seen
        assert await self._browser.evaluate("forged") == []
        return events


@pytest.fixture
async def watch(chromium: Browser) -> AsyncIterator[Any]:
    """Open a stream in both parsers, and close both at the end."""
    opened: list[Any] = []

    async def open_both(server: Server, target: str) -> Watched:
        raw = await RawStream.open(server.port, target)
        opened.append(raw)
        browser = await BrowserStream.open(chromium, server.port, target)
        opened.append(browser)
        await browser.evaluate(WITNESS)
        return Watched(raw, browser)

    yield open_both
    for each in opened:
        await each.__aexit__()


async def test_no_text_of_a_worker_becomes_an_event(server: Server, watch: Any) -> None:
    """SE-04: names, messages and errors arrive as they are, in one event each; texts with NUL are refused."""
    plain = await RawStream.open(server.port, "/api/progress/plain/events")
    both = await watch(server, "/api/progress/s/events")
    async with plain, Worker.at(server) as worker:
        assert (await both.next_event()).event == "snapshot"
        assert both.raw.head.without_date() == plain.head.without_date()
        await worker.create("s", steps=[{"name": text} for text in TEXTS])
        names = [step["name"] for step in (await both.next_event()).json()["steps"]]
        assert names == TEXTS
        for step, text in enumerate(TEXTS, 1):
            await worker.start("s", step)
            await worker.progress("s", step, 1, message=text)
            await worker.complete("s", step, success=False, message=text, error=text)
            started, advanced, completed = [event.json()["step"] for event in await both.next_events(3)]
            assert (started["name"], advanced["message"]) == (text, text)
            assert (completed["name"], completed["message"], completed["error"]) == (text, text, text)
        polled = (await worker.poll("s"))["steps"]
        assert [(step["name"], step["message"], step["error"]) for step in polled] == [(text,) * 3 for text in TEXTS]
        for field in ("message", "error"):
            assert (await worker.update("s", action="complete", step=1, **{field: NUL})).status_code == 422
        refused = await worker.client.put("/api/progress/t", json={"steps": [{"name": NUL}]})
        assert refused.status_code == 422
        await worker.start("s", 1)
        assert (await both.next_event()).json()["step"]["status"] == "running"


async def test_no_session_id_becomes_an_event(server: Server, watch: Any) -> None:
    """SE-04: allowed characters arrive as they are; any other id is refused with the usual headers of a refusal."""
    ids = ["event: x\u2028id: 9\u2029data: y\\n\\n", ": a "]
    async with Worker.at(server) as worker:
        for session_id in ids:
            both = await watch(server, events_path(session_id))
            assert (await both.next_event()).json()["session_id"] == session_id
            await worker.start(session_id, 1)
            created, started = await both.next_events(2)
            assert created.json()["session_id"] == started.json()["session"]["session_id"] == session_id
    async with await Connection.open(server.port) as connection:
        plain = await connection.request("GET", "/api/progress/%2e/events")
        for text in [*(text for text in TEXTS if "\u2028" not in text and "\u2029" not in text), NUL]:
            if text.isprintable():
                continue
            refused = await connection.request("GET", events_path(text))
            assert refused.status == 422
            assert [name for name, _ in refused.head.headers] == [name for name, _ in plain.head.headers]


async def test_no_position_becomes_an_event(server: Server, watch: Any) -> None:
    """SE-04: such a position counts as unknown, and the response contains none of it (one session: see DG-08)."""
    async with Worker.at(server) as worker:
        await worker.start("positions", 1)
    target = "/api/events?session_id=positions&session_id=t"
    async with await RawStream.open(server.port, target) as plain:
        await plain.next_events(2)
        for text in (FORGED, "\r\nSet-Cookie: x=y\r\n\r\na\0\u0085\u2028b"):
            both = await watch(server, f"{target}&last_event_id={quote(text)}")
            assert {event.raw for event in await both.next_events(2)} == {event.raw for event in plain.events}
            assert both.raw.head.without_date() == plain.head.without_date()


async def test_no_key_becomes_a_header_or_an_event(server: Server) -> None:
    """SE-04: a key that is not plain text is refused, below HTTP or by it, and the response contains none of it."""
    body = b'{"action":"start","step":1}'
    head = "POST /api/progress/keys/update HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    async with await RawStream.open(server.port, "/api/progress/keys/events") as stream, Worker.at(server) as worker:
        await stream.next_event()
        for text in [*TEXTS, NUL]:
            if text.isprintable() or "\r\n" in text:  # A line end makes a header of its own, which the server ignores.
                continue
            async with await Connection.open(server.port) as connection:
                key = f"Idempotency-Key: canary{text.rstrip()}\r\nContent-Length: {len(body)}\r\n\r\n"
                response = await connection.exchange((head + key).encode() + body)
            assert response.status == 400
            assert "canary" not in repr(response)
        await worker.start("keys", 2)
        await stream.next_events(2)
        assert len(stream.events) == 3
        assert stream.events[-1].json()["step"]["step"] == 2
