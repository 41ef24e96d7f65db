"""Two servers that share a cluster, whose slots move and whose masters are replaced during updates."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from progress_sse.store.redis.keys import Keyspace
from progress_sse.store.redis.topology import slot_of
from tests.conftest import Serve
from tests.harness.redis import Kind, RedisCluster
from tests.harness.serving import eventually
from tests.live.asgi_hosts import serve_only
from tests.live.delivery_check import DeliveryCheck

pytestmark = [serve_only, pytest.mark.full, pytest.mark.timeout(300)]


@pytest.mark.guarantee(34)
async def test_moving_slots_cost_nothing(
    kind: Kind, serve: Serve, tmp_path: Path, redis_clusters: Callable[[Kind], RedisCluster]
) -> None:
    """DG-01 while the slots of all sessions move between nodes: nothing is lost, applied twice or out of order."""
    cluster, keys = redis_clusters(kind), Keyspace(str(tmp_path), 0)
    servers = [serve(store=cluster.url, redis_prefix=str(tmp_path), heartbeat_s=0.3, retry_ms=100) for _ in range(2)]
    delivery = DeliveryCheck(servers, sessions=6, followers=9, can_stay=False)
    slots = itertools.cycle([slot_of(keys.index), *(slot_of(keys.of(each).channel) for each in delivery.sessions)])
    moves = 0

    async def fault() -> None:
        nonlocal moves
        slot = next(slots)
        target = cluster.masters[(cluster.masters.index(cluster.owner(slot)) + 1) % len(cluster.masters)]
        await asyncio.to_thread(cluster.move, slot, target)
        moves += 1

    await delivery.run(150, fault)
    assert moves > len(delivery.sessions)


@pytest.mark.guarantee(35)
async def test_a_failover_under_load_is_survived(kind: Kind, serve: Serve, tmp_path: Path) -> None:
    """A master is frozen until its replica takes its place; workers and followers go on, and end in the true state.

    The replica has every update that was accepted, as updates wait until it has.
    """
    with RedisCluster(kind, tmp_path / "cluster", replicas=1) as cluster:
        servers = [serve(store=cluster.url, heartbeat_s=0.3, retry_ms=100) for _ in range(2)]
        delivery = DeliveryCheck(servers, sessions=6, followers=9, can_stay=False)
        slot = 0
        assert cluster.owner(slot) is cluster.nodes[0]
        async with delivery.running():
            await delivery.wait_for_updates(200)
            with cluster.nodes[0].client() as master, cluster.replicas[0].client() as replica:
                master.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
                await eventually(lambda: _offset(replica) == _offset(master), 60)
                cluster.nodes[0].pause()
                await eventually(lambda: cluster.owner(slot) is not cluster.nodes[0], 60)
                cluster.nodes[0].resume()
                # Until it knows of its successor, it would accept what waits in its sockets, and then discard it.
                await eventually(lambda: master.info("replication")["role"] == "slave", 60)
                master.execute_command("CLIENT", "UNPAUSE")
            await delivery.wait_for_updates(600)
        assert cluster.owner(slot) is cluster.replicas[0]


def _offset(client: Any) -> int:
    """Return how much of the replication stream the server has, in bytes."""
    replication = client.info("replication")
    return int(replication["slave_repl_offset" if replication["role"] == "slave" else "master_repl_offset"])
