"""The vectors of event streams agree with the browser's parser."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Browser

from tests.harness.http1 import HOST

VECTORS = json.loads((Path(__file__).parents[1] / "corpus" / "grammar.json").read_text("utf-8"))

READ = """async ([index, size]) => {
  const source = new EventSource(`/?index=${index}&size=${size}`);
  const events = [];
  for (const type of ["message", "step"]) {
    source.addEventListener(type, (event) => {
      events.push({ event: type, data: event.data, last_event_id: event.lastEventId });
    });
  }
  await new Promise((resolve) => source.addEventListener("error", resolve));
  source.close();
  return events;
}"""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve a vector in pieces of a size, or an empty page."""
    try:
        target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
    except asyncio.IncompleteReadError:  # A browser may open a connection in advance, and close it unused.
        writer.close()
        return
    query = parse_qs(urlsplit(target).query)
    kind = b"text/event-stream" if query else b"text/html"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nConnection: close\r\n\r\n" % kind)
    if query:
        stream = VECTORS[int(query["index"][0])]["stream"].encode()
        size = int(query["size"][0])
        for start in range(0, len(stream), size):
            writer.write(stream[start : start + size])
            await writer.drain()
    writer.close()


async def test_a_browser_reads_streams_as_the_vectors_say(chromium: Browser) -> None:
    """A parser that follows the vectors therefore agrees with an EventSource."""
    async with await asyncio.start_server(_answer, HOST, 0) as server:
        page = await chromium.new_page()
        await page.goto(f"http://{HOST}:{server.sockets[0].getsockname()[1]}/")
        seen: dict[tuple[str, int], Any] = {}
        for index, vector in enumerate(VECTORS):
            for size in (1, 1000):
                seen[vector["name"], size] = await page.evaluate(READ, [index, size])
        await page.close()
    assert seen == {(vector["name"], size): vector["events"] for vector in VECTORS for size in (1, 1000)}
