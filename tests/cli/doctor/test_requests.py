"""The requests of the doctor, on a transport that the test controls."""

import asyncio
import threading
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from progress_sse.cli.doctor import examination, examined
from progress_sse.cli.doctor.examination import Reader, exchange
from tests.harness.http1 import HOST

DEADLINE_S = 30
EVENTS = {"Content-Type": "text/event-stream"}
FIRST = b"retry: 7\nid: e-0\nevent: snapshot\ndata: {}\n\n"


class Pieces(httpx.AsyncByteStream):
    """A body in pieces; then it ends, breaks off, or stays open."""

    def __init__(self, *pieces: bytes, error: Exception | None = None, stays_open: bool = False) -> None:
        self._pieces = pieces
        self._error = error
        self._stays_open = stays_open

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._error is not None:
            raise self._error
        if self._stays_open:
            await asyncio.Event().wait()


def client_with(body: Pieces, status: int = 200, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """A client whose every answer is this one."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, headers=headers, stream=body))
    return httpx.AsyncClient(transport=transport, base_url="http://server")


def reader_of(client: httpx.AsyncClient) -> Reader:
    """A reader of its stream."""
    return Reader(client, "GET", "/events")


async def test_an_answer_has_its_headers_and_its_body() -> None:
    """And its time."""
    async with client_with(Pieces(b"a", b"b"), 201, {"X-One": "1"}) as client:
        found = await exchange(client, "POST", "/", json={})
    assert (found.status, found.headers["x-one"], found.body, found.error) == (201, "1", b"ab", "")
    assert found.began <= found.head_at <= found.over_at


async def test_an_answer_that_is_not_whole_has_its_beginning_and_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a truncated body is distinguished from a missing answer; and each request has its time limit."""
    monkeypatch.setattr(examination, "REQUEST_S", 0.01)
    for body, reason in (
        (Pieces(b"a", error=httpx.RemoteProtocolError("closed")), "closed"),
        (Pieces(b"a", stays_open=True), "not within 0.01 s"),
    ):
        async with client_with(body) as client:
            found = await exchange(client, "GET", "/")
        assert (found.status, found.body) == (200, b"a")
        assert reason in found.error


async def test_a_stream_has_its_events_and_the_time_of_each() -> None:
    """An event comes with its last piece."""
    async with client_with(Pieces(FIRST[:9], FIRST[9:]), headers=EVENTS) as client, reader_of(client) as reader:
        await reader.wait_until(lambda _: False, DEADLINE_S)
    seen = reader.seen
    assert (seen.ids, seen.has_ended, seen.retry_ms, seen.error) == (["e-0"], True, 7, "")
    assert seen.began <= seen.head_at <= seen.arrivals[0].at <= seen.over_at
    assert [(piece.size, piece.is_torn) for piece in seen.pieces] == [(9, False), (len(FIRST) - 9, False)]


async def test_comments_are_counted_and_torn_lines_are_noted_however_a_stream_is_cut() -> None:
    """A colon begins a comment at the beginning of a line alone."""
    body = Pieces(b": a\r", b"\n:", b"b\n\ndata: x:", b"\n\n")
    async with client_with(body, headers=EVENTS) as client, reader_of(client) as reader:
        await reader.wait_until(lambda _: False, DEADLINE_S)
    found = [(piece.comments, piece.is_torn) for piece in reader.seen.pieces]
    assert found == [(1, False), (1, True), (0, True), (0, False)]


async def test_an_answer_that_is_a_stream_is_not_awaited() -> None:
    """A server may stream at every path. The doctor closes it, so it has no end."""
    async with client_with(Pieces(FIRST, stays_open=True), headers=EVENTS) as client:
        found = await exchange(client, "GET", "/")
    assert (found.error, found.has_ended, found.over_at >= found.head_at) == ("", False, True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (Pieces(FIRST, error=httpx.RemoteProtocolError("closed")), "no answer from http://server: closed"),
        (Pieces(*[FIRST] * 3, stays_open=True), "the answer does not end"),  # Any server might send without end.
    ],
)
async def test_a_stream_that_breaks_off_has_the_reason(
    monkeypatch: pytest.MonkeyPatch, body: Pieces, reason: str
) -> None:
    """Its events are kept."""
    monkeypatch.setattr(examination, "MAX_BYTES", 100)
    async with client_with(body, headers=EVENTS) as client, reader_of(client) as reader:
        await reader.wait_until(lambda _: False, DEADLINE_S)
    assert reader.seen.arrivals
    assert reader.seen.error == reason


def test_a_token_of_the_environment_is_for_progress_servers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of another server gets a token that is named on the command line, and no other."""
    tokens = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"data: x\n\n")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    monkeypatch.setenv("PROGRESS_SSE_TOKEN", "secret")
    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        for token in (None, "named"):
            examined(f"http://{HOST}:{server.server_port}/?all=1", token, None, None, 1)
        server.shutdown()
    assert tokens == [None, None, "Bearer named", "Bearer named"]
