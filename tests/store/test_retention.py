"""A store keeps no more than its limits allow, after any number of events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import StorageLimits
from tests.harness.presence import present
from tests.harness.redis import RedisServer

LIMITS = StorageLimits(history=100, history_bytes=65_536)
SESSIONS = 5
AT_ONCE = 200
"""Reports of a session that wait at the same time, and are committed together."""

Size = Callable[[], int]


async def _sqlite(folder: Path) -> tuple[ProgressStore, Size]:
    store = ProgressStore(SqliteBackend(folder / "progress.db", LIMITS))
    await store.open()
    # The write-ahead log beside it has its own limit.
    return store, lambda: (folder / "progress.db").stat().st_size


async def _redis(folder: Path, server: RedisServer) -> tuple[ProgressStore, Size]:
    store = ProgressStore(RedisBackend(server.url, LIMITS, prefix=folder.name, lifetime_s=3600))
    await store.open()

    def size() -> int:
        with server.client() as client:
            return sum(client.memory_usage(key) or 0 for key in client.scan_iter(match=f"*{folder.name}*"))

    return store, size


@pytest.fixture(params=["sqlite", "redis"])
async def measured(
    request: pytest.FixtureRequest, tmp_path: Path, redis_servers: dict[str, RedisServer]
) -> AsyncIterator[tuple[ProgressStore, Size]]:
    """A store with small limits, and a function that returns how many bytes it takes."""
    is_sqlite = request.param == "sqlite"
    store, size = await (_sqlite(tmp_path) if is_sqlite else _redis(tmp_path, redis_servers["redis"]))
    yield store, size
    await store.aclose()


async def report(store: ProgressStore, session_id: str, first: int, last: int) -> None:
    """Report each number from `first` up to `last`, exclusive."""
    for start in range(first, last, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, last))
        await asyncio.gather(*(store.report_progress(session_id, 1, number, message="m" * 100) for number in numbers))


@pytest.mark.full
@pytest.mark.parametrize("events", [20_000, pytest.param(10**6, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
async def test_a_store_stops_growing_at_its_limits(
    measured: tuple[ProgressStore, Size], record_property: Callable[[str, object], None], events: int
) -> None:
    """LD-06: a million events take no more space than the newest, which are kept."""
    store, size = measured
    sessions = [f"s{number}" for number in range(SESSIONS)]
    each = events // SESSIONS
    for session_id in sessions:
        await store.start_step(session_id, 1)
    sizes = []
    for first, last in ((0, each // 2), (each // 2, each)):
        await asyncio.gather(*(report(store, session_id, first, last) for session_id in sessions))
        sizes.append(size())
    record_property("bytes", sizes)
    for session_id in sessions:
        record = present(await store.load(session_id))
        assert record.position.offset == each + 1
        entries = present(await store.backend.replay(session_id, record.position._replace(offset=each + 1 - 90)))
        assert len(entries) == 90
    assert sizes[1] <= 1.1 * sizes[0]
