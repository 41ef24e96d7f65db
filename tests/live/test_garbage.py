"""Connections leave nothing in the server that only the garbage collector would free."""

import asyncio
import gc
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from progress_sse.api.app import create_app
from progress_sse.server.uvicorn_server import Server, make_config, own_protocol
from progress_sse.service import ProgressService
from progress_sse.settings import load_settings
from tests.harness.http1 import HOST, request_bytes
from tests.harness.rawsse import received_through
from tests.harness.serving import events_path, eventually, session_path
from tests.live.test_churn import vanishing

EVENTS = events_path("s")
UPDATE = b'{"action":"start","step":1}'

REQUESTS = {
    "poll": (request_bytes("GET", session_path("s")), b"percentage"),
    "update": (
        request_bytes("POST", session_path("s", "update"), [("Content-Type", "application/json")], UPDATE),
        b"success",
    ),
    "refused": (request_bytes("GET", "/api/no-such-path"), b"problems"),
    "page": (request_bytes("GET", "/livez"), b"ok"),
    "stream": (request_bytes("GET", EVENTS), b"snapshot"),
    "stream by HTTP/1.0": (request_bytes("GET", EVENTS).replace(b"HTTP/1.1", b"HTTP/1.0"), b"snapshot"),
    "stream of several": (request_bytes("GET", "/api/events?session_id=s&session_id=t"), b"snapshot"),
    "stream of a returning reader": (request_bytes("GET", EVENTS, [("Last-Event-ID", "unknown-1")]), b"snapshot"),
    "stream that was hardly begun": (request_bytes("GET", EVENTS), b"200"),
    "completed": (request_bytes("GET", events_path("done")), b"event: end"),
    "half a request": (request_bytes("GET", EVENTS)[:-10], b""),
}

CONNECTIONS = 10


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Our server in this process, with a running session and a completed one."""
    service = ProgressService(load_settings(store="memory://", graceful_timeout_s=1))
    await service.start()
    await service.store.start_step("s", 1)
    await service.store.create_session("done", 1)
    await service.store.start_step("done", 1)
    await service.store.complete_step("done", 1)
    has_started = asyncio.Event()
    config = make_config(create_app(service.settings, service=service), service, own_protocol(service))
    server = Server(config, service, has_started.set)
    listener = socket.create_server((HOST, 0))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await has_started.wait()
    yield server
    server.request_shutdown()
    await serving
    await service.aclose()


@contextmanager
def garbage() -> Iterator[Counter[str]]:
    """Count the server's objects, by kind, that the block leaves to the collector."""
    found = Counter[str]()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        kinds = [type(each) for each in gc.garbage]
        found.update(kind.__qualname__ for kind in kinds if kind.__module__.startswith(("progress_sse", "uvicorn")))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(("request_", "mark"), REQUESTS.values(), ids=REQUESTS)
@pytest.mark.full
async def test_a_connection_leaves_nothing_to_the_collector(server: Server, request_: bytes, mark: bytes) -> None:
    """LD-06: the collector seldom looks at older objects, so what readers leave behind would accumulate."""
    state = server.server_state
    port = server.servers[0].sockets[0].getsockname()[1]

    async def connect() -> None:
        async with vanishing(port, request_) as sock:
            await received_through(sock, mark)

    await connect()
    with garbage() as found:
        for _ in range(CONNECTIONS):
            await connect()
        await eventually(lambda: not (state.connections or state.tasks), 10)
    assert found == {}
