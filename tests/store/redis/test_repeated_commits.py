"""A commit whose reply was lost is sent again, and applied once."""

import time
from pathlib import Path

import pytest
from redis import Redis

from progress_sse.core.errors import ConflictError, OutcomeUnknownError
from progress_sse.core.model import Position
from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.redis.backend import RedisBackend
from tests.harness.redis import RedisServer
from tests.store.changes import T0, after, apply, created, key, moved, refuse, removed
from tests.store.observed import state
from tests.store.redis.follower import Follower, history
from tests.store.redis.lost_replies import LostReplies


@pytest.mark.parametrize("times", [1, 3])
async def test_a_repeated_commit_is_applied_once(backend: RedisBackend, lost_replies: LostReplies, times: int) -> None:
    """Creation, transitions, keys alone, replacement, removal."""
    record = after(created())
    replacement = created(epoch="second", expected=Position("first", 3), created_at=T0.replace("2026", "2027"))
    batch = moved(record, 1, 2, 1, keys=[key("k")])
    only_keys = moved(after(batch), keys=[key("l")])
    for change in (created(), batch, only_keys, replacement):
        lost_replies.lose(times)
        await backend.commit(change)
        assert await backend.load("s") == change.record
    assert await history(backend, "second") == []
    lost_replies.lose(times)
    await backend.commit(removed(after(replacement)))
    assert await backend.load("s") is None


async def test_a_repeated_commit_is_recognised_after_other_commits(
    backend: RedisBackend, there: RedisBackend, lost_replies: LostReplies
) -> None:
    """Other processes may have changed the session before it is sent again."""
    follower = await Follower.of(backend)
    first, second = created(), moved(after(created()), 1)
    lost_replies.lose(meanwhile=lambda: there.commit(second))
    await backend.commit(first)
    third, fourth = moved(after(second), 2, 3), moved(after(moved(after(second), 2, 3)), 1)
    lost_replies.lose(meanwhile=lambda: there.commit(fourth))
    await backend.commit(third)
    assert await history(backend) == [*second.entries, *third.entries, *fourth.entries]
    assert follower.record == after(fourth)
    assert follower.entries == await history(backend)


async def test_a_repeated_removal_leaves_a_later_session_in_the_index(
    client: Redis, backend: RedisBackend, there: RedisBackend, lost_replies: LostReplies, tmp_path: Path
) -> None:
    """And removes the entry of its own session."""
    await backend.commit(created())
    later = T0.replace("2026", "2027")
    lost_replies.lose(meanwhile=lambda: there.commit(created(epoch="second", created_at=later)))
    await backend.commit(removed(after(created())))
    assert [summary.created_at for summary in await backend.lists.list_summaries(ALL_SESSIONS, 9, None)] == [later]
    assert client.zrange(f"{tmp_path}:sessions", 0, -1) == [f"{later} s".encode()]


async def test_a_repeated_creation_does_not_undo_a_removal(
    client: Redis, backend: RedisBackend, there: RedisBackend, lost_replies: LostReplies, tmp_path: Path
) -> None:
    """Another client was told that the session is gone, so it stays removed; it can be created anew."""
    follower = await Follower.of(backend)
    change = moved(after(created()), 1)._replace(expected=None, is_fresh=True)
    lost_replies.lose(2, meanwhile=lambda: there.commit(removed(after(change))))
    await backend.commit(change)
    assert await backend.load("s") is None
    await follower.until_at(None)
    assert client.zcard(f"{tmp_path}:sessions") == 0
    await apply(backend, created(epoch="second"))
    assert await there.load("s") == after(created(epoch="second"))


async def test_a_repeated_commit_conflicts_when_another_took_its_place(
    backend: RedisBackend, there: RedisBackend, lost_replies: LostReplies
) -> None:
    """If another transition has its number, it was never applied, and is decided again."""
    record = await apply(backend, created())
    await there.commit(moved(record, 2))
    lost_replies.lose()
    await refuse(backend, moved(record, 1), ConflictError)


async def test_a_repeated_commit_is_in_doubt_after_a_replacement(
    backend: RedisBackend, there: RedisBackend, lost_replies: LostReplies
) -> None:
    """A session that was replaced meanwhile does not store its token."""
    change = moved(await apply(backend, created()), 1)
    lost_replies.lose(meanwhile=lambda: there.commit(created(epoch="second", expected=Position("first", 1))))
    await refuse(backend, change, OutcomeUnknownError)


async def test_a_repeated_commit_stays_in_doubt_when_it_is_then_refused(
    server: RedisServer, backend: RedisBackend, lost_replies: LostReplies
) -> None:
    """A refusal says nothing about the first attempt."""
    change = moved(await apply(backend, created()), 1)
    name = backend._keyspace.of("s").log  # noqa: SLF001 - another program may write there

    async def damage() -> None:
        with server.client() as client:
            client.set(name, "foreign")

    lost_replies.lose(meanwhile=damage)
    await refuse(backend, change, OutcomeUnknownError)


@pytest.mark.full
async def test_a_commit_without_a_reply_fails_in_time(backend: RedisBackend, lost_replies: LostReplies) -> None:
    """A worker learns within six seconds that its outcome is unknown."""
    change = moved(await apply(backend, created()), 1)
    lost_replies.lose(times=1000)
    started = time.monotonic()
    await refuse(backend, change, OutcomeUnknownError)
    assert time.monotonic() - started < 6


async def test_a_repeated_start_counts_once(backend: RedisBackend, lost_replies: LostReplies) -> None:
    """The rules take no start for a repetition, so only the token shows it."""
    store = ProgressStore(backend)
    lost_replies.lose(2)
    await store.start_step("s", 1)
    lost_replies.lose(2)
    await store.start_step("s", 1)
    record = await state(backend)
    assert record.position.offset == 2
