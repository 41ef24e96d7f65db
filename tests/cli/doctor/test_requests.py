"""The requests of the doctor, on a transport that the test controls."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from progress_sse.cli.doctor import examination
from progress_sse.cli.doctor.examination import StreamReader, exchange

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
    transport = httpx.MockTransport(lambda _: httpx.Response(status, headers=headers, stream=body))
    return httpx.AsyncClient(transport=transport, base_url="http://server")


def reader_of(client: httpx.AsyncClient) -> StreamReader:
    return StreamReader(client, "/events", {}, {"heartbeat": "event"})


async def test_an_answer_has_its_headers_and_its_body() -> None:
    """Names of headers are in lower case, and each of several values is kept."""
    async with client_with(Pieces(b"a", b"b"), 201, {"X-One": "1"}) as client:
        found = await exchange(client, "POST", "/", json={})
    assert (found.status, found.headers, found.body, found.error) == (201, (("x-one", "1"),), b"ab", "")
    assert found.began <= found.ended


async def test_an_answer_that_is_not_whole_has_its_beginning_and_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a truncated body is distinguished from a missing answer; and each request has its time limit."""
    monkeypatch.setattr(examination, "REQUEST_S", 0.01)
    for body, reason in (
        (Pieces(b"a", error=httpx.RemoteProtocolError("closed")), "no answer from http://server: closed"),
        (Pieces(b"a", stays_open=True), "not within 0.01 s"),
    ):
        async with client_with(body) as client:
            found = await exchange(client, "GET", "/")
        assert (found.status, found.body, found.error) == (200, b"a", reason)


async def test_a_stream_has_its_events_and_the_time_of_each() -> None:
    """An event comes with its last piece."""
    async with client_with(Pieces(FIRST[:9], FIRST[9:]), headers=EVENTS) as client, reader_of(client) as reader:
        await reader.wait_until(lambda _: False, DEADLINE_S)
        seen = reader.seen
    assert seen.is_event_stream
    assert [arrival.event.event_id for arrival in seen.of("snapshot")] == ["e-0"]
    assert seen.head_at is not None
    assert seen.ended_at is not None
    assert seen.began <= seen.head_at <= seen.arrivals[0].at <= seen.ended_at
    assert (seen.retry_ms, seen.error) == (7, "")
    assert [(piece.size, piece.is_torn) for piece in seen.pieces] == [(9, False), (len(FIRST) - 9, False)]


async def test_comments_are_counted_and_torn_lines_are_noted_however_a_stream_is_cut() -> None:
    """A colon begins a comment at the beginning of a line alone."""
    body = Pieces(b": a\r", b"\n:", b"b\n\ndata: x:", b"\n\n")
    async with client_with(body, headers=EVENTS) as client, reader_of(client) as reader:
        await reader.wait_until(lambda _: False, DEADLINE_S)
    assert [(piece.comments, piece.is_torn) for piece in reader.seen.pieces] == [
        (1, False),
        (1, True),
        (0, True),
        (0, False),
    ]


async def test_an_answer_that_is_a_stream_is_not_awaited() -> None:
    """A server may stream at every path."""
    async with client_with(Pieces(b": a", stays_open=True), headers=EVENTS) as client:
        assert (await exchange(client, "GET", "/")).error == ""


async def test_a_stream_that_the_doctor_closes_has_no_end() -> None:
    """Only the other side ends it."""
    async with client_with(Pieces(FIRST, stays_open=True), headers=EVENTS) as client:
        async with reader_of(client) as reader:
            await reader.wait_until(lambda stream: bool(stream.arrivals), DEADLINE_S)
            await reader.wait_until(lambda _: False, 0.01)
        assert (reader.seen.ended_at, reader.seen.error) == (None, "")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (Pieces(FIRST, error=httpx.RemoteProtocolError("closed")), "no answer from http://server: closed"),
        (Pieces(*[FIRST] * 3, stays_open=True), "the stream has too many bytes"),  # Any server might send without end.
    ],
)
async def test_a_stream_that_breaks_off_has_the_reason(
    monkeypatch: pytest.MonkeyPatch, body: Pieces, reason: str
) -> None:
    """Its events are kept."""
    monkeypatch.setattr(examination, "MAX_STREAM_BYTES", 100)
    async with client_with(body, headers=EVENTS) as client, reader_of(client) as reader:
        await reader.wait_until(lambda _: False, DEADLINE_S)
        assert reader.seen.arrivals
        assert reader.seen.error == reason


async def test_an_answer_in_place_of_a_stream_is_not_read() -> None:
    """Its head is enough."""
    body = Pieces(b"<html>", stays_open=True)
    async with client_with(body, headers={"Content-Type": "text/html"}) as client, reader_of(client) as reader:
        await reader.wait_until(lambda _: False, DEADLINE_S)
        assert (reader.seen.status, reader.seen.is_event_stream, reader.seen.error) == (200, False, "")
