"""The memory that a connection takes is small."""

import contextlib

import pytest

from tests.conftest import Serve
from tests.harness.http1 import request_bytes
from tests.harness.serving import Worker, events_path, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.connections.raw_requests import SMALL_WINDOW, raw_connection, unread_responses

pytestmark = serve_only  # All limits here are those of our own server.


@pytest.mark.full
async def test_streams_of_several_sessions_share_large_frames(serve: Serve) -> None:
    """SE-07: though each stream has ids of its own, one copy serves all readers that do not read it."""
    server = serve(is_forked=False)
    ask = request_bytes("GET", "/api/events?session_id=s")
    async with unread_responses(server, 0), contextlib.AsyncExitStack() as stack:
        for count in (10, 50):
            memory_bytes = server.memory_bytes()
            for _ in range(count):
                stream = await stack.enter_async_context(raw_connection(server.port, ask, SMALL_WINDOW))
                assert await stream.reader.read(1)
        assert server.memory_bytes() - memory_bytes <= 50 * 2**16


MANY_FIELDS = b"GET / HTTP/1.1\r\nHost:\r\n" + b"a:\r\n" * 98 + b"\r\n"
FOLLOW = request_bytes("GET", events_path("s"))
FOLLOW_WITH_BODY = request_bytes("GET", events_path("s"), body=b"x" * 200_000)


@pytest.mark.parametrize(
    ("sent", "most_bytes"),
    [
        pytest.param(request_bytes("GET", session_path("s")), 60_000, id="an answer", marks=pytest.mark.full),
        pytest.param(FOLLOW, 60_000, id="a snapshot", marks=pytest.mark.full),
        pytest.param(FOLLOW_WITH_BODY, 60_000, id="an unread body"),
        pytest.param(FOLLOW + 99 * MANY_FIELDS, 300_000, id="requests behind a stream", marks=pytest.mark.full),
    ],
)
async def test_memory_per_connection_is_small(serve: Serve, sent: bytes, most_bytes: int) -> None:
    """SE-07: large responses and request bodies are bounded; the session's 240 KB exist once for all connections."""
    server, connections = serve(is_forked=False), 100
    async with unread_responses(server, 0), Worker.at(server) as worker, contextlib.AsyncExitStack() as stack:
        await worker.poll("s")
        memory_bytes = server.memory_bytes()
        for _ in range(connections):
            opened = await stack.enter_async_context(raw_connection(server.port, sent, SMALL_WINDOW))
            assert await opened.reader.read(1)
        await worker.poll("s")
        assert server.memory_bytes() - memory_bytes <= most_bytes * connections
