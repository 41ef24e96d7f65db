"""Open-ended sessions whose workers say all that they can, under faults, with the oracle watching."""

import asyncio

import pytest

from tests.conftest import RunRedis, Serve
from tests.harness.serving import Worker
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import STORY, DeliveryCheck
from tests.live.test_faults import Crash

pytestmark = [serve_only, pytest.mark.guarantee(1)]


async def test_readers_that_come_and_go_see_all_of_it(serve: Serve) -> None:
    """Appended steps, descriptions, ends and retries, each once and in order; between snapshots none is missing."""
    server = serve(retry_ms=100)
    await DeliveryCheck([server], sessions=3, followers=6, tells_stories=True).run(5 * STORY)


@pytest.mark.full
async def test_a_killed_server_keeps_all_of_it(serve: Serve) -> None:
    """Each acknowledged report is kept, none is applied twice, and each attempt stays what it was."""
    crash = Crash(serve(store="sqlite", retry_ms=100), sessions=3, tells_stories=True)
    async with Worker.at(crash.server) as worker:
        for session_id in crash.sessions:
            await worker.create(session_id, open_ended=True)
        async with crash.running(worker):
            for _ in range(5):
                await crash.wait_for_posts(4 * STORY)
                await crash.kill_and_start()
        for session_id, follower in zip(crash.sessions, crash.followers, strict=True):
            final = await worker.poll(session_id)
            await follower.read_until({session_id: final})
            verdict = crash.oracle.check(session_id, final)
            assert verdict.is_clean(), verdict


@pytest.mark.full
async def test_two_servers_agree_on_all_of_it(serve: Serve, run_redis: RunRedis) -> None:
    """While all connections to Redis are cut again and again, and its scripts are flushed."""
    redis = run_redis()
    servers = [serve(store=redis.url, retry_ms=100) for _ in range(2)]
    with redis.client() as client:

        async def fault() -> None:
            await asyncio.sleep(0.3)  # The pace of the fault.
            for kind in ("pubsub", "normal"):
                client.client_kill_filter(_type=kind, skipme=True)
            client.script_flush()

        await DeliveryCheck(servers, sessions=3, followers=6, tells_stories=True).run(6 * STORY, fault)
