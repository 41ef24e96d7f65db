"""The connection that receives messages."""

import asyncio

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import AuthenticationError

from progress_sse.store.redis.pubsub import RedisPubSub
from progress_sse.store.redis.url import connection_pool

DEADLINE_S = 30


async def test_a_connecting_pubsub_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if redis-py raises an error reply in place of the cancellation."""
    is_connecting = asyncio.Event()

    async def refuse(_: Connection) -> None:
        is_connecting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise AuthenticationError from None

    monkeypatch.setattr(Connection, "connect", refuse)
    pubsub = RedisPubSub(connection_pool("redis://"), print, print)
    pubsub.open()
    async with asyncio.timeout(DEADLINE_S):
        await is_connecting.wait()
        await pubsub.aclose()
