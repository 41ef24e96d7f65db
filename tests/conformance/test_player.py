"""Servers that are none: whatever they answer is a fault of theirs, and ends no command."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Final

import httpx
import pytest

from progress_sse.conformance import open_stream, player
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


async def test_each_session_is_removed_though_the_removal_of_one_fails() -> None:
    """Else a run would leave sessions behind in the store of the server."""
    removed: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            removed.append(request.url.path)
            if len(removed) == 1:
                raise httpx.ConnectError("gone", request=request)
        return httpx.Response(200, content=once(b"{}"))

    paths = [f"/api/progress/{name}" for name in "abc"]
    polled = [Exchange(["P-4.1"], {"status": 200, "json": {}}, {"method": "GET", "path": path}) for path in paths]
    async with httpx.AsyncClient(base_url="http://h", transport=httpx.MockTransport(answer)) as client:
        played = await play(client, Conversation("", "core", polled), "1-")
    assert (played.faults, sorted(removed)) == ([], paths)


NESTED = b"[" * 100_000 + b"]" * 100_000


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"data: " + b"x" * 2**20
        await asyncio.sleep(0)


async def dripping() -> AsyncIterator[bytes]:
    while True:
        yield b"x"
        await asyncio.sleep(0.01)


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


UNFIT: Final[dict[str, tuple[Callable[[], AsyncIterator[bytes]], str]]] = {
    "endless": (endless, "does not end|4194304 bytes"),
    "dripping": (dripping, "within 0 s"),
    "nested": (lambda: once(NESTED), "too deep|ends before"),
    "nested event": (lambda: once(b"data: " + NESTED + b"\n\n"), "too deep|Expecting value"),
    "not a number": (lambda: once(b'data: {"a": NaN}\n\n'), "NaN|Expecting value"),
    "large number": (lambda: once(b"data: " + b"1" * 5000 + b"\n\n"), "Exceeds the limit|Expecting value"),
    "bomb": (lambda: once(gzip.compress(bytes(2**24))), "Expecting value|decode|ends before"),
    "control": (lambda: once(b"event: \x1b]0;owned\x07\ndata: {}\n\n"), "snapshot|Expecting value"),
    "long": (lambda: once(b'data: {"%b": 1}\n\n' % (b"x" * 100_000)), "xxx|Expecting value|snapshot"),
}
"""Bodies, and words of the faults that they are."""


@pytest.mark.parametrize("exchange", [REFUSED, POLLED, STREAM], ids=["problem", "poll", "stream"])
@pytest.mark.parametrize("name", UNFIT)
async def test_an_answer_that_is_too_much_is_a_fault_in_words(
    monkeypatch: pytest.MonkeyPatch, exchange: Exchange, name: str
) -> None:
    """Too long, for too long, too deep, compressed to little, or no text for a terminal."""
    body, words = UNFIT[name]
    for module in (player, open_stream):
        monkeypatch.setattr(module, "DEADLINE_S", 0.4 if name == "dripping" else 20)
    headers = {"Content-Type": "application/problem+json", "Content-Encoding": "gzip" if name == "bomb" else "identity"}
    transport = httpx.MockTransport(lambda _: httpx.Response(404, headers=headers, content=body()))
    async with httpx.AsyncClient(base_url="http://h", transport=transport) as client:
        played = await play(client, Conversation("", "core", [exchange, exchange]), "1-")
    assert (played.exchanges, played.faults[0].exchange) == (1, exchange)
    assert re.search(words, played.faults[0].reason)
    assert all(len(fault.reason) <= player.MAX_REASON_CHARS for fault in played.faults)
    assert "\x1b" not in "".join(fault.reason for fault in played.faults)


async def test_a_stream_that_does_not_begin_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each requirement that its exchange shows."""

    async def wait(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(player, "DEADLINE_S", 0.1)
    async with httpx.AsyncClient(base_url="http://h", transport=httpx.MockTransport(wait)) as client:
        played = await play(client, Conversation("", "core", [STREAM]), "1-")
    assert (played.is_late, [fault.rule for fault in played.faults]) == (True, ["P-5.4"])


@pytest.mark.parametrize("value", ["x" * 70_000, "\n", "\x1b", "原"], ids=["long", "line", "control", "foreign"])
async def test_a_value_that_makes_no_request_is_a_fault(value: str) -> None:
    """A later path, or that of the removal in the end, has it."""
    named = Exchange(["P-4.1"], {"status": 404, "json": "${name}"}, {"method": "GET", "path": "/api/progress/a"})
    asked = Exchange(["P-4.2"], {"status": 200}, {"method": "GET", "path": "/api/progress/${name}"})
    headers = [(b"Location", f"/api/progress/{value[:100]}".encode())]
    body = json.dumps(value).encode()
    transport = httpx.MockTransport(lambda _: httpx.Response(404, headers=headers, content=once(body)))
    async with httpx.AsyncClient(base_url="http://h", transport=transport) as client:
        played = await play(client, Conversation("", "core", [named, asked]), "1-")
    assert [fault.rule for fault in played.faults] == ["P-4.2"]
