"""Corners of HTTP: methods, versions, connections and forms of a target."""

import asyncio
import json

import pytest

from tests.harness.http1 import Connection, request_bytes
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.standards.server_settings import ORIGIN


@pytest.mark.protocol("P-2.7")
async def test_head_answers_at_once_and_leaves_the_connection_usable(server: Server, sid: str) -> None:
    """SC-12: HEAD on a stream gets its headers and ends; the same connection then serves a poll."""
    async with await Connection.open(server.port) as connection:
        for target in (events_path(sid), f"/api/events?session_id={sid}", session_path(sid), "/livez", "/"):
            response = await connection.exchange(request_bytes("HEAD", target), "HEAD")
            assert (response.status, response.body) == (200, b""), target
            if "events" in target:
                assert (response.head.get("content-type") or "").startswith("text/event-stream")
            poll = await connection.request("GET", session_path(sid))
            assert poll.json()["status"] == "not_found"


@pytest.mark.parametrize("target", ["/api/progress/s", "/api/progress/s/events", "/api/events", "/api/steps", "*"])
async def test_options_neither_hangs_nor_breaks(server: Server, target: str) -> None:
    """SC-12: OPTIONS is answered at once, also on a stream; a browser's preflight gets the headers that it needs."""
    preflight = [("Origin", ORIGIN), ("Access-Control-Request-Method", "POST")]
    async with await Connection.open(server.port) as connection:
        for headers in ([], preflight):
            response = await connection.exchange(request_bytes("OPTIONS", target, headers))
            assert response.status in ({200, 204} if headers else {200, 204, 404, 405})
            if headers:
                assert response.head.get("access-control-allow-origin") == ORIGIN


@serve_only  # A plain uvicorn answers HTTP/1.0 in chunks.
async def test_an_old_client_gets_its_stream(server: Server, sid: str) -> None:
    """SC-12: HTTP/1.0 has no chunks, so the body runs until the connection is closed."""
    request = request_bytes("GET", events_path(sid), version="HTTP/1.0")
    async with await RawStream.open(server.port, "", request=request) as stream:
        assert (await stream.next_event()).event == "snapshot"
        assert stream.head.get("transfer-encoding") is None
        async with Worker.at(server) as worker:
            await worker.create(sid, total_steps=1)
            await worker.run(sid, 1)
        assert await stream.closed() == "end"
        assert [block.event for block in stream.events[-2:]] == ["step", "end"]
        assert stream.pending == b""
    async with await Connection.open(server.port) as connection:
        response = await connection.exchange(request_bytes("GET", session_path(sid), version="HTTP/1.0"))
        assert response.status == 200


@serve_only  # The server handles connections.
@pytest.mark.parametrize("target", ["/api/progress/{}", "/api/progress/{}/events"])
async def test_a_client_that_wants_the_connection_closed_gets_that(server: Server, sid: str, target: str) -> None:
    """SC-12: `Connection: close` is honoured, and a stream stays open under it."""
    path = target.format(sid)
    request = request_bytes("GET", path, [("Connection", "close")])
    if path.endswith("events"):
        async with await RawStream.open(server.port, "", request=request) as stream:
            await stream.next_event()
            await stream.wait_until(lambda s: bool(s.comments), timeout_s=5)
            assert stream.ending is None
    else:
        async with await Connection.open(server.port) as connection:
            assert (await connection.exchange(request)).status == 200
            async with asyncio.timeout(5):  # Soon enough: an idle connection stays open for longer.
                assert await connection.reader.read() == b""


@serve_only  # The server answers it.
async def test_expect_100_continue_is_answered(server: Server, sid: str) -> None:
    """SC-12: `Expect: 100-continue` is answered before the body arrives."""
    body = json.dumps({"action": "start", "step": 1}).encode()
    headers = [("Content-Type", "application/json"), ("Expect", "100-continue")]
    head = request_bytes("POST", session_path(sid, "update"), [*headers, ("Content-Length", str(len(body)))])
    async with await Connection.open(server.port) as connection:
        connection.writer.write(head)
        async with asyncio.timeout(10):
            assert await connection.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        response = await connection.exchange(body)
        assert response.json() == {"success": True, "session_id": sid}


@serve_only  # The server answers it.
async def test_a_client_of_http_1_0_gets_one_answer(server: Server, sid: str) -> None:
    """SC-12: HTTP/1.0 has no interim responses; its client would take one for the final one [RFC 9110 §10.1.1]."""
    body = json.dumps({"action": "start", "step": 1}).encode()
    headers = [("Content-Type", "application/json"), ("Expect", "100-continue")]
    request = request_bytes("POST", session_path(sid, "update"), headers, body, version="HTTP/1.0")
    async with await Connection.open(server.port) as connection:
        response = await connection.exchange(request)
    assert (response.status, response.interim) == (200, ())


@serve_only  # The server parses it.
async def test_a_proxy_style_target_is_understood(server: Server, sid: str) -> None:
    """SC-12: an absolute-form target [RFC 9112 §3.2.2] names the same resource."""
    async with await Connection.open(server.port) as connection:
        response = await connection.request("GET", f"http://somewhere.example{session_path(sid)}")
        assert response.json()["session_id"] == sid
    async with await RawStream.open(server.port, f"http://somewhere.example{events_path(sid)}") as stream:
        assert (await stream.next_event()).event == "snapshot"


async def test_a_get_with_a_body_is_just_a_get(server: Server, sid: str) -> None:
    """SC-12: the body is ignored, and does not count as the next request."""
    async with await Connection.open(server.port) as connection:
        for _ in range(2):
            response = await connection.request("GET", session_path(sid), body=b"GET /x HTTP/1.1\r\n\r\n")
            assert response.json()["status"] == "not_found"
    request = request_bytes("GET", events_path(sid), body=b"ignored")
    async with await RawStream.open(server.port, "", request=request) as stream:
        assert (await stream.next_event()).event == "snapshot"
