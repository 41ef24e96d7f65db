"""The format of the sessions in Redis: one that is newer than this program is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio

from progress_sse.core.errors import StoreRefusedError, StoreUnavailableError
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.types import StorageLimits
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
    """Once a server has opened it that may write it."""
    assert await client.get(f"{tmp_path}:format") is None
    await connect(server)
    assert await client.get(f"{tmp_path}:format") == "2"


async def test_a_newer_format_is_refused(
    server: RedisServer, connect: Open, client: redis.asyncio.Redis, tmp_path: Path
) -> None:
    """In one sentence, and nothing is written; also where Redis was away at the start."""
    backend = await connect(server)
    await client.set(f"{tmp_path}:format", "3")
    with pytest.raises(StoreRefusedError, match="has format 3, made by a newer version of this program, which knows"):
        await connect(server)
    with pytest.raises(StoreUnavailableError, match="has format 3"):
        await backend.ping()
    assert await client.keys(f"{tmp_path}:*") == [f"{tmp_path}:format"]


async def test_the_former_format_is_left_as_it_is(
    server: RedisServer, client: redis.asyncio.Redis, tmp_path: Path
) -> None:
    """A server that writes it says nothing, whichever format there is."""
    for stored in (None, "2"):
        if stored is not None:
            await client.set(f"{tmp_path}:format", stored)
        url = f"redis://127.0.0.1:{server.port}/0"
        backend = RedisBackend(url, StorageLimits(), prefix=str(tmp_path), lifetime_s=60, store_format=1)
        await backend.open()
        await backend.aclose()
        assert await client.get(f"{tmp_path}:format") == stored
