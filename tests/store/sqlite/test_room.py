"""Nearly full disks."""

# ruff: noqa: ASYNC240 - a test may wait for files and processes of its own

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from progress_sse.core.errors import StoreFullError, StoreRefusedError
from progress_sse.store.sqlite import room as sqlite_room
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import StorageLimits
from tests.store.changes import after, apply, created, moved, refuse, removed
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import make_store, opened


@pytest.mark.guarantee(7)
class TestRoom:
    """On a nearly full disk, space stays reserved for removals, and for the log."""

    @pytest.fixture
    def disk(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
        """The free space on the disk, as the test says."""
        disk = {"free": sqlite_room.PLENTY_BYTES}
        monkeypatch.setattr(sqlite_room, "free_bytes", lambda _descriptor: disk["free"])
        return disk

    async def test_space_is_reserved_for_removals(
        self, path: Path, disk: dict[str, int], caplog: pytest.LogCaptureFixture
    ) -> None:
        """If a change to all pages would not fit into the log, only removals are accepted."""
        async with opened(path) as backend:
            record = await apply(backend, created(), moved(after(created()), 1, message="x" * 50_000))
            disk["free"] = 40_000
            for change in (moved(record, 2), created("t")):
                await refuse(backend, change, StoreFullError)
            with pytest.raises(StoreFullError):
                await backend.ping()
            assert "the disk is nearly full" in caplog.text
            await backend.commit(removed(record))

    async def test_the_limit_ends_once_there_is_space(self, path: Path, disk: dict[str, int]) -> None:
        """The database may grow again."""
        async with opened(path) as backend:
            disk["free"] = 200_000
            record = await apply(backend, created())
            change = moved(record, 1, message="x" * 500_000)
            await refuse(backend, change, StoreFullError)
            disk["free"] = sqlite_room.PLENTY_BYTES
            await backend.commit(change)

    async def test_a_change_that_needs_no_space_is_accepted(self, path: Path, disk: dict[str, int]) -> None:
        """A session continues in the pages that it has; the ping says that there is no space for others."""
        async with opened(path) as backend:
            record = await apply(backend, created())
        size = path.stat().st_size
        async with opened(path) as backend:
            disk["free"] = size // 4096 * (4096 + 32)
            await backend.commit(moved(record, 1))
            with pytest.raises(StoreFullError):
                await backend.ping()
        assert path.stat().st_size == size

    async def test_opening_needs_no_space(self, path: Path, faults: Faults) -> None:
        """Sessions can be read and removed; a file that needs new epochs is refused."""
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

    async def test_unused_pages_of_the_database_are_used(self, path: Path, disk: dict[str, int]) -> None:
        """The file does not shrink, but removed sessions leave space for new ones."""
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

    async def test_the_log_frees_its_space(self, path: Path, disk: dict[str, int], faults: Faults) -> None:
        """It is emptied before each change then, and after a change that found no space."""
        log = path.with_name(f"{path.name}-wal")
        async with opened(path) as backend:
            record = await apply(backend, created(), *[created(f"s{number}") for number in range(20)])
            before = log.stat().st_size
            disk["free"] = 4_000_000
            await backend.commit(moved(record, 1))
            assert log.stat().st_size < before
            disk["free"] = sqlite_room.PLENTY_BYTES
            faults.fail("COMMIT", sqlite3.SQLITE_FULL)
            await refuse(backend, created("t"), StoreFullError)
            assert log.stat().st_size == 0

    async def test_each_change_needs_only_its_own_space(self, path: Path, disk: dict[str, int]) -> None:
        """None is refused because of the space that others of its group would need."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            disk["free"] = 200_000
            large = [moved(after(created(f"s{n}")), 1, message="x" * 500_000)._replace(expected=None) for n in range(3)]
            outcomes = await asyncio.gather(
                *map(backend.commit, [*large, removed(record), created("t")]), return_exceptions=True
            )
            assert [type(outcome) for outcome in outcomes] == [StoreFullError] * 3 + [type(None)] * 2

    async def test_a_change_behind_a_removal_is_limited(self, path: Path, disk: dict[str, int], faults: Faults) -> None:
        """A group that begins with a removal has the same limit."""
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
    def test_a_disk_that_reports_no_size_has_plenty(
        self, monkeypatch: pytest.MonkeyPatch, blocks: int, expected: int
    ) -> None:
        """Some file systems do not, and those in memory without a limit."""
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
    def test_room_is_counted_in_pages(
        self, free: int, pages: int, unused: int, moved_pages: int, expected: tuple[int, int]
    ) -> None:
        """How much the next transaction, and the checkpoint after it, may use."""
        room = sqlite_room.room(free * (4096 + 32), 4096, pages, unused, moved_pages * 4096)
        assert room == expected
