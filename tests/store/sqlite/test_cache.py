"""The cache of the SQLite backend."""

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.store.listeners import changes_of
from progress_sse.store.record_cache import RecordCache
from progress_sse.store.sqlite import backend as sqlite_backend
from tests.store.changes import after, apply, created, key, moved, refuse, removed
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import make_store, opened


class TestCache:
    """Sessions in use are answered from memory, and correctly."""

    async def test_sessions_in_use_are_not_read_again(self, path: Path, faults: Faults) -> None:
        """A committed or loaded session is not read again, and concurrent loads read once."""
        await make_store(path)
        async with opened(path) as backend:
            assert len({id(each) for each in await asyncio.gather(*(backend.load("s1") for _ in range(20)))}) == 1
            record = await apply(backend, created("fresh"))
            assert await backend.load("fresh") is record
            assert await backend.load("s1") is await backend.load("s1")
            assert faults.count("SELECT life, epoch") == 1

    async def test_the_writer_reads_the_rows_that_it_has_forgotten(
        self, path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of the sessions that changed last, it knows the rows."""
        monkeypatch.setattr("progress_sse.store.sqlite.mutations.MAX_ROWS", 2)
        async with opened(path) as backend:
            records = {session_id: await apply(backend, created(session_id)) for session_id in ("a", "b", "c")}
            read = faults.count("SELECT epoch")
            for session_id in ("b", "c", "b", "a", "b"):
                change = moved(records[session_id], records[session_id].position.offset + 1)
                records[session_id] = await apply(backend, change)
            assert faults.count("SELECT epoch") == read + 2

    async def test_a_session_that_another_program_has_removed_fails_once(self, path: Path) -> None:
        """A change of it is not reported as made, and then it is unknown."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            with closing(sqlite3.connect(path)) as shell:
                shell.execute("PRAGMA foreign_keys = ON")
                shell.execute("DELETE FROM sessions")
                shell.commit()
            await refuse(backend, moved(record, keys=[key("k")]), StoreUnavailableError)
            assert await backend.load("s") is None
            await apply(backend, created())

    async def test_the_cache_is_dropped_on_closing(self, path: Path) -> None:
        """Another process may change the file before it is opened again."""
        async with opened(path) as backend:
            record = await apply(backend, created())
        async with opened(path) as other:
            record = await apply(other, moved(record, 1))
        await backend.open()
        assert await backend.load("s") == record
        await backend.aclose()

    async def test_a_load_overtaken_by_a_commit_is_not_cached(self, path: Path, faults: Faults) -> None:
        """A read that was under way during a commit is older than the committed record."""
        await make_store(path)
        async with opened(path) as backend:
            record = await backend.load("s1")
            assert record is not None
        async with opened(path) as backend:
            pause = faults.pause("SELECT step, data FROM steps")
            outdated = asyncio.ensure_future(backend.load("s1"))
            await pause.reached()
            change = moved(record, 1)
            await backend.commit(change)
            assert await backend.load("s1") == after(change)
            pause.end()
            assert await outdated == record
            assert await backend.load("s1") == after(change)
            await backend.commit(removed(after(change)))
            assert await backend.load("s1") is None

    async def test_a_change_is_shown_only_after_its_notification(self, path: Path, faults: Faults) -> None:
        """The change is in the file a moment earlier."""
        events: list[str] = []

        async def load() -> None:
            assert await backend.load("s") == after(created())
            events.append("loaded")

        async with opened(path) as backend:
            await backend.subscribe(changes_of("s"), lambda _notification: events.append("notified"))
            pause = faults.pause("COMMIT", after=True)
            committing = asyncio.ensure_future(backend.commit(created()))
            await pause.reached()
            loading = asyncio.ensure_future(load())
            await asyncio.wait([loading], timeout=0.2)  # Enough for a load that waits for no notification.
            pause.end()
            await asyncio.gather(committing, loading)
            assert events == ["notified", "loaded"]

    async def test_a_cancelled_caller_does_not_cancel_a_shared_load(self, path: Path, faults: Faults) -> None:
        """The other callers still get their answer."""
        await make_store(path)
        async with opened(path) as backend:
            pause = faults.pause("SELECT step, data FROM steps")
            first, second = (asyncio.ensure_future(backend.load("s1")) for _ in range(2))
            await pause.reached()
            first.cancel()
            pause.end()
            assert await second is not None
            assert first.cancelled()

    async def test_sessions_that_do_not_fit_into_the_cache_are_read_each_time(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They are equal each time."""
        monkeypatch.setattr(sqlite_backend, "RecordCache", partial(RecordCache, max_bytes=0))
        async with opened(path) as backend:
            record = await apply(backend, created())
            record = await apply(backend, moved(record, 1, 2))
            await backend.commit(created("t"))
            assert await backend.load("s") == record
            assert await backend.load("s") is not record
