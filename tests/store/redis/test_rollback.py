"""A server whose data goes back to an earlier time while it runs.

A virtual machine is rolled back with its memory, or an operator restores keys.
"""

import asyncio
from collections.abc import Callable

import pytest
from redis import Redis

from progress_sse.core.errors import ConflictError
from progress_sse.core.model import Position
from progress_sse.store.redis import followed_sessions
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.redis.codec import ReadResult
from progress_sse.store.types import Notification
from tests.harness.presence import present
from tests.harness.redis import KeyDump, RedisServer
from tests.store.changes import after, apply, created, moved, refuse, removed
from tests.store.observed import state
from tests.store.redis.conftest import Open
from tests.store.redis.follower import Follower, history

pytestmark = pytest.mark.guarantee(20)


async def test_a_report_detects_a_rollback(here: RedisBackend, take_dump: Callable[[], KeyDump]) -> None:
    """Readers get a snapshot under a new epoch, and go on from there."""
    record = await apply(here, created(), moved(after(created()), 1))
    follower, dump = await Follower.of(here), take_dump()
    lost = await apply(here, moved(record, 2))
    dump.restore()
    await refuse(here, moved(lost, 3), ConflictError)
    await follower.until(lambda: follower.record not in (record, lost))
    found = await state(here)
    assert follower.notifications[-1] == Notification("s", found)
    assert (found.session, found.position.offset) == (record.session, 1)
    assert found.position.epoch != "first"
    assert [await history(here, epoch) for epoch in ("first", found.position.epoch)] == [None, None]
    change = moved(found, 3)
    await here.commit(change)
    assert follower.notifications[-1] == Notification("s", change.record, entries=change.entries)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("is_followed", [False, True])
async def test_a_rollback_is_detected_after_others_moved_on(
    here: RedisBackend, there: RedisBackend, take_dump: Callable[[], KeyDump], count: int, is_followed: bool
) -> None:
    """The new history is shorter than the lost one, as long, or longer; the two are never joined."""
    record = await apply(here, created(), moved(after(created()), 1))
    follower, dump = await Follower.of(here) if is_followed else None, take_dump()
    lost = await apply(here, moved(record, 2, message="lost"), moved(after(moved(record, 2, message="lost")), 3))
    dump.restore()
    steps = [number % 3 + 1 for number in range(count)]
    # If they were committed one by one, a listening process would detect it in between.
    for commit in [steps] if is_followed and steps else [[step] for step in steps]:
        record = await apply(there, moved(record, *commit, message="second"))
    await refuse(here, moved(lost, 1), ConflictError)
    found = await state(here)
    assert (found.session, found.position.offset) == (record.session, record.position.offset)
    assert found.position.epoch != "first"
    for backend in (here, there):
        assert await backend.replay("s", lost.position) is None
        assert await backend.load("s") == found
    if follower is not None:
        await follower.until_at(found)
        assert [entry.offset for entry in follower.entries] == [2, 3]
        assert b"second" not in b"".join(entry.data for entry in follower.entries)


async def test_a_message_detects_a_rollback(
    here: RedisBackend, there: RedisBackend, take_dump: Callable[[], KeyDump]
) -> None:
    """Of a commit by another process: a number that fits does not prove that the transition does."""
    record = await apply(here, created(), moved(after(created()), 1))
    follower, dump = await Follower.of(here), take_dump()
    await apply(here, moved(record, 2))
    dump.restore()
    batch = moved(record, 1, 2, message="second")
    await there.commit(batch)
    await follower.until(lambda: follower.record is not None and follower.record.session == after(batch).session)
    assert present(follower.record).position.epoch != "first"
    assert [entry.offset for entry in follower.entries] == [2]


async def test_a_follower_that_reads_a_new_epoch_late_gets_the_session_alone(
    here: RedisBackend, there: RedisBackend, take_dump: Callable[[], KeyDump], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epoch has a transition by then, which the store replays to those that follow the epoch from its beginning."""
    record = await apply(here, created(), moved(after(created()), 1))
    follower, dump = await Follower.of(here), take_dump()
    lost = await apply(there, moved(record, 2))
    await follower.until_at(lost)
    dump.restore()
    may_read, read = asyncio.Event(), here._followed._read  # noqa: SLF001 - no command delays it

    async def read_late(session_id: str, position: Position) -> ReadResult:
        await may_read.wait()
        return await read(session_id, position)

    monkeypatch.setattr(here._followed, "_read", read_late)  # noqa: SLF001 - likewise
    first = await state(there)
    assert (first.session, first.position.offset) == (record.session, 1)
    change = moved(first, 3)
    await there.commit(change)
    may_read.set()
    await follower.until_at(change.record)
    assert follower.notifications[-1] == Notification("s", change.record)
    assert await here.replay("s", first.position) == list(change.entries)
    assert await here.replay("s", first.position._replace(offset=0)) is None


@pytest.mark.parametrize("is_read_first", [True, False])
async def test_a_log_ahead_of_the_state_detects_a_rollback(
    client: Redis, here: RedisBackend, there: RedisBackend, is_read_first: bool
) -> None:
    """If the state alone goes back, no process needs to know the lost history; and the session goes on."""
    record = await apply(here, created(), moved(after(created()), 1))
    name = here._keyspace.of("s").state  # noqa: SLF001 - an operator may restore it
    kept = client.dump(name)
    await apply(here, moved(record, 2), moved(after(moved(record, 2)), 3))
    assert isinstance(kept, bytes)
    client.restore(name, 0, kept, replace=True)
    if is_read_first:
        assert await there.replay("s", Position("first", 0)) is None
    else:
        await refuse(there, moved(record, 2, message="second"), ConflictError)
    found = await state(there)
    assert (found.session, found.position.offset) == (record.session, 1)
    assert found.position.epoch != "first"
    change = moved(found, 2, message="second")
    await there.commit(change)
    assert await there.replay("s", found.position) == list(change.entries)


@pytest.mark.parametrize("ending", ["removed", "replaced"])
async def test_an_ended_epoch_does_not_go_on_after_a_rollback(
    here: RedisBackend, there: RedisBackend, take_dump: Callable[[], KeyDump], ending: str
) -> None:
    """Even if another process, which did not see its end, commits to it at once."""
    record = await apply(here, created(), moved(after(created()), 1))
    follower, dump = await Follower.of(here), take_dump()
    await there.load("s")  # As a process does before it decides: it then commits with one command.
    last = created(epoch="second", expected=record.position) if ending == "replaced" else removed(record)
    await here.commit(last)
    dump.restore()
    record = await apply(there, moved(record, 2))
    assert await here.load("s") != record
    await follower.until(lambda: follower.record is not None and follower.record.session == record.session)
    found = follower.record
    assert found is not None
    assert found.position.epoch not in ("first", "second")
    change = moved(found, 3)
    await there.load("s")
    await there.commit(change)
    await follower.until_at(change.record)
    assert follower.notifications[-1].entries == change.entries


async def test_a_replaced_epoch_does_not_go_on_after_a_rollback(
    here: RedisBackend, take_dump: Callable[[], KeyDump]
) -> None:
    """Without listeners, a process still knows the later epoch."""
    record, dump = await apply(here, created(), moved(after(created()), 1)), take_dump()
    await here.commit(created(epoch="second", expected=record.position))
    dump.restore()
    found = await state(here)
    assert found.session == record.session
    assert found.position.epoch not in ("first", "second")


async def test_a_rollback_is_detected_without_traffic(
    here: RedisBackend, take_dump: Callable[[], KeyDump], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a report or a poll, listeners are notified all the same."""
    monkeypatch.setattr(followed_sessions, "POLL_INTERVAL_S", 0.2)
    monkeypatch.setattr(followed_sessions, "POLL_SAMPLE", 1)
    await here.aclose()
    await here.open()
    names = [f"s{number}" for number in range(20)]
    records = {name: await apply(here, created(name)) for name in names}
    followers = {name: await Follower.of(here, name) for name in names}
    dump = take_dump()
    for name in names:
        await here.commit(moved(records[name], 1))
    dump.restore()
    for name, follower in followers.items():
        has_old_state = lambda name=name, follower=follower: follower.record.session == records[name].session  # noqa: E731
        await follower.until(has_old_state)
        assert present(follower.record).position.epoch != "first"


@pytest.mark.parametrize("is_followed", [True, False])
async def test_a_server_that_knows_a_later_epoch_alone_recognises_an_earlier_one(
    server: RedisServer, connect: Open, take_dump: Callable[[], KeyDump], is_followed: bool
) -> None:
    """It was started after the earlier epoch had ended, and another server has moved that epoch on."""
    here, there = await connect(server), await connect(server)
    record = await apply(here, created(), moved(after(created()), 1))
    assert await there.load("s") == record
    dump = take_dump()
    lost = await apply(here, moved(record, 2), created(epoch="second", expected=record.position._replace(offset=2)))
    new = await connect(server)
    follower = await Follower.of(new) if is_followed else None
    assert await new.load("s") == lost
    dump.restore()
    second = await apply(there, moved(record, 3, message="second"))
    found = await state(new)
    assert (found.session, found.position.offset) == (second.session, 2)
    assert found.position.epoch not in ("first", "second")
    assert await new.replay("s", lost.position._replace(epoch="first", offset=1)) is None
    if follower is not None:
        await follower.until_at(found)
        assert "first" not in {each.record.position.epoch for each in follower.notifications if each.record}


async def test_a_rollback_that_lost_nothing_changes_nothing(
    here: RedisBackend, there: RedisBackend, take_dump: Callable[[], KeyDump]
) -> None:
    """The stored state continues the state that every process knows."""
    record = await apply(here, created(), moved(after(created()), 1))
    followers = [await Follower.of(here), await Follower.of(there)]
    take_dump().restore()
    for backend in (here, there):
        record = await apply(backend, moved(record, 2))
    for follower in followers:
        await follower.until_at(record)
        assert follower.entries == (await history(here) or [])[1:]
