"""Values that another program has changed; `tests/live/test_damage.py` has those of sessions."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis.asyncio

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.keys import SessionKeys
from progress_sse.store.types import Sign
from tests.harness.redis import RedisServer
from tests.store.changes import after, apply, created, key, moved
from tests.store.contract.test_filtered_lists import labelled, wanted
from tests.store.contract.test_log_lines import append, texts
from tests.store.observed import ids, state
from tests.store.redis.conftest import Open

pytestmark = pytest.mark.guarantee(32)

Corrupt = Callable[[redis.asyncio.Redis, SessionKeys], Any]

SESSION = labelled(created(keys=[key("k")]), {"a": "b"})


@pytest.fixture
async def backend(server: RedisServer, connect: Open) -> RedisBackend:
    """A process that has read nothing of a session with a label, a key, a transition and two lines of a log."""
    writer = await connect(server)
    await apply(writer, SESSION)
    await append(writer, "a", "b")
    await apply(writer, moved(after(SESSION), 1))
    return await connect(server)


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of the server, like any other program's."""
    async with redis.asyncio.Redis(port=server.port) as client:
        yield client


@pytest.fixture
def keys(backend: RedisBackend) -> SessionKeys:
    """The keys of the session."""
    return backend._keyspace.of("s")  # noqa: SLF001 - a program that knows them changes them


async def change_first(client: redis.asyncio.Redis, stream: str, changes: dict[str, Any]) -> None:
    """Change the first entry of a stream."""
    kept: Any = await client.xrange(stream)
    await client.delete(stream)
    kept[0][1].update({name.encode(): value for name, value in changes.items()})
    for name, fields in kept:
        await client.xadd(stream, fields, id=name)


@pytest.mark.parametrize("changes", [{"d": "{}"}, {"s": "one"}, {"s": "2"}, {"c": "x"}, {"e": "more"}], ids=str)
async def test_a_damaged_transition_is_not_replayed(
    backend: RedisBackend, client: redis.asyncio.Redis, keys: SessionKeys, changes: dict[str, str]
) -> None:
    """Its readers get a snapshot."""
    await change_first(client, keys.log, changes)
    record = await state(backend)
    assert record.position == Position("first", 1)
    assert await backend.replay("s", Position("first", 0)) is None
    await backend.commit(moved(record, 2))
    assert backend.damage_count == 1


@pytest.mark.parametrize("changes", [{"d": '"at":1}'}, {"d": b"\xff"}, {"c": "x"}, {"e": "more"}], ids=str)
async def test_a_damaged_line_is_left_out(
    backend: RedisBackend, client: redis.asyncio.Redis, keys: SessionKeys, changes: dict[str, Any]
) -> None:
    """The others are shown."""
    await change_first(client, keys.lines, changes)
    assert await texts(backend) == {2: "b"}
    assert backend.damage_count == 1


CORRUPTED_LOGS: dict[str, Corrupt] = {
    "no number of lines": lambda client, keys: client.hset(keys.state, "lines_last", "x"),
    "no bytes of lines": lambda client, keys: client.hset(keys.state, "lines_bytes", "-1"),
    "no keys of lines": lambda client, keys: client.set(keys.line_keys, "foreign"),
}


@pytest.mark.parametrize("corrupt", CORRUPTED_LOGS.values(), ids=CORRUPTED_LOGS)
async def test_a_log_without_numbers_takes_no_lines(
    backend: RedisBackend, client: redis.asyncio.Redis, keys: SessionKeys, corrupt: Corrupt
) -> None:
    """Nothing of it is written, and the session goes on."""
    await corrupt(client, keys)
    before = await client.dump(keys.lines)
    with pytest.raises(StoreUnavailableError):
        await append(backend, "c", expected=Position("first", 1))
    assert await client.dump(keys.lines) == before
    await apply(backend, moved(after(moved(after(SESSION), 1)), 2))
    assert backend.damage_count == 1


@pytest.mark.parametrize(
    "stored", ["", "x", "t d evil first", "t d created", b"\xff d created first", "t d created \u00e9 x"]
)
async def test_a_damaged_key_is_no_key(
    backend: RedisBackend, client: redis.asyncio.Redis, keys: SessionKeys, stored: str | bytes
) -> None:
    """A request under it is refused, since it may have been applied."""
    await client.hset(keys.idempotency_keys, "k", stored)
    with pytest.raises(StoreUnavailableError):
        await backend.find_idempotency_key("s", "k")
    assert backend.damage_count == 1


@pytest.mark.parametrize("sign", ["x", "5 yesterday", b"\xff", "5 2026-01-01T00:00:00"])
async def test_a_damaged_sign_of_life_is_none(
    backend: RedisBackend, client: redis.asyncio.Redis, keys: SessionKeys, sign: str | bytes
) -> None:
    """The session is not judged by it, and a further sign replaces it."""
    await client.hset(keys.state, "sign:1", sign)
    with pytest.raises(StoreUnavailableError):
        await backend.leases.silences("s", [1], 0.0)
    sign_of_now = Sign(1, "2026-01-01T00:00:00+00:00", 0.0, 1000, True)
    assert await backend.leases.renew("s", Position("first", 1), [sign_of_now])
    assert await backend.leases.silences("s", [1], 0.0)


async def test_foreign_members_of_the_index_are_passed_over(
    backend: RedisBackend, client: redis.asyncio.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """By lists of all kinds, by the clean-up, and by the watch over leases."""
    keyspace = backend._keyspace  # noqa: SLF001 - as above
    label = keyspace.labelled(("a", "b"))
    for name in (keyspace.index, keyspace.ids, keyspace.unfinished, label, keyspace.sets, keyspace.lease_checks):
        await client.zadd(name, {b"\xff": 0, b"s": 0, b"s\xff\0": 0, b"0 s\0x": 0, b"0 s": 0, b"s\0": 0})
    for filtered in (ALL_SESSIONS, wanted("s"), wanted(a="b"), wanted("", "running")):
        assert await ids(backend, filtered) == ["s"]
    assert await backend.lists.count_by_status() == {"running": 1}
    assert "s" in await backend.leases.overdue(0.0) or await backend.leases.watched()
    assert await backend.expire("9", lambda _summary: True) == 1
    assert await ids(backend) == []
    assert not [record for record in caplog.records if record.exc_info]


CORRUPTED_BESIDE: dict[str, Callable[[redis.asyncio.Redis, Any], Any]] = {
    "tombstone": lambda client, space: client.set(space.of("s").tombstone, "foreign"),
    "orphans": lambda client, space: client.zadd(space.orphans, {b"\xff": -1e9, b"x": -1e9}),
    "profiles": lambda client, space: client.zadd(space.profiles, {b"\xff": 0}),
    "lease clock": lambda client, space: client.hset(space.lease_clock, mapping={"now": "x", "since": "y"}),
    "half a lease clock": lambda client, space: client.hset(space.lease_clock, "now", "5"),
}


@pytest.mark.parametrize("corrupt", CORRUPTED_BESIDE.values(), ids=CORRUPTED_BESIDE)
async def test_a_session_lives_through_foreign_values_beside_it(
    backend: RedisBackend, client: redis.asyncio.Redis, corrupt: Callable[[redis.asyncio.Redis, Any], Any]
) -> None:
    """It is changed, removed and created again."""
    await corrupt(client, backend._keyspace)  # noqa: SLF001 - as above
    record = await state(backend)
    record = await apply(backend, moved(record, 2))
    assert await backend.leases.overdue(1.0) is not None
    await backend.commit(created()._replace(expected=record.position, record=None, is_fresh=False))
    await corrupt(client, backend._keyspace)  # noqa: SLF001 - as above
    assert await backend.load("s") is None
    await apply(backend, created(epoch="second"))
