"""Files that disappear while the store is open."""

# ruff: noqa: ASYNC240 - a test may wait for files and processes of its own

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.store.types import Notification
from tests.store.changes import after, apply, created, moved, refuse
from tests.store.observed import notified
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import opened, rows_of_the_file_alone, sqlite_rows


class TestMissingFile:
    """A file of the store is moved away or removed while the store is open."""

    @pytest.mark.parametrize("other", [None, b"", b"something else"], ids=["nothing", "empty", "other"])
    async def test_a_missing_database_is_not_created_again(self, path: Path, other: bytes | None) -> None:
        """No empty one replaces it, and nothing is written to a file without a name."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            path.rename(path.with_suffix(".moved"))
            if other is not None:
                path.write_bytes(other)
            for _ in range(2):
                await refuse(backend, moved(record, 1), StoreUnavailableError)
                with pytest.raises(StoreUnavailableError):
                    await backend.ping()
            assert (path.read_bytes() if path.exists() else None) == other
            path.with_suffix(".moved").rename(path)
            await backend.commit(moved(record, 1))

    @pytest.mark.parametrize("suffix", ["-wal", "-shm"])
    async def test_a_missing_log_saves_its_content(self, path: Path, suffix: str) -> None:
        """Nothing more is written to it or read from it, and the database alone has all its content."""
        log, away = path.with_name(f"{path.name}{suffix}"), path.with_name("away")
        async with opened(path) as backend:
            record = await apply(backend, created())
            log.rename(away)
            for _ in range(2):
                await refuse(backend, moved(record, 1), StoreUnavailableError)
                with pytest.raises(StoreUnavailableError):
                    await backend.ping()
                with pytest.raises(StoreUnavailableError):
                    await backend.load("unread")
            assert not log.exists()
            assert rows_of_the_file_alone(path) == [("s", 0)]
            away.rename(log)
            await backend.commit(moved(record, 1))
            assert await backend.load("unread") is None
        assert sqlite_rows(path, "SELECT session_id, n FROM sessions") == [("s", 1)]
        assert sqlite_rows(path, "PRAGMA integrity_check") == [("ok",)]

    async def test_a_removed_log_loses_nothing_on_closing(self, path: Path) -> None:
        """Another program has the database open, so that SQLite does not empty the log by itself."""
        async with opened(path) as backend:
            with closing(sqlite3.connect(path)) as other:
                other.execute("SELECT * FROM sessions").fetchall()
                await backend.commit(created())
                path.with_name(f"{path.name}-wal").unlink()
                await backend.aclose()
                assert rows_of_the_file_alone(path) == [("s", 0)]

    @pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
    async def test_a_file_missing_after_a_commit_leaves_the_outcome_unknown(
        self, path: Path, faults: Faults, suffix: str
    ) -> None:
        """The commit may have gone to the removed file. Once the file is back, its content decides."""
        file, away = path.with_name(f"{path.name}{suffix}"), path.with_name("away")
        async with opened(path) as backend:
            record = await apply(backend, created())
            notifications = await notified(backend)
            change = moved(record, 1)
            faults.call_at("COMMIT", lambda: file.rename(away))
            await refuse(backend, change, OutcomeUnknownError)
            assert notifications == []
            away.rename(file)
            await backend.ping()
            assert notifications == [Notification("s", after(change))]
