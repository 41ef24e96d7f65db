"""How a full disk is treated."""

# ruff: noqa: ASYNC240 - a test may wait for files and processes of its own

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from progress_sse.core.errors import (
    StoreFullError,
    StoreRefusedError,
)
from progress_sse.store.sqlite import room as sqlite_room
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import StorageLimits
from tests.store.changes import after, apply, created, moved, removed
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import (
    make_store,
    opened,
)


class TestRoom:
    """On a disk that is nearly full the database and its log leave room for removals, and for each other."""

    @pytest.fixture
    def disk(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
        """What is free on the disk, by a test's own word."""
        disk = {"free": sqlite_room.PLENTY_BYTES}
        monkeypatch.setattr(sqlite_room, "free_bytes", lambda _descriptor: disk["free"])
        return disk

    async def test_is_kept_for_removals(
        self, path: Path, disk: dict[str, int], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Where what is free would not do for the log of a change to all there is, they alone are accepted."""
        async with opened(path) as backend:
            record = await apply(backend, created(), moved(after(created()), 1, message="x" * 50_000))
            disk["free"] = 40_000
            for change in (moved(record, 2), created("t")):
                with pytest.raises(StoreFullError):
                    await backend.commit(change)
            with pytest.raises(StoreFullError):
                await backend.ping()
            assert "the disk is nearly full" in caplog.text
            await backend.commit(removed(record))

    async def test_is_no_limit_for_ever(self, path: Path, disk: dict[str, int]) -> None:
        """Once there is plenty again, the database may grow."""
        async with opened(path) as backend:
            disk["free"] = 200_000
            record = await apply(backend, created())
            change = moved(record, 1, message="x" * 500_000)
            with pytest.raises(StoreFullError):
                await backend.commit(change)
            disk["free"] = sqlite_room.PLENTY_BYTES
            await backend.commit(change)

    async def test_is_enough_for_what_needs_none(self, path: Path, disk: dict[str, int]) -> None:
        """A session that is there goes on in the pages that it has; the trial says that there is no room for others."""
        async with opened(path) as backend:
            record = await apply(backend, created())
        size = path.stat().st_size
        async with opened(path) as backend:
            disk["free"] = size // 4096 * (4096 + 32)
            await backend.commit(moved(record, 1))
            with pytest.raises(StoreFullError):
                await backend.ping()
        assert path.stat().st_size == size

    async def test_is_not_needed_to_open(self, path: Path, faults: Faults) -> None:
        """What is there can be read, and be removed; a file that needs new epochs is refused."""
        await make_store(path)
        faults.fail("PRAGMA user_version =", sqlite3.SQLITE_FULL)
        async with opened(path) as backend:
            record = await backend.load("s1")
            assert record is not None
            await backend.commit(removed(record))
        path.with_name(f"{path.name}.lock").unlink()
        faults.fail("DELETE FROM log", sqlite3.SQLITE_FULL)
        with pytest.raises(StoreRefusedError, match="cannot be used: made up"):
            await SqliteBackend(path, StorageLimits()).open()

    async def test_that_is_unused_in_the_database_is_used(self, path: Path, disk: dict[str, int]) -> None:
        """The file does not shrink, but what was removed makes room for what comes."""
        async with opened(path) as backend:
            record = await apply(backend, created(), moved(after(created()), 1, message="x" * 50_000))
            await backend.commit(removed(record))
        size = disk["free"] = path.stat().st_size
        async with opened(path) as backend:
            await apply(backend, created(), moved(after(created()), 1, message="x" * 30_000))
            await backend.ping()
            with pytest.raises(StoreFullError):
                await apply(backend, created("t"), moved(after(created("t")), 1, message="x" * 50_000))
            assert path.stat().st_size == size

    async def test_is_given_back_by_the_log(self, path: Path, disk: dict[str, int], faults: Faults) -> None:
        """The log is emptied before each change then, and after one for which there was no room."""
        log = path.with_name(f"{path.name}-wal")
        async with opened(path) as backend:
            record = await apply(backend, created(), *[created(f"s{number}") for number in range(20)])
            before = log.stat().st_size
            disk["free"] = 4_000_000
            await backend.commit(moved(record, 1))
            assert log.stat().st_size < before
            disk["free"] = sqlite_room.PLENTY_BYTES
            faults.fail("COMMIT", sqlite3.SQLITE_FULL)
            with pytest.raises(StoreFullError):
                await backend.commit(created("t"))
            assert log.stat().st_size == 0

    async def test_is_taken_by_each_change_for_itself(self, path: Path, disk: dict[str, int]) -> None:
        """None is refused for want of the room that others in its group would take."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            disk["free"] = 200_000
            large = [moved(after(created(f"s{n}")), 1, message="x" * 500_000)._replace(expected=None) for n in range(3)]
            outcomes = await asyncio.gather(
                *map(backend.commit, [*large, removed(record), created("t")]), return_exceptions=True
            )
            assert [type(outcome) for outcome in outcomes] == [StoreFullError] * 3 + [type(None)] * 2

    async def test_is_not_taken_in_the_company_of_a_removal(
        self, path: Path, disk: dict[str, int], faults: Faults
    ) -> None:
        """A group that a removal leads is bounded as any other."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            disk["free"] = 20_000_000
            large = moved(after(created("t")), 1, message="x" * 6_000_000)._replace(expected=None)
            pause = faults.pause("BEGIN IMMEDIATE")
            commits = asyncio.gather(*map(backend.commit, [removed(record), large]), return_exceptions=True)
            await pause.reached()
            pause.end()
            assert isinstance((await commits)[1], StoreFullError)

    @pytest.mark.parametrize(("blocks", "expected"), [(100, 7 * 512), (0, sqlite_room.PLENTY_BYTES)])
    def test_is_plenty_where_the_disk_does_not_tell(
        self, monkeypatch: pytest.MonkeyPatch, blocks: int, expected: int
    ) -> None:
        """As some file systems do not, and those in memory without a limit."""
        disk = os.statvfs_result((4096, 512, blocks, 9 if blocks else 0, 7 if blocks else 0, 0, 0, 0, 0, 255))
        monkeypatch.setattr(os, "fstatvfs", lambda _descriptor: disk)
        assert sqlite_room.free_bytes(0) == expected

    @pytest.mark.parametrize(
        ("free", "pages", "unused", "moved_pages", "expected"),
        [
            (100, 10, 0, 10, (45, 45)),  # Each of 45 is in the log and then in the database, and 10 others in the log.
            (100, 10, 4, 10, (45, 49)),
            (100, 50, 0, 10, (5, 5)),  # 40 have yet to be moved.
            (50, 50, 0, 50, (0, 0)),
            (49, 50, 0, 50, (0, -1)),
            (49, 50, 1, 50, (0, 1)),
            (20_000, 10**7, 0, 10**7, (1808, 1808)),  # Of a large database 16384 may change at once.
        ],
    )
    def test_is_counted_in_pages(
        self, free: int, pages: int, unused: int, moved_pages: int, expected: tuple[int, int]
    ) -> None:
        """What the next transaction, and the checkpoint after it, may use."""
        room = sqlite_room.room(free * (4096 + 32), 4096, pages, unused, moved_pages * 4096)
        assert room == expected
