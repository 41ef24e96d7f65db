"""Rate limits that are counted in a Redis server."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from progress_sse.auth.rate_limits import RateLimiter
from progress_sse.core.errors import RateExceededError
from progress_sse.settings import load_settings
from progress_sse.wiring import make_rate_limiter
from tests.harness.redis import RedisServer

DEADLINE_S = 30


def rates_at(server: RedisServer, prefix: Path, user: str = "") -> RateLimiter:
    """Limits of two requests an hour, and of a thousand a second, so that some windows end soon."""
    url = f"redis://{user}127.0.0.1:{server.port}/0"
    return make_rate_limiter(load_settings(store=url, redis_prefix=str(prefix), read_rate="1000/second;2/hour"))


async def count_until_windows_turn(rates: RateLimiter, client: Any) -> None:
    """Run every command that counting needs, and close."""
    for _ in range(2):
        await rates.count("read", "caller")
    async with asyncio.timeout(DEADLINE_S):
        while "cmdstat_rename" not in client.info("commandstats"):
            with pytest.raises(RateExceededError):
                await rates.count("read", "caller")
    await rates.aclose()
