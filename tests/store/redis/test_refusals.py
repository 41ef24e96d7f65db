"""Error replies of the server are translated, and none of them leaves a partial change."""

import pytest
from redis import Redis

from progress_sse.core.errors import ConflictError, StoreFullError, StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.store.redis.backend import RedisBackend
from tests.conftest import RunRedis
from tests.harness.redis import RedisServer
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, key, moved, refuse, removed
from tests.store.observed import ids
from tests.store.redis.conftest import Open
from tests.store.redis.follower import history

DEADLINE_S = 30


async def test_a_full_server_refuses_changes_but_not_reads_and_removals(run_redis: RunRedis, connect: Open) -> None:
    """Nothing is added; stored sessions can be read and removed."""
    server = run_redis()
    backend = await connect(server)
    record = await apply(backend, created())
    with server.client() as client:
        client.config_set("maxmemory", 1)
        for change in (moved(record, 1), created("other"), moved(record, keys=[key("k")])):
            await refuse(backend, change, StoreFullError)
        assert await backend.load("s") == record
        assert await history(backend) == []
        assert await backend.load("other") is None
        with pytest.raises(StoreFullError):
            await backend.ping()
        assert await (await connect(server)).load("s") == record  # A new process may connect.
        await backend.commit(removed(record))
        client.config_set("maxmemory", 0)
    await apply(backend, created())


async def test_a_damaged_session_does_not_hinder_listing_and_removing_others(
    client: Redis, backend: RedisBackend
) -> None:
    """Another program has written to two of its keys, and to the index."""
    for name in ("state", "log", "other"):
        await apply(backend, created(name))
    keyspace = backend._keyspace  # noqa: SLF001 - another program may write there
    for name, foreign in ((keyspace.of("state").state, "list"), (keyspace.of("log").log, "text")):
        client.delete(name)
        client.rpush(name, foreign)
    client.zadd(keyspace.index, {b"\xff": 0})
    assert set(await ids(backend)) == {"log", "other"}
    assert await backend.expire("9999", lambda _: True) == 1
    assert await backend.load("other") is None


@pytest.mark.parametrize("part", ["state", "log", "idempotency_keys", "idempotency_ranks"])
async def test_a_foreign_value_at_a_key_leaves_no_partial_change(
    client: Redis, backend: RedisBackend, part: str
) -> None:
    """That is no error of the worker, and no key is changed."""
    record = await apply(backend, created(), moved(after(created()), 1, keys=[key("k")]))
    name = getattr(backend._keyspace.of("s"), part)  # noqa: SLF001 - another program may write there
    kept = client.dump(name)
    client.set(name, "foreign")
    await refuse(backend, moved(record, 2, keys=[key("l")]), StoreUnavailableError)
    assert isinstance(kept, bytes)
    client.restore(name, 0, kept, replace=True)
    assert await backend.load("s") == record
    assert len(await history(backend) or []) == 1
    assert await backend.find_idempotency_key("s", "l") is None


@pytest.mark.guarantee(31)
async def test_a_replica_refuses_until_it_is_promoted(run_redis: RunRedis, connect: Open) -> None:
    """A connection to it is closed after a refusal, since another server may be the master by now."""
    server, primary = run_redis(), run_redis()
    backend = await connect(server)
    record = await apply(backend, created())
    with server.client() as client:
        before = {each["id"] for each in client.client_list()}
        client.replicaof("127.0.0.1", str(primary.port))
        await refuse(backend, moved(record, 1), StoreUnavailableError)
        await eventually(lambda: len(before - {each["id"] for each in client.client_list()}) == 1, DEADLINE_S)
        with pytest.raises(StoreUnavailableError):
            await backend.load("s")
        with pytest.raises(StoreUnavailableError):
            await backend.ping()
        client.replicaof("NO", "ONE")
    await apply(backend, created("other"))


async def test_a_forgotten_script_is_sent_again(server: RedisServer, client: Redis, backend: RedisBackend) -> None:
    """The server no longer knows its digest."""
    record = await apply(backend, created())
    client.script_flush()
    record = await apply(backend, moved(record, 1))
    assert await backend.load("s") == record


async def test_evicted_keys_give_a_snapshot_or_no_session(client: Redis, backend: RedisBackend) -> None:
    """Without its log, readers get a snapshot. Without its state, the session does not exist, and can be created."""
    record = await apply(backend, created(), moved(after(created()), 1, keys=[key("k")]))
    keys = backend._keyspace.of("s")  # noqa: SLF001 - as eviction does
    client.delete(keys.log)
    assert await history(backend) is None
    record = await apply(backend, moved(record, 2))
    assert await backend.replay("s", Position("first", 1)) is not None
    client.delete(keys.state)
    assert await backend.load("s") is None
    await apply(backend, created(epoch="second"))
    assert await history(backend, "second") == []
    assert await backend.find_idempotency_key("s", "k") == key("k")
    await refuse(backend, moved(record, 1), ConflictError)
