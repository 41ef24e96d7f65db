"""Open-ended sessions whose workers say all that they can, under faults, with the oracle watching."""

import asyncio

import pytest

from tests.conftest import RunRedis, Serve
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import STORY, DeliveryCheck
from tests.live.test_faults import kill_and_start

pytestmark = [serve_only, pytest.mark.guarantee(1)]


async def test_readers_that_come_and_go_see_all_of_it(serve: Serve) -> None:
    """Appended steps, descriptions, ends and retries, each once and in order; between snapshots none is missing."""
    server = serve(retry_ms=100)
    await DeliveryCheck([server], sessions=3, followers=6, tells_stories=True).run(5 * STORY)


@pytest.mark.full
async def test_a_killed_server_keeps_all_of_it(serve: Serve) -> None:
    """Each acknowledged report is kept, none is applied twice, and each attempt stays what it was."""
    server = serve(store="sqlite", retry_ms=100)
    check = DeliveryCheck([server], sessions=3, followers=3, can_stay=False, tells_stories=True)
    async with check.running():
        for _ in range(5):
            await check.wait_for_updates(4 * STORY)
            await kill_and_start(server)


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
