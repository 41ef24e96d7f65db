"""How every backend expires sessions."""

import asyncio

from progress_sse.core.errors import ConflictError
from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.store.backend import FullBackend
from progress_sse.store.listeners import changes_of
from progress_sse.store.types import Notification, SessionSummary
from tests.store.changes import T0, after, apply, created, key, moved


class TestExpire:
    """`expire`: removes old sessions that the caller confirms."""

    async def test_expire_removes_old_sessions_that_are_confirmed(self, backend: FullBackend) -> None:
        """The time stamp is compared first, strictly; then the caller is asked about each candidate."""
        times = {"old": T0, "spared": T0, "limit": T0.replace("03:", "04:"), "new": T0.replace("2026", "2027")}
        for session_id, created_at in times.items():
            await backend.commit(created(session_id, created_at=created_at, keys=[key("k")]))
        notifications: list[Notification] = []
        for session_id in times:
            await backend.subscribe(changes_of(session_id), notifications.append)
        asked: list[SessionSummary] = []

        def should_remove(summary: SessionSummary) -> bool:
            asked.append(summary)
            return summary.session_id == "old"

        assert await backend.expire(times["limit"], should_remove) == 1
        assert sorted(summary.session_id for summary in asked) == ["old", "spared"]
        assert {summary.created_at for summary in asked} == {T0}
        assert notifications == [Notification("old", None)]
        assert await backend.load("old") is None
        assert await backend.find_idempotency_key("old", "k") == key("k")
        assert [await backend.load(session_id) is None for session_id in times] == [True, False, False, False]
        assert await backend.expire(times["limit"], should_remove) == 0

    async def test_expire_removes_any_number_of_sessions(self, backend: FullBackend) -> None:
        """There are more than fit into one transaction, and every third one is kept."""
        await asyncio.gather(*(backend.commit(created(f"s{number:03}")) for number in range(250)))
        assert await backend.expire("3", lambda summary: int(summary.session_id[1:]) % 3 != 0) == 166
        left = await backend.lists.list_summaries(ALL_SESSIONS, 1000, None)
        assert sorted(summary.session_id for summary in left) == [f"s{number:03}" for number in range(0, 250, 3)]

    async def test_expire_does_not_undo_a_concurrent_change(self, backend: FullBackend) -> None:
        """Either the session is removed and the change failed, or it exists with the change."""
        record = await apply(backend, created())
        change = moved(record, 1)
        updates: list[asyncio.Task[None]] = []

        def should_remove(_summary: SessionSummary) -> bool:
            updates.append(asyncio.create_task(backend.commit(change)))
            return True

        removed_count = await backend.expire("3", should_remove)
        (outcome,) = await asyncio.gather(*updates, return_exceptions=True)
        assert (removed_count, type(outcome), await backend.load("s")) in [
            (1, ConflictError, None),
            (0, type(None), after(change)),
        ]
