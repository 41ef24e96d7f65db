"""Tickets in Redis."""

import asyncio

from tests.harness.redis import RedisServer
from tests.store.redis.conftest import Open


async def test_a_ticket_is_taken_once(server: RedisServer, connect: Open) -> None:
    """By the first process that asks. It expires if none does."""
    backends = [await connect(server) for _ in range(3)]
    await backends[0].put("name", b"value", 30)
    with server.client() as client:
        [key] = [key for key in client.keys("*") if key.endswith(b":slip:name")]
        assert 25 < client.ttl(key) <= 30
    taken = await asyncio.gather(*(backend.take("name") for backend in backends * 5))
    assert sorted(taken, key=str) == [None] * 14 + [b"value"]
    assert await backends[0].take("nothing") is None
