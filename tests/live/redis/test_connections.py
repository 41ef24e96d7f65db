"""The connections of a server to Redis or Valkey: their number, and the password that opens them."""

import asyncio
import re

import pytest
from redis import Redis

from tests.conftest import RunRedis
from tests.harness.load_clients import LoadClients
from tests.harness.rawsse import RawStream
from tests.harness.serving import Worker, events_path, eventually
from tests.live.asgi_hosts import serve_only
from tests.live.redis.servers import Join

# The number of processes that share a store does not depend on the host that serves in each.
pytestmark = serve_only


@pytest.mark.full
@pytest.mark.timeout(180)
async def test_ten_thousand_readers_cost_redis_two_connections(run_redis: RunRedis, join: Join) -> None:
    """FT-12: two connections suffice for any number of readers and sessions, and all readers get the reported steps."""
    server = run_redis()
    [ours] = join(server.url, 1, max_streams=20_000, heartbeat_s=15)
    names = [f"s{number}" for number in range(5000)]
    async with (
        Worker.at(ours) as worker,
        LoadClients(ours.port, [events_path(name) for name in names] * 2) as load_clients,
    ):
        await load_clients.wait_for_events(1, 60)
        with server.client() as client:
            assert clients(client) == 2 + 1
            assert len(client.pubsub_channels()) == len(names)
            for name in names:
                await worker.start(name, 1)
            await load_clients.wait_for_events(2, 60)
            assert clients(client) == 2 + 1


@pytest.mark.parametrize("rounds", [5, pytest.param(400, marks=[pytest.mark.full, pytest.mark.timeout(600)])])
async def test_readers_that_come_and_go_leave_nothing_in_redis(run_redis: RunRedis, join: Join, rounds: int) -> None:
    """FT-12: whenever readers disconnect, connections and subscriptions are afterwards as they were before."""
    server = run_redis()
    [ours] = join(server.url, 1)

    async def vanish(number: int) -> None:
        stream = await RawStream.open(ours.port, events_path(f"s{number % 100}"))
        if number % 2:
            await stream.next_event()
        await stream.abort()

    with server.client() as client:
        await eventually(lambda: clients(client) == 2 + 1, 30)  # The server's two, and the test's own.
        async with Worker.at(ours) as worker:
            await worker.start("s0", 1)
        descriptors = ours.descriptors()
        for number in range(rounds):
            await asyncio.gather(*(vanish(number * 50 + n) for n in range(50)))
        await eventually(lambda: client.pubsub_channels() == [], 30)
        await eventually(lambda: clients(client) == 2 + 1 and ours.descriptors() <= descriptors, 30)


def clients(client: Redis) -> int:
    info = client.info("clients")
    assert isinstance(info, dict)
    return int(info["connected_clients"])


@pytest.mark.full
async def test_the_password_is_shown_nowhere(run_redis: RunRedis, join: Join) -> None:
    """Neither the greeting nor the log of a refused connection shows the password."""
    server = run_redis()
    with server.client() as client:
        client.config_set("requirepass", "hush-hush")
    good = server.url.replace("redis://", "redis://:hush-hush@")
    [ours] = join(good, 1)
    async with Worker.at(ours) as worker:
        await worker.start("s", 1)
    assert re.search(r"store +redis://\*\*\*@127\.0\.0\.1", ours.log())
    [refused] = join(good.replace("hush-hush", "hush-wrong"), 1)
    async with Worker.at(refused) as worker:
        assert (await worker.update("s", action="start", step=1)).status_code == 503
    assert "hush" not in ours.log() + refused.log()
