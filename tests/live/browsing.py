"""An EventSource in a real browser, and the events that it fired."""

import asyncio
from typing import Any, Self

from playwright.async_api import Browser, Page, Route

from tests.harness.event_stream import Block
from tests.harness.http1 import HOST
from tests.harness.presence import present

# Every name that the server may use, and the two that an EventSource fires itself.
_OPEN = """url => {
    window.fired = [];
    window.states = [];
    window.source = new EventSource(url);
    for (const name of ["message", "snapshot", "step", "heartbeat", "end"])
        source.addEventListener(name, event => fired.push([event.type, event.data, event.lastEventId]));
    source.onopen = () => states.push("open");
    source.onerror = () => states.push(source.readyState === EventSource.CLOSED ? "closed" : "connecting");
}"""


class BrowserStream:
    """One page with one EventSource, on the origin of a server (or of the proxy in front of it)."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def open(cls, browser: Browser, port: int, target: str) -> Self:
        page = await browser.new_page()
        blank = f"http://{HOST}:{port}/blank-for-this-test"
        await page.route(blank, _fulfill_blank)
        await page.goto(blank)
        await page.evaluate(_OPEN, target)
        return cls(page)

    async def fired(self) -> list[tuple[str, str, str]]:
        """The events so far: type, data, last event id."""
        return [tuple(event) for event in await self.page.evaluate("fired")]

    async def states(self) -> list[str]:
        """Each `open` and `error` so far; an error is recorded as the state in which it left the EventSource."""
        states: list[str] = await self.page.evaluate("states")
        return states

    async def wait_for(self, count: int, timeout_s: float = 20) -> list[tuple[str, str, str]]:
        """Wait until `count` events were fired, and return them."""
        await self.page.wait_for_function("count => fired.length >= count", arg=count, timeout=timeout_s * 1000)
        return await self.fired()

    async def evaluate(self, expression: str) -> Any:
        return await self.page.evaluate(expression)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.page.close()


async def _fulfill_blank(route: Route) -> None:
    await route.fulfill(content_type="text/html", body="<!doctype html><title>test</title>")


def as_fired(blocks: list[Block]) -> list[tuple[str, str, str]]:
    """The events that an EventSource fires for these blocks: type, data, last event id."""
    return [(block.event, block.data, block.last_event_id) for block in blocks if block.data is not None]


class Playback:
    """A server that sends recorded bytes to each client, and then keeps the connection open."""

    def __init__(self, recording: bytes) -> None:
        self._recording = recording
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        port: int = present(self._server).sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self._recording)
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass  # The reader has disconnected.
        finally:
            writer.close()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        present(self._server).close()
