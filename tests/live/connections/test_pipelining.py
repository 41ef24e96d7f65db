"""Requests that a client sends before the earlier ones are answered, and bytes that are no request."""

import asyncio
import json
import re

import pytest

from progress_sse.server.connection_limits import MAX_PIPELINED
from tests.conftest import Serve
from tests.harness.http1 import request_bytes
from tests.harness.serving import Server, Worker, events_path, eventually, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.connections.raw_requests import POST, SMALL_WINDOW, START, raw_connection, unread_responses

pytestmark = serve_only  # All limits here are those of our own server.


async def test_malformed_http_behind_an_open_stream_breaks_it_off(server: Server) -> None:
    """An open stream on the connection breaks off, without a refusal inside."""
    async with raw_connection(server.port, request_bytes("GET", events_path("s"))) as opened:
        await opened.reader.readuntil(b"event: snapshot")
        opened.writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert b"HTTP/1.1" not in await opened.rest()


async def test_the_number_of_pipelined_requests_is_bounded(server: Server) -> None:
    """SE-07: requests within the limit are answered in order, then the connection closes; the rest take no memory."""
    ahead = b"".join(request_bytes("GET", session_path(str(n))) for n in range(5000))
    async with raw_connection(server.port, ahead) as hasty:
        received = await hasty.rest()
    answered = [int(n) for n in re.findall(rb'"session_id":"(\d+)"', received)]
    assert answered == list(range(MAX_PIPELINED + 1))
    assert received.count(b"HTTP/1.1 ") == len(answered)


async def test_pipelined_requests_at_the_pace_of_the_answers_are_all_answered(server: Server) -> None:
    """SE-07, the other side: a connection may carry any number of requests."""
    async with raw_connection(server.port) as steady, asyncio.timeout(20):
        for _ in range(5):
            steady.writer.write(request_bytes("GET", session_path("s")) * MAX_PIPELINED)
            for _ in range(MAX_PIPELINED):
                assert (await steady.reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", id="no chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" + 1_000_000 * b"x", id="too much"),
    ],
)
async def test_complete_requests_are_answered_before_a_malformed_one(serve: Serve, spoilt: bytes) -> None:
    """An update that was applied gets its answer, whatever the same client sent behind it."""
    server = serve()
    update = json.dumps(START).encode()
    whole = POST + b"Content-Length: %d\r\n\r\n%b" % (len(update), update)
    async with raw_connection(server.port, 2 * whole + POST + spoilt + whole) as hasty:
        received = await hasty.rest()
    first, second, *refusals = re.findall(rb"HTTP/1.1 (\d+) ", received)
    assert first == second == b"200"
    assert refusals in ([], [b"413"])
    async with Worker.at(server) as worker:
        assert (await worker.poll_raw("s")).headers["etag"].endswith('-2"')
    assert "Traceback" not in server.log()


async def test_a_client_that_disconnects_before_its_responses_leaves_nothing(serve: Serve) -> None:
    """Of several pipelined requests, the one being answered is notified of the disconnect."""
    server = serve()
    async with unread_responses(server, 0):
        ask = request_bytes("GET", session_path("s"))
        async with raw_connection(server.port, 4 * ask, SMALL_WINDOW) as gone:
            assert await gone.reader.read(1)
            port = gone.port
        await eventually(lambda: port not in server.client_ports(), 10)
    server.terminate()
    assert "Traceback" not in server.log()
