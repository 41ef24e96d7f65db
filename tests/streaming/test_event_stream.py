"""Streams on both paths to a client, at moments that a test over sockets cannot time."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import pytest
from sse_starlette.sse import AppStatus

from progress_sse import create_app
from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.core.updates import Complete
from progress_sse.service import ProgressService
from progress_sse.settings import load_settings
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import LogEntry, Record, StorageLimits
from progress_sse.streaming import subscriber as subscriber_module
from progress_sse.streaming.event_stream import HEADERS
from tests.harness.serving import eventually
from tests.streaming.client import Client
from tests.streaming.recorder import DEADLINE_S
from tests.streaming.service import Service


class CountedBackend(MemoryBackend):
    """A memory backend that counts its reads."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.reads = 0

    async def load(self, session_id: str) -> Record | None:
        self.reads += 1
        return await super().load(session_id)

    async def replay(self, session_id: str, after: Position) -> Sequence[LogEntry] | None:
        self.reads += 1
        await asyncio.sleep(0)  # Lets other subscribers ask meanwhile.
        return await super().replay(session_id, after)


class SpoiledBackend(MemoryBackend):
    """A memory backend that fails to load one session and never returns for another."""

    spoiled = silent = ""

    async def load(self, session_id: str) -> Record | None:
        if session_id == self.spoiled:
            raise StoreUnavailableError
        if session_id == self.silent:
            await asyncio.Event().wait()
        return await super().load(session_id)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture(params=[True, False], ids=["directly", "by ASGI"])
def directly(request: pytest.FixtureRequest) -> bool:
    """Whether the stream writes directly, or by ASGI."""
    directly: bool = request.param
    return directly


async def assert_released(service: Service, task: asyncio.Task[None], reason: str) -> None:
    """Check that a stream ends, for this reason, and that nothing is kept for it."""
    async with asyncio.timeout(DEADLINE_S):
        await task
    assert service.streams.ended == {reason: 1}
    assert len(service.streams) == service.hub.channel_count == 0


async def test_a_lagging_client_that_takes_again_at_completion_gets_one_snapshot_and_the_end(
    service: Service, directly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes again between the last transition and the turn of the event loop in which the others get it."""
    monkeypatch.setattr(subscriber_module, "MAX_QUEUED_BYTES", 200)
    store = service.store
    await store.create_session("s", 1)
    client, other = [await service.follow("s", directly=directly) for _ in range(2)]
    client.stall()
    await store.start_step("s", 1)
    for current in range(5):
        await store.report_progress("s", 1, current)
    assert service.hub.counts.resyncs == {"behind": 1}
    before = len(client.events)
    await store.apply("s", Complete(1))
    client.go_on()
    await client.end()
    late = client.events[before:]
    assert late[-2:] == ["snapshot@7", "end@7"]
    assert late[:-2] == ([] if directly else ["step@1"])  # An ASGI server had this frame already.
    await other.end()
    assert other.events == ["snapshot@0", *(f"step@{n}" for n in range(1, 8)), "end@7"]
    assert len(service.streams) == service.hub.channel_count == 0


async def test_queued_bytes_count_what_slow_clients_have_not_taken(service: Service, directly: bool) -> None:
    """They are the sum over all clients, and fall as each takes its bytes."""
    slow = [await service.follow("s", directly=directly) for _ in range(2)]
    for client in slow:
        client.stall()
    for step in range(1, 5):
        await service.store.start_step("s", step)
    waiting = [service.streams.queued_bytes]
    for client in slow:
        client.go_on()
        await client.wait_for("step@4")
        waiting.append(service.streams.queued_bytes)
    assert waiting[0] > waiting[1] > waiting[2] == 0


async def test_a_client_that_cannot_be_written_to_does_not_affect_others(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Other clients of its session, and of other sessions, still get every event."""
    store = service.store
    for session_id in ("a", "b"):
        await store.create_session(session_id, 1)
    bad, neighbour, other = [await service.follow(session_id, directly=True) for session_id in ("a", "a", "b")]
    bad.fails = True
    await asyncio.gather(store.start_step("a", 1), store.start_step("b", 1))
    await asyncio.gather(store.complete_step("a", 1), store.complete_step("b", 1))
    for client in (neighbour, other):
        await client.end()
        assert client.events == ["snapshot@0", "step@1", "step@2", "end@2"]
    assert len(service.streams) == service.hub.channel_count == 0
    assert "could not be written to" in caplog.text


async def test_a_session_that_cannot_be_loaded_does_not_delay_the_others_of_a_stream(directly: bool) -> None:
    """The order of the sessions does not matter. Its own events come once it can be loaded."""
    backend = SpoiledBackend(StorageLimits())
    service = Service(backend)
    for session_id in ("a", "b", "c"):
        await service.store.create_session(session_id, 1)
    backend.spoiled, backend.silent = "b", "d"
    client = Client()
    service.connect(client, "a", "d", "b", "c", directly=directly)
    await client.wait_until(lambda: b'"session_id":"c"' in client.body)
    await service.store.start_step("c", 1)
    await client.wait_until(lambda: b"event: step" in client.body)
    assert b'"session_id":"b"' not in client.body
    backend.spoiled = ""
    await client.wait_until(lambda: b'"session_id":"b"' in client.body)
    client.leave()
    service.streams.drain()


async def test_a_drain_ends_every_stream_that_can_be_ended(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """An error while one of them ends does not keep the others open."""
    clients = [await service.follow("s", directly=True) for _ in range(3)]
    clients[0].fails = True
    service.streams.drain()
    assert [client.is_finished for client in clients] == [False, True, True]
    assert len(service.streams) == service.hub.channel_count == 0
    assert "could not be ended" in caplog.text


async def test_a_stream_whose_head_is_still_on_its_way_is_counted_and_drained(service: Service, directly: bool) -> None:
    """It counts from the start, and its body is a `retry` field alone."""
    clients = [Client() for _ in range(3)]
    for client in clients:
        client.stall()
        service.connect(client, "s", directly=directly)
    await clients[0].wait_until(lambda: len(service.streams) == 3)
    refused = Client()
    service.connect(refused, "s", directly=directly)
    await refused.end()
    assert refused.body == b"retry: 30000\n\n"
    service.streams.drain()
    assert len(service.streams) == 0
    for client in clients:
        client.go_on()
        await client.end()
        assert re.fullmatch(rb"retry: \d+\n\n", client.body)
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*service.tasks)


async def test_a_client_that_goes_while_its_head_is_on_its_way_leaves_nothing_behind(
    service: Service, directly: bool
) -> None:
    """Our own server then returns no writer from `detach`; others report it by `receive`."""
    client = Client()
    client.stall()
    task = service.connect(client, "s", directly=directly)
    await client.wait_until(lambda: len(service.streams) == 1)
    client.leave()
    client.go_on()
    await assert_released(service, task, "gone")


async def test_a_client_that_takes_nothing_for_the_send_timeout_is_disconnected() -> None:
    """Its stream no longer counts, though the connection is still open."""
    service = Service(send_timeout_s=0.05)
    client = Client()
    task = service.connect(client, "s", directly=False)
    await client.wait_until(lambda: bool(client.events))
    client.stall()
    await service.store.start_step("s", 1)
    await assert_released(service, task, "stuck")


async def test_a_client_that_takes_no_heartbeat_for_the_send_timeout_is_disconnected() -> None:
    """No change of its session is needed for that."""
    service = Service(heartbeat_s=0.01, send_timeout_s=0.05)
    beating = asyncio.create_task(service.heartbeat.run())
    client = Client()
    task = service.connect(client, "s", directly=False)
    await client.wait_until(lambda: b"\n\n: heartbeat\n: heartbeat\n" in client.body)
    client.stall()
    await assert_released(service, task, "stuck")
    beating.cancel()


async def test_the_end_of_another_server_in_the_process_ends_no_stream(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sse-starlette keeps one flag per process for the shutdown of any uvicorn, and never resets it."""
    monkeypatch.setattr(AppStatus, "should_exit", True)
    await service.store.create_session("s", 1)
    client = await service.follow("s", directly=False)
    await service.store.start_step("s", 1)
    await service.store.complete_step("s", 1)
    await client.end()
    assert client.events == ["snapshot@0", "step@1", "step@2", "end@2"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_headers_are_the_same_on_both_paths(service: Service, directly: bool, method: str) -> None:
    """None is connection-specific: the server sets those, and HTTP/2 forbids them [RFC 9113 §8.2.2]."""
    client = Client()
    task = service.connect(client, "s", directly=directly, method=method)
    await client.wait_until(lambda: client.is_finished or bool(client.events))
    assert client.headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "vary": HEADERS["Vary"],
        "incremental": "?1",
        "x-accel-buffering": "no",
    }
    assert (client.is_finished, len(service.streams)) == ((method == "HEAD"), (method == "GET"))
    service.streams.drain()
    async with asyncio.timeout(DEADLINE_S):
        await task


@pytest.mark.parametrize("failing", ["receive", "send"])
async def test_an_os_error_of_the_server_counts_as_a_client_that_has_gone(service: Service, failing: str) -> None:
    """The stream is released. ASGI lets a server raise `OSError` for a lost client."""
    client = Client()

    async def fail(*_: Any) -> Any:
        raise OSError

    setattr(client, failing, fail)
    task = service.connect(client, "s", directly=False)
    await assert_released(service, task, "gone")


async def test_clients_that_return_all_at_once_cost_the_store_few_reads() -> None:
    """LD-04: their missed transitions are read once for all of them, and no client costs more than two reads."""
    backend = CountedBackend()
    service = ProgressService(load_settings(store="memory://"), backend=backend)
    app = create_app(service=service)
    sessions, readers = 5, 40
    clients: list[Client] = []
    answers: list[asyncio.Task[None]] = []
    async with app.router.lifespan_context(app):
        for number in range(sessions):
            session_id = f"storm-{number}"
            await service.store.create_session(session_id, 1)
            for _ in range(10):
                await service.store.start_step(session_id, 1)
        positions = [(await backend.load(f"storm-{number}")) for number in range(sessions)]
        backend.reads = 0
        for record in positions * readers:
            assert record is not None
            last_event_id = str(record.position).replace("-10", "-4").encode()
            scope = {
                "type": "http",
                "method": "GET",
                "path": f"/api/progress/{record.session.progress.session_id}/events",
                "query_string": b"",
                "headers": [(b"last-event-id", last_event_id)],
            }
            clients.append(Client())
            answers.append(asyncio.create_task(app(scope, clients[-1].receive, clients[-1].send)))
        missed = [f"step@{number}" for number in range(5, 11)]
        await eventually(lambda: all(client.events == missed for client in clients), DEADLINE_S)
        assert backend.reads <= sessions * readers + 2 * sessions  # One read each: is it completed?
        for client in clients:
            client.leave()
        await asyncio.gather(*answers)
