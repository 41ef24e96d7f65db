"""The server answers as the vectors for authors of clients say."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.event_stream import Block
from tests.harness.patterns import Known
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server

CONVERSATIONS = json.loads((Path(__file__).parents[1] / "corpus" / "exchanges.json").read_text("utf-8"))


class Conversation:
    """One client with one server, and the values that the client has learned so far."""

    def __init__(self, server: Server, client: httpx.AsyncClient, streams: AsyncExitStack) -> None:
        self._server = server
        self._client = client
        self._streams = streams
        self._kept: dict[str, RawStream] = {}
        self._taken: Counter[RawStream] = Counter()
        self._known = Known()

    async def replay(self, exchange: dict[str, Any]) -> None:
        answer = exchange["answer"]
        if "stream" in exchange:
            await self._read(self._kept[exchange["stream"]], answer)
        elif "events" in answer:
            await self._open(exchange["request"], answer)
        else:
            await self._ask(exchange["request"], answer)

    async def _ask(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        response = await self._client.request(
            request["method"],
            self._known.fill(request["path"]),
            headers=self._headers(request),
            content=request.get("text"),
            json=self._known.filled(request.get("json")),
        )
        assert response.status_code == answer["status"], response.text
        self._check_headers(answer, dict(response.headers))
        if "problem" in answer:
            assert response.headers["content-type"] == "application/problem+json"
            problem = {key: response.json()[key] for key in ("type", "status", "success")}
            assert problem == {"type": answer["problem"], "status": answer["status"], "success": False}
        if "json" in answer:
            self._known.match(answer["json"], response.json())

    async def _open(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        path = self._known.fill(request["path"])
        stream = await RawStream.open(self._server.port, path, self._headers(request).items())
        await self._streams.enter_async_context(stream)
        head = await stream.received_head()
        assert head.status == answer["status"]
        self._check_headers(answer, dict(head.headers))
        if "keep" in answer:
            self._kept[answer["keep"]] = stream
        await self._read(stream, answer)

    async def _read(self, stream: RawStream, answer: dict[str, Any]) -> None:
        expected = answer["events"]
        events = [_shown(block) for block in await stream.next_events(len(expected))]
        if answer.get("in_any_order"):
            expected, events = sorted(expected, key=_subject), sorted(events, key=_subject)
        self._known.match(expected, events)
        if answer["then"] == "end":
            assert await stream.closed() == "end"
        else:
            await self._client.get("/livez")  # Events written along with these have arrived before this response.
            assert stream.ending is None
        self._taken[stream] += len(expected)
        assert len(stream.events) == self._taken[stream], stream.summary()

    def _headers(self, request: dict[str, Any]) -> dict[str, str]:
        return {name: self._known.fill(value) for name, value in request.get("headers", {}).items()}

    def _check_headers(self, answer: dict[str, Any], headers: dict[str, str]) -> None:
        for name, pattern in answer.get("headers", {}).items():
            self._known.match(pattern, headers.get(name), name)


def _shown(block: Block) -> dict[str, Any]:
    identified = {} if block.id is None else {"id": block.id}
    return {"event": block.event, **identified, "data": block.json()}


def _subject(event: dict[str, Any]) -> str:
    return f"{event['event']} {event['data'].get('session_id')}"


@pytest.fixture
async def conversation(server: Server) -> AsyncIterator[Conversation]:
    """A conversation with a server that has no sessions, and knows no key that this one uses."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        async with AsyncExitStack() as streams:
            yield Conversation(server, client, streams)
        for session in (await client.get("/api/progress?limit=1000")).json()["sessions"]:
            await client.delete(f"/api/progress/{session['session_id']}")


@pytest.mark.parametrize("recorded", CONVERSATIONS, ids=lambda each: each["name"])
async def test_the_server_answers_as_recorded(conversation: Conversation, recorded: dict[str, Any]) -> None:
    """Each request of a conversation gets the response that the vectors record."""
    for exchange in recorded["exchanges"]:
        await conversation.replay(exchange)
