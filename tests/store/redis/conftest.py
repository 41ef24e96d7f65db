from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.types import StorageLimits
from tests.harness.redis import KeyDump, Kind, RedisServer
from tests.store.redis.lost_replies import LostReplies

Open = Callable[..., Awaitable[RedisBackend]]


COUNT_TIMEOUT_S = 30
"""Seconds that Redis has to count a request: on a busy machine it may need more than a server allows it."""


@pytest.fixture(autouse=True)
def _patient_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("progress_sse.auth.rate_limits.COUNT_TIMEOUT_S", COUNT_TIMEOUT_S)


@pytest.fixture
def server(kind: Kind, redis_servers: dict[str, RedisServer]) -> RedisServer:
    """The server that all tests share; tests must not stop or reconfigure it."""
    return redis_servers[kind]


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Open]:
    """Open backends, as processes do, all on the same sessions of a server."""
    opened: list[RedisBackend] = []

    async def open_one(
        server: RedisServer, *, user: str = "", database: int = 0, lifetime_s: float = 3600, **limits: int
    ) -> RedisBackend:
        url = f"redis://{user}@127.0.0.1:{server.port}/{database}"
        backend = RedisBackend(url, StorageLimits(**limits), prefix=str(tmp_path), lifetime_s=lifetime_s)
        opened.append(backend)
        await backend.open()
        return backend

    yield open_one
    for backend in opened:
        await backend.aclose()


@pytest.fixture
async def backend(server: RedisServer, connect: Open) -> RedisBackend:
    """One process."""
    return await connect(server)


@pytest.fixture
async def here(server: RedisServer, connect: Open) -> RedisBackend:
    """One of two processes."""
    return await connect(server)


@pytest.fixture
async def there(server: RedisServer, connect: Open) -> RedisBackend:
    """The other one."""
    return await connect(server)


@pytest.fixture
def client(server: RedisServer) -> Iterator[Redis]:
    """Another program at the server."""
    with server.client() as client:
        yield client


@pytest.fixture
def take_dump(client: Redis, tmp_path: Path) -> Callable[[], KeyDump]:
    """Dump the keys of this test."""
    return lambda: KeyDump(client, str(tmp_path))


@pytest.fixture
def lost_replies(monkeypatch: pytest.MonkeyPatch) -> LostReplies:
    return LostReplies(monkeypatch)


@pytest.fixture
def rights(tmp_path: Path) -> list[str]:
    """The documented rights of our Redis user, for this test's prefix."""
    page = Path(__file__).parents[3] / "docs" / "explanation" / "performance.md"
    command = page.read_text(encoding="utf-8").partition("ACL SETUSER progress ")[2].partition("```")[0]
    return command.replace("progress_sse:", f"{tmp_path}:").split()
