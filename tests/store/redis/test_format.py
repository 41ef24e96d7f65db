"""The format of the store in Redis: any but ours is refused."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio

from progress_sse.core.errors import StoreRefusedError, StoreUnavailableError
from tests.harness.redis import RedisServer
from tests.store.redis.conftest import Open


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of the server."""
    async with redis.asyncio.Redis(port=server.port, decode_responses=True) as client:
        yield client


async def test_the_store_says_its_format(
    server: RedisServer, connect: Open, client: redis.asyncio.Redis, tmp_path: Path
) -> None:
    """Once a server has opened it."""
    assert await client.get(f"{tmp_path}:format") is None
    await connect(server)
    assert await client.get(f"{tmp_path}:format") == "1"


@pytest.mark.guarantee(70)
@pytest.mark.parametrize("stored", ["0", "2", "", "none"])
async def test_another_format_is_refused(
    server: RedisServer, connect: Open, client: redis.asyncio.Redis, tmp_path: Path, stored: str
) -> None:
    """In one sentence, and nothing is written; also where Redis was away at the start."""
    backend = await connect(server)
    await client.set(f"{tmp_path}:format", stored)
    sentence = f"has format {stored}, made by another version of this program, which knows format 1"
    with pytest.raises(StoreRefusedError, match=sentence):
        await connect(server)
    with pytest.raises(StoreUnavailableError, match=sentence):
        await backend.ping()
    assert await client.keys(f"{tmp_path}:*") == [f"{tmp_path}:format"]
    assert await client.get(f"{tmp_path}:format") == stored
