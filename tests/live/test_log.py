"""The log of a session on the wire: each kept line reaches each reader, whatever happens to its connection."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.conftest import RunRedis, Serve
from tests.harness.metrics import parse_metrics
from tests.harness.rawsse import RawStream
from tests.harness.redis import KINDS, RedisServer
from tests.harness.serving import Server, Worker, events_path, eventually
from tests.live.asgi_hosts import serve_only
from tests.live.log_reader import LogReader, kept_lines, write_lines

ROOM = {"log_lines": 100_000, "log_bytes": 100_000_000}
"""Settings that keep all lines of a test."""

BURST = 7
DEADLINE_S = 30


async def write_until(worker: Worker, session_id: str, is_over: asyncio.Event) -> list[str]:
    """Write bursts of lines among transitions until a reader is done, then complete the session; return all lines."""
    written: list[str] = []
    await worker.start(session_id, 1)
    while not is_over.is_set():
        texts = [f"{len(written) + n}: {'x' * random.randint(0, 300)}" for n in range(random.randint(1, BURST))]
        await write_lines(worker.client, session_id, *texts)
        written += texts
        if random.random() < 0.3:
            await worker.progress(session_id, 1, len(written))
    await write_lines(worker.client, session_id, "the last line")
    await worker.complete(session_id, 1)
    return [*written, "the last line"]


async def check_delivery(server: Server, drops: int) -> LogReader:
    """Let a reader leave and return so often while a worker writes; check what it holds in the end."""
    is_over = asyncio.Event()
    async with Worker.at(server) as worker:
        await worker.create("s", total_steps=1)
        writing = asyncio.create_task(write_until(worker, "s", is_over))
        reader = LogReader(worker.client, server.port, "s")
        for _ in range(drops):
            assert not writing.done()
            await reader.follow(random.randint(1, 6))
        is_over.set()
        while not reader.is_at_end:
            await reader.follow(None)
        written = await writing
        assert reader.lines == dict(enumerate(written, start=1))
        assert await kept_lines(worker.client, "s") == reader.lines
        assert len(reader.lives) == 1
    return reader


@pytest.mark.guarantee("O")
@pytest.mark.protocol("P-24.1", "P-24.16", "P-24.19")
@pytest.mark.parametrize("drops", [10, pytest.param(100, marks=pytest.mark.full)])
async def test_a_reader_that_drops_and_returns_has_each_line_once(serve: Serve, drops: int) -> None:
    """In its place, none missing, and all of them before the end."""
    reader = await check_delivery(serve(store="memory://", **ROOM), drops)
    assert reader.repeated > 0


@pytest.mark.full
@pytest.mark.guarantee("O")
@pytest.mark.parametrize("store", ["sqlite", *KINDS])
async def test_so_it_is_with_each_store(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path, store: str
) -> None:
    """A hundred times."""
    url = redis_servers[store].url if store in KINDS else store
    await check_delivery(serve(store=url, redis_prefix=str(tmp_path), **ROOM), 100)


@pytest.mark.full
@pytest.mark.guarantee("O", 1)
@serve_only  # The store keeps them, whichever host serves.
async def test_lines_that_were_answered_survive_kills(serve: Serve) -> None:
    """SQLite keeps them under their numbers; one whose answer was lost is there once."""
    server = serve(store="sqlite", **ROOM)
    written: list[str] = []
    async with Worker.at(server) as worker:
        await worker.create("s", total_steps=1)
        life = (await worker.client.get("/api/progress/s/log")).json()["life"]
        for _ in range(10):
            killing = asyncio.create_task(asyncio.to_thread(kill_soon, server))
            while not killing.done():
                texts = [f"{len(written) + n}" for n in range(3)]
                await write_lines(worker.client, "s", *texts)
                written += texts
            await killing
        assert await kept_lines(worker.client, "s") == dict(enumerate(written, start=1))
        assert (await worker.client.get("/api/progress/s/log")).json()["life"] == life


def kill_soon(server: Server) -> None:
    server.kill()
    server.start()


@pytest.mark.full
@pytest.mark.guarantee("O", 19)
@serve_only  # As above.
async def test_lines_survive_a_restart_of_redis(serve: Serve, run_redis: RunRedis) -> None:
    """Under another life, and their numbers go on; readers that stay get the newest ones anew."""
    redis = run_redis("always")
    servers = [serve(store=redis.url, redis_prefix="log", **ROOM) for _ in range(2)]
    async with Worker.at(servers[0]) as here, Worker.at(servers[1]) as there:
        await here.create("s", total_steps=1)
        await write_lines(here.client, "s", "a", "b")
        readers = [
            LogReader(each.client, server.port, "s") for each, server in zip((here, there), servers, strict=True)
        ]
        following = [asyncio.create_task(reader.follow(None)) for reader in readers]
        await eventually(lambda: all(len(reader.lines) == 2 for reader in readers), DEADLINE_S)
        await asyncio.to_thread(redis.restart)
        await write_lines(here.client, "s", "c", "d")
        await write_lines(there.client, "s", "e")
        while (await there.update("s", action="finish")).status_code != 200:
            pass
        await asyncio.wait_for(asyncio.gather(*following), 2 * DEADLINE_S)
        for reader in readers:
            assert reader.lines == {1: "a", 2: "b", 3: "c", 4: "d", 5: "e"}
            assert len(reader.lives) == 2


@pytest.mark.full
@pytest.mark.guarantee("O")
@serve_only  # As above.
async def test_lines_that_one_server_took_reach_the_readers_of_another(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path
) -> None:
    """All of them before the end that a third one brings about; the readers hold the same."""
    servers = [serve(store=redis_servers["redis"].url, redis_prefix=str(tmp_path), **ROOM) for _ in range(2)]
    async with Worker.at(servers[0]) as here, Worker.at(servers[1]) as there:
        for number in range(5):
            session_id = f"s{number}"
            await here.create(session_id, total_steps=1)
            await here.start(session_id, 1)
            readers = [
                LogReader(each.client, server.port, session_id)
                for each, server in zip((here, there), servers, strict=True)
            ]
            following = [asyncio.create_task(reader.follow(None)) for reader in readers]
            written = [f"{n}" for n in range(60)]
            for n in range(0, 60, 3):
                await write_lines((here, there)[n % 2].client, session_id, *written[n : n + 3])
            await (here, there)[number % 2].complete(session_id, 1)
            await asyncio.wait_for(asyncio.gather(*following), DEADLINE_S)
            for reader in readers:
                assert reader.lines == dict(enumerate(written, start=1))


@pytest.mark.full
@serve_only  # Each host has buffers of its own; the rules are tested in process.
async def test_a_reader_that_takes_nothing_for_a_while_loses_no_transition(serve: Serve) -> None:
    """A flood of lines costs it lines alone, and costs another reader none; memory stays bounded."""
    server = serve(store="memory://", **ROOM, is_forked=False)
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        target = events_path("s") + "?log=1"
        async with (
            await RawStream.open(server.port, target, rcvbuf=4096) as slow,
            await RawStream.open(server.port, target) as quick,
        ):
            for stream in (slow, quick):
                await stream.next_event()
            slow.pause()
            before = server.memory_bytes()
            for n in range(100):
                await write_lines(worker.client, "s", f"{n}: first", *["x" * 1000] * 99)
                await worker.progress("s", 1, n)
            grown = server.memory_bytes() - before
            await quick.wait_until(lambda stream: stream.events[-1].event == "step" and lines_of(stream)[-1] == 10_000)
            slow.resume()
            await slow.wait_until(lambda stream: transitions_of(stream)[-1] == 102 and lines_of(stream)[-1] == 10_000)
            assert lines_of(quick) == list(range(1, 10_001))
            for stream in (slow, quick):
                assert transitions_of(stream) == list(range(1, 103))
            assert len(set(lines_of(slow))) < 10_000
            assert set(range(9_801, 10_001)) >= set(lines_of(slow)[-20:])
        shown = await metrics_of(worker)
        assert shown["progress_sse_log_gaps_total"] >= 1
        assert shown['progress_sse_resyncs_total{reason="behind"}'] == 0
        assert grown < 60_000_000  # 10 MB of lines are kept, as objects.


def lines_of(stream: RawStream) -> list[int]:
    return [line["n"] for event in stream.events if event.event == "log" for line in event.json()["lines"]]


def transitions_of(stream: RawStream) -> list[int]:
    return [event.position.offset for event in stream.events if event.event != "log"]


async def metrics_of(worker: Worker) -> dict[str, float]:
    return parse_metrics((await worker.client.get("/metrics")).text)
