"""Log lines in Redis: beside their session, appended once, and told from a store that went back in time."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import redis.asyncio
from redis import Redis

from progress_sse.core.errors import ConflictError, OutcomeUnknownError, StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.store.listeners import ALL_CHANGES, changes_of, lines_of
from progress_sse.store.log_lines import StoredLines
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.keys import Keyspace
from progress_sse.store.redis.messages import MAX_BYTES
from progress_sse.store.redis.scripts import COMMIT
from tests.harness.redis import KeyDump, RedisServer
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, key, moved
from tests.store.contract.test_log_lines import append, line_key, stored, texts
from tests.store.observed import state
from tests.store.redis.conftest import Open
from tests.store.redis.lost_replies import LostReplies

DEADLINE_S = 20


@pytest.fixture
async def here(server: RedisServer, connect: Open) -> RedisBackend:
    """A process that works on the session."""
    backend = await connect(server)
    await apply(backend, created())
    return backend


@pytest.mark.parametrize("times", [1, 3])
async def test_lines_whose_reply_was_lost_are_appended_once(
    here: RedisBackend, there: RedisBackend, lost_replies: LostReplies, times: int
) -> None:
    """Also where others append meanwhile; the listeners here get them."""
    told: list[StoredLines | None] = []
    await here.subscribe(lines_of("s"), told.append)
    lost_replies.lose(times, meanwhile=lambda: append(there, "b"), of=COMMIT)
    await append(here, "a1", "a2", key=line_key("k"))
    assert await texts(here) == {1: "a1", 2: "a2", 3: "b"}
    await eventually(lambda: {line.n for each in told if each for line in each.lines} >= {1, 2}, 20)


async def test_commits_are_recognised_across_each_other(
    here: RedisBackend, there: RedisBackend, lost_replies: LostReplies
) -> None:
    """A transition knows itself after lines, lines after a transition, and both together after both."""
    whole = moved(after(created()), 1)._replace(resets_log=True, entries=(), steps=frozenset({1}))
    at = after(whole).position
    lost_replies.lose(meanwhile=lambda: append(there, "a", expected=at))
    await here.commit(whole)
    step = moved(after(whole), 2)
    lost_replies.lose(meanwhile=lambda: there.commit(step))
    await append(here, "b", expected=at)
    both = moved(after(step), 3)._replace(lines=(b"c",))
    more = moved(after(both), 1)._replace(lines=(b"d",))
    lost_replies.lose(meanwhile=lambda: there.commit(more))
    await here.commit(both)
    assert await here.load("s") == after(more)
    assert await texts(here) == {1: "a", 2: "b", 3: "c", 4: "d"}


async def test_lines_alone_leave_all_else_as_it_is(here: RedisBackend, client: Redis) -> None:
    """Token, revision, position, list entry, transitions and the keys of updates."""
    keys = here._keyspace.of("s")  # noqa: SLF001 - what they change is known to no other
    await apply(here, moved(after(created()), keys=[key("k")]))
    others = (keys.log, keys.idempotency_keys, keys.idempotency_ranks)
    state, dumps = client.hgetall(keys.state), [client.dump(each) for each in others]
    await append(here, "a", key=line_key("k"))
    changed = dict(client.hgetall(keys.state).items() - state.items())
    assert changed == {b"lines_last": b"1", b"lines_bytes": b"1"}
    assert [client.dump(each) for each in others] == dumps


async def test_a_flood_costs_nothing_where_no_log_is_read(
    here: RedisBackend, there: RedisBackend, server: RedisServer
) -> None:
    """Its bytes go over a channel of their own, to which a server without readers of logs does not subscribe."""
    keyspace = here._keyspace  # noqa: SLF001 - the channels are known to no other
    changes, lists, lines = keyspace.of("s").channel, keyspace.list_channel("s"), keyspace.of("s").line_channel
    await there.subscribe(changes_of("s"), lambda _: None)
    await there.subscribe(ALL_CHANGES, lambda _: None)
    sent = Counter[str]()
    async with redis.asyncio.Redis(port=server.port, decode_responses=True) as client:
        assert await client.pubsub_numsub(lines) == [(lines, 0)]
        async with client.pubsub() as pubsub:
            await pubsub.subscribe(changes, lists, lines)
            for _ in range(20):
                await append(here, *["x" * 1000] * 10)
            await here.commit(moved(after(created()), 1))
            async with asyncio.timeout(DEADLINE_S):
                while not (sent[changes] and sent[lists]):
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=DEADLINE_S)
                    if message is not None:
                        sent[message["channel"]] += len(message["data"])
    assert sent[lines] > 200_000
    assert sent[changes] + sent[lists] < 1000


async def test_lines_in_doubt_do_not_reach_another_session(
    here: RedisBackend, there: RedisBackend, lost_replies: LostReplies
) -> None:
    """The session was replaced before they could be sent again: whether they were appended is unknown."""
    replacement = created(epoch="second", expected=Position("first", 0))
    lost_replies.lose(meanwhile=lambda: there.commit(replacement), of=COMMIT)
    with pytest.raises(OutcomeUnknownError):
        await append(here, "a")
    assert await texts(here) == {}


async def test_another_process_is_told(here: RedisBackend, there: RedisBackend) -> None:
    """Of few lines by the lines, of many by where they end; and of nothing that it did itself twice."""
    told: list[StoredLines | None] = []
    await there.subscribe(lines_of("s"), told.append)
    await append(here, "a", "b")
    await eventually(lambda: len(told) == 1, DEADLINE_S)
    assert told[0] == await there.lines.read_lines("s", 0)
    await append(there, "c")
    await append(here, *["x" * 1000] * (MAX_BYTES // 1000 + 1))
    await eventually(lambda: len(told) == 3, DEADLINE_S)
    assert told[1] is not None
    assert [line.data for line in told[1].lines] == [b"c"]
    assert told[2] is not None
    assert (told[2].lines, told[2].last) == ([], 3 + MAX_BYTES // 1000 + 1)


async def test_a_message_of_another_program_lets_listeners_look(here: RedisBackend, client: Redis) -> None:
    """They read the log, or the list, in its place."""
    found: list[object] = []
    await here.subscribe(lines_of("s"), found.append)
    await here.subscribe(ALL_CHANGES, found.append)
    keyspace = here._keyspace  # noqa: SLF001 - the channels are known to no other
    for n, channel in enumerate([keyspace.of("s").line_channel, *keyspace.list_channels], 1):
        client.publish(channel, b"\xff")
        await eventually(lambda: found == [None] * n, DEADLINE_S)  # noqa: B023


@pytest.mark.guarantee(20)
@pytest.mark.parametrize("notices", ["append", "read"])
async def test_a_rollback_of_lines_alone_begins_another_life(
    here: RedisBackend, take_dump: Callable[[], KeyDump], notices: str
) -> None:
    """The numbers alone show it, as no transition is missing; none of a lost line is used again in that life."""
    record = await state(here)
    await append(here, "a")
    dump = take_dump()
    await append(here, "lost")
    dump.restore()
    if notices == "append":
        with pytest.raises(ConflictError):
            await append(here, "b")
    found = await stored(here)
    assert found.epoch != "first"
    assert [line.data for line in found.lines] == [b"a"]
    again = await state(here)
    assert (again.session, again.position) == (record.session, Position(found.epoch, 0))
    await append(here, "b", expected=again.position)
    assert await texts(here) == {1: "a", 2: "b"}


@pytest.mark.guarantee(20)
async def test_a_rollback_of_the_session_keeps_the_lines_under_another_life(
    here: RedisBackend, take_dump: Callable[[], KeyDump]
) -> None:
    """Their numbers go on."""
    await append(here, "a")
    dump = take_dump()
    lost = await apply(here, moved(after(created()), 1))
    await append(here, "lost", expected=lost.position)
    dump.restore()
    with pytest.raises(ConflictError):
        await append(here, "b", expected=lost.position)
    again = await state(here)
    assert again.position.epoch != "first"
    await append(here, "b", expected=again.position)
    assert await texts(here) == {1: "a", 2: "b"}
    assert (await stored(here)).epoch == again.position.epoch


async def test_lines_expire_with_their_session(here: RedisBackend, client: Redis, tmp_path: Path) -> None:
    """Each change of the session, each sign of life, and each line prolongs both."""
    keys = here._keyspace.of("s")  # noqa: SLF001 - tests of expiry need the names
    names = (keys.state, keys.lines, keys.line_keys)
    log = after(created()).session.details._replace(log=True)

    def lifetimes_ms() -> list[int]:
        return [client.pttl(name) for name in names]

    await append(here, "a", key=line_key("k"))
    assert min(lifetimes_ms()) > 3_000_000
    for name in names:
        client.pexpire(name, 100_000)
    await append(here, "b")
    assert min(lifetimes_ms()) > 3_000_000
    for name in names:
        client.pexpire(name, 100_000)
    change = moved(after(created()), 1)
    assert change.record is not None
    session = change.record.session
    session = session._replace(progress=session.progress._replace(details=log))
    change.record.session = session
    await here.commit(change._replace(has_new_details=True))
    assert min(lifetimes_ms()) > 3_000_000
    assert {key for key in client.keys(f"{tmp_path}:*") if client.pttl(key) < 0}.isdisjoint(map(str.encode, names))


@pytest.mark.parametrize("name", ["lines", "line_keys"])
async def test_a_foreign_value_in_their_place_changes_nothing(here: RedisBackend, client: Redis, name: str) -> None:
    """Lines fail then, and transitions go on."""
    keys: Keyspace = here._keyspace  # noqa: SLF001 - as above
    client.hset(getattr(keys.of("s"), name), "foreign", "value")
    with pytest.raises(StoreUnavailableError):
        await append(here, "a")
    assert client.hget(keys.of("s").state, "lines_last") is None
    record = await apply(here, moved(after(created()), 1))
    assert await here.load("s") == record
    client.delete(getattr(keys.of("s"), name))
    await append(here, "a", expected=record.position)
    assert await texts(here) == {1: "a"}
