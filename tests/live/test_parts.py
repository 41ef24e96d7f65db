"""Many processes do one step at once, each its own parts: every part is counted once."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream
from tests.harness.redis import RedisServer
from tests.harness.serving import Server, Worker, events_path
from tests.live.asgi_hosts import serve_only

pytestmark = serve_only

SCRIPT = Path(__file__).parent / "part_worker.py"

ServersOf = Callable[[str], list[Server]]


@pytest.fixture
def servers_of(serve: Serve, request: pytest.FixtureRequest, tmp_path: Path) -> ServersOf:
    """Start the servers of a store: on Redis two, each other store has one."""

    def start(store: str) -> list[Server]:
        if store not in ("redis", "valkey"):
            return [serve(store=store)]
        redis: dict[str, RedisServer] = request.getfixturevalue("redis_servers")
        return [serve(store=redis[store].url, redis_prefix=str(tmp_path)) for _ in range(2)]

    return start


@asynccontextmanager
async def processes(servers: list[Server], count: int, parts_each: int) -> AsyncIterator[list[Process]]:
    """Processes that wait for a line, each connected to one of the servers in turn."""
    started: list[Process] = []
    try:
        for n in range(count):
            place = [str(servers[n % len(servers)].port), "s", str(n * parts_each), str(parts_each)]
            started.append(
                await asyncio.create_subprocess_exec(
                    sys.executable, "-S", str(SCRIPT), *place, stdin=PIPE, stdout=PIPE, stderr=PIPE
                )
            )
        for process in started:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        yield started
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def report_all(workers: list[Process]) -> None:
    for _, errors in await asyncio.gather(*(worker.communicate(b"\n") for worker in workers)):
        assert errors == b""


@pytest.mark.guarantee("L")
@pytest.mark.protocol("P-21.7")
@pytest.mark.parametrize(
    ("store", "process_count", "parts_each"),
    [
        ("memory://", 5, 8),
        *(pytest.param(store, 50, 4, marks=pytest.mark.full) for store in ("memory://", "sqlite", "redis", "valkey")),
    ],
)
async def test_each_part_is_counted_once(
    servers_of: ServersOf, store: str, process_count: int, parts_each: int
) -> None:
    """By every event, by polls and the list of all parts at each server, and after a kill."""
    servers, total = servers_of(store), process_count * parts_each
    async with AsyncExitStack() as stack:
        at_servers = [await stack.enter_async_context(Worker.at(server)) for server in servers]
        response = await at_servers[0].update("s", action="start", step=1, parts_total=total)
        assert response.status_code == 200
        streams: list[RawStream] = []
        for server in servers:
            stream = await RawStream.open(server.port, events_path("s"))
            streams.append(await stack.enter_async_context(stream))
            await stream.next_event()
        async with processes(servers, process_count, parts_each) as workers:
            await report_all(workers)
        for server, at_server, stream in zip(servers, at_servers, streams, strict=True):
            poll = await at_server.poll("s")
            await stream.wait_until(lambda each: len(each.events) == 1 + 2 * total)
            assert fold_all(stream.events) == poll
            check_each_event(stream, total)
            check_end(poll["steps"][0], total)
            listed = (await at_server.client.get("/api/progress/s/parts", params={"step": 1})).json()["parts"]
            assert sorted(part["part"] for part in listed) == sorted(f"part {n}" for n in range(total))
            assert all(part["status"] == ("success" if int(part["part"][5:]) % 7 else "error") for part in listed)
            if store != "memory://":
                await restart(server)
                assert await at_server.poll("s") == poll
                again = await at_server.client.get("/api/progress/s/parts", params={"step": 1})
                assert again.json()["parts"] == listed


async def restart(server: Server) -> None:
    await asyncio.to_thread(server.restart)


def check_each_event(stream: RawStream, total: int) -> None:
    reported = ended = 0
    for event in stream.events[1:]:
        step = event.json()["step"]
        counts = step["parts"]
        now_ended = counts["success"] + counts["error"]
        now_reported = counts["running"] + now_ended
        assert (now_reported - reported) + (now_ended - ended) == 1
        reported, ended = now_reported, now_ended
        assert len(counts["listed"]) == min(20, reported)
        if ended < total:
            assert (step["status"], step["progress"]) == ("running", {"current": ended, "total": total})


def check_end(step: dict[str, object], total: int) -> None:
    failed = len(range(0, total, 7))
    assert (step["status"], step["error"]) == ("error", f"{failed} of {total} parts failed.")
    counts = {"total": total, "running": 0, "success": total - failed, "error": failed}
    assert isinstance(step["parts"], dict)
    assert {key: step["parts"][key] for key in counts} == counts
