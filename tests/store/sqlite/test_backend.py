"""The SQLite backend after a restart, and its cache."""

# ruff: noqa: ASYNC221 - a test may wait for files and processes of its own

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from progress_sse.core.errors import (
    StoreFullError,
    StoreUnavailableError,
)
from progress_sse.core.model import Position
from progress_sse.store.record_cache import RecordCache
from progress_sse.store.sqlite import backend as sqlite_backend
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, key, moved, removed
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import (
    SOON_S,
    execute,
    files,
    leave_a_log,
    make_store,
    opened,
    sqlite_rows,
)


class TestRestart:
    """Whatever was acknowledged is there the next time."""

    async def test_keeps_sessions_logs_and_keys(self, path: Path) -> None:
        """Word for word, with positions that go on where they were."""
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
            assert [head.session_id for head in await backend.list_summaries(None, 10, None)] == ["b", "a"]
            onward = moved(after(change), 2, 2, 2, 2)
            await backend.commit(onward)
            assert await backend.replay("a", Position("first", 2)) == [*change.entries[2:], *onward.entries]
            assert await backend.replay("a", Position("first", 1)) is None

    @pytest.mark.parametrize("put_back", [shutil.copyfile, os.replace], ids=["over it", "in its place"])
    @pytest.mark.parametrize("is_copied_while_used", [False, True], ids=["", "copied while used"])
    async def test_gives_new_epochs_to_a_backup(
        self, path: Path, put_back: Callable[[Path, Path], object], is_copied_while_used: bool
    ) -> None:
        """It has gone back in time: what follows on it now is another history than the one that was shown before."""
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

    async def test_gives_new_epochs_where_the_log_is_gone(self, path: Path) -> None:
        """Left behind by a kill and removed, it takes back what was in it alone; where it is there, all goes on.

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
                record = await backend.load("s")
                assert record is not None
                assert record.position.epoch != "first"

    async def test_gives_new_epochs_to_a_backup_where_the_log_of_a_killed_store_is_gone(self, path: Path) -> None:
        """Copied over the file, it bears the number of that; so may one that takes the place of a removed file."""
        backup = path.with_name("backup.db")
        leave_a_log(path)
        execute(path, f"VACUUM INTO '{backup}'")
        assert not path.with_name(f"{path.name}-wal").exists()
        shutil.copyfile(backup, path)
        async with opened(path) as backend:
            record = await backend.load("s")
            assert record is not None
            assert record.position.epoch != "first"

    async def test_goes_on_where_the_note_was_removed_while_it_ran(self, path: Path) -> None:
        """It is written anew when the file is left in order; where it is missing, epochs are new."""
        note = path.with_name(f"{path.name}.lock")
        async with opened(path) as backend:
            await backend.commit(created())
            note.unlink()
        async with opened(path) as backend:
            assert await backend.load("s") == after(created())
        note.unlink()
        async with opened(path) as backend:
            record = await backend.load("s")
            assert record is not None
            assert record.position.epoch != "first"

    async def test_counts_sessions_that_were_there(self, path: Path) -> None:
        """The limit is not forgotten."""
        async with opened(path, max_sessions=2) as backend:
            await backend.commit(created("a"))
            await backend.commit(created("b"))
        async with opened(path, max_sessions=2) as backend:
            with pytest.raises(StoreFullError):
                await backend.commit(created("c"))
            await backend.commit(removed(after(created("a"))))
            await backend.commit(created("c"))

    async def test_waits_for_the_disk(self, path: Path, connections: list[sqlite3.Connection]) -> None:
        """What the power may take cannot be tried here; what SQLite was told about it can be asked."""
        async with opened(path) as backend:
            await backend.commit(created())
            writer = connections[-1]
            settings = [writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        assert settings == ["wal", 2]

    async def test_leaves_a_single_file_and_no_lock(self, path: Path) -> None:
        """The write-ahead log moves into the database; others may have it from then on."""
        await make_store(path)
        assert set(files(path)) == {"progress.db"}
        assert sqlite_rows(path, "PRAGMA integrity_check") == [("ok",)]

    async def test_finishes_what_was_accepted(self, path: Path) -> None:
        """Closing waits for it; afterwards nothing is accepted."""
        async with opened(path) as backend:
            commits = [asyncio.ensure_future(backend.commit(created(f"s{number}"))) for number in range(300)]
            await asyncio.sleep(0)
        assert all(commit.done() for commit in commits)
        await asyncio.gather(*commits)
        asks: list[Callable[[], Awaitable[object]]] = [
            lambda: backend.commit(created("x")),
            lambda: backend.load("s0"),
            lambda: backend.replay("s0", Position("first", 0)),
            backend.ping,
        ]
        for ask in asks:
            with pytest.raises(StoreUnavailableError):
                await ask()
        async with opened(path) as backend:
            assert len(await backend.list_summaries(None, 1000, None)) == 300

    async def test_forgets_deleted_text(self, path: Path) -> None:
        """What was in a session that was removed is nowhere in the file."""
        secret = "correct horse battery staple"
        async with opened(path) as backend:
            change = moved(after(created()), 1, message=secret)
            await backend.commit(created())
            await backend.commit(change)
            assert any(secret.encode() in data for data in files(path).values())
            await backend.commit(removed(after(change)))
        assert not any(secret.encode() in data for data in files(path).values())

    async def test_forgets_deleted_text_while_it_runs(
        self, path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A moment later it is not in the log either; not much later, where somebody else was reading that."""
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

    async def test_forgets_deleted_text_after_it_was_opened_again(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also where it was closed before the moment had passed."""
        secret = "correct horse battery staple"
        async with opened(path) as backend:
            await backend.commit(removed(await apply(backend, created())))
        monkeypatch.setattr(sqlite_backend, "PURGE_DELAY_S", 0.01)
        await backend.open()
        await backend.commit(removed(await apply(backend, created(), moved(after(created()), 1, message=secret))))
        await eventually(lambda: not any(secret.encode() in data for data in files(path).values()), SOON_S)
        await backend.aclose()

    async def test_forgets_deleted_text_after_a_kill(self, path: Path) -> None:
        """The log that was left behind is emptied by the next opening."""
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
    async def test_takes_any_file_name(self, tmp_path: Path, name: str) -> None:
        """A name is a name: no escape, no parameter, no special word."""
        async with opened(tmp_path / name) as backend:
            await backend.commit(created())
        assert (tmp_path / name).read_bytes().startswith(b"SQLite format 3\0")


class TestCache:
    """Sessions in use are answered from memory, and truly."""

    async def test_answers_without_reading(self, path: Path, faults: Faults) -> None:
        """What was committed or read once is not read again; what is asked for together is read once."""
        await make_store(path)
        async with opened(path) as backend:
            assert len({id(each) for each in await asyncio.gather(*(backend.load("s1") for _ in range(20)))}) == 1
            record = await apply(backend, created("fresh"))
            assert await backend.load("fresh") is record
            assert await backend.load("s1") is await backend.load("s1")
            assert faults.count("SELECT life, epoch") == 1

    async def test_is_given_up_with_the_file(self, path: Path) -> None:
        """Whoever has it until it is opened again may change what is in it."""
        async with opened(path) as backend:
            record = await apply(backend, created())
        async with opened(path) as other:
            record = await apply(other, moved(record, 1))
        await backend.open()
        assert await backend.load("s") == record
        await backend.aclose()

    async def test_is_not_filled_with_what_a_commit_overtook(self, path: Path, faults: Faults) -> None:
        """A read that was under way when a commit came through must not outlive it."""
        await make_store(path)
        async with opened(path) as backend:
            record = await backend.load("s1")
            assert record is not None
        async with opened(path) as backend:
            pause = faults.pause("SELECT data FROM steps")
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

    async def test_shows_nothing_that_listeners_have_yet_to_hear_of(self, path: Path, faults: Faults) -> None:
        """A change is visible once it is told of, although it is in the file a moment earlier."""
        events: list[str] = []

        async def load() -> None:
            assert await backend.load("s") == after(created())
            events.append("loaded")

        async with opened(path) as backend:
            await backend.listen("s", lambda _notice: events.append("told"))
            pause = faults.pause("COMMIT", after=True)
            committing = asyncio.ensure_future(backend.commit(created()))
            await pause.reached()
            loading = asyncio.ensure_future(load())
            await asyncio.wait([loading], timeout=0.2)
            pause.end()
            await asyncio.gather(committing, loading)
            assert events == ["told", "loaded"]

    async def test_survives_a_reader_that_is_cancelled(self, path: Path, faults: Faults) -> None:
        """Others who share its read still get their answer."""
        await make_store(path)
        async with opened(path) as backend:
            pause = faults.pause("SELECT data FROM steps")
            first, second = (asyncio.ensure_future(backend.load("s1")) for _ in range(2))
            await pause.reached()
            first.cancel()
            pause.end()
            assert await second is not None
            assert first.cancelled()

    async def test_can_be_too_small(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sessions that do not fit are read each time, and are the same."""
        monkeypatch.setattr(sqlite_backend, "RecordCache", partial(RecordCache, max_bytes=0))
        async with opened(path) as backend:
            record = await apply(backend, created())
            record = await apply(backend, moved(record, 1, 2))
            await backend.commit(created("t"))
            assert await backend.load("s") == record
            assert await backend.load("s") is not record
