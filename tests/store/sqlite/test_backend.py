"""The SQLite backend over restarts."""

# ruff: noqa: ASYNC221 - a test may wait for files and processes of its own

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.store.sqlite import backend as sqlite_backend
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, key, moved, refuse, removed
from tests.store.observed import ids
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import SOON_S, execute, files, has_new_epoch, leave_a_log, make_store, opened, sqlite_rows


class TestRestart:
    """All acknowledged changes are there after a restart."""

    async def test_sessions_logs_and_keys_survive_a_restart(self, path: Path) -> None:
        """Everything is exactly as before, and positions continue."""
        async with opened(path, history=5) as backend:
            await backend.commit(created("a", keys=[key("k", "digest")]))
            change = moved(after(created("a")), 1, 2, 1, message="日本語 \U0001f600")
            await backend.commit(change)
            await backend.commit(created("b"))
        async with opened(path, history=5) as backend:
            assert await backend.load("a") == after(change)
            assert await backend.load("b") == after(created("b"))
            assert await backend.replay("a", Position("first", 0)) == list(change.entries)
            assert await backend.find_idempotency_key("a", "k") == key("k", "digest")
            assert await ids(backend) == ["b", "a"]
            onward = moved(after(change), 2, 2, 2, 2)
            await backend.commit(onward)
            assert await backend.replay("a", Position("first", 2)) == [*change.entries[2:], *onward.entries]
            assert await backend.replay("a", Position("first", 1)) is None

    @pytest.mark.parametrize("put_back", [shutil.copyfile, os.replace], ids=["over it", "in its place"])
    @pytest.mark.parametrize("is_copied_while_used", [False, True], ids=["", "copied while used"])
    async def test_a_restored_backup_gets_new_epochs(
        self, path: Path, put_back: Callable[[Path, Path], object], is_copied_while_used: bool
    ) -> None:
        """It has gone back in time: later changes make another history than the one that clients have seen."""
        backup = path.with_name("backup.db")

        def back_up() -> None:
            backup.unlink(missing_ok=True)
            execute(path, f"VACUUM INTO '{backup}'")

        async with opened(path) as backend:
            record = await apply(backend, created(), moved(after(created()), 1, keys=[key("k")]))
        back_up()
        async with opened(path) as backend:
            if is_copied_while_used:
                back_up()
            await apply(backend, moved(record, 2), moved(after(moved(record, 2)), 3))
        put_back(backup, path)
        async with opened(path) as backend:
            found = await backend.load("s")
            assert found is not None
            assert (found.session, found.position.offset) == (record.session, 1)
            assert found.position.epoch != "first"
            assert await backend.replay("s", Position("first", 1)) is None
            assert await backend.replay("s", Position(found.position.epoch, 0)) is None
            assert await backend.find_idempotency_key("s", "k") == key("k")
            onward = moved(found, 2)
            await backend.commit(onward)
        async with opened(path) as backend:
            assert await backend.load("s") == after(onward)
            assert await backend.replay("s", found.position) == list(onward.entries)

    async def test_a_file_without_its_log_gets_new_epochs(self, path: Path) -> None:
        """Removing the log of a killed store undoes the changes that only the log held. With the log, epochs continue.

        A log that another program has moved to the database looks like one that was removed with its index.
        """
        kept, moved_on, gone = path, path.with_name("moved.db"), path.with_name("gone.db")
        for each in (kept, moved_on, gone):
            leave_a_log(each)
        execute(moved_on, "SELECT * FROM sessions")
        assert not moved_on.with_name(f"{moved_on.name}-wal").exists()
        gone.with_name(f"{gone.name}-wal").unlink()
        async with opened(kept) as backend:
            assert await backend.replay("s", Position("first", 1)) is not None
        for each in (moved_on, gone):
            async with opened(each) as backend:
                assert await has_new_epoch(backend)

    async def test_a_backup_copied_over_a_killed_store_gets_new_epochs(self, path: Path) -> None:
        """The file keeps its inode number, and a file in the place of a removed one may get the same number."""
        backup = path.with_name("backup.db")
        leave_a_log(path)
        execute(path, f"VACUUM INTO '{backup}'")
        assert not path.with_name(f"{path.name}-wal").exists()
        shutil.copyfile(backup, path)
        async with opened(path) as backend:
            assert await has_new_epoch(backend)

    async def test_a_note_removed_while_the_store_runs_is_written_again(self, path: Path) -> None:
        """Closing writes a new note. If the note is missing on opening, sessions get new epochs."""
        note = path.with_name(f"{path.name}.lock")
        async with opened(path) as backend:
            await backend.commit(created())
            note.unlink()
        async with opened(path) as backend:
            assert await backend.load("s") == after(created())
        note.unlink()
        async with opened(path) as backend:
            assert await has_new_epoch(backend)

    async def test_existing_sessions_count_after_a_restart(self, path: Path) -> None:
        """The limit holds."""
        async with opened(path, max_sessions=2) as backend:
            await backend.commit(created("a"))
            await backend.commit(created("b"))
        async with opened(path, max_sessions=2) as backend:
            await refuse(backend, created("c"), StoreFullError)
            await backend.commit(removed(after(created("a"))))
            await backend.commit(created("c"))

    async def test_commits_wait_for_the_disk(self, path: Path, connections: list[sqlite3.Connection]) -> None:
        """A loss of power cannot be tested here, but SQLite can be asked for its settings."""
        async with opened(path) as backend:
            await backend.commit(created())
            writer = connections[-1]
            settings = [writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        assert settings == ["wal", 2]

    async def test_closing_leaves_a_single_file_and_no_lock(self, path: Path) -> None:
        """The write-ahead log moves into the database, and other programs may use it then."""
        await make_store(path)
        assert set(files(path)) == {"progress.db"}
        assert sqlite_rows(path, "PRAGMA integrity_check") == [("ok",)]

    async def test_closing_finishes_accepted_commits(self, path: Path) -> None:
        """Afterwards nothing is accepted."""
        async with opened(path) as backend:
            commits = [asyncio.ensure_future(backend.commit(created(f"s{number}"))) for number in range(300)]
            await asyncio.sleep(0)
        assert all(commit.done() for commit in commits)
        await asyncio.gather(*commits)
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: backend.commit(created("x")),
            lambda: backend.load("s0"),
            lambda: backend.replay("s0", Position("first", 0)),
            backend.ping,
        ]
        for call in calls:
            with pytest.raises(StoreUnavailableError):
                await call()
        async with opened(path) as backend:
            assert len(await ids(backend)) == 300

    async def test_deleted_text_is_removed_from_the_file(self, path: Path) -> None:
        """No text of a removed session is in the file."""
        secret = "correct horse battery staple"
        async with opened(path) as backend:
            change = moved(after(created()), 1, message=secret)
            await backend.commit(created())
            await backend.commit(change)
            assert any(secret.encode() in data for data in files(path).values())
            await backend.commit(removed(after(change)))
        assert not any(secret.encode() in data for data in files(path).values())

    async def test_deleted_text_is_removed_from_the_log(
        self, path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is gone after a moment, or as soon as no other program reads the log."""
        monkeypatch.setattr(sqlite_backend, "PURGE_DELAY_S", 0.01)
        secret = b"correct horse battery staple"
        async with opened(path) as backend:
            record = await apply(backend, created(), moved(after(created()), 1, message=secret.decode()))
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN")
                assert secret in other.execute("SELECT data FROM steps").fetchone()[0]
                await backend.commit(removed(record))
                await eventually(lambda: faults.count("PRAGMA wal_checkpoint") > 2, SOON_S)
                assert any(secret in data for data in files(path).values())
            await eventually(lambda: not any(secret in data for data in files(path).values()), SOON_S)

    async def test_deleted_text_is_removed_after_a_reopening(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The backend was closed before the moment had passed."""
        secret = "correct horse battery staple"
        async with opened(path) as backend:
            await backend.commit(removed(await apply(backend, created())))
        monkeypatch.setattr(sqlite_backend, "PURGE_DELAY_S", 0.01)
        await backend.open()
        await backend.commit(removed(await apply(backend, created(), moved(after(created()), 1, message=secret))))
        await eventually(lambda: not any(secret.encode() in data for data in files(path).values()), SOON_S)
        await backend.aclose()

    async def test_deleted_text_is_removed_after_a_kill(self, path: Path) -> None:
        """The next opening empties the log that was left behind."""
        secret = "correct horse battery staple"
        copy = path.with_name("copy") / path.name
        copy.parent.mkdir()
        async with opened(path) as backend:
            await backend.commit(removed(await apply(backend, created(), moved(after(created()), 1, message=secret))))
            subprocess.run(["cp", path, f"{path}-wal", copy.parent], check=True)
        assert any(secret.encode() in data for data in files(copy).values())
        async with opened(copy):
            assert not any(secret.encode() in data for data in files(copy).values())

    @pytest.mark.parametrize("name", ["a b%20c?d=e#f&g'h\"", "日本語", "-wal", "memory", ":memory:"])
    async def test_any_file_name_is_accepted(self, tmp_path: Path, name: str) -> None:
        """It is used as it is: no escapes, no parameters, no special words."""
        async with opened(tmp_path / name) as backend:
            await backend.commit(created())
        assert (tmp_path / name).read_bytes().startswith(b"SQLite format 3\0")
