"""Readers that disconnect in every possible way, including those that send no packet."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from tests.conftest import Serve
from tests.harness.http1 import Headers, request_bytes
from tests.harness.metrics import metrics_of
from tests.harness.network import FarNetwork
from tests.harness.rawsse import RawStream, received_through
from tests.harness.serving import Server, events_path, eventually
from tests.live.asgi_hosts import serve_only

pytestmark = pytest.mark.guarantee(40)

EVENTS = events_path("s")
HEARTBEAT_S = 1
SEND_TIMEOUT_S = 2
SPARE_S = 5
"""The most that a busy machine adds to a bound."""

GONE_S = 2 * HEARTBEAT_S + SEND_TIMEOUT_S + SPARE_S
"""Within this time no trace of a disconnected reader may be left."""

Traces = tuple[float, float, float]


async def traces(server: Server) -> Traces:
    metrics = await metrics_of(server.port)
    return (
        metrics["progress_sse_streams"],
        metrics["progress_sse_subscribers"],
        metrics["progress_sse_tasks"],
    )


async def traces_at_rest(server: Server) -> Traces:
    """The same without readers, once the start of the server is complete.

    One reader has connected and left by then: sse-starlette starts one task for all with a process's first stream.
    """
    async with await RawStream.open(server.port, EVENTS) as stream:
        await stream.next_event()
    async with asyncio.timeout(GONE_S):
        while (await traces(server))[0] > 0:  # noqa: ASYNC110 - asks the server
            await asyncio.sleep(0.05)
    return min([await traces(server) for _ in range(5)])


async def assert_gone(server: Server, client_port: int, before: Traces) -> None:
    """Check that in time no descriptor, stream, subscriber or task of the client is left."""
    async with asyncio.timeout(GONE_S):
        await eventually(lambda: client_port not in server.client_ports(), GONE_S)
        while await traces(server) > before:  # noqa: ASYNC110 - asks the server
            await asyncio.sleep(0.05)
    assert "Traceback" not in server.log()


async def half_close(stream: RawStream) -> None:
    """Announce the end of requests, and keep reading."""
    stream.half_close()
    await stream.closed(GONE_S)


@pytest.mark.parametrize(
    "leave",
    [pytest.param(RawStream.aclose, id="FIN"), pytest.param(RawStream.abort, id="RST"), pytest.param(half_close)],
)
async def test_a_reader_that_disconnects_leaves_nothing(
    serve: Serve, leave: Callable[[RawStream], Awaitable[None]]
) -> None:
    """FT-11: it may close, reset or half-close its connection, also behind a middleware that hides the disconnect."""
    server = serve(heartbeat_s=HEARTBEAT_S, send_timeout_s=SEND_TIMEOUT_S)
    before = await traces_at_rest(server)
    async with await RawStream.open(server.port, EVENTS) as stream:
        await stream.next_event()
        assert (await traces(server))[:2] == (1, 1)
        port = stream.local_port
        await leave(stream)
        await assert_gone(server, port, before)


@pytest.mark.full
@serve_only  # A plain uvicorn holds a connection until the kernel gives it up, after a quarter of an hour.
@pytest.mark.parametrize(
    ("headers", "first"), [((), b"event: snapshot"), ([("Accept", "text/plain")], b"Waiting")], ids=["events", "text"]
)
async def test_a_reader_whose_network_fails_leaves_nothing(serve: Serve, headers: Headers, first: bytes) -> None:
    """FT-11: the cable is pulled; no packet arrives any more, and none is answered."""
    server = serve(host="0.0.0.0", insecure=True, heartbeat_s=HEARTBEAT_S, send_timeout_s=SEND_TIMEOUT_S)  # noqa: S104
    loop = asyncio.get_running_loop()
    before = await traces_at_rest(server)
    with FarNetwork() as network, network.socket() as sock:
        await loop.sock_connect(sock, (network.address, server.port))
        await loop.sock_sendall(sock, request_bytes("GET", EVENTS, headers))
        await received_through(sock, first)
        assert (await traces(server))[:2] == (1, 1)
        network.pull()
        await assert_gone(server, sock.getsockname()[1], before)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x01", "a packet announced the end"
