"""Files that are refused, and files that disappear."""

# ruff: noqa: ASYNC221, ASYNC240 - a test may wait for files and processes of its own

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from progress_sse.core.errors import (
    OutcomeUnknownError,
    StoreRefusedError,
    StoreUnavailableError,
)
from progress_sse.store.sqlite import schema, store_check
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import Notification, StorageLimits
from tests.store.changes import after, apply, created, moved
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import (
    assert_opening_says,
    assert_refused,
    execute,
    files,
    held,
    leave_a_log,
    make_store,
    opened,
    overwrite,
    rows_of_the_file_alone,
    sqlite_rows,
)

REMOVER = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("PRAGMA journal_mode = DELETE")
except sqlite3.OperationalError:
    print("locked")
"""


SPOILED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "garbage": ("not a database", lambda path: path.write_bytes(os.urandom(20_000))),
    "text": ("not a database", lambda path: path.write_text("session_id,status\n")),
    "two bytes": ("not a database", lambda path: path.write_bytes(b"S\n")),
    "header only": ("cannot be used|damaged", lambda path: os.truncate(path, 100)),
    "cut in half": ("malformed|damaged", lambda path: os.truncate(path, path.stat().st_size // 8192 * 4096)),
    "cut by a byte": ("malformed|damaged", lambda path: os.truncate(path, path.stat().st_size - 1)),
    "a page zeroed": ("malformed|damaged", lambda path: overwrite(path, 4096, bytes(4096))),
    "a page of noise": ("malformed|damaged", lambda path: overwrite(path, 3 * 4096, os.urandom(4096))),
    "older": ("format 1", lambda path: execute(path, "PRAGMA user_version = 1")),
    "newer": ("format 4", lambda path: execute(path, "PRAGMA user_version = 4")),
    "much newer": ("format 2000", lambda path: execute(path, "PRAGMA user_version = 2000")),
    "without a version": ("format 0", lambda path: execute(path, "PRAGMA user_version = 0")),
    "of another application": ("another application", lambda path: execute(path, "PRAGMA application_id = 77")),
    "of no application": ("another application", lambda path: execute(path, "PRAGMA application_id = 0")),
    "with a foreign table": ("other tables", lambda path: execute(path, "CREATE TABLE t (a)")),
    "without a table": ("other tables", lambda path: execute(path, "DROP TABLE keys")),
    "older, with newer tables": ("other tables", lambda path: execute(path, "PRAGMA user_version = 2")),
}


@contextmanager
def inherited(path: Path) -> Iterator[None]:
    """Let a child have the file open that we have open."""
    descriptors = [int(each.name) for each in Path("/proc/self/fd").iterdir() if _leads_to(each, path)]
    with subprocess.Popen(["/bin/sleep", "60"], pass_fds=descriptors) as child:
        assert descriptors
        yield
        child.kill()


def _leads_to(link: Path, path: Path) -> bool:
    with suppress(OSError):  # One that was closed meanwhile, as that of the listing is.
        return link.readlink() == path
    return False


class TestRefusal:
    """What cannot be used is refused with one sentence, and left as it is."""

    @pytest.mark.parametrize(("reason", "spoil"), SPOILED.values(), ids=SPOILED)
    async def test_of_a_spoiled_store(self, path: Path, reason: str, spoil: Callable[[Path], object]) -> None:
        """Damaged, newer, or not ours."""
        await make_store(path)
        spoil(path)
        await assert_refused(path, reason)

    async def test_of_a_foreign_database(self, path: Path) -> None:
        """Most applications do not set an id."""
        execute(path, "CREATE TABLE users (name TEXT)", "INSERT INTO users VALUES ('x')")
        await assert_refused(path, "another application")

    async def test_of_a_foreign_database_with_a_log(self, path: Path) -> None:
        """Also where all there is lies in its write-ahead log, which must not be moved on this occasion."""
        with closing(sqlite3.connect(path, isolation_level=None)) as owner:
            owner.execute("PRAGMA journal_mode = WAL")
            owner.execute("CREATE TABLE users (name TEXT)")
            assert len(files(path)["progress.db-wal"]) > 0
            await assert_refused(path, "another application")

    @pytest.mark.parametrize("is_there", [True, False])
    async def test_of_a_log_without_its_database(self, path: Path, is_there: bool) -> None:
        """SQLite would delete the log, and with it the sessions that it still holds."""
        if is_there:
            path.touch()
        path.with_name("progress.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(4096))
        await assert_refused(path, "is missing or empty")

    async def test_of_a_log_of_another_file(self, path: Path) -> None:
        """What a kill left behind would be read into the backup that has taken the file's place."""
        backup = path.with_name("backup.db")
        await make_store(backup)
        leave_a_log(path)
        backup.replace(path)
        await assert_refused(path, "has taken the place of another file")
        path.with_name(f"{path.name}-wal").unlink()
        async with opened(path) as backend:
            assert len(await backend.list_summaries(None, 100, None)) == 20

    async def test_of_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        """It is not made, since a typing error is the likelier cause."""
        await assert_refused(tmp_path / "nowhere" / "progress.db", "no folder")
        assert not (tmp_path / "nowhere").exists()

    async def test_of_a_folder_as_the_file(self, path: Path) -> None:
        """As in `sqlite:///some/folder`."""
        path.mkdir()
        with pytest.raises(StoreRefusedError):
            await SqliteBackend(path, StorageLimits()).open()

    async def test_of_a_file_as_the_folder(self, path: Path) -> None:
        """As in `sqlite:///some/file/progress.db`."""
        path.touch()
        with pytest.raises(StoreRefusedError, match="cannot be written"):
            await SqliteBackend(path / "progress.db", StorageLimits()).open()

    @pytest.mark.parametrize(
        ("mode", "reason"),
        [
            (0o555, "refused: The store .* its folder cannot be written"),
            (0o666, "refused: The store .* cannot be used: Permission denied"),
            (0o777, "opened"),
        ],
    )
    def test_of_a_folder_that_cannot_be_written(self, mode: int, reason: str) -> None:
        """Or searched. Tried by a user who is bound by permissions, which root is not."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(mode)
            assert_opening_says(reason, Path(folder) / "progress.db", *(["65534"] if os.geteuid() == 0 else []))
            Path(folder).chmod(0o700)

    async def test_of_a_name_that_is_too_long(self, tmp_path: Path) -> None:
        """It is not known before somebody looks."""
        await assert_refused(tmp_path / ("x" * 300), "cannot be used: File name too long")

    async def test_of_a_link_that_leads_to_itself(self, path: Path) -> None:
        """By way of another one."""
        other = path.with_name("other.db")
        path.symlink_to(other)
        other.symlink_to(path)
        with pytest.raises(StoreRefusedError, match="cannot be used: Too many levels of symbolic links"):
            await SqliteBackend(path, StorageLimits()).open()
        assert sorted(path.parent.iterdir()) == [other, path]

    async def test_of_a_path_below_a_folder_that_is_gone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As where somebody else has cleaned up."""
        folder = tmp_path / "gone"
        folder.mkdir()
        monkeypatch.chdir(folder)
        folder.rmdir()
        with pytest.raises(StoreRefusedError, match="no folder"):
            await SqliteBackend(Path("progress.db"), StorageLimits()).open()

    async def test_of_a_file_that_cannot_be_written(self) -> None:
        """SQLite opens such a file without complaint, and fails on the first commit."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "progress.db"
            await make_store(path)
            path.chmod(0o444)
            Path(f"{path}.lock").chmod(0o666)
            Path(folder).chmod(0o777)
            assert_opening_says("refused: .* readonly", path, *(["65534"] if os.geteuid() == 0 else []))

    @pytest.mark.parametrize("is_lock_removed", [False, True], ids=["", "lock removed"])
    async def test_of_a_second_user(self, path: Path, is_lock_removed: bool) -> None:
        """Another process, or another part of this one, by this name or by another; until the first one lets go."""
        names = [path, path.with_name("link.db"), path.with_name("hard.db")]
        async with opened(path) as backend:
            names[1].symlink_to(path)
            names[2].hardlink_to(path)
            if is_lock_removed:
                path.with_name(f"{path.name}.lock").unlink()
            await backend.commit(created())
            for name in names:
                assert_opening_says("refused: .* in use by another process", name)
                with pytest.raises(StoreRefusedError, match="in use by another process"):
                    await SqliteBackend(name, StorageLimits()).open()
            await backend.commit(moved(after(created()), 1))
        assert_opening_says("opened", path)

    async def test_of_another_file_in_its_place(self, path: Path) -> None:
        """Its user has a log by that name still, which SQLite would take for one of the other file."""
        other = path.with_name("other.db")
        await make_store(other)
        async with opened(path) as backend:
            await backend.commit(created())
            path.rename(path.with_name("away.db"))
            other.rename(path)
            assert_opening_says("refused: .* in use by another process", path)

    async def test_leaves_the_locks_of_the_first_user(self, path: Path) -> None:
        """Or another program would take itself for the last one that has the file open, and remove the log."""
        async with opened(path) as backend:
            await backend.commit(created())
            hard = path.with_name("hard.db")
            hard.hardlink_to(path)
            with pytest.raises(StoreRefusedError):
                await SqliteBackend(hard, StorageLimits()).open()
            command = [sys.executable, "-c", REMOVER, str(path)]
            assert subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout == "locked\n"
            await backend.commit(moved(after(created()), 1))

    @pytest.mark.parametrize("is_left_in_order", [True, False])
    async def test_of_a_file_of_several_names(self, path: Path, is_left_in_order: bool) -> None:
        """Its log lies beside the name that was used last: without that, what it held would be lost."""
        if is_left_in_order:
            async with opened(path) as backend:
                await backend.commit(created())
        else:
            leave_a_log(path)
        other = path.with_name("other.db")
        other.hardlink_to(path)
        await assert_refused(other, "has several names .* remove the others")
        async with opened(path) as backend:
            assert await backend.load("s") is not None
        path.unlink()
        async with opened(other) as backend:
            assert await backend.load("s") is not None

    async def test_does_not_outlast_its_user_in_a_child(self, path: Path) -> None:
        """A process that was forked off, as by multiprocessing, has the file and its lock file open as well."""
        with ExitStack() as children:
            async with opened(path):
                for locked in (path, Path(f"{path}.lock")):
                    children.enter_context(inherited(locked))
            assert_opening_says("opened", path)

    async def test_of_a_file_that_is_locked(self, path: Path) -> None:
        """By whatever program, for longer than the busy timeout."""
        await make_store(path)
        with held(path):
            backend = SqliteBackend(path, StorageLimits(), busy_timeout_s=0.2)
            with pytest.raises(StoreRefusedError, match="locked"):
                await backend.open()
        await backend.open()
        await backend.aclose()

    @pytest.mark.parametrize("statements", [[], ["PRAGMA journal_mode = WAL"], ["CREATE TABLE t (a)", "DROP TABLE t"]])
    async def test_does_not_meet_an_empty_file(self, path: Path, statements: list[str]) -> None:
        """What holds nothing is as good as no file at all."""
        path.touch()
        execute(path, *statements)
        async with opened(path) as backend:
            await backend.commit(created())
        assert sqlite_rows(path, "PRAGMA application_id") == [(schema.APPLICATION_ID,)]

    async def test_does_not_wait_for_a_long_check(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that is too large to be looked through in time is opened all the same."""
        await make_store(path)
        monkeypatch.setattr(store_check, "CHECK_S", -1)
        monkeypatch.setattr(store_check, "_PROBE_OPERATIONS", 1)
        async with opened(path) as backend:
            assert await backend.load("s1") is not None


class TestMissingFile:
    """A file of the store disappears while the store is open."""

    @pytest.mark.parametrize("other", [None, b"", b"something else"], ids=["nothing", "empty", "other"])
    async def test_to_find_the_file_makes_no_new_one(self, path: Path, other: bytes | None) -> None:
        """A database that disappeared is not replaced by an empty one, nor written to where nobody will find it."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            path.rename(path.with_suffix(".moved"))
            if other is not None:
                path.write_bytes(other)
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    await backend.commit(moved(record, 1))
                with pytest.raises(StoreUnavailableError):
                    await backend.ping()
            assert (path.read_bytes() if path.exists() else None) == other
            path.with_suffix(".moved").rename(path)
            await backend.commit(moved(record, 1))

    @pytest.mark.parametrize("suffix", ["-wal", "-shm"])
    async def test_to_find_the_log_saves_what_it_held(self, path: Path, suffix: str) -> None:
        """Nothing more is written to it, nothing is read beside it, and the database alone has all there was."""
        log, away = path.with_name(f"{path.name}{suffix}"), path.with_name("away")
        async with opened(path) as backend:
            record = await apply(backend, created())
            log.rename(away)
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    await backend.commit(moved(record, 1))
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

    async def test_to_find_the_log_loses_nothing_on_closing(self, path: Path) -> None:
        """Not even while another program has the database open, so that SQLite does not empty the log by itself."""
        async with opened(path) as backend:
            with closing(sqlite3.connect(path)) as other:
                other.execute("SELECT * FROM sessions").fetchall()
                await backend.commit(created())
                path.with_name(f"{path.name}-wal").unlink()
                await backend.aclose()
                assert rows_of_the_file_alone(path) == [("s", 0)]

    @pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
    async def test_to_find_a_file_after_a_commit_leaves_the_outcome_open(
        self, path: Path, faults: Faults, suffix: str
    ) -> None:
        """It may have gone to a file that was removed just before; back in its place, the file decides."""
        file, away = path.with_name(f"{path.name}{suffix}"), path.with_name("away")
        async with opened(path) as backend:
            record = await apply(backend, created())
            notifications: list[Notification] = []
            await backend.listen("s", notifications.append)
            change = moved(record, 1)
            faults.meet("COMMIT", lambda: file.rename(away))
            with pytest.raises(OutcomeUnknownError):
                await backend.commit(change)
            assert notifications == []
            away.rename(file)
            await backend.ping()
            assert notifications == [Notification("s", after(change))]
