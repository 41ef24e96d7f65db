"""The streams of lists between servers that share a Redis, under faults of it and of them."""

import asyncio
import itertools
from collections.abc import Callable

import pytest

from tests.conftest import RunRedis
from tests.harness.redis import Kind, RedisCluster
from tests.harness.serving import Server
from tests.live.asgi_hosts import serve_only
from tests.live.list_check import ListCheck
from tests.live.redis.servers import Join

# The number of processes that share a store does not depend on the host that serves in each.
pytestmark = [serve_only, pytest.mark.full]


@pytest.mark.guarantee("P")
async def test_a_list_stream_ends_in_what_the_list_says(pair: list[Server]) -> None:
    """Readers move between two servers that both take changes."""
    await ListCheck(pair).run(800)


@pytest.mark.guarantee("P")
async def test_a_list_stream_survives_a_redis_and_a_server_that_are_killed(run_redis: RunRedis, join: Join) -> None:
    """Redis keeps what it acknowledges; a server may die between its commit and what it does to the index."""
    redis = run_redis("always")
    servers = join(redis.url)
    faults = itertools.cycle([(redis.kill, redis.start), (servers[0].kill, servers[0].start)])
    times = 0

    async def fault() -> None:
        nonlocal times
        await asyncio.sleep(0.4)  # The pace of the fault.
        begin, end = next(faults)
        begin()
        await asyncio.to_thread(end)
        times += 1

    await ListCheck(servers).run(1600, fault)
    assert times >= 2


@pytest.mark.guarantee("P")
async def test_a_list_stream_ends_in_what_a_cluster_lists(
    join: Join, kind: Kind, redis_clusters: Callable[[Kind], RedisCluster]
) -> None:
    """Each commit tells of itself at the node of its list's channel."""
    await ListCheck(join(redis_clusters(kind).url)).run(400)
