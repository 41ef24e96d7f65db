"""`serve --workers N`: several server processes behind one socket, on one store."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.harness.metrics import metrics_of
from tests.harness.rawsse import RawStream
from tests.harness.redis import RedisServer
from tests.harness.serving import Server, Worker, children, events_path, eventually, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import DeliveryCheck

pytestmark = serve_only

COUNT = 2
WAIT_S = 20


@pytest.fixture
async def server(serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path) -> Server:
    """A server of several processes on one Redis."""
    settings = {"redis_prefix": tmp_path.name, "retry_ms": 100, "graceful_timeout_s": 2}
    server = serve(store=redis_servers["redis"].url, workers=COUNT, **settings)
    await eventually(lambda: "address" in server.log(), WAIT_S)
    return server


@contextlib.asynccontextmanager
async def streams_at_all(server: Server, session_id: str) -> AsyncIterator[list[RawStream]]:
    before = {pid: _descriptors(pid) for pid in children(server.pid)}
    async with contextlib.AsyncExitStack() as stack:
        streams: list[RawStream] = []
        async with asyncio.timeout(WAIT_S):
            while not all(_descriptors(pid) > count for pid, count in before.items()):
                target = events_path(session_id)
                streams.append(await stack.enter_async_context(await RawStream.open(server.port, target)))
                await streams[-1].next_event()
        yield streams


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.full
async def test_each_process_counts_for_itself(server: Server) -> None:
    """One process answers a request for metrics, and each sample names its process."""
    workers, seen = {f'pid="{pid}"' for pid in children(server.pid)}, set[str]()
    async with streams_at_all(server, "s") as streams, asyncio.timeout(WAIT_S):
        counts: dict[str, float] = {}
        while seen != workers:
            metrics = await metrics_of(server.port)
            [pid] = {re.findall('pid="[0-9]+"', name)[0] for name in metrics}
            counts[pid] = metrics[f"progress_sse_streams{{{pid}}}"]
            seen.add(pid)
        assert sum(counts.values()) == len(streams)
        assert min(counts.values()) > 0


@pytest.mark.protocol("P-6.14", "P-9.2")
@pytest.mark.full
async def test_all_processes_serve_the_same_sessions(server: Server) -> None:
    """DG-11: whichever process accepts an update, readers at all of them see it."""
    assert len(children(server.pid)) == COUNT
    async with Worker.at(server) as worker, streams_at_all(server, "s") as streams:
        await worker.create("s", total_steps=1)
        await worker.run("s", 1)
        for stream in streams:
            assert await stream.closed() == "end"
            assert [block.json()["step"]["status"] for block in stream.events if block.event == "step"] == [
                "running",
                "success",
            ]


@pytest.mark.guarantee(1)
async def test_a_killed_process_is_replaced(server: Server) -> None:
    """The other processes keep serving, and its readers resume the same session."""
    first, second = children(server.pid)
    async with Worker.at(server) as worker:
        await worker.create("s")
        async with streams_at_all(server, "s") as streams:
            seen = streams[0].events[0].id
            os.kill(first, signal.SIGKILL)
            await eventually(lambda: len(set(children(server.pid)) - {first}) == COUNT, WAIT_S)
            assert second in children(server.pid)
        await worker.run("s", 1)
        async with await RawStream.open(server.port, events_path("s"), last_event_id=seen) as stream:
            missed = [block.json()["step"]["status"] for block in await stream.next_events(2)]
            assert missed == ["running", "success"]


@pytest.mark.guarantee(4)
@pytest.mark.full
async def test_sighup_replaces_all_processes_and_loses_nothing(server: Server) -> None:
    """With reports and streams under way, each update is applied, and each transition seen once, in order."""
    before = set(children(server.pid))
    async with DeliveryCheck([server], sessions=4, followers=4, can_stay=False).running():
        server.signal(signal.SIGHUP)
        await eventually(lambda: "all server processes have been renewed" in server.log(), WAIT_S)
    after = set(children(server.pid))
    assert len(after) == COUNT
    assert not after & before


async def renewed(server: Server, times: int) -> set[int]:
    """The ids of all processes, once they have been renewed `times` times."""
    await eventually(lambda: server.log().count("all server processes have been renewed") == times, WAIT_S)
    return set(children(server.pid))


@pytest.mark.full
async def test_sighup_during_the_start_is_obeyed_after_it(
    redis_servers: dict[str, RedisServer], tmp_path: Path, factory: str | None
) -> None:
    """Processes that are still starting may have loaded code or files that were replaced meanwhile."""
    store = redis_servers["redis"].url
    server = Server(tmp_path, factory=factory, store=store, redis_prefix=tmp_path.name, workers=COUNT)
    with contextlib.ExitStack() as stack:
        stack.callback(server.end)
        starting = asyncio.create_task(asyncio.to_thread(server.start))
        await eventually(lambda: server.is_running() and bool(children(server.pid)), WAIT_S)
        before = set(children(server.pid))
        server.signal(signal.SIGHUP)
        await starting
        after = await renewed(server, 1)
        assert len(after) == COUNT
        assert not after & before
        assert await asyncio.to_thread(server.terminate) == 0
        assert "Traceback" not in server.log()


@pytest.mark.full
async def test_a_process_that_cannot_be_replaced_stays(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path
) -> None:
    """A new process that fails to start logs the reason and replaces no other."""
    steps_file = tmp_path / "steps.toml"
    steps_file.write_text('[[workflows.default.steps]]\nname = "Only"\n')
    server = serve(store=redis_servers["redis"].url, redis_prefix=tmp_path.name, workers=COUNT, steps_file=steps_file)
    await eventually(lambda: "address" in server.log(), WAIT_S)
    before = set(children(server.pid))
    steps_file.write_text("no steps")
    server.signal(signal.SIGHUP)
    await eventually(lambda: server.log().count("a server process is not replaced") == COUNT, WAIT_S)
    assert "steps.toml cannot be used" in server.log()
    assert set(children(server.pid)) == before
    async with Worker.at(server) as worker:
        await worker.start("s", 1)


async def test_all_processes_end_together_and_cleanly(server: Server) -> None:
    """FT-13: streams end with a `retry:` of their own, the exit code is 0, and no process is left."""
    workers = children(server.pid)
    async with streams_at_all(server, "s") as streams:
        server.signal(signal.SIGTERM)
        for stream in streams:
            assert await stream.closed() == "end"
            assert stream.retries[-1] > 0
    assert await asyncio.to_thread(server.wait) == 0
    assert not any(map(_is_alive, workers))
    assert "Traceback" not in server.log()


def environment_like_ours(folder: Path) -> Path:
    """Copy the present virtual environment, and return the interpreter of the copy."""
    (folder / "bin").mkdir(parents=True)
    (folder / "lib").symlink_to(Path(sys.prefix) / "lib")
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", folder)
    python = folder / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    return python


@pytest.mark.full
async def test_the_server_continues_when_a_process_cannot_be_started(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path
) -> None:
    """The interpreter is missing for a moment, as during an installation, and then it is back."""
    python = environment_like_ours(tmp_path / "environment")
    command = [str(python), "-m", "progress_sse", "serve", "--port", "{port}", "--workers", str(COUNT)]
    server = serve(command=[*command, "--store", redis_servers["redis"].url, "--redis-prefix", tmp_path.name])
    await eventually(lambda: "address" in server.log(), WAIT_S)
    python.rename(tmp_path / "elsewhere")
    for pid in children(server.pid):
        os.kill(pid, signal.SIGKILL)
    await eventually(lambda: "A server process cannot be started" in server.log(), WAIT_S)
    (tmp_path / "elsewhere").rename(python)
    await eventually(lambda: len(children(server.pid)) == COUNT, WAIT_S)
    async with Worker.at(server) as worker:
        await worker.start("s", 1)


@pytest.mark.full
async def test_a_second_signal_reaches_a_process_that_is_being_replaced(server: Server) -> None:
    """The second signal reaches a process that has been replaced and still waits for a request to end."""
    former = children(server.pid)
    writers = []
    head = f"POST {session_path('s', 'update')} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    for _ in range(20):  # Enough for each process to have some.
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"{head}Content-Length: 100\r\n\r\n".encode())
        await writer.drain()
        writers.append(writer)
    server.signal(signal.SIGHUP)
    await eventually(lambda: len(children(server.pid)) > COUNT, WAIT_S)
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGINT)
    await asyncio.to_thread(server.wait)
    assert not any(map(_is_alive, former))
    for writer in writers:
        writer.close()


@pytest.mark.full
@pytest.mark.guarantee(3)
async def test_a_frozen_process_does_not_keep_the_server_from_ending(
    serve: Serve, redis_servers: dict[str, RedisServer], tmp_path: Path
) -> None:
    """A process that handles no signal is killed when its time is over, and the others end in order."""
    settings = {"redis_prefix": tmp_path.name, "graceful_timeout_s": 0}
    server = serve(store=redis_servers["redis"].url, workers=COUNT, **settings)
    await eventually(lambda: "address" in server.log(), WAIT_S)
    workers = children(server.pid)
    os.kill(workers[0], signal.SIGSTOP)
    assert await asyncio.to_thread(server.terminate, WAIT_S) == 0
    assert not any(map(_is_alive, workers))
    assert "killed" in server.log()
    assert "Traceback" not in server.log()


async def test_processes_do_not_outlive_their_supervisor(server: Server) -> None:
    """They do not run on unsupervised and hold the port."""
    workers = children(server.pid)
    await asyncio.to_thread(server.kill)
    await eventually(lambda: not any(map(_is_alive, workers)), WAIT_S)
