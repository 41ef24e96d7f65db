"""A server without free descriptors serves its clients, and newcomers in place of idle ones."""

import asyncio
import contextlib
import json
import sqlite3
import sys
import time
from collections.abc import AsyncIterator

import pytest

from tests.conftest import Serve
from tests.harness.http1 import Connection, request_bytes
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, eventually, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.connections.raw_requests import (
    POST,
    SMALL_WINDOW,
    START,
    UPDATE,
    RawConnection,
    assert_refused,
    raw_connection,
    unread_responses,
)
from tests.live.polling import polled

pytestmark = serve_only  # All limits here are those of our own server.


DESCRIPTORS = 256


def serve_with(serve: Serve, descriptors: int, store: str = "memory://", head_timeout_s: float = 10) -> Server:
    """A server that may have `descriptors` descriptors."""
    start = ["prlimit", f"--nofile={descriptors}:{descriptors}", sys.executable, "-m", "progress_sse", "serve"]
    return serve(
        command=[*start, "--store", store, "--head-timeout-s", str(head_timeout_s), "--port", "{port}"],
    )


@contextlib.asynccontextmanager
async def excess_clients(server: Server, streams: int, silent: int) -> AsyncIterator[list[RawConnection]]:
    """`streams` clients that request a stream, and `silent` ones that send nothing."""
    ask = request_bytes("GET", events_path("s"))
    async with contextlib.AsyncExitStack() as stack:
        asked = [ask if n < streams else b"" for n in range(streams + silent)]
        yield [await stack.enter_async_context(raw_connection(server.port, sent)) for sent in asked]


@pytest.mark.guarantee(5)
@pytest.mark.parametrize(
    ("streams", "silent"),
    [
        pytest.param(200, 200, id="both"),
        pytest.param(400, 0, id="streams", marks=pytest.mark.full),
        pytest.param(0, 400, id="silent ones", marks=pytest.mark.full),
    ],
)
async def test_more_connections_than_descriptors_do_no_harm(serve: Serve, streams: int, silent: int) -> None:
    """FT-14: open streams and polls are served; nothing spins; all is as before once the clients are gone."""
    server = serve_with(serve, DESCRIPTORS)
    async with contextlib.AsyncExitStack() as stack:
        worker = await stack.enter_async_context(Worker.at(server))
        await worker.start("s", 1)
        old = [await stack.enter_async_context(await RawStream.open(server.port, events_path("s"))) for _ in range(20)]
        for stream in old:
            await stream.next_event()
        lines, cpu_s, began = len(server.log().splitlines()), server.cpu_s(), time.monotonic()
        async with excess_clients(server, streams, silent):
            async with polled(server, "s") as polls:
                await eventually(lambda: len(polls) >= 50, 20)
            await worker.complete("s", 1)
            for stream in old:
                await stream.next_event()
            assert server.descriptors() <= DESCRIPTORS
            took_s = time.monotonic() - began
            assert len(server.log().splitlines()) - lines <= 10 * took_s
            assert server.cpu_s() - cpu_s <= 0.5 * took_s
        await eventually(lambda: len(server.client_ports()) < 50, 20)
        async with await RawStream.open(server.port, events_path("s")) as newcomer:
            await newcomer.next_event()
    assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(POST + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n", id="bodies", marks=pytest.mark.full),
        pytest.param(3 * request_bytes("GET", session_path("s")), id="answers"),
    ],
)
async def test_slow_clients_keep_no_newcomer_out(serve: Serve, sent: bytes) -> None:
    """FT-14: unfinished bodies and unread responses, on as many connections as possible, keep no newcomer out."""
    server = serve_with(serve, 96)
    async with unread_responses(server, 0), contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            opened = await stack.enter_async_context(raw_connection(server.port, sent, SMALL_WINDOW))
            assert await opened.reader.read(1)
        for n in range(20):
            async with await Connection.open(server.port) as newcomer:
                assert (await newcomer.request("GET", "/livez")).status == 200
                assert (await newcomer.post_json(session_path(str(n), "update"), START)).status == 200
    assert "Traceback" not in server.log()


async def test_unread_ends_of_responses_keep_no_newcomer_out(serve: Serve) -> None:
    """FT-14: a connection that closes after its response does not keep a newcomer out while the end is unread."""
    server = serve_with(serve, 96, head_timeout_s=0.2)
    ask = request_bytes("GET", "/web/tracker.js")
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            await stack.enter_async_context(raw_connection(server.port, ask, SMALL_WINDOW))
        await asyncio.sleep(1)  # The time for further requests ends meanwhile, and the server sends no sign of it.
        for _ in range(30):
            newcomer = await stack.enter_async_context(await Connection.open(server.port))
            assert (await newcomer.request("GET", "/livez")).status == 200
    assert "Traceback" not in server.log()


async def test_newcomers_are_refused_when_no_connection_can_be_closed(serve: Serve) -> None:
    """FT-14: requests that wait for the store are not ended for a newcomer, and the server keeps running."""
    server = serve_with(serve, 96, "sqlite:///held.db")
    head = [("Content-Type", "application/json"), ("Connection", "close")]
    whole = request_bytes("POST", UPDATE, head, json.dumps(START).encode())
    async with contextlib.AsyncExitStack() as stack:
        with contextlib.closing(sqlite3.connect(server.folder / "held.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            sent = [await stack.enter_async_context(raw_connection(server.port, whole)) for _ in range(100)]
            waiting = {asyncio.ensure_future(each.rest()) for each in sent}
            refused: list[bytes] = []
            while len(refused) < 20:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                # A connection that was accepted but not yet read from may have been closed: no request of it was known.
                refused += filter(None, (each.result() for each in done))
        others = list(filter(None, await asyncio.gather(*waiting)))
    served = [received for received in others if received.startswith(b"HTTP/1.1 200 ")]
    assert served
    for received in [*refused, *(each for each in others if each not in served)]:
        assert_refused(received, 503)
        assert b"retry-after: 2\r\n" in received
        assert b"/problems/overloaded" in received
    async with asyncio.timeout(20), Worker.at(server) as worker:
        while (await worker.client.get(session_path("s"))).status_code != 200:
            pass
    assert "Traceback" not in server.log()
