"""The store's disk: full, read-only, and the share of the write-ahead log."""

import asyncio
import contextlib
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Self, TypeAlias

import pytest

from tests.conftest import RunRedis, Serve
from tests.harness.disk import ReportedDisk, SmallDisk
from tests.harness.load_clients import LoadClients
from tests.harness.oracle import Body, Oracle, fold_all
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, eventually, publish
from tests.live.asgi_hosts import serve_only

pytestmark = serve_only  # The faults are in the store, whichever host serves.

SOON_S = 20
MEGABYTE = 1024 * 1024


Disk: TypeAlias = SmallDisk | ReportedDisk


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A disk of 8 MB, unless a test names another kind."""
    with getattr(request, "param", SmallDisk)(tmp_path / "disk", "8m") as disk:
        yield disk


def serving_on(disk: Disk) -> list[str]:
    serve = [sys.executable, "-m", "progress_sse", "serve", "--port", "{port}", "--heartbeat-s", "0.5"]
    return disk.command(*serve, "--store", f"sqlite:///{disk.folder}/progress.db")


def assert_sound(disk: Disk) -> None:
    """Check that SQLite finds nothing wrong in the database that a server left behind."""
    with contextlib.closing(sqlite3.connect(disk.host_path / "progress.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


class SessionProbe:
    """Reports on a session during a fault, with one stream of it open throughout."""

    def __init__(self, server: Server, worker: Worker, stream: RawStream) -> None:
        """Follow `s` at a server by `stream`, which was just opened."""
        self.oracle = Oracle()
        self.worker = worker
        self._server = server
        self._stream = stream
        self._current = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, server: Server) -> AsyncIterator[Self]:
        """Create a session, and check at the end that nothing of it was lost."""
        path = events_path("s")
        async with Worker.at(server) as worker, await RawStream.open(server.port, path) as stream:
            await stream.next_event()
            await worker.create("s")
            probe = cls(server, worker, stream)
            await probe.oracle.post(worker, "s", "start", 1)
            yield probe
            await probe.check()
        assert "Traceback" not in server.log()

    async def report(self) -> int | None:
        self._current += 1
        return (await self.oracle.post(self.worker, "s", "progress", 1, current=self._current)).status

    async def report_until_refused(self) -> Body:
        """Report large texts until the remaining room is full, and return the problem."""
        for _ in range(2000):
            await self.report()
            answer = await self.worker.update("big", action="start", step=1)
            if answer.status_code == 200:
                answer = await self.worker.update("big", action="complete", step=1, message="x" * 8000)
            if answer.status_code != 200:
                assert answer.headers["content-type"] == "application/problem+json"
                problem: Body = answer.json()
                return problem
        raise AssertionError("nothing was refused")

    async def assert_readers_are_served(self) -> None:
        """Check that polls answer, a new stream begins, and the old one gets heartbeats."""
        state = await self.worker.poll("s")
        async with await RawStream.open(self._server.port, events_path("s")) as late:
            assert (await late.next_event()).json() == state
        beats = len(self._stream.comments)
        await self._stream.wait_until(lambda stream: len(stream.comments) > beats + 2)

    async def readiness(self) -> tuple[int, str]:
        """The response of `/readyz`."""
        answer = await self.worker.client.get("/readyz")
        return answer.status_code, answer.json()["status"]

    async def check(self) -> None:
        """Check that nothing acknowledged is lost, and nothing refused was shown."""
        final = await self.worker.poll("s")
        await self._stream.wait_until(lambda stream: fold_all(stream.events) == final)
        view = self.oracle.view("s", "stream")
        for event in self._stream.events[1:]:
            view.saw(event)
        verdict = self.oracle.check("s", final)
        assert verdict.is_clean(), verdict


@pytest.mark.guarantee(7)
@pytest.mark.parametrize("disk", [ReportedDisk, pytest.param(SmallDisk, marks=pytest.mark.full)], indirect=True)
async def test_a_full_disk_refuses_updates_and_nothing_else(serve: Serve, disk: Disk) -> None:
    """FT-09: 507, and 503 from `/readyz`; polls and streams continue; updates work again with room; integrity is ok."""
    server = serve(command=serving_on(disk))
    async with SessionProbe.at(server) as probe:
        disk.fill()
        problem = await probe.report_until_refused()
        assert (problem["status"], problem["type"], problem["success"]) == (507, "/problems/store-full", False)
        assert await probe.report() == 507
        assert await probe.readiness() == (503, "store full")
        await probe.assert_readers_are_served()
        assert (await probe.worker.client.get("/livez")).status_code == 200
        disk.free()
        assert await probe.report() == 200
        assert await probe.readiness() == (200, "ok")
    assert await asyncio.to_thread(server.terminate) == 0
    assert_sound(disk)


@pytest.mark.full
@pytest.mark.guarantee(7)
@pytest.mark.parametrize(("size", "updates"), [("512k", 100), ("4m", 400)], ids=["512k", "4m"])
async def test_a_small_disk_is_enough_for_a_small_store(serve: Serve, tmp_path: Path, size: str, updates: int) -> None:
    """FT-09: the write-ahead log leaves room: updates continue, and deleting sessions frees the room that they took."""
    with SmallDisk(tmp_path / "disk", size) as disk:
        server = serve(command=serving_on(disk))
        async with Worker.at(server) as worker:
            await worker.start("s", 1)
            for current in range(1, updates):
                await worker.progress("s", 1, current)
            kept = await fill_with_sessions(worker)
            await asyncio.to_thread(server.restart)
            for session_id, state in kept.items():
                assert await worker.poll(session_id) == state
                await worker.delete(session_id)
            await worker.progress("s", 1, updates)
            assert len(await fill_with_sessions(worker)) >= len(kept) - 1
        assert await asyncio.to_thread(server.terminate) == 0
        assert_sound(disk)


async def fill_with_sessions(worker: Worker) -> dict[str, Body]:
    """Create sessions with long texts until there is no room for another one, and return their states."""
    states: dict[str, Body] = {}
    while True:
        session_id = f"filling-{len(states)}"
        answer = await worker.update(session_id, action="start", step=1)
        if answer.status_code == 200:
            answer = await worker.update(session_id, action="complete", step=1, message="x" * 8000)
        if answer.status_code != 200:
            assert answer.status_code == 507
            assert states
            return states
        states[session_id] = await worker.poll(session_id)


@pytest.mark.guarantee(8)
@pytest.mark.full
async def test_a_full_disk_keeps_what_was_acknowledged(serve: Serve, disk: SmallDisk) -> None:
    """FT-09: a server killed on its full disk starts there and loses nothing; a new store is refused."""
    disk.fill()
    with pytest.raises(
        RuntimeError, match=r"exit code 1\):(.|\n)*Error: The store .*progress.db cannot be used: .*full"
    ):
        await asyncio.to_thread(serve, command=serving_on(disk))
    disk.free()
    server = serve(command=serving_on(disk))
    async with SessionProbe.at(server) as probe:
        disk.fill()
        await probe.report_until_refused()
        state = await probe.worker.poll("s")
    await asyncio.to_thread(server.restart)
    async with Worker.at(server) as worker:
        assert await worker.poll("s") == state
        assert (await worker.update("s", action="start", step=2)).status_code == 507
        disk.free()
        await worker.start("s", 2)
    await asyncio.to_thread(server.terminate)
    assert_sound(disk)


@pytest.mark.guarantee(10)
@pytest.mark.full
async def test_a_disk_that_is_read_only_on_start_is_refused(serve: Serve, disk: SmallDisk) -> None:
    """FT-09: one sentence and an exit code; nothing is lost once the disk is writable again."""
    server = serve(command=serving_on(disk))
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        state = await worker.poll("s")
    await asyncio.to_thread(server.terminate)
    disk.remount("ro")
    with pytest.raises(RuntimeError, match=r"exit code 1\):(.|\n)*Error: The store .* cannot be used: .*[Rr]ead-only"):
        await asyncio.to_thread(server.start)
    assert "Traceback" not in server.log()
    disk.remount("rw")
    await asyncio.to_thread(server.start)
    async with Worker.at(server) as worker:
        assert await worker.poll("s") == state


@contextlib.asynccontextmanager
async def read_only_to(server: Server) -> AsyncIterator[None]:
    """Let all positional writes of a server, as SQLite makes them, fail as on a disk that became read-only.

    A kernel remounts by itself after an error of the disk; a test cannot, while a file is open for writing.
    """
    log = server.folder / "strace.log"
    failing = "inject=pwrite64,fdatasync,ftruncate:error=EROFS"
    command = ["strace", "-f", "-p", str(server.pid), "-o", str(log), "-e", failing]
    strace = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        assert strace.stderr is not None
        assert b"attached" in await strace.stderr.readline()
        yield
    finally:
        strace.terminate()
        await strace.wait()


@pytest.mark.guarantee(9)
@pytest.mark.full
async def test_a_disk_that_goes_read_only_refuses_updates_and_nothing_else(serve: Serve) -> None:
    """FT-09: 503, also from `/readyz`; polls and streams continue; updates work again once the disk does."""
    server = serve(store="sqlite", heartbeat_s=0.5)
    async with SessionProbe.at(server) as probe:
        async with read_only_to(server):
            assert await probe.report() == 503
            assert await probe.readiness() == (503, "store unavailable")
            await probe.assert_readers_are_served()
        assert await probe.report() == 200
        assert await probe.readiness() == (200, "ok")


@pytest.mark.full
@pytest.mark.guarantee(12)
@pytest.mark.parametrize(
    ("events", "readers", "max_mb"),
    [(2_000, 20, 8), pytest.param(100_000, 100, 64, marks=[pytest.mark.full, pytest.mark.timeout(600)])],
)
async def test_the_write_ahead_log_stays_small(serve: Serve, events: int, readers: int, max_mb: int) -> None:
    """FT-09: 10⁵ events (fewer in the ordinary run) with 100 streams open: `-wal` ≤ 64 MB."""
    server = serve(store="sqlite")
    log = server.database.with_name("progress.db-wal")
    sessions = [f"wal-{n}" for n in range(10)]
    sizes: list[int] = []

    async def report(session_id: str) -> None:
        starts: Body = {"action": "start", "step": 1}
        reports = ({"action": "progress", "step": 1, "current": n, "message": "x" * 500} for n in range(events // 10))
        await publish(server.port, session_id, [starts])
        await publish(server.port, session_id, reports)

    async with LoadClients(server.port, (events_path(sessions[n % 10]) for n in range(readers))) as load_clients:
        reporting = asyncio.gather(*map(report, sessions))

        def is_done() -> bool:
            sizes.append(log.stat().st_size)
            return reporting.done()

        await eventually(is_done, 500)
        await reporting
        last = events // 10 + 1
        await load_clients.wait_until(lambda reader: reader.last_event_id.endswith(f"-{last}"), SOON_S)
    assert 0 < max(sizes) <= max_mb * MEGABYTE


@pytest.mark.guarantee(28)
@pytest.mark.full
async def test_a_redis_that_cannot_save_refuses_updates_and_nothing_else(run_redis: RunRedis, serve: Serve) -> None:
    """FT-09, MISCONF: while Redis cannot save, updates and `/readyz` get 503; polls and streams continue."""
    redis = run_redis("rdb", stop_writes_on_bgsave_error="yes")
    server = serve(store=redis.url, heartbeat_s=0.5)
    async with SessionProbe.at(server) as probe:
        with redis.client() as client:
            blocked = redis.folder / "dump.rdb"
            blocked.mkdir()
            client.config_set("save", "3600 1")
            client.bgsave()
            await eventually(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", SOON_S)
            assert await probe.report() == 503
            assert await probe.readiness() == (503, "store unavailable")
            await probe.assert_readers_are_served()
            blocked.rmdir()
            client.bgsave()
            await eventually(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok", SOON_S)
        assert await probe.report() == 200
        assert await probe.readiness() == (200, "ok")
