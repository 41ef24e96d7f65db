"""Unusual headers of valid requests: upgrade offers, trailers, and white space."""

import pytest

from tests.harness.http1 import Connection, request_bytes
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, events_path, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.bad_inputs.requests import BODY, IN_CHUNKS, UPDATE_HEADERS

OFFERS: dict[str, list[tuple[str, str]]] = {
    "HTTP/2": [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQCAAAAAA")],
    "WebSocket": [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
}


@serve_only  # A plain uvicorn drops the body of such a request (https://github.com/Kludex/uvicorn/issues/2722).
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS.keys())
async def test_an_upgrade_offer_is_ignored(server: Server, sid: str, offer: list[tuple[str, str]]) -> None:
    """Java's HttpClient sends an offer with its first request; that body counts, and so does the request behind it."""
    update = session_path(sid, "update")
    headers = [("Content-Type", "application/json"), *offer]
    async with await Connection.open(server.port) as connection:
        assert (await connection.request("POST", update, headers, b'{"action":"start","step":1}')).status == 200
        assert (await connection.request("GET", session_path(sid), offer)).json()["status"] == "running"
        assert (await connection.request("POST", update, headers, BODY)).status == 200
        in_chunks = request_bytes("POST", update, [*headers, ("Transfer-Encoding", "chunked")])
        connection.writer.write(in_chunks)
        assert (await connection.exchange(IN_CHUNKS)).status == 200
        assert (await connection.request("GET", session_path(sid))).json()["percentage"] == 14
    async with await RawStream.open(server.port, events_path(sid), offer) as stream:
        assert (await stream.next_event()).event == "snapshot"
    assert "Unsupported upgrade" not in server.log()


@serve_only  # The server delivers headers and trailers.
async def test_a_trailer_is_not_taken_for_a_header(server: Server, sid: str) -> None:
    """A proxy that removes headers does not see trailers [RFC 9110 §6.5.1]."""
    trailers = b"0\r\nIdempotency-Key: \x80\r\nAuthorization: x\r\n\r\n"
    head = request_bytes(
        "POST",
        session_path(sid, "update"),
        [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")],
    )
    body = b'{"action":"start","step":1}'
    async with await Connection.open(server.port) as connection:
        response = await connection.exchange(head + b"%x\r\n%b\r\n" % (len(body), body) + trailers)
        assert response.status == 200
        assert (await connection.request("GET", session_path(sid))).json()["status"] == "running"


def spaced(request: bytes) -> bytes:
    """The same request, with white space on both sides of each field value."""
    head, end, body = request.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    return b"\r\n".join([first, *(field.replace(b": ", b":\t ", 1) + b" \t" for field in fields)]) + end + body


async def test_white_space_around_a_value_is_ignored(server: Server, sid: str) -> None:
    """A padded header names the same key, tag and event, and frames the same body [RFC 9112 §5.1]."""
    headers = [*UPDATE_HEADERS, ("Content-Encoding", "identity"), ("Idempotency-Key", "k")]
    start = request_bytes("POST", session_path(sid, "update"), headers, b'{"action":"start","step":1}')
    poll = request_bytes("GET", session_path(sid))
    async with await Connection.open(server.port) as connection:
        for request in (start, spaced(start)):
            assert (await connection.exchange(request, "POST")).status == 200
        tag = (await connection.exchange(poll)).head.get("etag")
        assert tag is not None
        assert tag.endswith('-1"')  # It was applied once.
        known = request_bytes("GET", session_path(sid), [("If-None-Match", tag)])
        assert (await connection.exchange(spaced(known))).status == 304
        chunked = [*UPDATE_HEADERS, ("Transfer-Encoding", "chunked ")]  # llhttp takes no tab there.
        in_chunks = request_bytes("POST", session_path(sid, "update"), chunked) + IN_CHUNKS
        assert (await connection.exchange(in_chunks, "POST")).status == 200
        last = request_bytes("GET", session_path(sid), [("Connection", "close")])
        assert (await connection.exchange(spaced(last))).json()["percentage"] == 14
        assert await connection.reader.read(1) == b""
    resumed = [("Last-Event-ID", f"{tag.strip(chr(34))} \t")]
    async with await RawStream.open(server.port, events_path(sid), resumed) as stream:
        assert (await stream.next_event()).event == "step"


NO_WAITS = [b"wait=", b"wait=-1", b"wait=9e9", b'wait="', b"=", b";;;", b",,,", b"\xff", b"wait " * 5000, b'"' * 30_000]
NO_RANGES = [b"/", b"text/", b"text/plain;q=", b"text/plain;q=2", b"text//plain", b"text/\xff", b'text/x;q="' * 3000]


@pytest.mark.parametrize("prefer", NO_WAITS, ids=range(len(NO_WAITS)))
async def test_a_wish_that_cannot_be_read_is_none(server: Server, sid: str, prefer: bytes) -> None:
    """A poll with it is answered at once."""
    known = [("If-None-Match", '"absent"'), ("Prefer", prefer.decode("latin-1"))]
    async with await Connection.open(server.port) as connection:
        response = await connection.request("GET", session_path(sid), known)
        assert (response.status, response.head.get("preference-applied")) == (304, None)


@pytest.mark.parametrize("accept", NO_RANGES, ids=range(len(NO_RANGES)))
async def test_a_range_that_cannot_be_read_is_none(server: Server, sid: str, accept: bytes) -> None:
    """A client that names no type gets JSON, and events."""
    headers = [("Accept", accept.decode("latin-1"))]
    async with await Connection.open(server.port) as connection:
        response = await connection.request("GET", session_path(sid), headers)
        assert (response.status, response.head.get("content-type")) == (200, "application/json")
    async with await RawStream.open(server.port, events_path(sid), headers) as stream:
        assert (await stream.next_event()).event == "snapshot"
