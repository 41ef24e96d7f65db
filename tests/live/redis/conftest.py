from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.harness.redis import Kind, RedisServer
from tests.harness.serving import Server
from tests.live.redis.servers import HEARTBEAT_S, Join


@pytest.fixture
def join(serve: Serve, tmp_path: Path) -> Iterator[Join]:
    """Start several servers on one Redis, and check at the end that none logged an unexpected error."""
    started: list[Server] = []

    def start(url: str, count: int = 2, **settings: Any) -> list[Server]:
        settings = {"heartbeat_s": HEARTBEAT_S, "retry_ms": 100, "redis_prefix": str(tmp_path), **settings}
        servers = [serve(store=url, **settings) for _ in range(count)]
        started.extend(servers)
        return servers

    yield start
    for server in started:
        assert "Traceback" not in server.log()


@pytest.fixture
def pair(join: Join, kind: Kind, redis_servers: dict[str, RedisServer]) -> list[Server]:
    """Two servers on a shared Redis, which the test must not harm."""
    return join(redis_servers[kind].url)
