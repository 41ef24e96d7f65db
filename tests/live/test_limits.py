"""Quantities at their limits: the response is the documented one, memory is bounded, other clients are served."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable

import pytest

from tests.conftest import Serve
from tests.harness.http1 import Connection
from tests.harness.load_clients import LoadClients
from tests.harness.metrics import metrics_of
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, eventually, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import DeliveryCheck
from tests.live.polling import polled

FULL = [pytest.mark.full, pytest.mark.alone, pytest.mark.timeout(600)]
START = {"action": "start", "step": 1}

SLACK_BYTES = 16 * 2**20
"""For the other clients' sessions, and garbage that is not yet collected; independent of the duration."""


@contextlib.asynccontextmanager
async def others_are_served(server: Server) -> AsyncIterator[None]:
    """Run other workers and readers through the block, and check that they miss nothing."""
    async with DeliveryCheck([server], sessions=2, followers=2).running():
        yield
    assert "Traceback" not in server.log()


async def start_all(server: Server, session_ids: Iterable[str]) -> Counter[int]:
    """Start a step of each session on eight connections; return how often each status came."""
    statuses: Counter[int] = Counter()
    waiting = iter(session_ids)

    async def start_some() -> None:
        async with await Connection.open(server.port) as connection:
            for session_id in waiting:
                answer = await connection.post_json(session_path(session_id, "update"), START)
                statuses[answer.status] += 1
                assert answer.status == 200 or answer.json()["type"] == "/problems/store-full"

    await asyncio.gather(*(start_some() for _ in range(8)))
    return statuses


@serve_only  # The store counts, whichever host serves.
@pytest.mark.full
@pytest.mark.parametrize("store", ["memory://", "sqlite"])
@pytest.mark.parametrize(("cap", "ids"), [(100, 1000), pytest.param(1000, 100_000, marks=FULL)])
async def test_the_number_of_sessions_is_capped(serve: Serve, store: str, cap: int, ids: int) -> None:
    """SE-07: `start` creates them; existing sessions continue, and a deleted one frees a place."""
    server = serve(store=store, max_sessions=cap, is_forked=False)
    async with others_are_served(server):
        statuses = await start_all(server, (f"new-{n}" for n in range(cap)))
        assert statuses[200] == cap - 2  # The other clients have two.
        memory_bytes = server.memory_bytes()
        assert await start_all(server, (f"newer-{n}" for n in range(ids - cap))) == {507: ids - cap}
        assert server.memory_bytes() - memory_bytes <= SLACK_BYTES
        async with Worker.at(server) as worker:
            await worker.complete("new-0", 1)
            await worker.delete("new-1")
            await worker.start("newest", 1)


@serve_only  # A plain uvicorn takes four times the memory and the time.
@pytest.mark.parametrize(("waves", "readers"), [(2, 300), pytest.param(20, 5000, marks=FULL)])
@pytest.mark.full
async def test_streams_of_sessions_that_do_not_exist_leave_nothing(serve: Serve, waves: int, readers: int) -> None:
    """SE-07: each stream has an id of its own; memory is bounded by the streams open at a time, and is reused."""
    server = serve(is_forked=False)
    async with others_are_served(server):
        memory_bytes = []
        for wave in range(waves):
            async with LoadClients(server.port, [events_path(f"{wave}-{n}") for n in range(readers)]) as load_clients:
                await load_clients.wait_for_events(1, timeout_s=60)
                memory_bytes.append(server.memory_bytes())
            async with asyncio.timeout(20):
                while (await metrics_of(server.port))["progress_sse_streams"] >= 10:
                    pass
        assert memory_bytes[-1] - memory_bytes[0] <= SLACK_BYTES


@pytest.mark.full
@pytest.mark.parametrize("seconds", [1, pytest.param(20, marks=FULL)])
async def test_frequent_polls_of_the_longest_session_are_served(serve: Serve, seconds: int) -> None:
    """SE-07: a session of the most steps, each with name and message, is polled a hundred times a second."""
    server = serve(is_forked=False)
    async with others_are_served(server), Worker.at(server) as worker:
        await worker.create("long", steps=[{"name": "x" * 200}] * 1000)
        for step in range(1, 1001, 50):
            await worker.start("long", step)
        memory_bytes, began = server.memory_bytes(), asyncio.get_running_loop().time()
        async with polled(server, "other") as polls, await Connection.open(server.port) as connection:
            for n in range(100 * seconds):
                await asyncio.sleep(began + n / 100 - asyncio.get_running_loop().time())  # The pace of this caller.
                answer = await connection.request("GET", session_path("long"))
                assert answer.status == 200
                assert len(answer.json()["steps"]) == 1000
            await eventually(lambda: len(polls) >= 10, 20)
        assert server.memory_bytes() - memory_bytes <= SLACK_BYTES


async def test_more_readers_than_places_take_turns(serve: Serve) -> None:
    """LD-05: of 1.5 times as many readers as places, each gets in in the end; those inside miss nothing."""
    server = serve(max_streams=20)
    turns: Counter[int] = Counter()

    async def read(number: int) -> None:
        while True:
            async with await RawStream.open(server.port, events_path("s")) as stream:
                await stream.wait_until(lambda s: bool(s.events) or s.ending is not None)
                if stream.events:
                    turns[number] += 1
                    await stream.next_events(6)
                    assert [event.event for event in stream.events[:6]] == ["snapshot", *["step"] * 5]
                    return
                assert (stream.status, stream.retries, stream.ending) == (200, [30_000], "end")
            await asyncio.sleep(0.1)  # In place of half a minute.

    async with Worker.at(server) as worker:
        await worker.create("s", total_steps=1)
        await worker.start("s", 1)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            readers = [group.create_task(read(number)) for number in range(30)]
            for n in range(3000):
                await worker.update("s", action="progress", step=1, current=n)
                if all(reader.done() for reader in readers):
                    break
                await asyncio.sleep(0.02)  # The pace of this worker.
    assert set(turns.values()) == {1}
    assert "Traceback" not in server.log()
