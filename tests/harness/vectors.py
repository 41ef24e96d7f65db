"""Serves the vectors of event streams to any reader, and records with which ids it reconnects."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from tests.harness.http1 import HOST

CORPUS = Path(__file__).parents[1] / "corpus"
GRAMMAR = json.loads((CORPUS / "grammar.json").read_text("utf-8"))
CONTENT_TYPES = json.loads((CORPUS / "content_types.json").read_text("utf-8"))

ONE = {"stream": "id: 5\ndata: …\n\n", "events": [{"event": "message", "data": "…", "last_event_id": "5"}]}
READ, PASSED_OVER = {**ONE, "last_event_id": "5"}, {**ONE, "events": [], "last_event_id": ""}
ANSWERS: list[dict[str, Any]] = [
    *({"content_type": "text/event-stream", "is_stream": True, **vector} for vector in GRAMMAR),
    *({**(READ if vector["is_stream"] else PASSED_OVER), **vector} for vector in CONTENT_TYPES),
]
"""Each vector as the answer to a request: a stream that has a type."""

EMPTY = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

_FOLLOW = """(([paths, types]) => Promise.all(paths.map((path) => new Promise((resolve) => {
  const source = new EventSource(path);
  const events = [];
  for (const type of types) {
    source.addEventListener(type, (event) => {
      events.push({ event: type, data: event.data, last_event_id: event.lastEventId });
    });
  }
  source.addEventListener("error", () => source.readyState === EventSource.CLOSED && resolve(events));
}))))(ARGUMENT)"""


def response(content: str, content_type: str = "text/event-stream") -> bytes:
    """A response that ends with its connection."""
    return f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n{content}".encode()


LATER = response("retry: 10\ndata: later\n\n")


def later(answer: dict[str, Any]) -> dict[str, str]:
    """The event of `LATER` after an answer: it has the last id."""
    return {"event": "message", "data": "later", "last_event_id": answer["last_event_id"]}


class VectorServer:
    """Answers the first request below `/<number>/<size>` with one of `ANSWERS`, in pieces of this size.

    Further requests there get `LATER`, and then `end`. Only paths that end in `/events` are streams; all others get an
    empty page.

    Attributes:
        asked: The headers of the requests for streams, by number and size.
    """

    def __init__(self, end: bytes) -> None:
        self._end = end
        self.asked: defaultdict[tuple[int, int], list[dict[str, str]]] = defaultdict(list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; a browser may open a connection in advance, and does not read what is no stream."""
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionResetError):
            request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            path, content, size = request.split(" ")[1].partition("?")[0], response("", "text/html"), 1000
            if path.endswith("/events"):
                number, size = map(int, path.split("/")[1:3])
                asked, answer = self.asked[number, size], ANSWERS[number]
                asked.append({name.lower(): value for name, _, value in (line.partition(": ") for line in lines)})
                content = [response(answer["stream"], answer["content_type"]), LATER, self._end][len(asked) - 1]
            for start in range(0, len(content), size):
                writer.write(content[start : start + size])
                await writer.drain()

    def positions(self, number: int, size: int) -> list[str]:
        """The `Last-Event-ID` of each request; empty where it has none."""
        return [headers.get("last-event-id", "") for headers in self.asked[number, size]]


async def misread(evaluate: Callable[[str, str], Awaitable[Any]]) -> set[str]:
    """The names of the vectors that a browser reads otherwise: `evaluate(url, expression)` evaluates in a page."""
    server, types = VectorServer(EMPTY), {event["event"] for answer in ANSWERS for event in answer["events"]}
    each = [(number, size) for number in range(len(ANSWERS)) for size in (1, 1000)]
    argument = json.dumps([[f"/{number}/{size}/events" for number, size in each], sorted(types)])
    async with await asyncio.start_server(server.answer, HOST, 0) as listening:
        url = f"http://{HOST}:{listening.sockets[0].getsockname()[1]}/"
        seen: Sequence[Any] = await evaluate(url, _FOLLOW.replace("ARGUMENT", argument))
    names = set()
    for (number, size), events in zip(each, seen, strict=True):
        answer = ANSWERS[number]
        expected, positions = [*answer["events"], later(answer)], ["", *[answer["last_event_id"]] * 2]
        if not answer["is_stream"]:  # A browser then gives up.
            expected, positions = [], [""]
        if (events, server.positions(number, size)) != (expected, positions):
            names.add(answer["name"])
    return names
