"""The promises of `Backend.commit`, for every backend."""

import asyncio

import pytest

from progress_sse.core.errors import ConflictError, StoreFullError
from progress_sse.core.model import Position
from progress_sse.store.backend import FullBackend
from progress_sse.store.types import Notification
from tests.store.changes import T0, after, apply, created, key, moved, refuse, removed
from tests.store.conftest import OpenBackend
from tests.store.observed import ids, notified


class TestCommit:
    """`commit`: all of a change or nothing, and only at the expected position."""

    @pytest.mark.parametrize(
        "expected", [None, Position("first", 0), Position("first", 2), Position("other", 1)], ids=str
    )
    async def test_commit_refuses_another_position(self, backend: FullBackend, expected: Position | None) -> None:
        """The session has changed, or is in another epoch: nothing changes, and no listener is notified."""
        record = await apply(backend, created(), moved(after(created()), 1))
        notifications = await notified(backend)
        for change in (moved(record, 2, keys=[key("k")]), created(epoch="second"), removed(record)):
            await refuse(backend, change._replace(expected=expected), ConflictError)
        assert await backend.load("s") == record
        assert await backend.replay("s", record.position) == []
        assert await backend.find_idempotency_key("s", "k") is None
        assert notifications == []

    async def test_commit_refuses_a_missing_session(self, backend: FullBackend) -> None:
        """A change of a session that never existed, or was removed, creates nothing."""
        record = after(created())
        await refuse(backend, moved(record, 1), ConflictError)
        assert await backend.load("s") is None
        await apply(backend, created())
        await backend.commit(removed(record))
        await refuse(backend, moved(record, 1), ConflictError)
        assert await backend.load("s") is None

    async def test_a_refused_change_does_not_affect_others(self, backend: FullBackend) -> None:
        """Concurrent changes succeed or fail independently."""
        ids = [f"s{number}" for number in range(20)]
        changes = [created(session_id) for session_id in ids]
        wrong = [created(session_id)._replace(expected=Position("x", 1)) for session_id in ids]
        mixed = [change for pair in zip(changes, wrong, strict=True) for change in pair]
        outcomes = await asyncio.gather(*map(backend.commit, mixed), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), ConflictError] * 20
        assert [await backend.load(session_id) for session_id in ids] == [after(change) for change in changes]

    async def test_one_of_several_changes_to_a_position_wins(self, backend: FullBackend) -> None:
        """Of changes that expect the same position, one is applied."""
        record = await apply(backend, created())
        changes = [moved(record, 1, message=str(number)) for number in range(10)]
        outcomes = await asyncio.gather(*map(backend.commit, changes), return_exceptions=True)
        winners = [change for change, outcome in zip(changes, outcomes, strict=True) if outcome is None]
        assert [type(outcome) for outcome in outcomes].count(ConflictError) == 9
        assert [await backend.load("s")] == [after(change) for change in winners]

    async def test_commit_keeps_a_transition_that_comes_with_the_creation(self, backend: FullBackend) -> None:
        """A session created by `start` has its first transition, and its key, from the beginning."""
        change = moved(after(created()), 2, keys=[key("k")])
        await backend.commit(change._replace(expected=None, is_fresh=True))
        assert await backend.load("s") == after(change)
        assert await backend.replay("s", Position("first", 0)) == list(change.entries)
        assert await backend.find_idempotency_key("s", "k") == key("k")

    async def test_removal_deletes_everything_except_keys(self, backend: FullBackend) -> None:
        """The next session of the id gets neither log nor steps of a removed one, but its keys stay used."""
        record = await apply(backend, created(keys=[key("k")]), moved(after(created()), 1, 2))
        await backend.commit(removed(record)._replace(keys=(key("removal"),)))
        assert await backend.replay("s", Position("first", 1)) is None
        assert await backend.find_idempotency_key("s", "k") == key("k")
        again = await apply(backend, created(epoch="second"))
        assert await backend.load("s") == again
        assert await backend.replay("s", Position("second", 0)) == []
        assert await backend.find_idempotency_key("s", "k") == key("k")
        assert await backend.find_idempotency_key("s", "removal") == key("removal")

    async def test_a_new_epoch_deletes_everything_except_keys(self, backend: FullBackend) -> None:
        """A replacement has nothing of the former session, and the keys of its id."""
        record = await apply(backend, created(keys=[key("old")]), moved(after(created()), 1, 2))
        fresh = created(epoch="second", expected=record.position, keys=[key("new")], total_steps=5)
        await backend.commit(fresh)
        assert await backend.load("s") == after(fresh)
        assert await backend.replay("s", Position("first", 1)) is None
        assert await backend.replay("s", Position("second", 0)) == []
        assert await backend.find_idempotency_key("s", "old") == key("old")
        assert await backend.find_idempotency_key("s", "new") == key("new")

    async def test_commit_refuses_a_key_that_was_used_meanwhile(self, backend: FullBackend) -> None:
        """The session is at the expected position all the same: removed again, or not moved by the other use."""
        record = await apply(backend, created(keys=[key("k")]))
        notifications = await notified(backend)
        used = [key("new"), key("k", "again")]
        for change in (moved(record, 1, keys=used), moved(record, keys=used), created(epoch="x", keys=used)):
            await refuse(backend, change._replace(expected=record.position), ConflictError)
        await refuse(backend, removed(record)._replace(keys=tuple(used)), ConflictError)
        assert await backend.load("s") == record
        await backend.commit(removed(record))
        await refuse(backend, created(epoch="second", keys=used), ConflictError)
        assert await backend.load("s") is None
        assert await backend.find_idempotency_key("s", "new") is None
        assert await backend.find_idempotency_key("s", "k") == key("k")
        assert notifications == [Notification("s", None)]

    async def test_commit_replaces_a_known_use_of_a_key(self, backend: FullBackend) -> None:
        """The former use no longer counts, which the store decides. Of two changes that know it, one wins."""
        record = await apply(backend, created(keys=[key("k")]))
        again = [key("k", digest, used_at="later", former_use=T0) for digest in ("one", "two")]
        changes = [moved(record, 1, keys=[each]) for each in again]
        outcomes = await asyncio.gather(*map(backend.commit, changes), return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConflictError", "NoneType"]
        winner = again[outcomes.index(None)]
        assert await backend.find_idempotency_key("s", "k") == key("k", winner.digest, used_at="later")
        for former_use in ("", T0):
            await refuse(backend, moved(after(changes[0]), 2, keys=[key("k", former_use=former_use)]), ConflictError)

    async def test_a_cancelled_commit_is_applied_completely_or_not_at_all(self, backend: FullBackend) -> None:
        """A cancelled caller never leaves half a commit behind."""
        record = await apply(backend, created())
        change = moved(record, 1, 2)
        task = asyncio.ensure_future(backend.commit(change))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await backend.ping()
        loaded = await backend.load("s")
        assert loaded in (record, after(change))
        assert loaded is not None
        assert await backend.replay("s", record.position) == list(change.entries)[: loaded.position.offset]


class TestLimit:
    """`max_sessions`: one more session is refused."""

    async def test_commit_refuses_one_session_too_many(self, open_backend: OpenBackend) -> None:
        """Existing sessions can still change, be replaced and be removed; then there is room again."""
        backend = await open_backend(max_sessions=2)
        first = await apply(backend, created("a"))
        second = await apply(backend, created("b"))
        await refuse(backend, created("c"), StoreFullError)
        assert await backend.load("c") is None
        first = await apply(backend, moved(first, 1))
        await apply(backend, created("b", epoch="second", expected=second.position))
        await refuse(backend, created("c"), StoreFullError)
        await backend.commit(removed(first))
        await apply(backend, created("c"))
        await refuse(backend, created("a"), StoreFullError)
        assert await backend.expire("3", lambda _summary: True) == 2
        await apply(backend, created("a"))

    async def test_the_limit_holds_for_concurrent_creations(self, open_backend: OpenBackend) -> None:
        """However they are grouped, as many succeed as there is room for."""
        backend = await open_backend(max_sessions=5)
        changes = [created(f"s{number}") for number in range(20)]
        outcomes = await asyncio.gather(*map(backend.commit, changes), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(StoreFullError) == 15
        assert len(await ids(backend)) == 5
