"""Files that are refused."""

# ruff: noqa: ASYNC221, ASYNC240 - a test may wait for files and processes of its own

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from progress_sse.core.errors import StoreRefusedError
from progress_sse.store.sqlite import file as sqlite_file
from progress_sse.store.sqlite import schema
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import StorageLimits
from tests.store.changes import after, created, moved
from tests.store.observed import ids
from tests.store.sqlite.files import (
    assert_opening_says,
    assert_refused,
    execute,
    files,
    leave_a_log,
    locked_by_another_process,
    make_store,
    opened,
    overwrite,
    sqlite_rows,
)

pytestmark = pytest.mark.processes

REMOVER = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("PRAGMA journal_mode = DELETE")
except sqlite3.OperationalError:
    print("locked")
"""


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "garbage": ("not a database", lambda path: path.write_bytes(os.urandom(20_000))),
    "text": ("not a database", lambda path: path.write_text("session_id,status\n")),
    "two bytes": ("not a database", lambda path: path.write_bytes(b"S\n")),
    "header only": ("cannot be used|damaged", lambda path: os.truncate(path, 100)),
    "cut in half": ("malformed|damaged", lambda path: os.truncate(path, path.stat().st_size // 8192 * 4096)),
    "cut by a byte": ("malformed|damaged", lambda path: os.truncate(path, path.stat().st_size - 1)),
    "a page zeroed": ("malformed|damaged", lambda path: overwrite(path, 4096, bytes(4096))),
    "a page of noise": ("malformed|damaged", lambda path: overwrite(path, 3 * 4096, os.urandom(4096))),
    "newer": ("format 2, made by another version", lambda path: execute(path, "PRAGMA user_version = 2")),
    "much newer": ("format 2000", lambda path: execute(path, "PRAGMA user_version = 2000")),
    "without a version": ("format 0", lambda path: execute(path, "PRAGMA user_version = 0")),
    "of another application": ("another application", lambda path: execute(path, "PRAGMA application_id = 77")),
    "of no application": ("another application", lambda path: execute(path, "PRAGMA application_id = 0")),
    "with a foreign table": ("other tables", lambda path: execute(path, "CREATE TABLE t (a)")),
    "without a table": ("other tables", lambda path: execute(path, "DROP TABLE keys")),
}


@contextmanager
def inherited(path: Path) -> Iterator[None]:
    """Let a child process have the file open that this process has open."""
    descriptors = [int(each.name) for each in Path("/proc/self/fd").iterdir() if _leads_to(each, path)]
    with subprocess.Popen(["/bin/sleep", "60"], pass_fds=descriptors) as child:
        try:
            assert descriptors
            yield
        finally:
            child.kill()


def _leads_to(link: Path, path: Path) -> bool:
    with suppress(OSError):  # It may be closed meanwhile, as that of the listing is.
        return link.readlink() == path
    return False


@pytest.mark.guarantee(13)
class TestRefusal:
    """A file that cannot be used is refused with one sentence, and left as it is."""

    @pytest.mark.parametrize(("reason", "damage"), DAMAGES.values(), ids=DAMAGES)
    async def test_an_unusable_store_is_refused(
        self, path: Path, reason: str, damage: Callable[[Path], object]
    ) -> None:
        """Damaged, of another format, or of another application."""
        await make_store(path)
        damage(path)
        await assert_refused(path, reason)

    async def test_a_foreign_database_is_refused(self, path: Path) -> None:
        """Most applications do not set an application id."""
        execute(path, "CREATE TABLE users (name TEXT)", "INSERT INTO users VALUES ('x')")
        await assert_refused(path, "another application")

    async def test_a_foreign_database_with_a_log_is_refused(self, path: Path) -> None:
        """All its content is in the write-ahead log, which must not be moved by the check."""
        with closing(sqlite3.connect(path, isolation_level=None)) as owner:
            owner.execute("PRAGMA journal_mode = WAL")
            owner.execute("CREATE TABLE users (name TEXT)")
            assert len(files(path)["progress.db-wal"]) > 0
            await assert_refused(path, "another application")

    @pytest.mark.parametrize("is_there", [True, False])
    async def test_a_log_without_its_database_is_refused(self, path: Path, is_there: bool) -> None:
        """SQLite would delete the log, and with it the sessions that it still holds."""
        if is_there:
            path.touch()
        path.with_name("progress.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(4096))
        await assert_refused(path, "is missing or empty")

    async def test_a_log_of_another_file_is_refused(self, path: Path) -> None:
        """SQLite would read the log of a killed store into the backup that has taken the file's place."""
        backup = path.with_name("backup.db")
        await make_store(backup)
        leave_a_log(path)
        backup.replace(path)
        await assert_refused(path, "has taken the place of another file")
        path.with_name(f"{path.name}-wal").unlink()
        async with opened(path) as backend:
            assert len(await ids(backend)) == 20

    async def test_a_folder_that_is_put_back_keeps_its_log(self, path: Path) -> None:
        """By chance, the log can get the inode number of the one that was there; the note beside it is a copy, too."""
        leave_a_log(path)
        path.with_name("copy.db").write_bytes(path.read_bytes())
        path.with_name("copy.db").replace(path)
        note = path.with_name(f"{path.name}.lock")
        written_at, _, state = note.read_text().partition(" ")
        note.write_text(f"{int(written_at) - 10**9} {state}")
        async with opened(path) as backend:
            record = await backend.load("s")
            assert record is not None
            assert record.position.offset == 2

    async def test_a_missing_folder_is_refused(self, tmp_path: Path) -> None:
        """It is not created, since a typing error is the likelier cause."""
        await assert_refused(tmp_path / "nowhere" / "progress.db", "no folder")
        assert not (tmp_path / "nowhere").exists()

    async def test_a_folder_as_the_file_is_refused(self, path: Path) -> None:
        """As in `sqlite:///some/folder`."""
        path.mkdir()
        with pytest.raises(StoreRefusedError):
            await SqliteBackend(path, StorageLimits()).open()

    async def test_a_file_as_the_folder_is_refused(self, path: Path) -> None:
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
    def test_a_folder_without_permissions_is_refused(self, mode: int, reason: str) -> None:
        """The folder cannot be written or searched. Root is not bound by permissions, so another user opens it."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(mode)
            assert_opening_says(reason, Path(folder) / "progress.db", *(["65534"] if os.geteuid() == 0 else []))
            Path(folder).chmod(0o700)

    async def test_a_file_name_that_is_too_long_is_refused(self, tmp_path: Path) -> None:
        """The limit of the file system is known only after a try."""
        await assert_refused(tmp_path / ("x" * 300), "cannot be used: File name too long")

    async def test_a_circular_link_is_refused(self, path: Path) -> None:
        """It leads to itself through another one."""
        other = path.with_name("other.db")
        path.symlink_to(other)
        other.symlink_to(path)
        with pytest.raises(StoreRefusedError, match="cannot be used: Too many levels of symbolic links"):
            await SqliteBackend(path, StorageLimits()).open()
        assert sorted(path.parent.iterdir()) == [other, path]

    async def test_a_removed_working_directory_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another program may have removed it."""
        folder = tmp_path / "gone"
        folder.mkdir()
        monkeypatch.chdir(folder)
        folder.rmdir()
        with pytest.raises(StoreRefusedError, match="no folder"):
            await SqliteBackend(Path("progress.db"), StorageLimits()).open()

    async def test_a_read_only_file_is_refused(self) -> None:
        """SQLite opens such a file without an error, and fails at the first commit."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "progress.db"
            await make_store(path)
            path.chmod(0o444)
            Path(f"{path}.lock").chmod(0o666)
            Path(folder).chmod(0o777)
            assert_opening_says("refused: .* readonly", path, *(["65534"] if os.geteuid() == 0 else []))

    @pytest.mark.parametrize("is_lock_removed", [False, True], ids=["", "lock removed"])
    async def test_a_file_in_use_is_refused(self, path: Path, is_lock_removed: bool) -> None:
        """By another process or another part of this one, by this name or another, until the first one releases it."""
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

    async def test_another_file_in_the_place_of_one_in_use_is_refused(self, path: Path) -> None:
        """The log by that name is still in use, and SQLite would take it for the log of the other file."""
        other = path.with_name("other.db")
        await make_store(other)
        async with opened(path) as backend:
            await backend.commit(created())
            path.rename(path.with_name("away.db"))
            other.rename(path)
            assert_opening_says("refused: .* in use by another process", path)

    async def test_a_refusal_leaves_the_locks_of_the_first_user(self, path: Path) -> None:
        """Otherwise another program would believe that only it has the file open, and remove the log."""
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
    async def test_a_file_with_several_names_is_refused(self, path: Path, is_left_in_order: bool) -> None:
        """Its log lies beside the name that was used last: without that, the content of the log would be lost."""
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

    async def test_a_child_process_does_not_keep_the_file_locked(self, path: Path) -> None:
        """A forked process, as of multiprocessing, has the file and its lock file open as well."""
        with ExitStack() as children:
            async with opened(path):
                for locked in (path, Path(f"{path}.lock")):
                    children.enter_context(inherited(locked))
            assert_opening_says("opened", path)

    async def test_a_locked_file_is_refused(self, path: Path) -> None:
        """Another program holds the lock longer than the busy timeout."""
        await make_store(path)
        with locked_by_another_process(path):
            backend = SqliteBackend(path, StorageLimits(), busy_timeout_s=0.2)
            with pytest.raises(StoreRefusedError, match="locked"):
                await backend.open()
        await backend.open()
        await backend.aclose()

    @pytest.mark.parametrize("statements", [[], ["PRAGMA journal_mode = WAL"], ["CREATE TABLE t (a)", "DROP TABLE t"]])
    async def test_an_empty_file_is_used(self, path: Path, statements: list[str]) -> None:
        """A file without content counts as missing."""
        path.touch()
        execute(path, *statements)
        async with opened(path) as backend:
            await backend.commit(created())
        assert sqlite_rows(path, "PRAGMA application_id") == [(schema.APPLICATION_ID,)]

    async def test_a_long_check_does_not_delay_the_opening(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that is too large to be checked in time is opened all the same."""
        await make_store(path)
        monkeypatch.setattr(sqlite_file, "CHECK_S", -1)
        monkeypatch.setattr(sqlite_file, "_PROBE_OPERATIONS", 1)
        async with opened(path) as backend:
            assert await backend.load("s1") is not None
