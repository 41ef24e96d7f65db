"""Polls that wait, and text for terminals, on each host."""

import asyncio
import signal

import pytest

from tests.conftest import Serve
from tests.harness.http1 import Connection, Response, request_bytes
from tests.harness.metrics import metrics_of
from tests.harness.serving import Server, Worker, events_path, session_path
from tests.live.asgi_hosts import each_host

DEADLINE_S = 20
ABSENT = [("If-None-Match", '"absent"'), ("Prefer", "wait=30")]


async def waits_in(server: Server, count: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while (await metrics_of(server.port))["progress_sse_waiting_requests"] != count:  # noqa: ASYNC110 - asks the server
            await asyncio.sleep(0.02)


async def waiting(server: Server, session_id: str) -> tuple[Connection, asyncio.Task[Response]]:
    connection = await Connection.open(server.port)
    request = request_bytes("GET", session_path(session_id), ABSENT)
    return connection, asyncio.create_task(connection.exchange(request, timeout_s=DEADLINE_S))


@each_host
async def test_polls_that_wait_get_the_change(serve: Serve) -> None:
    """All of them, at once; others are answered meanwhile, and nothing is left."""
    server = serve()
    clients = [await waiting(server, "s") for _ in range(20)]
    await waits_in(server, 20)
    async with Worker.at(server) as worker:
        assert (await worker.poll_raw("s")).status_code == 200
        await worker.start("s", 1)
    for connection, poll in clients:
        response = await poll
        assert (response.status, response.head.get("preference-applied")) == (200, "wait=30")
        assert response.json()["status"] in ("pending", "running")
        await connection.aclose()
    metrics = await metrics_of(server.port)
    assert metrics["progress_sse_followed_sessions"] == 0
    assert "Traceback" not in server.log()


@pytest.mark.guarantee(40)
@each_host
async def test_a_client_that_leaves_while_its_poll_waits_leaves_nothing(serve: Serve) -> None:
    """Its place is free at once."""
    server = serve(max_streams=1)
    connection, poll = await waiting(server, "s")
    await waits_in(server, 1)
    poll.cancel()
    connection.writer.transport.abort()
    await waits_in(server, 0)
    connection, poll = await waiting(server, "s")
    await waits_in(server, 1)
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
    assert (await poll).status == 200
    await connection.aclose()
    assert "Traceback" not in server.log()


@pytest.mark.guarantee(3)
@each_host
async def test_a_server_that_stops_answers_the_polls_that_wait(serve: Serve) -> None:
    """With 304, long before the time that they would wait."""
    server = serve(graceful_timeout_s=10)
    connection, poll = await waiting(server, "s")
    await waits_in(server, 1)
    server.signal(signal.SIGTERM)
    response = await poll
    assert (response.status, response.head.get("preference-applied")) == (304, None)
    server.wait(DEADLINE_S)
    await connection.aclose()


@each_host
async def test_lines_come_as_the_job_goes(serve: Serve) -> None:
    """Each at once, to the end."""
    server = serve()
    request = request_bytes("GET", events_path("s"), [("Accept", "text/plain")])
    async with await Connection.open(server.port) as connection, Worker.at(server) as worker:
        connection.writer.write(request)
        async with asyncio.timeout(DEADLINE_S):
            await connection.reader.readuntil(b"Waiting for the job to start\n")
            await worker.start("s", 1)
            await connection.reader.readuntil(b": started\n")
            await worker.complete("s", 1, success=False, error="no room\x1b[2J")
            await connection.reader.readuntil(b"no room\nFailed at step 1")
            assert await connection.reader.readuntil(b"0\r\n\r\n")
    assert "Traceback" not in server.log()
