"""A server that comes back with less data, or loses keys while it runs."""

import asyncio

import pytest
from redis import Redis

from progress_sse.core.errors import ConflictError, StoreFullError
from progress_sse.store.redis import followed_sessions
from progress_sse.store.types import Notification
from tests.conftest import RunRedis
from tests.harness.redis import RedisServer
from tests.store.changes import after, apply, created, key, moved, refuse
from tests.store.observed import state
from tests.store.redis.conftest import Open
from tests.store.redis.follower import DEADLINE_S, Follower, history


async def test_an_old_dump_gives_the_session_a_new_epoch(run_redis: RunRedis, connect: Open) -> None:
    """Readers get a snapshot, and no transition of a history that differs from the one that they know."""
    server = run_redis("rdb")
    backend = await connect(server)
    follower = await Follower.of(backend)
    saved = await apply(backend, created(), moved(after(created()), 1, keys=[key("k")]))
    with server.client() as client:
        client.save()
    lost = await apply(backend, moved(saved, 2))
    await asyncio.to_thread(server.restart)
    with pytest.raises(ConflictError):  # Though its number fits the stored position.
        await backend.commit(moved(saved, 3))
    await follower.until(lambda: follower.record not in (lost, saved))
    record = await state(backend)
    assert follower.notifications[-1] == Notification("s", record)
    assert (record.session, record.position.offset) == (saved.session, 1)
    assert record.position.epoch not in ("first", "")
    assert await history(backend) is None
    assert await history(backend, record.position.epoch) is None
    assert await backend.find_idempotency_key("s", "k") == key("k")
    change = moved(record, 3)
    await backend.commit(change)
    assert await backend.replay("s", record.position) == list(change.entries)
    assert follower.entries[-1:] == list(change.entries)


async def test_a_full_restarted_server_still_serves_reads(run_redis: RunRedis, connect: Open) -> None:
    """A session is read, and gets its new epoch, without room for a change."""
    server = run_redis("always")
    backend = await connect(server)
    record = await apply(backend, created(), moved(after(created()), 1))
    await asyncio.to_thread(server.restart)
    with server.client() as client:
        client.config_set("maxmemory", 1)
        found = await state(backend)
        assert (found.session, found.position.offset) == (record.session, 1)
        assert found.position.epoch != record.position.epoch
        await refuse(backend, moved(found, 1), StoreFullError)
        client.config_set("maxmemory", 0)
    await apply(backend, moved(found, 1))


async def test_an_empty_restarted_server_ends_the_session(run_redis: RunRedis, connect: Open) -> None:
    """It can be created again."""
    server = run_redis()
    backend = await connect(server)
    follower = await Follower.of(backend)
    await apply(backend, created(), moved(after(created()), 1))
    await asyncio.to_thread(server.restart)
    await follower.until_at(None)
    assert await backend.load("s") is None
    await apply(backend, created(epoch="second"))
    assert follower.record == after(created(epoch="second"))


async def test_sessions_deleted_silently_are_noticed_together(
    server: RedisServer, client: Redis, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection is lost, and no message sent. One lost session in a sample makes the process read all of them."""
    monkeypatch.setattr(followed_sessions, "POLL_INTERVAL_S", 0.5)
    monkeypatch.setattr(followed_sessions, "POLL_SAMPLE", 1)
    backend = await connect(server)
    names = [f"s{number}" for number in range(4 * DEADLINE_S)]  # Noticed one by one, they would take twice the time.
    for name in names:
        await apply(backend, created(name))
    followers = [await Follower.of(backend, name) for name in names]
    keys = [key for name in names for key in backend._keyspace.of(name)[:-1]]  # noqa: SLF001 - as FLUSHALL would
    client.delete(*keys)
    async with asyncio.timeout(DEADLINE_S):
        for follower in followers:
            await follower.until_at(None)


async def test_a_read_that_finds_no_session_notifies_listeners(
    server: RedisServer, client: Redis, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers of the stream learn what a poll shows."""
    monkeypatch.setattr(followed_sessions, "POLL_INTERVAL_S", 3600)
    backend = await connect(server)
    await apply(backend, created())
    follower = await Follower.of(backend)
    client.delete(backend._keyspace.of("s").state)  # noqa: SLF001 - as eviction does
    assert await backend.load("s") is None
    await follower.until_at(None)


async def test_a_single_lost_session_is_noticed_in_turn(
    server: RedisServer, client: Redis, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each session is in a sample at some time."""
    monkeypatch.setattr(followed_sessions, "POLL_INTERVAL_S", 0.01)
    monkeypatch.setattr(followed_sessions, "POLL_SAMPLE", 1)
    backend = await connect(server)
    for name in ("s0", "s1", "s2"):
        await apply(backend, created(name))
    followers = [await Follower.of(backend, name) for name in ("s0", "s1", "s2")]
    client.delete(backend._keyspace.of("s2").state)  # noqa: SLF001 - as eviction does
    await followers[2].until_at(None)
    assert [follower.record for follower in followers[:2]] == [after(created("s0")), after(created("s1"))]
