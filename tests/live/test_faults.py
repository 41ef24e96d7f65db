"""Faults around the server: it is killed, its database is locked, it is stopped."""

import asyncio
import contextlib
import itertools
import random
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.harness.event_stream import Block
from tests.harness.http1 import Connection, request_bytes
from tests.harness.oracle import Oracle, fold_all, tag_of
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import DeliveryCheck
from tests.live.slow_readers import STALLED, assert_ended_with_retry, closed, connected_readers

# FT-01


def assert_integrity(server: Server) -> None:
    """Check that SQLite finds nothing wrong, on a copy, so that recovery is left to the server."""
    copy = server.folder / "copy"
    copy.mkdir(exist_ok=True)
    for path in server.folder.glob(server.database.name + "*"):
        shutil.copy(path, copy / path.name)
    with contextlib.closing(sqlite3.connect(copy / server.database.name)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    shutil.rmtree(copy)


async def kill_and_start(server: Server) -> float:
    """Kill the server, check the files that it left, and start it; return the processor time of the start."""
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(assert_integrity, server)
    await asyncio.to_thread(server.start)
    return server.cpu_s()


@pytest.mark.guarantee(1)
@pytest.mark.parametrize("rounds", [1, pytest.param(50, marks=[pytest.mark.full, pytest.mark.timeout(600)])])
async def test_a_killed_server_keeps_what_it_acknowledged(serve: Serve, rounds: int) -> None:
    """FT-01: killed at random moments under load: each 200 is kept, nothing is half applied, clients resume.

    A start takes five seconds at most, of a processor for itself.
    """
    server = serve(store="sqlite", history=1_000_000, history_bytes=1 << 30, retry_ms=100)
    check = DeliveryCheck([server], sessions=6, followers=6, can_stay=False)
    async with check.running():
        for _ in range(rounds):
            await check.wait_for_updates(random.randint(20, 80))
            assert await kill_and_start(server) <= 5
    async with Worker.at(server) as worker:
        for session_id in check.sessions:
            epoch, _, n = (await worker.poll_raw(session_id)).headers["etag"].strip('"').rpartition("-")
            acknowledged = [post.tag for post in check.oracle.posts if post.session_id == session_id]
            # No state is without its event, and no event without its state.
            log = await first_events(server, session_id, f"{epoch}-0", len(acknowledged))
            assert [event.position.offset for event in log] == list(range(1, int(n) + 1))
            assert [tag_of(event.json()) for event in log] == acknowledged
    assert "Traceback" not in server.log()


async def first_events(server: Server, session_id: str, last_event_id: str | None, count: int) -> list[Block]:
    """The first events that a reader with that id gets."""
    async with await RawStream.open(server.port, events_path(session_id), last_event_id=last_event_id) as stream:
        return await stream.next_events(count, timeout_s=20)


@pytest.mark.guarantee(1)
async def test_a_session_lost_from_memory_is_not_found(serve: Serve) -> None:
    """FT-01: after a kill a session in memory is `not_found` under a new epoch; recreated, it is another one."""
    server = serve(store="memory://")
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        async with await RawStream.open(server.port, events_path("s")) as stream:
            last = await stream.next_event()
            await asyncio.to_thread(server.kill)
            await stream.closed()
        await asyncio.to_thread(server.start)
        async with await RawStream.open(server.port, events_path("s"), last_event_id=last.id) as stream:
            gone = await stream.next_event()
            assert (gone.event, gone.json()["status"]) == ("snapshot", "not_found")
            assert gone.position.epoch != last.position.epoch
            assert (await worker.update("s", action="complete", step=1)).status_code == 404
            await worker.start("s", 1)
            created, step = await stream.next_events(2)
            assert created.position == (step.position.epoch, 0)
            assert step.position.epoch not in (last.position.epoch, gone.position.epoch)


# FT-08

HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
database.execute("ROLLBACK")
"""


@contextlib.asynccontextmanager
async def held(database: Path) -> AsyncIterator[None]:
    """Let another process hold an exclusive transaction on the database during the block."""
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, database, stdin=pipe, stdout=pipe)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert await holder.stdout.readline() == b"held\n"
        yield
    finally:
        holder.stdin.close()
        await holder.wait()


@pytest.mark.full
@pytest.mark.guarantee("F", 11)
@serve_only  # The store waits, whichever host serves.
@pytest.mark.parametrize("held_s", [6, 10])
async def test_a_locked_database_stops_writers_alone(serve: Serve, held_s: float) -> None:
    """FT-08: another process holds the database: POSTs wait for 5 s, then get 503; heartbeats and polls continue."""
    server = serve(store="sqlite", heartbeat_s=0.5)
    oracle = Oracle()
    loop = asyncio.get_running_loop()
    async with (
        Worker.at(server) as worker,
        await RawStream.open(server.port, events_path("s")) as stream,
    ):
        await stream.next_event()
        await worker.create("s")
        await oracle.post(worker, "s", "start", 1)
        async with held(server.database):
            began = loop.time()
            waiting = [asyncio.create_task(oracle.post(worker, "s", "progress", 1, current=n)) for n in range(20)]
            refused = await worker.update("s", action="progress", step=1, current=99)
            waited_s = loop.time() - began
            assert refused.status_code == 503
            assert refused.headers["Content-Type"] == "application/problem+json"
            assert refused.json()["success"] is False
            assert int(refused.headers["Retry-After"]) <= 30
            assert waited_s <= 8
            assert (await worker.poll("s"))["steps"][0]["status"] == "running"
            while loop.time() - began < held_s:
                beats = len(stream.comments)
                await stream.wait_until(lambda s, beats=beats: len(s.comments) > beats, 2)  # type: ignore[misc]
        times = [received.t for received in stream.comments if received.t >= began]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert max(gaps) <= 0.5 + 2  # If the lock blocked the loop, none would come for seconds.
        await asyncio.gather(*waiting)
        after = await oracle.post(worker, "s", "progress", 1, current=100)
        assert after.outcome == "ok"
        final = await worker.poll("s")
        await stream.wait_until(lambda s: fold_all(s.events) == final)
        view = oracle.view("s", "stream")
        for event in stream.events[1:]:
            view.saw(event)
        verdict = oracle.check("s", final)
        assert verdict.is_clean(), verdict


# FT-13


async def post_until_refused(oracle: Oracle, worker: Worker, session_id: str) -> None:
    post = await oracle.post(worker, session_id, "start", 1)
    current = 0
    while post.outcome == "ok":
        post = await oracle.post(worker, session_id, "progress", 1, current=current)
        current += 1


@pytest.mark.full
@pytest.mark.guarantee(3)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopping_server_ends_its_streams_in_order(
    serve: Serve, factory: str | None, number: signal.Signals
) -> None:
    """FT-13: with 500 streams, 10 stalled, and POSTs in flight: clean ends, code 0, in time, nothing lost."""
    server = serve(store="sqlite", graceful_timeout_s=3, retry_ms=2000, history=100_000, history_bytes=1 << 28)
    oracle = Oracle()
    sessions = [f"posts-{n}" for n in range(8)]
    async with Worker.at(server) as worker:
        for session_id in sessions:
            await worker.create(session_id)
        first = {s: (await first_events(server, s, None, 1))[0] for s in sessions}
        async with connected_readers(server, worker) as (good, stalled):
            posting = [asyncio.create_task(post_until_refused(oracle, worker, session_id)) for session_id in sessions]
            await first_events(server, sessions[-1], first[sessions[-1]].id, 20)  # All streams are under load.
            loop = asyncio.get_running_loop()
            stopped_at = loop.time()
            server.signal(number)
            code = await asyncio.to_thread(server.wait, 12)
            assert loop.time() - stopped_at <= 3 + 4
            await asyncio.gather(*posting)
            assert_ended_with_retry([await closed(stream) for stream in good])
            assert len(stalled) == STALLED
    assert code in (0, -number)
    if factory is None:  # A plain uvicorn raises the signal again at its end, and logs what it dropped.
        assert code == 0
        assert "Traceback" not in server.log()
        assert "ERROR" not in server.log()
    await asyncio.to_thread(server.start)
    for session_id in sessions:
        posts = [post for post in oracle.posts if post.session_id == session_id]
        acknowledged = [post.tag for post in posts if post.outcome == "ok"]
        assert acknowledged
        log = await first_events(server, session_id, first[session_id].id, len(acknowledged))
        assert [tag_of(event.json()) for event in log] == acknowledged


@serve_only  # The server decides what a second signal does.
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.full
async def test_a_second_signal_ends_it_at_once(serve: Serve, number: signal.Signals) -> None:
    """FT-13: a second signal ends the wait for stalled readers."""
    server = serve(graceful_timeout_s=60, send_timeout_s=60)
    async with Worker.at(server) as worker, connected_readers(server, worker) as (good, _):
        # A request with an unfinished body is another thing to wait for.
        slow = await Connection.open(server.port)
        head = [("Content-Type", "application/json"), ("Content-Length", "100")]
        slow.writer.write(request_bytes("POST", session_path("good", "update"), head) + b"{")
        await slow.writer.drain()
        server.signal(number)
        for stream in good:
            await stream.closed()
        assert server.is_running()
        server.signal(number)
        assert await asyncio.to_thread(server.wait, 15) == -number  # Much shorter than the wait for the readers.
        await slow.aclose()
    assert "Traceback" not in server.log()


async def test_a_stopping_server_takes_no_new_readers(serve: Serve) -> None:
    """FT-13: while it drains, `/readyz` says so or the port is closed; no new stream is opened and then ended."""
    server = serve(graceful_timeout_s=60, send_timeout_s=60)
    async with Worker.at(server) as worker, connected_readers(server, worker) as (good, _):
        server.signal(signal.SIGTERM)
        await good[0].closed()
        with contextlib.suppress(OSError):
            async with await Connection.open(server.port) as late:
                assert (await late.request("GET", "/readyz")).status == 503
