"""Messages that are published while a process is not subscribed are lost; it reads the sessions instead."""

import asyncio

import pytest
from redis import Redis

from progress_sse.core.model import Position
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.types import Notification
from tests.harness.redis import RedisServer
from tests.store.changes import after, apply, created, moved, removed
from tests.store.redis.follower import Follower, history

DEADLINE_S = 30


async def test_a_gap_is_filled_with_the_missed_transitions(
    server: RedisServer, here: RedisBackend, there: RedisBackend
) -> None:
    """A connection that is cut repeatedly loses no transition."""
    record = await apply(here, created())
    follower = await Follower.of(there)
    for number in range(60):
        if number % 10 == 5:
            with server.client() as client:
                client.client_kill_filter(_type="pubsub")
        record = await apply(here, moved(record, number % 3 + 1))
    await follower.until_at(record)
    assert follower.entries == await history(here)


async def test_an_unexpected_error_loses_no_transition(
    here: RedisBackend, there: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of our own while messages are received costs one connection."""
    record = await apply(here, created())
    follower = await Follower.of(there)
    has_failed = asyncio.Event()

    def fail(*_: object) -> None:
        monkeypatch.undo()
        has_failed.set()
        raise ZeroDivisionError

    monkeypatch.setattr(there._topics._pubsub, "_on_message", fail)  # noqa: SLF001 - no message causes it
    changes = [moved(record, 1), moved(after(moved(record, 1)), 2)]
    await here.commit(changes[0])
    async with asyncio.timeout(DEADLINE_S):
        await has_failed.wait()
    await here.commit(changes[1])
    await follower.until_at(after(changes[1]))
    assert follower.entries == await history(here)


async def test_a_removal_or_replacement_during_a_gap_arrives(
    client: Redis, here: RedisBackend, there: RedisBackend
) -> None:
    """A replacement arrives from its beginning, if the log still has it."""
    followers = {session_id: await Follower.of(there, session_id) for session_id in ("gone", "new")}
    for session_id in followers:
        await here.commit(created(session_id))
    for follower in followers.values():
        await follower.until(lambda follower=follower: follower.record is not None)  # type: ignore[misc]  # bound
    client.client_kill_filter(_type="pubsub")
    await here.commit(removed(after(created("gone"))))
    fresh = created("new", epoch="second", expected=Position("first", 0))
    change = moved(after(fresh), 1)._replace(expected=Position("first", 0), is_fresh=True)
    await here.commit(change)
    await followers["gone"].until_at(None)
    await followers["new"].until_at(change.record)
    assert followers["new"].notifications[-1] == Notification(
        "new", change.record, is_fresh=True, entries=change.entries
    )
