"""Hooks of a server while something is amiss: a receiver, the disk, a process, the file of hooks."""

import asyncio
import os
import re
import signal
from pathlib import Path

import httpx
import pytest

from tests.conftest import RunRedis, Serve
from tests.harness.disk import ReportedDisk, SmallDisk
from tests.harness.http1 import Connection, free_port
from tests.harness.metrics import metrics_of
from tests.harness.serving import Server, Worker, children, eventually, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.notices.receiver import HookReceiver, receiving, write_hooks
from tests.live.redis.test_restarts import put_back
from tests.live.test_disk import serving_on

pytestmark = [serve_only, pytest.mark.timeout(600)]  # Hosts differ in nothing that these show.

SOON_S = 60


async def end(server: Server, *session_ids: str) -> None:
    """Run jobs from their start to their end, each by a connection of its own, which any process may get."""
    for session_id in session_ids:
        async with Worker.at(server) as worker:
            await worker.create(session_id, total_steps=1)
            await worker.run(session_id, 1)


async def waiting_in(server: Server, hook: str = "a") -> int:
    async with Worker.at(server) as operator:
        hooks = (await operator.client.get("/api/hooks")).json()["hooks"]
    return int({each["name"]: each["waiting"] for each in hooks}[hook])


async def until_none_waits(server: Server, hook: str = "a") -> None:
    async with asyncio.timeout(2 * SOON_S):  # A claim that was lost lasts a minute.
        while await waiting_in(server, hook):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.1)


@pytest.mark.guarantee(82)
async def test_a_hook_that_never_answers(serve: Serve, tmp_path: Path) -> None:
    """Another one gets all its notices meanwhile, and each update is answered."""
    async with receiving() as silent, receiving() as other:
        silent.may_answer.clear()
        server = serve(
            store="sqlite", hooks=write_hooks(tmp_path / "hooks.toml", silent=silent.hook(), other=other.hook())
        )
        async with Worker.at(server) as worker:
            for number in range(20):
                await worker.create(f"s{number}", total_steps=1)
                await worker.run(f"s{number}", 1)
        await until_none_waits(server, "other")
        assert await waiting_in(server, "silent") == 20
        assert (len(other.received), len(silent.received) >= 8) == (20, True)


async def test_a_server_ends_while_the_test_of_a_hook_waits(serve: Serve, tmp_path: Path) -> None:
    """After the graceful timeout, and without an error in its log."""
    async with receiving() as silent:
        silent.may_answer.clear()
        server = serve(graceful_timeout_s=1, hooks=write_hooks(tmp_path / "hooks.toml", silent=silent.hook()))
        async with Worker.at(server) as operator:
            testing = asyncio.create_task(operator.client.post("/api/hooks/silent/test", json={}))
            await eventually(lambda: len(silent.received) == 1, SOON_S)
            await asyncio.to_thread(server.terminate)
            with pytest.raises(httpx.TransportError):
                await testing
        assert not re.search("ERROR|Traceback", server.log())


@pytest.mark.full
@pytest.mark.guarantee(86)
async def test_many_sessions_end_while_a_hook_is_down(serve: Serve, tmp_path: Path) -> None:
    """Each end is answered; 10,000 notices wait, in memory without their bodies, and the others are counted."""
    receiver, session_ids = HookReceiver(), [f"s{number}" for number in range(10_500)]
    receiver.port = free_port()
    hooks = write_hooks(tmp_path / "hooks.toml", a=receiver.hook())
    server = serve(store="sqlite", hooks=hooks, is_forked=False)

    async def post(**body: object) -> None:
        left = iter(session_ids)

        async def post_some() -> None:
            async with await Connection.open(server.port) as connection:
                for session_id in left:
                    answer = await connection.post_json(session_path(session_id, "update"), body)
                    assert answer.status == 200, answer.body

        await asyncio.gather(*(post_some() for _ in range(100)))

    await post(action="start", step=1)
    before = server.memory_bytes()
    await post(action="finish")
    assert await waiting_in(server) == 10_000
    assert (await metrics_of(server.port))['progress_sse_hook_notices_total{hook="a",result="lost"}'] == 500
    assert server.memory_bytes() - before < 10_000 * 2000
    assert "Traceback" not in server.log()


@pytest.mark.full
async def test_one_process_sends_a_notice(serve: Serve, run_redis: RunRedis, tmp_path: Path) -> None:
    """Though both look for what is due."""
    async with receiving() as receiver:
        receiver.delay_s = 0.02
        hooks = write_hooks(tmp_path / "hooks.toml", a=receiver.hook())
        server = serve(store=run_redis().url, workers=2, hooks=hooks)
        await asyncio.gather(*(end(server, *(f"s{lane}-{number}" for number in range(20))) for lane in range(10)))
        await eventually(lambda: len(receiver.ids()) == 200, SOON_S)
        await asyncio.to_thread(server.terminate)  # Ends what is under way.
        assert len(receiver.received) == 200


@pytest.mark.full
@pytest.mark.guarantee(94)
@pytest.mark.parametrize("kind", [ReportedDisk, SmallDisk])
async def test_a_disk_that_is_full(serve: Serve, tmp_path: Path, kind: type[ReportedDisk | SmallDisk]) -> None:
    """What is refused makes no notice; what was answered has one, once there is room."""
    sessions = [f"s{number}" for number in range(100)]
    async with receiving() as receiver:
        receiver.status = 503
        with kind(tmp_path / "disk", "8m") as disk:
            hooks = write_hooks(tmp_path / "hooks.toml", a=receiver.hook())
            server = serve(command=[*serving_on(disk), "--hooks", str(hooks)])
            await end(server, "before")
            await eventually(lambda: len(receiver.received) == 1, SOON_S)
            async with Worker.at(server) as worker:
                for each in sessions:
                    await worker.create(each, total_steps=1)
                    await worker.start(each, 1)
                disk.fill()
                statuses = {
                    each: (await worker.update(each, action="complete", step=1, message="x" * 8000)).status_code
                    for each in sessions
                }
                assert statuses["s99"] == 507
                disk.free()
                receiver.status = 204
                await worker.complete("s99", 1)
            await until_none_waits(server)
            answered = {each for each, status in statuses.items() if status == 200}
            assert {session_id for session_id, _ in receiver.ids()} == {"before", "s99", *answered}
            assert {len(ids) for ids in receiver.ids().values()} == {1}


@pytest.mark.full
@pytest.mark.guarantee(93)
@pytest.mark.parametrize("way", ["folder", "memory"])
async def test_a_redis_that_is_put_back(serve: Serve, run_redis: RunRedis, tmp_path: Path, way: str) -> None:
    """What waited then is sent, here once more, with the same bytes; what came after that is lost with its session."""
    async with receiving() as receiver:
        receiver.status = 503
        redis = run_redis("always")
        server = serve(store=redis.url, hooks=write_hooks(tmp_path / "hooks.toml", a=receiver.hook()))
        await end(server, "before")
        await eventually(lambda: len(receiver.received) == 1, SOON_S)
        with put_back(redis, tmp_path / "copy", way):
            receiver.status = 204
            await until_none_waits(server)
            receiver.status = 503
            await end(server, "meanwhile")
            await eventually(lambda: ("meanwhile", "completed") in receiver.ids(), SOON_S)
        receiver.status = 204
        former = len(receiver.received)
        async with Worker.at(server) as worker, asyncio.timeout(SOON_S):
            while (await worker.client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)
        await end(server, "after")
        await eventually(lambda: len(receiver.received) == former + 2, 2 * SOON_S)
        assert {each.session_id for each in receiver.received[former:]} == {"before", "after"}
        assert {len(ids) for ids in receiver.ids().values()} == {1}
        assert len({each.body for each in receiver.received}) == 3
        await until_none_waits(server)


async def test_without_hooks_sighup_ends_the_server(serve: Serve) -> None:
    """As it did before there were any."""
    server = serve()
    server.signal(signal.SIGHUP)
    assert await asyncio.to_thread(server.wait) == -signal.SIGHUP


@pytest.mark.full
async def test_a_process_that_takes_the_place_of_another(serve: Serve, run_redis: RunRedis, tmp_path: Path) -> None:
    """It has the hooks of the others, whatever the file has become meanwhile."""
    async with receiving() as receiver:
        path = write_hooks(tmp_path / "hooks.toml", a=receiver.hook())
        server = serve(store=run_redis().url, workers=2, hooks=path)
        path.write_text("[hooks.a]\n")
        await eventually(lambda: "address" in server.log(), SOON_S)  # Then both have started.
        for former in children(server.pid):
            os.kill(former, signal.SIGKILL)
            await eventually(lambda gone=former: len(set(children(server.pid)) - {gone}) == 2, SOON_S)  # type: ignore[misc]
        await end(server, *(f"s{number}" for number in range(6)))
        await eventually(lambda: len(receiver.ids()) == 6, SOON_S)
