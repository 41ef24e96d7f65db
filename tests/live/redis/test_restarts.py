"""A Redis or Valkey that restarts, or that is put back to an earlier state."""

import asyncio
import contextlib
import itertools
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError

from tests.conftest import RunRedis
from tests.harness.event_stream import Position
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream
from tests.harness.redis import KeyDump, Kind, Persistence, RedisServer
from tests.harness.serving import Server, Worker, events_path, eventually
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import DeliveryCheck, workers_at
from tests.live.redis.servers import Join, has_step, last_offset, until_accepted, until_polled

# The number of processes that share a store does not depend on the host that serves in each.
pytestmark = serve_only


@pytest.mark.guarantee(21)
@pytest.mark.full
@pytest.mark.parametrize(
    ("sessions", "transitions", "followers"),
    [(4, 60, 6), (20, 100, 20)],
)
async def test_nothing_is_lost_while_redis_is_killed_and_frozen(
    run_redis: RunRedis, join: Join, sessions: int, transitions: int, followers: int
) -> None:
    """DG-01, FT-03, FT-05: a Redis that keeps what it acknowledges is killed and frozen again and again meanwhile."""
    server = run_redis("always")
    harm = itertools.cycle([(server.kill, server.start), (server.pause, server.resume)])
    times = 0

    async def fault() -> None:
        nonlocal times
        await asyncio.sleep(random.uniform(0.1, 0.3))  # The pace of the fault.
        begin, end = next(harm)
        begin()
        await asyncio.sleep(random.uniform(0.1, 1))  # The duration of the fault.
        await asyncio.to_thread(end)
        times += 1

    await DeliveryCheck(join(server.url), sessions=sessions, followers=followers).run(transitions, fault)
    assert times >= 2


async def streams_at(servers: Sequence[Server]) -> list[RawStream]:
    """Open a stream of the session at each server, from its present state."""
    streams = [await RawStream.open(each.port, events_path("s")) for each in servers]
    for stream in streams:
        await stream.next_event()
    return streams


@pytest.mark.guarantee(19)
@pytest.mark.parametrize(
    "persistence", ["always", *(pytest.param(each, marks=pytest.mark.full) for each in ("everysec", "rdb"))]
)
async def test_a_restart_is_survived(run_redis: RunRedis, join: Join, persistence: Persistence) -> None:
    """FT-03: servers reconnect within 5 s, continue with what Redis kept, and send each reader a snapshot of it."""
    server = run_redis(persistence)
    servers = join(server.url)
    async with workers_at(servers) as (here, there):
        await here.start("s", 1)
        streams = await streams_at(servers)
        with server.client() as client:
            await here.progress("s", 1, 1)
            if persistence == "rdb":
                client.save()
            await here.progress("s", 1, 2)
        for stream in streams:
            await stream.next_events(2)
        await asyncio.to_thread(server.terminate if persistence == "always" else server.kill)
        await asyncio.to_thread(server.start)
        back = time.monotonic()
        # No request comes, and each stream gets its snapshot all the same.
        for stream in streams:
            snapshot = await stream.next_event()
            assert snapshot.event == "snapshot"
            assert snapshot.position.epoch != stream.events[0].position.epoch
            assert snapshot.json() == await there.poll("s")
            if persistence == "always":
                assert (snapshot.position.offset, snapshot.json()) == (3, fold_all(stream.events[:-1]))
        await until_accepted(there, "s", current=3)
        assert time.monotonic() - back < 5
        for stream in streams:
            step = await stream.next_event()
            assert (step.event, step.json()["step"]["progress"]["current"]) == ("step", 3)
            assert fold_all(stream.events) == await here.poll("s")
            await stream.aclose()


@pytest.mark.guarantee(20)
@pytest.mark.parametrize("way", ["folder", pytest.param("memory", marks=pytest.mark.full)])
async def test_a_redis_that_is_put_back_is_another_history(
    run_redis: RunRedis, join: Join, tmp_path: Path, way: str
) -> None:
    """FT-03: Redis goes back to an earlier state, though it persists every write: all clients then see that state."""
    server = run_redis("always")
    servers = join(server.url)
    async with workers_at(servers) as (here, there):
        await here.start("s", 1)
        streams = await streams_at(servers)
        with put_back(server, tmp_path / "copy", way):
            for current in (1, 2, 3):
                await here.progress("s", 1, current)
            for stream in streams:
                seen = (await stream.next_events(3))[-1].position
        await until_polled(here, "s")
        for stream in streams:
            assert (await stream.next_event()).json() == await here.poll("s") == await there.poll("s")
            assert "progress" not in stream.events[-1].json()["steps"][0]
        final = await report_past(servers, seen.offset)
        for stream in streams:
            await stream.wait_until(lambda s: fold_all(s.events) == final)
            later = stream.events[4:]
            assert [event.event for event in later] == ["snapshot", *["step"] * (len(later) - 1)]
            assert [event.position.offset for event in later] == list(range(1, seen.offset + 3))
            assert len({event.position.epoch for event in later} - {seen.epoch}) == 1
            await stream.aclose()
        await assert_is_another_history(servers, seen, final)


@pytest.mark.guarantee(20)
@pytest.mark.full
async def test_a_redis_that_is_put_back_while_no_server_runs_is_another_history(
    run_redis: RunRedis, join: Join, tmp_path: Path
) -> None:
    """FT-03: servers give a new epoch, though only the readers have seen more than Redis has."""
    server = run_redis("always")
    servers = join(server.url)
    async with workers_at(servers) as (here, _), await RawStream.open(servers[1].port, events_path("s")) as stream:
        await here.start("s", 1)
        with put_back(server, tmp_path / "copy", "folder"):
            for current in (1, 2, 3):
                await here.progress("s", 1, current)
            await stream.wait_until(lambda s: last_offset(s) == 4)
            for each in servers:
                await asyncio.to_thread(each.kill)
    for each in servers:
        await asyncio.to_thread(each.start)
    await assert_is_another_history(servers, stream.events[-1].position, await report_past(servers, 4))


@contextlib.contextmanager
def put_back(server: RedisServer, copy: Path, way: str) -> Iterator[None]:
    """At the end of the block, put a Redis back to its present state: in memory, or by its folder with a restart."""
    with server.client() as client:
        moment = KeyDump(client, "")
        shutil.copytree(server.folder, copy)
        yield
        if way == "memory":
            moment.restore()
            return
    server.end()
    shutil.copytree(copy, server.folder, dirs_exist_ok=True)
    server.start()


async def report_past(servers: list[Server], n: int) -> dict[str, Any]:
    """Report at all servers until the session is past offset `n`, and return the polled state."""
    async with workers_at(servers) as workers:
        for current in range(10, 11 + n):
            await until_accepted(workers[current % len(workers)], "s", current)
        final: dict[str, Any] = await workers[0].poll("s")
        return final


async def assert_is_another_history(servers: list[Server], seen: Position, final: dict[str, Any]) -> None:
    """A reader that returns with its old id gets a snapshot under another epoch, though its offset was passed."""
    for each in servers:
        last_event_id = f"{seen.epoch}-{seen.offset}"
        async with await RawStream.open(each.port, events_path("s"), last_event_id=last_event_id) as stream:
            event = await stream.next_event()
            assert (event.event, event.json()) == ("snapshot", final)
            assert event.position.offset > seen.offset
            assert event.position.epoch != seen.epoch


@pytest.mark.guarantee(26)
@pytest.mark.full
async def test_a_redis_that_loads_its_data_is_waited_for(run_redis: RunRedis, join: Join) -> None:
    """FT-06, LOADING: while Redis refuses every command, servers answer 503 in time; then they recover."""
    server = run_redis("always", key_load_delay=100, loading_process_events_interval_bytes=1024)
    [ours] = join(server.url, 1)
    async with Worker.at(ours) as worker, await RawStream.open(ours.port, events_path("s")) as stream:
        await worker.start("s", 1)
        await stream.wait_until(has_step)
        with server.client() as client:
            client.eval("for i = 1, 30000 do redis.call('SET', 'filling:' .. i, i) end", 0)
        await asyncio.to_thread(server.kill)
        server.launch()
        with server.client() as client:
            await eventually(lambda: is_loading(client), 30)
            assert (await worker.update("s", action="start", step=2)).status_code == 503
            assert (await worker.poll_raw("s")).status_code == 503
            assert is_loading(client)
            await eventually(lambda: not is_loading(client), 60)
        await until_accepted(worker, "s", 2)
        await stream.wait_until(lambda s: s.events[-1].position.offset >= 2)


def is_loading(client: Redis) -> bool:
    try:
        client.ping()
    except BusyLoadingError:
        return True
    except RedisError:
        return False
    return False


@pytest.mark.guarantee(22)
@pytest.mark.full
async def test_a_server_may_start_before_its_redis_does(kind: Kind, tmp_path: Path, join: Join) -> None:
    """FT-04: `/readyz` reports the server as not ready until Redis is available."""
    server = RedisServer(kind, tmp_path / "later")
    [ours] = join(server.url, 1)
    async with Worker.at(ours) as worker:
        assert (await worker.client.get("/readyz")).status_code == 503
        with server:
            await worker.start("s", 1)
            assert (await worker.client.get("/readyz")).status_code == 200
