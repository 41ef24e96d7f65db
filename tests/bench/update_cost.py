"""Measure what an update costs inside the server, part by part: `python -m tests.bench.update_cost`.

No byte leaves the process, so the kernel's share is left out. Requests come in over 16 connections and change 200
sessions in turn. Each part is the difference between two ways of answering them, of which the second one does more. The
quickest of many rounds counts.
"""

import asyncio
import gc
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import click
import uvloop
from starlette.requests import Request
from uvicorn.server import ServerState

from progress_sse.api.app import create_app
from progress_sse.api.endpoints.events import events
from progress_sse.api.endpoints.update import update
from progress_sse.api.hot_routes import HotRoutes
from progress_sse.api.replies import Reply, json_reply
from progress_sse.api.request_body import read_body
from progress_sse.api.router import SESSION_PATH, Endpoint, Route
from progress_sse.api.update_models import UpdateBody, command_of
from progress_sse.core.model import StepDefinition
from progress_sse.server.uvicorn_server import COLLECTOR_THRESHOLDS, make_config, own_protocol
from progress_sse.service import ProgressService
from progress_sse.settings import load_settings
from tests.bench.plan import Request as Template

CONNECTIONS = 16
SESSIONS = 200
READERS = 2
ROUNDS = 200
TURNS = 4
"""Turns of the event loop after which all events of an update on `memory://` are written."""

UPDATE = Template(
    "POST",
    "/api/progress/{session}/update",
    '{"action":"progress","step":1,"current":{seq},"total":null,"message":"{text}"}',
)
SUBSCRIBE = Template("GET", "/api/progress/{session}/events")
TEXT = "~" * 37


class Sink(asyncio.Transport):
    """A connection to a client that takes everything at once."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.written = b""

    def write(self, data: Any) -> None:
        self.writes += 1
        self.written = data

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        pass


async def answer_at_once(_service: ProgressService, _request: Request) -> Reply:
    return json_reply({"success": True, "session_id": "s"})


async def read_only(service: ProgressService, request: Request) -> Reply:
    body = await read_body(request, UpdateBody, service.body_limits)
    command_of(body, service.store.workflows, service.body_limits)
    return await answer_at_once(service, request)


class Connections:
    """Connections to a server in this process that answers updates by one endpoint."""

    def __init__(self, service: ProgressService, endpoint: Endpoint) -> None:
        routes = [
            Route("POST", f"{SESSION_PATH}/update", "", endpoint, is_hot=True),
            Route("GET", f"{SESSION_PATH}/events", "", events, is_hot=True),
        ]
        app = create_app(service.settings, service=service)
        config = make_config(app, service, own_protocol(service, HotRoutes(service, routes)))
        config.load()
        self._config: Any = config
        self._state = ServerState()
        self._publishers = [self.connect() for _ in range(CONNECTIONS)]
        self._seqs = itertools.count(1)

    def connect(self) -> tuple[Any, Sink]:
        protocol = self._config.http_protocol_class(config=self._config, server_state=self._state, app_state={})
        sink = Sink()
        protocol.connection_made(sink)
        return protocol, sink

    async def publish_round(self) -> float:
        """Send an update on each connection, and return the CPU seconds of one."""
        began = time.process_time()
        for protocol, _ in self._publishers:
            seq = next(self._seqs)
            protocol.data_received(UPDATE.to_bytes(f"s{seq % SESSIONS}", text=TEXT, seq=seq))
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return (time.process_time() - began) / CONNECTIONS


@asynccontextmanager
async def running() -> AsyncIterator[ProgressService]:
    service = ProgressService(load_settings(store="memory://"))
    await service.start()
    for number in range(SESSIONS):
        await service.store.create_session(f"s{number}", steps=[StepDefinition("s")])
        await service.store.start_step(f"s{number}", 1)
    try:
        yield service
    finally:
        await service.aclose()


async def cost_us(endpoint: Endpoint, readers: int) -> float:
    """Return the CPU of an update, in microseconds."""
    async with running() as service:
        connections = Connections(service, endpoint)
        streams = [connections.connect() for _ in range(SESSIONS * readers)]
        for number, (protocol, _) in enumerate(streams):
            protocol.data_received(SUBSCRIBE.to_bytes(f"s{number % SESSIONS}"))
        while not all(sink.writes for _, sink in streams):  # noqa: ASYNC110  # until each has its snapshot
            await asyncio.sleep(0)
        gc.collect()
        gc.freeze()
        before = sum(sink.writes for _, sink in streams)
        quickest = min([await connections.publish_round() for _ in range(ROUNDS)])
        assert sum(sink.writes for _, sink in streams) - before >= ROUNDS * CONNECTIONS * readers  # or heartbeats too
        return quickest * 1e6


async def measure() -> Sequence[tuple[str, float]]:
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    steps = [
        ("parse the head, find the endpoint, write an answer", answer_at_once, 0),
        ("read the body, and validate it", read_only, 0),
        ("decide, encode, commit on memory://", update, 0),
        (f"frame the event, and hand it to {READERS} readers", update, READERS),
    ]
    sums = [(name, await cost_us(endpoint, readers)) for name, endpoint, readers in steps]
    return list(_differences(sums))


def _differences(sums: Sequence[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    before = 0.0
    for name, total in sums:
        yield name, total - before
        before = total
    yield "in all", before


@click.command()
def main() -> None:
    for name, cost in uvloop.run(measure()):
        click.echo(f"{cost:6.1f} µs  {name}")


if __name__ == "__main__":
    main()
