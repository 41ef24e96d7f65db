"""Several servers on one Redis or Valkey: readers at each of them see what another one accepts."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError

from tests.conftest import RunRedis, Serve
from tests.harness.chaos import Blackhole, ChaosProxy, Pass
from tests.harness.load_clients import LoadClients
from tests.harness.oracle import fold_all
from tests.harness.rawsse import Position, RawStream
from tests.harness.redis import KeyDump, Kind, Persistence, RedisServer
from tests.harness.serving import Server, Worker, events_path, eventually, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import DeliveryCheck, workers_at
from tests.live.slow_readers import STALLED, assert_ended_with_retry, closed, connected_readers

# The number of processes that share a store does not depend on the host that serves in each.
pytestmark = serve_only

HEARTBEAT_S: Final = 0.3

AWAY_S: Final = 60
"""Seconds for which Redis is away."""

FULL: Final = pytest.mark.full

Join = Callable[..., list[Server]]


@pytest.fixture
def join(serve: Serve, tmp_path: Path) -> Iterator[Join]:
    """Start several servers on one Redis, and check at the end that none logged an unexpected error."""
    started: list[Server] = []

    def start(url: str, count: int = 2, **settings: Any) -> list[Server]:
        settings = {"heartbeat_s": HEARTBEAT_S, "retry_ms": 100, "redis_prefix": str(tmp_path), **settings}
        servers = [serve(store=url, **settings) for _ in range(count)]
        started.extend(servers)
        return servers

    yield start
    for server in started:
        assert "Traceback" not in server.log()


@pytest.fixture
def pair(join: Join, kind: Kind, redis_servers: dict[str, RedisServer]) -> list[Server]:
    """Two servers on a shared Redis, which the test must not harm."""
    return join(redis_servers[kind].url)


def has_step(stream: RawStream) -> bool:
    """Whether a transition has arrived."""
    return any(event.event == "step" for event in stream.events)


def last_n(stream: RawStream) -> int:
    """The offset of the newest event that has one."""
    return stream.events[-1].position.offset if stream.events else -1


# DG-11, DG-03, DG-04


async def test_readers_at_one_server_get_updates_sent_to_another(
    pair: list[Server], record_property: Callable[..., None]
) -> None:
    """DG-11: what one server accepts, a reader at the other gets in order, as a rule within 250 ms."""
    count = 500
    here, there = pair
    async with Worker.at(here) as worker, await RawStream.open(there.port, events_path("s")) as stream:
        await stream.next_event()
        await worker.start("s", 1)
        await stream.wait_until(lambda s: len(s.events) == 3)  # Absent, pending, started.
        sent: list[float] = []
        for current in range(count):
            sent.append(asyncio.get_running_loop().time())
            await worker.progress("s", 1, current)
        await stream.wait_until(lambda s: len(s.events) == 3 + count)
        assert [event.position.offset for event in stream.events[1:]] == list(range(count + 2))
        seen = [logged.t for logged in stream.log if logged.block.event == "step"][1:]
        delays = sorted(there_t - here_t for there_t, here_t in zip(seen, sent, strict=True))
        record_property("p99_ms", round(delays[count * 99 // 100] * 1000, 1))
        assert delays[count // 2] <= 0.25  # None waits for a poll of Redis; the machine may be busy at times.
        assert fold_all(stream.events) == await worker.poll("s")


async def test_a_client_reads_at_one_server_what_it_wrote_at_another(pair: list[Server]) -> None:
    """DG-03: after each 200, the poll and a new stream of the other server include the change."""
    async with workers_at(pair) as (here, there):
        for step in range(1, 8):
            await here.start("s", step)
            await here.complete("s", step, message=f"m{step}")
            polled = await there.poll("s")
            assert (polled["steps"][step - 1]["message"], polled) == (f"m{step}", await here.poll("s"))
            async with await RawStream.open(pair[1].port, events_path("s")) as stream:
                assert (await stream.next_event()).json() == polled


@pytest.mark.parametrize("rounds", [4, pytest.param(200, marks=[pytest.mark.full, pytest.mark.timeout(600)])])
async def test_concurrent_updates_at_two_servers_lose_nothing(pair: list[Server], rounds: int) -> None:
    """DG-04: one completion sent by all is one transition; 32 different steps sent at once are 32."""
    async with workers_at(pair) as workers:
        for number in range(rounds):
            session_id = f"s{number}"
            await workers[0].create(session_id, total_steps=32)
            async with await RawStream.open(pair[number % 2].port, events_path(session_id)) as stream:
                await stream.next_event()
                await asyncio.gather(*(workers[n % 2].start(session_id, n) for n in range(1, 33)))
                await asyncio.gather(*(workers[n % 2].complete(session_id, n) for n in range(1, 32)))
                await asyncio.gather(*(workers[n % 2].complete(session_id, 32) for n in range(32)))
                final = await workers[0].poll(session_id)
                assert (final["percentage"], final["status"]) == (100, "completed")
                await stream.wait_until(lambda s: s.events[-1].event == "end")
                assert [event.event for event in stream.events] == ["snapshot", *["step"] * 64, "end"]
                assert [event.position.offset for event in stream.events[:-1]] == list(range(65))
                assert fold_all(stream.events) == final


# DG-01, DG-12, also under faults of Redis


@pytest.mark.parametrize(
    ("sessions", "transitions", "followers"),
    [(6, 60, 12), pytest.param(50, 200, 40, marks=[pytest.mark.full, pytest.mark.timeout(900)])],
)
async def test_followers_of_two_servers_miss_nothing(
    pair: list[Server], sessions: int, transitions: int, followers: int
) -> None:
    """DG-01, DG-12: followers drop and resume at the other server: nothing lost, twice, out of order or diverged."""
    await DeliveryCheck(pair, sessions=sessions, followers=followers).run(transitions)


@pytest.mark.full
@pytest.mark.parametrize(
    ("sessions", "transitions", "followers"),
    [(4, 60, 6), pytest.param(50, 200, 40, marks=pytest.mark.timeout(900))],
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
        await asyncio.sleep(random.uniform(0.1, 0.3))
        begin, end = next(harm)
        begin()
        await asyncio.sleep(random.uniform(0.1, 1))
        await asyncio.to_thread(end)
        times += 1

    await DeliveryCheck(join(server.url), sessions=sessions, followers=followers).run(transitions, fault)
    assert times >= 2


# FT-06


@pytest.mark.full
async def test_cut_connections_and_forgotten_scripts_cost_nothing(run_redis: RunRedis, join: Join) -> None:
    """FT-06: all connections are cut and all scripts flushed, again and again: nothing is lost or applied twice."""
    server = run_redis()
    with server.client() as client:
        kinds = itertools.cycle(["pubsub", "normal"])

        async def fault() -> None:
            await asyncio.sleep(0.2)
            client.client_kill_filter(_type=next(kinds), skipme=True)
            client.script_flush()

        await DeliveryCheck(join(server.url), sessions=4, followers=6).run(150, fault)


@FULL
@pytest.mark.timeout(300)
async def test_cut_subscriptions_cost_no_snapshot(run_redis: RunRedis, join: Join) -> None:
    """FT-06: subscriptions are cut every 10 ms, and each reader gets one snapshot, its first, and every step."""
    server = run_redis()
    delivery = DeliveryCheck(join(server.url), sessions=4, followers=8)
    async with delivery.running():
        with server.client() as client:
            cuts = 0
            while cuts < 700:
                await asyncio.sleep(0.01)
                cuts += int(client.client_kill_filter(_type="pubsub"))
    for session_id in delivery.sessions:
        counts = delivery.oracle.snapshots(session_id)
        # The id of a stream of several sessions may leave out where each of them was.
        assert {count for name, count in counts.items() if not name.startswith("several")} == {1}


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
        await stream.wait_until(lambda s: last_n(s) == 2)
        assert [event.event for event in stream.events] == ["snapshot", "snapshot", "step", "step"]


# FT-03


async def streams_at(servers: Sequence[Server]) -> list[RawStream]:
    """Open a stream of the session at each server, from its present state."""
    streams = [await RawStream.open(each.port, events_path("s")) for each in servers]
    for stream in streams:
        await stream.next_event()
    return streams


@pytest.mark.parametrize("persistence", ["always", *(pytest.param(each, marks=FULL) for each in ("everysec", "rdb"))])
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
        await until_taken(there, "s", current=3)
        assert time.monotonic() - back < 5
        for stream in streams:
            step = await stream.next_event()
            assert (step.event, step.json()["step"]["progress"]["current"]) == ("step", 3)
            assert fold_all(stream.events) == await here.poll("s")
            await stream.aclose()


async def until_taken(worker: Worker, session_id: str, current: int) -> None:
    """Report until the store is available again."""
    while (response := await worker.update(session_id, action="progress", step=1, current=current)).status_code != 200:
        assert response.status_code == 503


@pytest.mark.parametrize("way", ["folder", "memory"])
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


@FULL
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
            await stream.wait_until(lambda s: last_n(s) == 4)
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
    """Report at all servers until the session is past offset `n`, and return what polls show then."""
    async with workers_at(servers) as workers:
        for current in range(10, 11 + n):
            await until_taken(workers[current % len(workers)], "s", current)
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


# FT-04, FT-05, FT-07, FT-13


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
        await stream.wait_until(lambda s: last_n(s) == 2)
        assert (await worker.client.get("/readyz")).status_code == 200


@FULL
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
        await until_taken(worker, "s", 2)
        await stream.wait_until(lambda s: s.events[-1].position.offset >= 2)


def is_loading(client: Redis) -> bool:
    """Whether Redis runs, and still loads its data."""
    try:
        client.ping()
    except BusyLoadingError:
        return True
    except RedisError:
        return False
    return False


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


@FULL
async def test_a_server_may_start_before_its_redis_does(kind: Kind, tmp_path: Path, join: Join) -> None:
    """FT-04: `/readyz` reports the server as not ready until Redis is available."""
    server = RedisServer(kind, tmp_path / "later")
    [ours] = join(server.url, 1)
    async with Worker.at(ours) as worker:
        assert (await worker.client.get("/readyz")).status_code == 503
        with server:
            await worker.start("s", 1)
            assert (await worker.client.get("/readyz")).status_code == 200


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


async def until_polled(worker: Worker, session_id: str) -> None:
    """Poll until the store is available again."""
    while (response := await worker.poll_raw(session_id)).status_code != 200:
        assert response.status_code == 503


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
            await stream.wait_until(lambda s: last_n(s) == 21, 15)
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
            updates = [asyncio.ensure_future(worker.update(f"u{n}", action="start", step=1)) for n in range(10)]
            await asyncio.sleep(0)
            assert await asyncio.to_thread(ours.terminate, 4) == 0
            assert_ended_with_retry([await closed(stream) for stream in good])
            assert len(stalled) == STALLED
            await asyncio.gather(*updates, return_exceptions=True)


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
            updates = [asyncio.ensure_future(here.update(f"u{n}", action="start", step=1)) for n in range(10)]
            await asyncio.sleep(0)
            assert await asyncio.to_thread(servers[0].terminate, 4) == 0
            await asyncio.gather(*updates, return_exceptions=True)


@pytest.mark.full
@pytest.mark.timeout(180)
async def test_ten_thousand_readers_cost_redis_two_connections(run_redis: RunRedis, join: Join) -> None:
    """FT-12: two connections suffice for any number of readers and sessions, and all readers get what is reported."""
    server = run_redis()
    [ours] = join(server.url, 1, max_streams=20_000, heartbeat_s=15)
    names = [f"s{number}" for number in range(5000)]
    async with (
        Worker.at(ours) as worker,
        LoadClients(ours.port, [events_path(name) for name in names] * 2) as load_clients,
    ):
        await load_clients.wait_for_events(1, 60)
        with server.client() as client:
            assert clients(client) == 2 + 1
            assert len(client.pubsub_channels()) == len(names)
            for name in names:
                await worker.start(name, 1)
            await load_clients.wait_for_events(2, 60)
            assert clients(client) == 2 + 1


# FT-12


@pytest.mark.parametrize("rounds", [20, pytest.param(400, marks=[pytest.mark.full, pytest.mark.timeout(600)])])
async def test_readers_that_come_and_go_leave_nothing_in_redis(run_redis: RunRedis, join: Join, rounds: int) -> None:
    """FT-12: whenever readers disconnect, connections and subscriptions are afterwards as they were before."""
    server = run_redis()
    [ours] = join(server.url, 1)

    async def vanish(number: int) -> None:
        stream = await RawStream.open(ours.port, events_path(f"s{number % 100}"))
        if number % 2:
            await stream.next_event()
        await stream.abort()

    with server.client() as client:
        await eventually(lambda: clients(client) == 2 + 1, 30)  # The server's two, and the test's own.
        async with Worker.at(ours) as worker:
            await worker.start("s0", 1)
        descriptors = ours.descriptors()
        for number in range(rounds):
            await asyncio.gather(*(vanish(number * 50 + n) for n in range(50)))
        await eventually(lambda: client.pubsub_channels() == [], 30)
        await eventually(lambda: clients(client) == 2 + 1 and ours.descriptors() <= descriptors, 30)


def clients(client: Redis) -> int:
    """The number of connections that the Redis has."""
    info = client.info("clients")
    assert isinstance(info, dict)
    return int(info["connected_clients"])


# SE-12


@pytest.mark.parametrize(
    ("readers", "rounds"), [(16, 30), pytest.param(200, 500, marks=[pytest.mark.full, pytest.mark.timeout(1200)])]
)
async def test_each_client_gets_the_response_to_its_own_request(pair: list[Server], readers: int, rounds: int) -> None:
    """SE-12: while other clients abort at random, each answer is that of the session that was asked for."""
    is_over = asyncio.Event()
    sessions = [f"s{n}" for n in range(20)]

    async def check(number: int) -> None:
        session_id = sessions[number % len(sessions)]
        async with Worker.at(pair[number % 2]) as worker:
            for _ in range(rounds):
                polled = await worker.poll(session_id)
                assert (polled["session_id"], polled["steps"][0]["message"]) == (session_id, session_id)
            async with await RawStream.open(pair[number % 2].port, events_path(session_id)) as stream:
                assert (await stream.next_event()).json()["session_id"] == session_id

    async def abort(number: int) -> None:
        rng = random.Random(number)
        while not is_over.is_set():
            session_id = rng.choice(sessions)
            path = rng.choice([session_path(session_id), events_path(session_id)])
            stream = await RawStream.open(rng.choice(pair).port, path)
            await asyncio.sleep(rng.random() / 200)
            await stream.abort()

    async with workers_at(pair) as workers:
        for number, session_id in enumerate(sessions):
            await workers[number % 2].start(session_id, 1)
            await workers[number % 2].progress(session_id, 1, 1, message=session_id)
    async with asyncio.TaskGroup() as group:
        aborting = [group.create_task(abort(number)) for number in range(readers)]
        async with asyncio.TaskGroup() as checking:
            for number in range(readers):
                checking.create_task(check(number))
        is_over.set()
        await asyncio.gather(*aborting)
    for server in pair:
        assert "Traceback" not in server.log()


# Secrets


@FULL
async def test_the_password_is_shown_nowhere(run_redis: RunRedis, join: Join) -> None:
    """Neither the greeting nor the log of a refused connection shows the password."""
    server = run_redis()
    with server.client() as client:
        client.config_set("requirepass", "hush-hush")
    good = server.url.replace("redis://", "redis://:hush-hush@")
    [ours] = join(good, 1)
    async with Worker.at(ours) as worker:
        await worker.start("s", 1)
    assert re.search(r"store +redis://\*\*\*@127\.0\.0\.1", ours.log())
    [refused] = join(good.replace("hush-hush", "hush-wrong"), 1)
    async with Worker.at(refused) as worker:
        assert (await worker.update("s", action="start", step=1)).status_code == 503
    assert "hush" not in ours.log() + refused.log()
