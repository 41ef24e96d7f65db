"""A commit of one process notifies the listeners in every other process."""

import asyncio

from progress_sse.core.errors import ConflictError
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.types import Notification
from tests.harness.presence import present
from tests.harness.redis import RedisServer
from tests.store.changes import after, apply, created, moved, removed
from tests.store.observed import state
from tests.store.redis.conftest import Open
from tests.store.redis.follower import Follower, history


async def test_each_change_arrives_as_it_was_committed(here: RedisBackend, there: RedisBackend) -> None:
    """Creation, transitions, replacement and removal; each record is derived from the one before without a read."""
    follower = await Follower.of(there)
    batch = moved(after(created()), 1, 2, message="日本語\u2028\n")
    single = moved(after(batch), 1, status="error")
    fresh = created(epoch="second", expected=after(single).position)
    for change in (created(), batch, single, fresh):
        await here.commit(change)
        await follower.until_at(change.record)
    await here.commit(removed(after(fresh)))
    await follower.until_at(None)
    assert [each.is_fresh for each in follower.notifications[1:]] == [True, False, False, True, False]
    assert [each.entries for each in follower.notifications[1:]] == [(), batch.entries, single.entries, (), ()]


async def test_a_reopened_backend_is_notified_again(here: RedisBackend, there: RedisBackend) -> None:
    """By a new connection, like the first one."""
    record = await apply(here, created())
    for step in (1, 2):
        await there.aclose()
        await there.open()
        follower = await Follower.of(there)
        assert follower.record == record
        record = await apply(here, moved(record, step))
        await follower.until_at(record)


async def test_a_session_created_by_a_start_arrives_from_its_beginning(here: RedisBackend, there: RedisBackend) -> None:
    """Its readers get the pending state, and then the transition."""
    follower = await Follower.of(there)
    change = moved(after(created()), 2)._replace(expected=None, is_fresh=True)
    await here.commit(change)
    await follower.until_at(change.record)
    assert follower.notifications[1:] == [Notification("s", change.record, is_fresh=True, entries=change.entries)]


async def test_a_change_too_large_to_publish_is_read_instead(here: RedisBackend, there: RedisBackend) -> None:
    """All of its transitions arrive."""
    record = await apply(here, created())
    follower = await Follower.of(there)
    change = moved(record, 1, 2, message="x" * 40_000)
    await here.commit(change)
    await follower.until_at(change.record)
    assert follower.notifications[1:] == [Notification("s", change.record, entries=change.entries)]


async def test_concurrent_commits_of_processes_arrive_once_and_in_order(server: RedisServer, connect: Open) -> None:
    """From each process. A process notifies its own listeners before its commit returns."""
    backends = [await connect(server) for _ in range(3)]
    await apply(backends[0], created())
    followers = [await Follower.of(backend) for backend in backends]

    async def work(number: int) -> None:
        for step in (1, 2, 3) * 20:
            await commit_next(number, step)

    async def commit_next(number: int, step: int) -> None:
        while True:
            record = await state(backends[number])
            change = moved(record, step, message=f"{number}")
            try:
                await backends[number].commit(change)
            except ConflictError:
                continue
            notified = present(followers[number].record)
            assert notified.position.offset >= after(change).position.offset
            return

    await asyncio.gather(*map(work, range(len(backends))))
    record = await backends[0].load("s")
    entries = present(await history(backends[0]))
    assert [entry.offset for entry in entries] == list(range(1, 181))
    for follower in followers:
        await follower.until_at(record)
        assert follower.entries == entries
        assert all(notification.entries for notification in follower.notifications[1:])


async def test_successive_epochs_are_never_mixed_up(here: RedisBackend, there: RedisBackend) -> None:
    """Two processes create and remove the session in turn; the last notification of each shows the true state."""
    followers = [await Follower.of(here), await Follower.of(there)]
    for number in range(60):
        backend = (here, there)[number % 2]
        change = moved(after(created(epoch=f"e{number}")), 1)._replace(expected=None, is_fresh=True)
        await backend.commit(change)
        await (there, here)[number % 3 % 2].commit(removed(after(change)))
    last = await apply(here, created(epoch="last"))
    for follower in followers:
        await follower.until_at(last)
        epochs = [notification.record.position.epoch for notification in follower.notifications if notification.record]
        assert epochs == sorted(epochs, key=lambda epoch: int(epoch[1:]) if epoch != "last" else 60)


async def test_changes_in_another_database_do_not_arrive(server: RedisServer, connect: Open) -> None:
    """A session of the same id there is another one, though all databases of a server share its channels."""
    here, there = await connect(server), await connect(server, database=1)
    for backend in (here, there):
        await backend.commit(created())
    follower = await Follower.of(there)
    await here.commit(removed(after(created())))
    change = moved(after(created()), 1)
    await there.commit(change)
    await Follower.of(there, "later")  # All earlier messages have arrived by then.
    assert follower.notifications[1:] == [Notification("s", change.record, entries=change.entries)]
