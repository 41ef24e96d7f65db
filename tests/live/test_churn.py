"""Readers that connect and vanish by the thousand, each at another moment."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import Serve
from tests.harness.http1 import HOST, Connection, request_bytes
from tests.harness.load_clients import LoadClients
from tests.harness.metrics import metrics_of
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream, received_through, unconnected_socket
from tests.harness.serving import Server, Worker, events_path, eventually, session_path

EVENTS = events_path("s")
LARGE_EVENTS = events_path("large")

CLIENTS = 16
"""The number of concurrent clients."""

MAX_STREAMS = 100
"""More streams than are open at any time, and few enough to show places that are not freed."""

WARM_UP_ROUNDS = 80
"""After so many rounds the garbage collector has run, and the server has reached its full size."""

ROUNDS = 235
"""The rounds of each client, of four connections each: fifteen thousand connections in all."""

MAX_GROWTH_BYTES = 6_000_000
"""The fluctuation between two runs of the collector; if all streams were kept, they would need more."""


@contextlib.asynccontextmanager
async def vanishing(port: int, request: bytes, rcvbuf: int | None = None) -> AsyncIterator[socket.socket]:
    """A connection that has sent these bytes, and is reset at the end of the block."""
    loop = asyncio.get_running_loop()
    with unconnected_socket(rcvbuf) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await loop.sock_connect(sock, (HOST, port))
        await loop.sock_sendall(sock, request)
        yield sock


async def vanish_in_four_ways(port: int) -> None:
    """Connect four times, and reset the connection (a) before the request ends … (d) in the middle of an event."""
    request = request_bytes("GET", EVENTS)
    async with vanishing(port, request[:-10]):
        pass
    async with vanishing(port, request):
        pass
    async with vanishing(port, request) as sock:
        assert (await received_through(sock, b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    async with vanishing(port, request_bytes("GET", LARGE_EVENTS), rcvbuf=4096) as sock:
        await received_through(sock, b"\ndata: {")


async def vanish_repeatedly(server: Server, name: str, rounds: int) -> None:
    async with await Connection.open(server.port) as connection:
        for number in range(rounds):
            await vanish_in_four_ways(server.port)
            body = {"action": "progress", "step": 1, "current": number, "message": f"{name}-{number}"}
            response = await connection.post_json(session_path("s", "update"), body)
            assert response.status == 200, response.body


async def vanish_all_at_once(server: Server, rounds: int) -> None:
    """Run all clients at once, `rounds` times each."""
    async with asyncio.timeout(240), asyncio.TaskGroup() as group:
        for client_number in range(CLIENTS):
            group.create_task(vanish_repeatedly(server, f"client-{client_number}", rounds))


async def traces_of(server: Server) -> dict[str, float]:
    metrics = await metrics_of(server.port)
    return {name: metrics[f"progress_sse_{name}"] for name in ("streams", "subscribers", "followed_sessions", "tasks")}


@pytest.mark.full
@pytest.mark.timeout(300)
async def test_readers_that_vanish_leave_nothing_behind(
    serve: Serve, record_property: Callable[[str, object], None]
) -> None:
    """FT-12: whenever they vanish, nothing of them is left, and a reader that stays gets everything."""
    server = serve(max_streams=MAX_STREAMS, is_forked=False)
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        # Its snapshot does not fit into the buffers between the server and a reader with a small window.
        for step in range(1, 5):
            await worker.run("large", step, success=False, message="大" * 8192, error="大" * 8192)
    async with await RawStream.open(server.port, EVENTS) as control:
        await control.next_event()
        descriptors, traces = server.descriptors(), await traces_of(server)
        assert (traces["streams"], traces["subscribers"], traces["followed_sessions"]) == (1, 1, 1)
        await vanish_all_at_once(server, WARM_UP_ROUNDS)
        memory_bytes = server.memory_bytes()
        await vanish_all_at_once(server, ROUNDS)
        await eventually(lambda: server.descriptors() <= descriptors, 30)
        async with asyncio.timeout(30):
            while await traces_of(server) != traces:  # noqa: ASYNC110 - asks the server
                await asyncio.sleep(0.05)
        grown_bytes = server.memory_bytes() - memory_bytes
        record_property("grown_bytes", grown_bytes)
        assert grown_bytes <= MAX_GROWTH_BYTES
        async with LoadClients(server.port, [EVENTS] * (MAX_STREAMS - 1)) as load_clients:
            await load_clients.wait_for_events(1, 10)
            async with await RawStream.open(server.port, EVENTS) as refused:
                assert await refused.closed() == "end"
                assert refused.events == []
            async with Worker.at(server) as worker:
                await worker.start("s", 2)
                final = await worker.poll("s")
            await load_clients.wait_for_events(2, 10)
            assert load_clients.differing(load_clients.readers[0].events) == []
            assert fold_all(load_clients.readers[0].events) == final
        reports = CLIENTS * (WARM_UP_ROUNDS + ROUNDS) + 1
        await control.wait_until(lambda stream: len(stream.events) > reports)
        assert [event.event for event in control.events] == ["snapshot", *["step"] * reports]
        assert [event.position.offset for event in control.events] == list(range(1, reports + 2))
        assert fold_all(control.events) == final
    assert "Traceback" not in server.log()
