"""A Redis or Valkey that is away, frozen, full or emptied, and connections to it that break."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.conftest import RunRedis
from tests.harness.chaos import Blackhole, ChaosProxy, Pass
from tests.harness.load_clients import LoadClients
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, eventually
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import DeliveryCheck, workers_at
from tests.live.redis.servers import HEARTBEAT_S, Join, has_step, last_offset, until_polled
from tests.live.slow_readers import STALLED, assert_ended_with_retry, closed, connected_readers

# The number of processes that share a store does not depend on the host that serves in each.
pytestmark = serve_only


AWAY_S: Final = 60
"""Seconds for which Redis is away."""


@pytest.mark.guarantee(25)
@pytest.mark.full
async def test_cut_connections_and_forgotten_scripts_cost_nothing(run_redis: RunRedis, join: Join) -> None:
    """FT-06: all connections are cut and all scripts flushed, again and again: nothing is lost or applied twice."""
    server = run_redis()
    with server.client() as client:
        kinds = itertools.cycle(["pubsub", "normal"])

        async def fault() -> None:
            await asyncio.sleep(0.2)  # The pace of the fault.
            client.client_kill_filter(_type=next(kinds), skipme=True)
            client.script_flush()

        await DeliveryCheck(join(server.url), sessions=4, followers=6).run(150, fault)


@pytest.mark.guarantee(25)
@pytest.mark.full
@pytest.mark.timeout(300)
async def test_cut_subscriptions_cost_no_snapshot(run_redis: RunRedis, join: Join) -> None:
    """FT-06: subscriptions are cut every 10 ms, and each reader gets one snapshot, its first, and every step."""
    server = run_redis()
    delivery = DeliveryCheck(join(server.url), sessions=4, followers=8)
    async with delivery.running():
        with server.client() as client:
            cuts = 0
            while cuts < 700:
                await asyncio.sleep(0.01)  # The pace of the fault.
                cuts += int(client.client_kill_filter(_type="pubsub"))
    for session_id in delivery.sessions:
        counts = delivery.oracle.snapshots(session_id)
        # The id of a stream of several sessions may leave out where each of them was.
        assert {count for name, count in counts.items() if not name.startswith("several")} == {1}


@pytest.mark.guarantee(27)
async def test_a_full_redis_refuses_and_recovers(run_redis: RunRedis, join: Join) -> None:
    """FT-06: without room an update gets 507, which is no server error; polls and streams continue."""
    server = run_redis()
    [ours] = join(server.url, 1)
    async with Worker.at(ours) as worker, await RawStream.open(ours.port, events_path("s")) as stream:
        await stream.next_event()
        await worker.start("s", 1)
        with server.client() as client:
            client.config_set("maxmemory", 1)
            assert (await worker.update("s", action="start", step=2)).status_code == 507
            assert (await worker.update("other", action="start", step=2)).status_code == 507
            assert (await worker.poll("s"))["current_step"] == 1
            assert (await worker.client.get("/readyz")).status_code == 503
            client.config_set("maxmemory", 0)
        await worker.start("s", 2)
        await stream.wait_until(lambda s: last_offset(s) == 2)
        assert [event.event for event in stream.events] == ["snapshot", "snapshot", "step", "step"]


@pytest.mark.guarantee("F", 22)
@pytest.mark.protocol("P-5.23")
@pytest.mark.full
@pytest.mark.timeout(300)
async def test_streams_outlive_a_redis_that_is_away(run_redis: RunRedis, join: Join) -> None:
    """FT-04: updates and polls are refused in time, heartbeats continue, load and log stay small; then all recovers."""
    server = run_redis("always")
    [ours] = join(server.url, 1)
    async with Worker.at(ours) as worker, await RawStream.open(ours.port, events_path("s")) as stream:
        await stream.next_event()
        await worker.start("late", 1)
        await worker.start("s", 1)
        await stream.wait_until(has_step)
        await asyncio.to_thread(server.terminate)
        loop = asyncio.get_running_loop()
        began, used_s, lines = loop.time(), ours.cpu_s(), ours.log().count("\n")
        async with await RawStream.open(ours.port, events_path("late")) as late:
            while loop.time() - began < AWAY_S:
                asked = loop.time()
                answers = await asyncio.gather(
                    worker.update("s", action="start", step=2), worker.poll_raw("s"), worker.client.get("/readyz")
                )
                assert loop.time() - asked <= 6
                assert [answer.status_code for answer in answers] == [503, 503, 503]
                assert answers[0].headers["retry-after"]
                assert answers[0].json()["success"] is False
            span_s = loop.time() - began
            assert (ours.cpu_s() - used_s) / span_s <= 0.2
            assert (ours.log().count("\n") - lines) / span_s <= 10
            beats = [each.t for each in stream.log if each.t > began]
            assert max(after - before for before, after in itertools.pairwise(beats)) < HEARTBEAT_S + 1
            assert late.status == 200
            assert late.events == []
            await asyncio.to_thread(server.start)
            assert (await late.next_event()).json() == await worker.poll("late")
        await worker.start("s", 2)
        await stream.wait_until(lambda s: last_offset(s) == 2)
        assert (await worker.client.get("/readyz")).status_code == 200


@pytest.mark.guarantee(29)
@pytest.mark.full
async def test_a_redis_that_evicts_leaves_no_session_half_there(run_redis: RunRedis, join: Join) -> None:
    """FT-06, allkeys-lru: an evicted session is not found and can be recreated; its readers are notified, no errors."""
    server = run_redis(maxmemory="3mb", maxmemory_policy="allkeys-lru")
    [ours] = join(server.url, 1)
    names = [f"s{number}" for number in range(400)]
    async with Worker.at(ours) as worker, await RawStream.open(ours.port, events_path("s0")) as stream:
        for name in names:
            for step in (1, 2):
                answer = await worker.update(name, action="start", step=step, message="x" * 4000)
                assert answer.status_code == 200, answer.text
        with server.client() as client:
            assert client.info("stats")["evicted_keys"] > 100
        gone = set()
        for name in names[1:]:
            polled = await worker.poll(name)
            gone.add(polled["status"] == "not_found")
            async with await RawStream.open(ours.port, events_path(name)) as reader:
                state = (await reader.next_event()).json()
                assert (state["status"], state["current_step"]) == (polled["status"], polled["current_step"])
        assert gone == {True, False}
        await worker.start("s0", 3)
        final = await worker.poll("s0")
        await stream.wait_until(lambda s: fold_all(s.events) == final)
    assert "Traceback" not in ours.log()


@pytest.mark.guarantee(30)
@pytest.mark.full
async def test_idle_streams_learn_that_redis_forgot_everything(run_redis: RunRedis, join: Join) -> None:
    """FT-06, FLUSHALL: each open stream gets the `not_found` snapshot, though no client reports or polls."""
    server = run_redis()
    ours = join(server.url)
    async with contextlib.AsyncExitStack() as stack:
        worker = await stack.enter_async_context(Worker.at(ours[0]))
        for number in range(10):
            await worker.start(f"s{number}", 1)
        streams = [
            await stack.enter_async_context(await RawStream.open(each.port, events_path(f"s{number}")))
            for each in ours
            for number in range(10)
        ]
        for stream in streams:
            await stream.next_event()
        with server.client() as client:
            client.flushall()
        for stream in streams:
            await stream.wait_until(lambda s: s.events[-1].json()["status"] == "not_found")
            assert stream.events[-1].event == "snapshot"
        await worker.start("s0", 1)
        await streams[0].wait_until(has_step)


@pytest.mark.guarantee(23)
@pytest.mark.full
async def test_a_frozen_redis_applies_nothing_twice(run_redis: RunRedis, join: Join) -> None:
    """FT-05: 8 s of silence with 50 updates under way: each is applied once or not at all, and heartbeats continue."""
    server = run_redis()
    servers = join(server.url)
    sessions = [f"s{n}" for n in range(50)]
    async with workers_at(servers) as workers, await RawStream.open(servers[0].port, events_path("idle")) as control:
        for session_id in sessions:
            await workers[0].create(session_id)
        frozen = asyncio.get_running_loop().time()
        server.pause()
        starts = [workers[n % 2].update(s, action="start", step=1) for n, s in enumerate(sessions)]
        answers = await asyncio.gather(*starts)
        assert {answer.status_code for answer in answers} <= {200, 503}
        await control.wait_until(lambda s: s.log[-1].t > frozen + 8, 12)
        server.resume()
        for session_id in sessions:
            await until_polled(workers[0], session_id)
            async with await RawStream.open(servers[1].port, events_path(session_id)) as stream:
                snapshot = await stream.next_event()
                assert snapshot.position.offset in (0, 1)
                assert snapshot.json()["current_step"] == snapshot.position.offset
        beats = [each.t for each in control.log]
        assert max(after - before for before, after in itertools.pairwise(beats)) < HEARTBEAT_S + 1


@pytest.mark.guarantee(24)
@pytest.mark.full
@pytest.mark.timeout(300)
async def test_a_half_open_connection_is_noticed(run_redis: RunRedis, join: Join) -> None:
    """FT-07: a connection to Redis moves nothing for 60 s, without an error; the server notices and misses nothing."""
    server = run_redis()
    async with ChaosProxy(server.port) as proxy:
        [near] = join(server.url, 1)
        [far] = await asyncio.to_thread(join, server.url_through(proxy.port), 1)
        async with workers_at([near, far]) as (worker, _), await RawStream.open(far.port, events_path("s")) as stream:
            await stream.next_event()
            await worker.start("s", 1)
            await stream.wait_until(has_step)
            proxy.switch(Blackhole())
            lost = asyncio.get_running_loop().time()
            await eventually(lambda: "no sign of life" in far.log(), 15)
            for current in range(20):
                await worker.progress("s", 1, current)
            await stream.wait_until(lambda s: s.log[-1].t > lost + 60, 70)
            assert len(stream.events) == 3
            proxy.switch(Pass())
            await stream.wait_until(lambda s: last_offset(s) == 21, 15)
            assert [event.event for event in stream.events[2:]] == ["step"] * 21
            assert [event.position.offset for event in stream.events[2:]] == list(range(1, 22))


@pytest.mark.full
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_server_stops_in_time_behind_a_blackhole(run_redis: RunRedis, join: Join, workers: int) -> None:
    """FT-13: 500 streams, 10 of them stalled, updates under way, and Redis is out of reach."""
    server = run_redis()
    async with ChaosProxy(server.port) as proxy:
        settings = {"workers": workers, "graceful_timeout_s": 2}
        [ours] = await asyncio.to_thread(join, server.url_through(proxy.port), 1, **settings)
        async with workers_at([ours]) as (worker,), connected_readers(ours, worker) as (good, stalled):
            proxy.switch(Blackhole())
            async with updates_under_way(ours, worker):
                assert await asyncio.to_thread(ours.terminate, 4) == 0
            assert_ended_with_retry([await closed(stream) for stream in good])
            assert len(stalled) == STALLED


@pytest.mark.full
@pytest.mark.guarantee(3)
async def test_a_server_stops_in_time_with_redis_or_without(run_redis: RunRedis, join: Join) -> None:
    """FT-13: with Redis frozen and updates under way it still exits with code 0 within the graceful timeout and 2 s."""
    server = run_redis()
    servers = join(server.url, graceful_timeout_s=2)
    async with workers_at(servers) as (here, there):
        await asyncio.gather(here.start("s", 1), there.start("t", 1))
        load_clients = LoadClients(servers[0].port, [events_path("s")] * 100)
        async with load_clients:
            await load_clients.wait_for_events(1, 10)
            assert await asyncio.to_thread(servers[1].terminate, 4) == 0
            server.pause()
            async with updates_under_way(servers[0], here):
                assert await asyncio.to_thread(servers[0].terminate, 4) == 0


@contextlib.asynccontextmanager
async def updates_under_way(server: Server, worker: Worker) -> AsyncIterator[None]:
    """Send ten updates, which a Redis that is out of reach cannot answer; all have ended after the block."""
    idle = len(server.client_ports())
    updates = [asyncio.create_task(worker.update(f"u{n}", action="start", step=1)) for n in range(10)]
    await eventually(lambda: len(server.client_ports()) >= idle + len(updates) - 1, 10)  # One connection is reused.
    yield
    await asyncio.gather(*updates, return_exceptions=True)
