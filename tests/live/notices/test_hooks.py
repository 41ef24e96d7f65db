"""Hooks of a server as users run it: what is acknowledged is notified, whatever happens to the server."""

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conftest import RunRedis, Serve
from tests.harness.redis import Kind, RedisCluster
from tests.harness.serving import Server, Worker, eventually
from tests.live.notices.receiver import HookReceiver, receiving, write_hooks

pytestmark = pytest.mark.timeout(600)


async def report(server: Server, session_id: str, action: str) -> None:
    """Report until the server has acknowledged it."""
    key = f"{session_id}-{action}"
    while True:
        try:
            async with Worker.at(server) as worker:
                response = await worker.update(session_id, action=action, step=1, key=key)
                if response.status_code == 200:
                    return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.02)


async def kill_at_any_moment(server: Server) -> None:
    await asyncio.sleep(random.uniform(0, 0.15))
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)


async def check_kills(server: Server, receiver: HookReceiver, rounds: int) -> None:
    """Kill the server while jobs end; each acknowledged report has its notice, under one id."""
    receiver.delay_s = 0.02
    sessions = [f"job-{number}" for number in range(rounds)]
    for session_id in sessions:
        async with Worker.at(server) as worker:
            await worker.create(session_id, total_steps=1)

        async def run(session_id: str = session_id) -> None:
            await report(server, session_id, "start")
            await report(server, session_id, "complete")

        await asyncio.gather(run(), kill_at_any_moment(server))
    wanted = {(session_id, event) for session_id in sessions for event in ("started", "completed")}
    await eventually(lambda: wanted <= receiver.ids().keys(), 120)
    assert receiver.ids().keys() == wanted
    assert {len(ids) for ids in receiver.ids().values()} == {1}
    assert len({each.body for each in receiver.received}) == len(wanted)
    assert "Traceback" not in server.log()


ROUNDS = [1, pytest.param(100, marks=pytest.mark.full), pytest.param(300, marks=[pytest.mark.full, pytest.mark.soak])]


@pytest.mark.guarantee(80)
@pytest.mark.parametrize("factory", [None])
@pytest.mark.parametrize("rounds", ROUNDS)
async def test_a_killed_server_notifies(serve: Serve, tmp_path: Path, rounds: int) -> None:
    async with receiving() as receiver:
        hooks = write_hooks(tmp_path / "hooks.toml", all=receiver.hook(on=["started", "completed"]))
        await check_kills(serve(store="sqlite", hooks=hooks), receiver, rounds)


@pytest.mark.guarantee(80)
@pytest.mark.parametrize("factory", [None])
@pytest.mark.parametrize("rounds", ROUNDS[1:])
async def test_a_killed_server_on_redis_notifies(
    serve: Serve, run_redis: RunRedis, tmp_path: Path, rounds: int
) -> None:
    """After a minute, for which what the killed server was about to send is its own."""
    async with receiving() as receiver:
        hooks = write_hooks(tmp_path / "hooks.toml", all=receiver.hook(on=["started", "completed"]))
        await check_kills(serve(store=run_redis().url, hooks=hooks), receiver, rounds)


@pytest.mark.full
@pytest.mark.guarantee(80)
@pytest.mark.parametrize("factory", [None])
async def test_a_killed_server_on_a_cluster_notifies(
    serve: Serve, kind: Kind, redis_clusters: Callable[[Kind], RedisCluster], tmp_path: Path
) -> None:
    """There a notice and its entry lie at different nodes."""
    async with receiving() as receiver:
        hooks = write_hooks(tmp_path / "hooks.toml", all=receiver.hook(on=["started", "completed"]))
        server = serve(store=redis_clusters(kind).url, redis_prefix=str(tmp_path), hooks=hooks)
        await check_kills(server, receiver, 20)


@pytest.mark.parametrize("factory", [None])
async def test_hooks_are_read_again(serve: Serve, tmp_path: Path) -> None:
    """On SIGHUP; a mistake leaves those before in force."""
    async with receiving() as first, receiving() as second:
        path = write_hooks(tmp_path / "hooks.toml", a=first.hook())
        server = serve(hooks=path)
        async with Worker.at(server) as worker:
            path.write_text("[hooks.a]\nurl = 1\n")
            os.kill(server.pid, signal.SIGHUP)
            await eventually(lambda: "hooks.a.url: must be text. The hooks stay as they were." in server.log(), 60)
            await worker.create("s", total_steps=1)
            await worker.start("s", 1)
            await worker.complete("s", 1)
            await eventually(lambda: len(first.received) == 1, 60)
            write_hooks(path, b=second.hook(on=["started"], prefix="t"))
            os.kill(server.pid, signal.SIGHUP)
            await eventually(lambda: "the hooks were read again" in server.log(), 60)
            for session_id in ("s2", "t"):
                await worker.create(session_id, total_steps=1)
                await worker.start(session_id, 1)
            await eventually(lambda: len(second.received) == 1, 60)
    assert [(each.session_id, each.event) for each in (*first.received, *second.received)] == [
        ("s", "completed"),
        ("t", "started"),
    ]


@pytest.mark.guarantee(85)
@pytest.mark.parametrize("factory", [None])
async def test_a_receiver_that_is_away_gets_it_later(serve: Serve, tmp_path: Path) -> None:
    """Though the session is deleted, and the server restarted meanwhile."""
    async with receiving() as receiver:
        receiver.status = 500
        server = serve(store="sqlite", hooks=write_hooks(tmp_path / "hooks.toml", a=receiver.hook()))
        async with Worker.at(server) as worker:
            await worker.create("s", total_steps=1)
            await worker.start("s", 1)
            await worker.complete("s", 1)
            await eventually(lambda: len(receiver.received) == 1, 60)
            await worker.delete("s")
        await asyncio.to_thread(server.end)
        receiver.status = 204
        await asyncio.to_thread(server.start)
        await eventually(lambda: len(receiver.received) == 2, 60)
        assert receiver.received[0][:4] == receiver.received[1][:4]  # The headers have the time of the try.


@pytest.mark.full
@pytest.mark.parametrize("factory", [None])
async def test_workers_have_the_same_hooks(serve: Serve, run_redis: RunRedis, tmp_path: Path) -> None:
    """A mistake in the file changes nothing at SIGHUP; a new file is in force once all processes are renewed."""
    async with receiving() as first, receiving() as second:
        path = write_hooks(tmp_path / "hooks.toml", a=first.hook(on=["started"]))
        server = serve(store=run_redis().url, workers=2, hooks=path)

        async def start_jobs(name: str) -> None:
            for number in range(6):  # Over a new connection each, so that both processes get some.
                async with Worker.at(server) as worker:
                    await worker.create(f"{name}{number}", total_steps=1)
                    await worker.start(f"{name}{number}", 1)

        await start_jobs("a")
        path.write_text("[hooks.a]\n")
        os.kill(server.pid, signal.SIGHUP)
        await eventually(lambda: "hooks.a.url: is missing. The server processes stay as they are." in server.log(), 60)
        await start_jobs("b")
        await eventually(lambda: len(first.ids()) == 12, 60)
        write_hooks(path, a=second.hook(on=["started"]))
        os.kill(server.pid, signal.SIGHUP)
        await eventually(lambda: "all server processes have been renewed" in server.log(), 60)
        await start_jobs("c")
        await eventually(lambda: len(second.ids()) == 6, 60)
    assert len(first.ids()) == 12


@pytest.mark.parametrize("factory", [None])
def test_a_mistake_ends_the_start(serve: Serve, tmp_path: Path) -> None:
    """With one process or two, by one sentence."""
    path = tmp_path / "hooks.toml"
    path.write_text("[hooks.a]\nurl = 1\n")
    for settings in ({}, {"workers": 2, "store": "redis://127.0.0.1:1"}):
        with pytest.raises(RuntimeError) as caught:
            serve(hooks=path, **settings)
        assert "(exit code 1)" in str(caught.value)
        assert f"The hooks file {path} cannot be used: hooks.a.url: must be text." in str(caught.value)
        assert "Traceback" not in str(caught.value)
