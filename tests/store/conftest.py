from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from progress_sse.store.backend import FullBackend
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import Notification, StorageLimits
from tests.clock import ManualClock
from tests.harness.redis import KINDS, Kind
from tests.store.fake_backends import SlowBackend
from tests.store.observed import notified

CLUSTERS: dict[str, Kind] = {f"{kind}-cluster": kind for kind in KINDS}

BACKENDS: dict[str, Callable[[Path, StorageLimits, str], FullBackend]] = {
    "memory": lambda _path, limits, _url: MemoryBackend(limits),
    "sqlite": lambda path, limits, _url: SqliteBackend(path, limits),
    **dict.fromkeys(
        (*KINDS, *CLUSTERS), lambda path, limits, url: RedisBackend(url, limits, prefix=str(path), lifetime_s=3600)
    ),
}

OpenBackend = Callable[..., Awaitable[FullBackend]]

MAX_WAIT_S = 30
"""Seconds that a commit waits, for what was learned or for Redis: on a busy machine they may take longer than usual."""

WAITS = [
    "learned_cache.MAX_WAIT_S",
    "redis.connection.REPLY_TIMEOUT_S",
    "redis.pipeline.READ_TIMEOUT_S",
    "redis.pipeline.WRITE_TIMEOUT_S",
    "redis.url.CONNECT_TIMEOUT_S",
    "redis.url.REPLY_TIMEOUT_S",
]

HARMFUL = {"lost_replies", "redis_clusters", "run_redis"}
"""Fixtures of tests that wait until Redis has not replied in time."""


@pytest.fixture(autouse=True)
def _patient_commits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for wait in WAITS[:1] if HARMFUL & set(request.fixturenames) else WAITS:
        monkeypatch.setattr(f"progress_sse.store.{wait}", MAX_WAIT_S)


def _url_of(kind: str, request: pytest.FixtureRequest) -> str:
    if kind in CLUSTERS:
        return str(request.getfixturevalue("redis_clusters")(CLUSTERS[kind]).url)
    return str(request.getfixturevalue("redis_servers")[kind].url) if kind in KINDS else ""


@pytest.fixture(params=[pytest.param(kind, marks=[pytest.mark.full] if kind in CLUSTERS else []) for kind in BACKENDS])
async def open_backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenBackend]:
    """Open empty backends of each kind, with the limits that a test names."""
    opened: list[FullBackend] = []
    kind = cast(str, request.param)
    url = _url_of(kind, request)

    async def open_one(**limits: int) -> FullBackend:
        backend = BACKENDS[kind](tmp_path / f"{len(opened)}.db", StorageLimits(**limits), url)
        await backend.open()
        opened.append(backend)
        return backend

    yield open_one
    for backend in opened:
        await backend.aclose()


@pytest.fixture
async def backend(open_backend: OpenBackend) -> FullBackend:
    """An empty backend with the usual limits."""
    return await open_backend()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(backend: FullBackend, clock: ManualClock) -> ProgressStore:
    """A store on `backend`, with a clock that stands still."""
    return ProgressStore(backend, clock=clock)


@pytest.fixture
def slow_store(clock: ManualClock) -> ProgressStore:
    """A store whose first commit waits until its backend's gate is opened."""
    return ProgressStore(SlowBackend(), clock=clock)


@pytest.fixture
async def notifications(backend: FullBackend) -> list[Notification]:
    """The notifications of the session `s`."""
    return await notified(backend)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the operations over other backends than memory to the full run: the contract suite shows them equal."""
    for item in items:
        backend = item.callspec.params.get("open_backend", "memory") if hasattr(item, "callspec") else "memory"
        if item.path.parent.name != "contract" and backend != "memory":
            item.add_marker(pytest.mark.full)
