"""Servers that are none: whatever they answer is a fault of theirs, and ends no command."""

from collections.abc import AsyncIterator

import httpx
import pytest

from progress_sse.conformance.player import play
from progress_sse.conformance.vectors import Conversation, Exchange

REFUSED = Exchange(["P-2.8"], {"status": 404, "problem": "/problems/not-found"}, {"method": "GET", "path": "/api/x"})
POLLED = Exchange(["P-4.1"], {"status": 404, "json": {}}, {"method": "GET", "path": "/api/progress/${run}a"})
STREAM = Exchange(
    ["P-5.4"],
    {"status": 404, "events": [{"event": "snapshot", "data": {}}], "then": "open"},
    {"method": "GET", "path": "/api/progress/${run}a/events"},
)


@pytest.mark.parametrize("exchange", [REFUSED, POLLED, STREAM], ids=["problem", "poll", "stream"])
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"<p>", b"data: []\n\n", b"data: no json\n\n", b"\xff"], ids=repr
)
async def test_an_answer_of_any_form_is_a_fault(exchange: Exchange, content: bytes) -> None:
    """With the right status, too."""

    async def body() -> AsyncIterator[bytes]:
        yield content

    headers = {"Content-Type": "application/problem+json"}
    transport = httpx.MockTransport(lambda _: httpx.Response(404, headers=headers, content=body()))
    async with httpx.AsyncClient(base_url="http://h", transport=transport) as client:
        played = await play(client, Conversation("", "core", [exchange, exchange]), "1-")
    assert (played.exchanges, played.faults[0].exchange) == (1, exchange)


async def test_a_server_that_goes_away_is_a_fault() -> None:
    """Its sessions cannot be removed then."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone", request=request)

    async with httpx.AsyncClient(base_url="http://h", transport=httpx.MockTransport(refuse)) as client:
        played = await play(client, Conversation("", "core", [POLLED]), "1-")
    assert [(fault.rule, fault.reason) for fault in played.faults] == [("P-4.1", "gone")]
