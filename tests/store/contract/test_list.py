"""The power `Lists`: how every backend counts and lists sessions; see also ``test_filtered_lists``."""

import pytest

from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.store.backend import FullBackend
from progress_sse.store.types import PageCursor, SessionSummary
from tests.store.changes import T0, after, apply, created, moved, removed
from tests.store.contract.test_filtered_lists import pages
from tests.store.observed import ids


class TestCountByStatus:
    """`count_by_status`: how many sessions there are."""

    async def test_each_session_counts_once(self, backend: FullBackend) -> None:
        """It counts by its present status; there are more sessions than are read at a time."""
        assert dict(await backend.lists.count_by_status()) == {}
        records = [await apply(backend, created(f"s-{number}")) for number in range(250)]
        await backend.commit(moved(records[0], 1, status="error"))
        await backend.commit(moved(records[1], 1))
        await backend.commit(removed(records[2]))
        assert dict(await backend.lists.count_by_status()) == {"pending": 247, "error": 1, "running": 1}


class TestListSummaries:
    """`list_summaries`: pages of sessions, newest first."""

    async def test_the_list_is_empty_at_first(self, backend: FullBackend) -> None:
        """Without sessions there are no summaries."""
        assert await ids(backend) == []

    async def test_a_summary_shows_the_session_as_it_is(self, backend: FullBackend) -> None:
        """It follows each transition."""
        record = await apply(backend, created("日本語"))
        change = moved(record, 2, status="error")
        await backend.commit(change)
        (summary,) = await backend.lists.list_summaries(ALL_SESSIONS, 10, None)
        listed = (
            '{"session_id":"日本語","current_step":2,"total_steps":3,"status":"error","percentage":0,'
            f'"estimated_remaining_ms":30000,"created_at":"{T0}","updated_at":"{T0}"}}'
        )
        assert summary == SessionSummary("日本語", "failed", T0, T0, listed.encode())

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_pages_go_from_newest_to_oldest(self, backend: FullBackend, limit: int) -> None:
        """Of equal times the greater id comes first, by code points; pages have neither gap nor repeat."""
        early, late = T0, T0.replace("2026", "2027")
        made = [(early, "b"), (late, "a"), (early, "😀"), (early, "\uff5a"), (late, "c"), (early, "B")]
        for created_at, session_id in made:
            await backend.commit(created(session_id, created_at=created_at))
        order = ["c", "a", "😀", "\uff5a", "b", "B"]
        assert await pages(backend, ALL_SESSIONS, limit) == order

    async def test_a_page_continues_after_a_removed_session(self, backend: FullBackend) -> None:
        """A cursor names a place, not a session that must still exist."""
        for session_id in "abcd":
            await backend.commit(created(session_id))
        await backend.commit(removed(after(created("c"))))
        summaries = await backend.lists.list_summaries(ALL_SESSIONS, 10, PageCursor(T0, "c"))
        assert [summary.session_id for summary in summaries] == ["b", "a"]
