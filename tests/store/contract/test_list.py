"""How every backend counts, lists and expires sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from progress_sse.core.errors import ConflictError
from progress_sse.core.model import SessionStatus
from progress_sse.core.session_filter import ALL_SESSIONS, SessionFilter
from progress_sse.store.backend import Backend
from progress_sse.store.types import Notification, PageCursor, SessionSummary
from tests.store.changes import T0, after, apply, created, key, moved, removed


class TestCountByStatus:
    """`count_by_status`: how many sessions there are."""

    async def test_each_session_counts_once(self, backend: Backend) -> None:
        """It counts by its present status; there are more sessions than are read at a time."""
        assert dict(await backend.count_by_status()) == {}
        records = [await apply(backend, created(f"s-{number}")) for number in range(250)]
        await backend.commit(moved(records[0], 1, status="error"))
        await backend.commit(moved(records[1], 1))
        await backend.commit(removed(records[2]))
        assert dict(await backend.count_by_status()) == {"pending": 247, "error": 1, "running": 1}


class TestListSummaries:
    """`list_summaries`: pages of sessions, newest first."""

    async def test_the_list_is_empty_at_first(self, backend: Backend) -> None:
        """Without sessions there are no summaries."""
        assert await backend.list_summaries(ALL_SESSIONS, 10, None) == []

    async def test_a_summary_shows_the_session_as_it_is(self, backend: Backend) -> None:
        """It follows each transition."""
        record = await apply(backend, created("日本語"))
        change = moved(record, 2, status="error")
        await backend.commit(change)
        (summary,) = await backend.list_summaries(ALL_SESSIONS, 10, None)
        assert (summary.session_id, summary.status, summary.created_at, summary.updated_at) == (
            "日本語",
            "error",
            T0,
            T0,
        )
        assert (
            summary.listed
            == (
                '{"session_id":"日本語","current_step":2,"total_steps":3,"status":"error","percentage":0,'
                f'"estimated_remaining_ms":30000,"created_at":"{T0}","updated_at":"{T0}"}}'
            ).encode()
        )

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_pages_go_from_newest_to_oldest(self, backend: Backend, limit: int) -> None:
        """Of equal times the greater id comes first, by code points; pages have neither gap nor repeat."""
        early, late = T0, T0.replace("2026", "2027")
        made = [(early, "b"), (late, "a"), (early, "😀"), (early, "\uff5a"), (late, "c"), (early, "B")]
        for created_at, session_id in made:
            await backend.commit(created(session_id, created_at=created_at))
        order = ["c", "a", "😀", "\uff5a", "b", "B"]
        assert [summary.session_id for summary in await pages(backend, ALL_SESSIONS, limit)] == order

    async def test_a_page_continues_after_a_removed_session(self, backend: Backend) -> None:
        """A cursor names a place, not a session that must still exist."""
        for session_id in "abcd":
            await backend.commit(created(session_id))
        await backend.commit(removed(after(created("c"))))
        summaries = await backend.list_summaries(ALL_SESSIONS, 10, PageCursor(T0, "c"))
        assert [summary.session_id for summary in summaries] == ["b", "a"]

    async def test_the_list_can_show_one_status_only(self, backend: Backend) -> None:
        """The limit counts the sessions shown."""
        statuses: list[SessionStatus] = ["pending", "running", "completed", "error"]
        for number in range(12):
            record = await apply(backend, created(f"s{number:02}"))
            await backend.commit(moved(record, 1, status=statuses[number % 4]))
        for number, status in enumerate(statuses):
            summaries = await pages(backend, SessionFilter(status=status), 2)
            assert [summary.session_id for summary in summaries] == [f"s{number + n:02}" for n in (8, 4, 0)]


async def pages(backend: Backend, wanted: SessionFilter, limit: int) -> Sequence[SessionSummary]:
    """Read the list to its end, page by page."""
    summaries: list[SessionSummary] = []
    cursor = None
    while page := await backend.list_summaries(wanted, limit, cursor):
        assert len(page) <= limit
        summaries += page
        cursor = PageCursor(page[-1].created_at, page[-1].session_id)
        assert len(summaries) < 1000
    return summaries


class TestExpire:
    """`expire`: removes old sessions that the caller confirms."""

    async def test_expire_removes_old_sessions_that_are_confirmed(self, backend: Backend) -> None:
        """The time stamp is compared first, strictly; then the caller is asked about each candidate."""
        times = {"old": T0, "spared": T0, "limit": T0.replace("03:", "04:"), "new": T0.replace("2026", "2027")}
        for session_id, created_at in times.items():
            await backend.commit(created(session_id, created_at=created_at, keys=[key("k")]))
        notifications: list[Notification] = []
        for session_id in times:
            await backend.listen(session_id, notifications.append)
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

    async def test_expire_removes_any_number_of_sessions(self, backend: Backend) -> None:
        """There are more than fit into one transaction, and every third one is kept."""
        await asyncio.gather(*(backend.commit(created(f"s{number:03}")) for number in range(250)))
        assert await backend.expire("3", lambda summary: int(summary.session_id[1:]) % 3 != 0) == 166
        left = await backend.list_summaries(ALL_SESSIONS, 1000, None)
        assert sorted(summary.session_id for summary in left) == [f"s{number:03}" for number in range(0, 250, 3)]

    async def test_expire_does_not_undo_a_concurrent_change(self, backend: Backend) -> None:
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
