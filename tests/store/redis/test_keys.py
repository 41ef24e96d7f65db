"""The keys of a session, how long they last, and their index."""

from pathlib import Path

from redis import Redis

from progress_sse.core.errors import ConflictError
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.types import StorageLimits
from tests.harness.redis import RedisServer
from tests.harness.serving import eventually
from tests.store.changes import T0, after, apply, created, key, moved, refuse, removed
from tests.store.observed import ids
from tests.store.redis.conftest import Open

DEADLINE_S = 30
DAY_MS = 24 * 3_600_000


async def test_a_session_lies_in_one_slot(server: RedisServer) -> None:
    """With any id and any prefix."""
    backend = RedisBackend(server.url, StorageLimits(), prefix="p", lifetime_s=1)
    for session_id in ("s", "{a}b", "}{", "{}", "日本語"):
        names = backend._keyspace.of(session_id)  # noqa: SLF001 - there is nothing to see from outside
        tags = {name.partition("{")[2].partition("}")[0] for name in names}
        assert len(tags) == 1
        assert len(tags.pop()) == 32


async def test_an_abandoned_session_expires(server: RedisServer, client: Redis, connect: Open, tmp_path: Path) -> None:
    """After its lifetime; its idempotency keys a day after their use, and its index entry at the next clean-up."""
    backend = await connect(server, lifetime_s=1000)
    record = await apply(backend, created(keys=[key("k")]), moved(after(created()), 1))
    keys = backend._keyspace.of("s")  # noqa: SLF001 - only the server knows when they expire
    lifetimes_ms = dict.fromkeys((keys.state, keys.log), 10**6) | dict.fromkeys(
        (keys.idempotency_keys, keys.idempotency_ranks), DAY_MS
    )
    for name, lifetime_ms in lifetimes_ms.items():
        assert lifetime_ms - 10_000 < client.pttl(name) <= lifetime_ms
        client.pexpire(name, 1)
    await eventually(lambda: client.exists(keys.state) == 0, DEADLINE_S)
    assert await backend.load("s") is None
    assert await ids(backend) == []
    assert client.zcard(f"{tmp_path}:sessions") == 1
    assert await backend.expire("3", lambda _summary: True) == 0
    assert client.zcard(f"{tmp_path}:sessions") == 0
    assert record.position.offset == 1


async def test_a_stray_index_entry_is_not_listed(client: Redis, backend: RedisBackend, tmp_path: Path) -> None:
    """A session is listed once, however often a process ended between two steps of its creation or removal."""
    await apply(backend, created())
    client.zadd(f"{tmp_path}:sessions", {f"{T0.replace('2026', '2025')} s": 0, f"{T0} other": 0})
    assert await ids(backend) == ["s"]


async def test_the_index_has_one_entry_per_session(client: Redis, backend: RedisBackend, tmp_path: Path) -> None:
    """After a replacement, a conflicting creation and a removal."""
    times = [T0.replace("2026", str(year)) for year in range(2026, 2030)]
    record = await apply(backend, created(created_at=times[0]))
    record = await apply(backend, created(epoch="second", created_at=times[1], expected=record.position))
    await refuse(backend, created(epoch="third", created_at=times[2]), ConflictError)
    assert client.zrange(f"{tmp_path}:sessions", 0, -1) == [f"{times[1]} s".encode()]
    await backend.commit(removed(record))
    assert client.zcard(f"{tmp_path}:sessions") == 0
