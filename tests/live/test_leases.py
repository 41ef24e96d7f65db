"""Workers that die and servers that come back: what readers are told of a silent worker, and what not."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunRedis, Serve
from tests.harness.faketime import WallClock
from tests.harness.oracle import Body
from tests.harness.rawsse import RawStream
from tests.harness.redis import RedisServer
from tests.harness.serving import Server, Worker, events_path, eventually, session_path
from tests.live.asgi_hosts import serve_only

pytestmark = serve_only  # Who watches leases is the same on every host.

DEADLINE_S = 30
LEASE_MS = 1000

LEASED = {"attempt_id": "first", "lease_ms": LEASE_MS, "lost_after_ms": 2 * LEASE_MS}

WORKER = """
import json, sys, time, urllib.error, urllib.request
def post(**body):
    data = json.dumps({"step": 1, "attempt_id": "first", **body}).encode()
    request = urllib.request.Request(sys.argv[1], data, {"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=5).read()
post(action="start", lease_ms=int(sys.argv[2]), lost_after_ms=2 * int(sys.argv[2]))
for number in range(600):
    time.sleep(0.1)
    try:
        post(action="beat")
        print(number, flush=True)
    except (OSError, urllib.error.URLError):
        pass
"""
"""A worker that beats ten times a second, and goes on while the server is away."""

FULL = pytest.mark.full

StartWorker = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(params=[pytest.param("memory", marks=FULL), "sqlite", pytest.param("redis", marks=FULL)])
def store(request: pytest.FixtureRequest, redis_servers: dict[str, RedisServer], sid: str) -> dict[str, str]:
    """The settings of a store of each kind."""
    url = {"memory": "memory://", "sqlite": "sqlite", "redis": redis_servers["redis"].url}[request.param]
    return {"store": url, "redis_prefix": sid}


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Start workers that report to a server; each line of their output is a beat that was accepted."""
    started: list[subprocess.Popen[bytes]] = []

    def start(server: Server, sid: str, lease_ms: int = LEASE_MS) -> subprocess.Popen[bytes]:
        url = f"{server.url}{session_path(sid, 'update')}"
        command = [sys.executable, "-c", WORKER, url, str(lease_ms)]
        with (tmp_path / "beats").open("wb") as output:
            started.append(subprocess.Popen(command, stdout=output))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def beats(tmp_path: Path) -> int:
    return len((tmp_path / "beats").read_bytes().splitlines())


async def more_beats(tmp_path: Path, count: int) -> None:
    before = beats(tmp_path)
    await eventually(lambda: beats(tmp_path) >= before + count, DEADLINE_S)


def state_of(body: Body) -> str:
    step = body["steps"][0] if body["steps"] else {"status": body["status"]}
    return str(step.get("conclusion") or step.get("liveness", {}).get("state") or step["status"])


def states(stream: RawStream) -> list[str]:
    events: list[Any] = [event.json() for event in stream.events]
    return [state_of(event if "steps" in event else {"steps": [event["step"]]}) for event in events if len(event) > 1]


async def until(stream: RawStream, state: str) -> None:
    await eventually(lambda: states(stream)[-1:] == [state], DEADLINE_S)


@pytest.mark.guarantee(64)
async def test_a_killed_worker_is_stalled_then_lost_then_replaced(
    serve: Serve, store: dict[str, str], sid: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    """Each is told once; the next attempt takes over, and the dead one's last words change nothing."""
    server = serve(**store)
    async with Worker.at(server) as worker:
        await worker.create(sid, total_steps=2)
        async with await RawStream.open(server.port, events_path(sid)) as stream:
            process = start_worker(server, sid)
            await eventually(lambda: process.poll() is None and beats(tmp_path) > 2 * LEASE_MS / 100, DEADLINE_S)
            process.kill()
            await until(stream, "lost")
            body = await worker.poll(sid)
            assert (body["status"], body["conclusion"], body["steps"][0]["status"]) == ("error", "lost", "error")
            assert body["steps"][0]["error"] == "The worker gave no sign of life for 2 s."
            await worker.start(sid, 1, attempt_id="second", lease_ms=60_000)
            before = await worker.poll(sid)
            assert "conclusion" not in before
            for words in ({"action": "complete"}, {"action": "beat"}, {"action": "progress", "current": 1}):
                late = await worker.update(sid, step=1, attempt_id="first", **words)
                assert (late.status_code, late.json()["type"]) == (409, "/problems/attempt-superseded")
            update = {"session_id": sid, "action": "complete", "step": 1, "attempt_id": "first"}
            batch = await worker.client.post("/api/updates", json={"updates": [update]})
            assert [result["status"] for result in batch.json()["results"]] == [409]
            assert await worker.poll(sid) == before
            assert before["steps"][0]["attempt"] == 2
            await eventually(lambda: states(stream)[-1:] == ["live"], DEADLINE_S)
            assert states(stream) == ["pending", "live", "stalled", "lost", "live"]


@pytest.mark.guarantee(65)
@FULL
async def test_a_frozen_worker_comes_back(
    serve: Serve, store: dict[str, str], sid: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    """Its next beat makes it live again, even after it was lost."""
    server = serve(**store)
    async with Worker.at(server) as worker:
        await worker.create(sid, total_steps=1)
        async with await RawStream.open(server.port, events_path(sid)) as stream:
            process = start_worker(server, sid)
            await eventually(lambda: beats(tmp_path) > 0, DEADLINE_S)
            for state in ("stalled", "lost"):
                process.send_signal(signal.SIGSTOP)
                await until(stream, state)
                process.send_signal(signal.SIGCONT)
                await until(stream, "live")
            assert (await worker.poll(sid))["status"] == "running"


@pytest.mark.guarantee(66)
@FULL
@pytest.mark.parametrize("store", ["sqlite", "redis"], indirect=True)
async def test_a_server_that_was_away_raises_no_alarm(
    serve: Serve, store: dict[str, str], sid: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    """It was killed for longer than the lease; a worker that is still there is not called silent."""
    server = serve(**store)
    async with Worker.at(server) as worker:
        await worker.create(sid, total_steps=1)
        process = start_worker(server, sid)
        await more_beats(tmp_path, 5)
        before = await worker.poll(sid)
        server.kill()
        await asyncio.sleep(1.5 * LEASE_MS / 1000)  # Longer than the lease.
        await asyncio.to_thread(server.start)
        await more_beats(tmp_path, 2 * LEASE_MS // 100)
        assert await worker.poll(sid) == before
        process.kill()
        async with await RawStream.open(server.port, events_path(sid)) as stream:
            await until(stream, "lost")


@pytest.mark.guarantee(67)
@FULL
@pytest.mark.parametrize("store", ["redis"], indirect=True)
async def test_another_server_tells_it(serve: Serve, store: dict[str, str], sid: str) -> None:
    """The server that took the last report is killed."""
    servers = [serve(**store) for _ in range(2)]
    async with Worker.at(servers[0]) as worker, await RawStream.open(servers[1].port, events_path(sid)) as stream:
        await worker.create(sid, total_steps=1)
        await worker.start(sid, 1, **LEASED)
        await until(stream, "live")
        servers[0].kill()
        await until(stream, "lost")
        assert states(stream)[-3:] == ["live", "stalled", "lost"]


@pytest.mark.guarantee(68)
@FULL
async def test_a_frozen_redis_raises_no_alarm(
    serve: Serve, run_redis: RunRedis, sid: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    """Nor do the servers that could not reach it."""
    redis = run_redis()
    servers = [serve(store=redis.url) for _ in range(2)]
    async with Worker.at(servers[1]) as worker:
        await worker.create(sid, total_steps=1)
        start_worker(servers[0], sid, lease_ms=3 * LEASE_MS)
        await more_beats(tmp_path, 10)
        before = await worker.poll(sid)
        redis.pause()
        await asyncio.sleep(4 * LEASE_MS / 1000)  # Longer than the lease.
        redis.resume()
        await more_beats(tmp_path, 40)
        assert await worker.poll(sid) == before


@pytest.mark.guarantee(69)
@FULL
@pytest.mark.parametrize("jump", [timedelta(hours=6), timedelta(hours=-6)], ids=["forward", "back"])
async def test_a_wall_clock_that_jumps_raises_no_alarm(
    serve: Serve, sid: str, start_worker: StartWorker, tmp_path: Path, jump: timedelta
) -> None:
    """And a worker that is killed after it is found out as soon as ever."""
    clock = WallClock(tmp_path)
    command = clock.command(sys.executable, "-m", "progress_sse", "serve", "--port", "{port}", "--store", "memory://")
    server = serve(command=command)
    async with Worker.at(server) as worker, await RawStream.open(server.port, events_path(sid)) as stream:
        await worker.create(sid, total_steps=1)
        process = start_worker(server, sid)
        await more_beats(tmp_path, 5)
        before = await worker.poll(sid)
        clock.shift(jump)
        await more_beats(tmp_path, 2 * LEASE_MS // 100)
        assert await worker.poll(sid) == before
        process.kill()
        await until(stream, "lost")
