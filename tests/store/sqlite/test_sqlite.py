"""What is promised of the SQLite backend alone: durability, refusals, and a loop that never waits for the disk."""

# ruff: noqa: ASYNC221, ASYNC240 - a test may wait for files and processes of its own

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from progress_sse.core.errors import (
    ConflictError,
    KeyReusedError,
    OutcomeUnknownError,
    ProgressError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
)
from progress_sse.core.model import Position
from progress_sse.core.state_machine import Command, Complete, Create
from progress_sse.store import health
from progress_sse.store.idempotency import IdempotencyKey
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.record_cache import RecordCache, estimated_bytes
from progress_sse.store.sqlite import backend as sqlite_backend
from progress_sse.store.sqlite import room as sqlite_room
from progress_sse.store.sqlite import schema, store_check
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.sqlite.writer import MAX_GROUP
from progress_sse.store.types import Notification, StorageLimits, fingerprint
from progress_sse.wire import session_json
from tests.clock import ManualClock
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, key, moved, removed
from tests.store.faults import Faults

SOON_S = 30
"""A generous deadline for what should take no time."""

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""

REMOVER = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("PRAGMA journal_mode = DELETE")
except sqlite3.OperationalError:
    print("locked")
"""

OPENER = """
import asyncio, os, pathlib, sys
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.core.errors import StoreRefusedError
from progress_sse.store.types import StorageLimits
if len(sys.argv) > 2:
    os.seteuid(int(sys.argv[2]))
async def main():
    backend = SqliteBackend(pathlib.Path(sys.argv[1]), StorageLimits())
    try:
        await backend.open()
    except StoreRefusedError as refusal:
        print("refused:", refusal)
    else:
        print("opened")
        await backend.aclose()
asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "progress.db"


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    faults = Faults()
    faults.install(monkeypatch)
    return faults


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """All connections that are made, open to questions from the test's own thread."""
    connections: list[sqlite3.Connection] = []

    class Watched(sqlite3.Connection):
        def __init__(self, database: str, **options: Any) -> None:
            super().__init__(database, check_same_thread=False, **options)
            connections.append(self)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    return connections


@asynccontextmanager
async def opened(path: Path, *, busy_timeout_s: float = SOON_S, **limits: int) -> AsyncIterator[SqliteBackend]:
    """Open a store for a while."""
    backend = SqliteBackend(path, StorageLimits(**limits), busy_timeout_s=busy_timeout_s)
    await backend.open()
    try:
        yield backend
    finally:
        await backend.aclose()


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


async def make_store(path: Path) -> None:
    """Leave a closed store with a few sessions, several pages large."""
    async with opened(path) as backend:
        for number in range(20):
            change = created(f"s{number}")
            await backend.commit(change)
            await backend.commit(moved(after(change), 1, 2, 3, message="text " * 100))


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the database under BEGIN EXCLUSIVE; closing its standard input ends that."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        release(holder)


def release(holder: subprocess.Popen[str]) -> None:
    """Let the other process go."""
    assert holder.stdin is not None
    holder.stdin.close()
    holder.wait(SOON_S)


def files(path: Path) -> dict[str, bytes]:
    """Everything that is kept in the folder, apart from what says nothing."""
    unsaid = (".lock", "-shm")
    return {each.name: each.read_bytes() for each in path.parent.iterdir() if not each.name.endswith(unsaid)}


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


class TestKill:
    """`kill -9` at any moment."""

    async def test_loses_nothing_acknowledged(self, path: Path) -> None:
        """After each death the store opens, and has what was acknowledged, with its log, and nothing by halves."""
        acknowledged: dict[str, int] = {}
        for lines in (1, 30, 400, 1000):
            read_until_killed(
                [sys.executable, "-m", "tests.store.crash_script", "write", str(path), "8"], lines, acknowledged
            )
            async with opened(path, history=50) as backend:
                for session_id, n in acknowledged.items():
                    await check_whole(backend, session_id, n)
            assert sqlite_rows(path, "PRAGMA integrity_check") == [("ok",)]
        assert len(acknowledged) == 8

    async def test_in_the_first_opening_leaves_a_file_that_opens(self, tmp_path: Path) -> None:
        """Before each single statement of the first opening."""
        subprocess.run(
            [sys.executable, "-m", "tests.store.crash_script", "open", str(tmp_path)], check=True, timeout=60
        )
        killed = sorted(tmp_path.glob("*.lock"))
        assert len(killed) > 10
        for lock in killed:
            async with opened(lock.with_suffix("")) as backend:
                await backend.commit(created())

    async def test_leaves_damage_visible(self, path: Path) -> None:
        """Damage is found also where a write-ahead log was left behind, and nothing of either file is touched."""
        read_until_killed([sys.executable, "-m", "tests.store.crash_script", "write", str(path), "8"], 500, {})
        assert path.with_name("progress.db-wal").stat().st_size > 0
        path.write_bytes(b"\xff" * 8192)
        await assert_refused(path, "cannot be used|damaged")


def read_until_killed(command: list[str], lines: int, acknowledged: dict[str, int]) -> None:
    """Start a writing process, kill it after so many acknowledgements, and note all that it gave."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for count, line in enumerate(process.stdout, start=1):
            if count == lines:
                process.send_signal(signal.SIGKILL)
            if line.endswith("\n"):
                session_id, n = line.split()
                acknowledged[session_id] = int(n)
    assert process.returncode == -signal.SIGKILL
    assert count >= lines


def leave_a_log(path: Path) -> None:
    """Let a process die that had a session in the database, and its first two transitions in the log alone."""
    command = [sys.executable, "-m", "tests.store.crash_script", "leave", str(path)]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL


async def check_whole(backend: SqliteBackend, session_id: str, n: int) -> None:
    """Make sure that the session is at `n` or one further, that its log leads there, and that its steps agree."""
    record = await backend.load(session_id)
    assert record is not None
    assert n <= record.position.offset <= n + 1
    entries = await backend.replay(session_id, Position("first", max(0, record.position.offset - 50)))
    assert entries is not None
    assert entries[-1].data == session_json.encode_transition(record.session, entries[-1].step)
    for step, progress in record.session.progress.steps.items():
        newest = max(entry.offset for entry in entries if entry.step == step)
        assert progress.message == f"{session_id} {newest}"


def sqlite_rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Ask a database as any other program would."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def rows_of_the_file_alone(path: Path) -> list[tuple[object, ...]]:
    """Where its sessions are, by the database without what lies beside it."""
    alone = path.with_name("alone.db")
    subprocess.run(["cp", path, alone], check=True)  # To close the file here would drop the locks on it.
    return sqlite_rows(alone, "SELECT session_id, n FROM sessions")


async def assert_refused(path: Path, reason: str) -> None:
    """Make sure that opening fails with one sentence, and leaves every file and no lock."""
    before = files(path) if path.parent.exists() else {}
    with pytest.raises(StoreRefusedError, match=reason) as refusal:
        await SqliteBackend(path, StorageLimits()).open()
    assert str(path.name) in str(refusal.value)
    assert str(refusal.value).endswith(".")
    assert "\n" not in str(refusal.value)
    if path.parent.exists():
        assert files(path) == before


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Change some bytes of a file."""
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(content)


def execute(path: Path, *statements: str) -> None:
    """Change a database as any other program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


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


@pytest.fixture
def former(path: Path) -> Path:
    """A file of the format before this one."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("format2.sql").read_text())
    return path


class TestUpgrade:
    """A store of the format before this one is brought up to date when it is opened."""

    async def test_keeps_sessions_and_keys(self, former: Path) -> None:
        """To its workers nothing has happened: also what was under way is applied once."""
        keys = sqlite_rows(former, "SELECT key, digest, answer FROM keys ORDER BY rank")
        assert [answer for _, _, answer in keys] == ["created", "updated", "updated"]
        async with opened(former) as backend:
            store = ProgressStore(backend, clock=ManualClock(datetime(2026, 11, 28, tzinfo=UTC)))
            record = await backend.load("orders")
            assert record is not None
            assert record.position.offset == 2
            assert record.session.progress.steps[1].message == "8,000 rows"
            definitions = record.session.definitions
            commands: list[Command] = [Create(definitions, replace=False), store.start_command(1, None), Complete(1)]
            for command, (name, digest, answer) in zip(commands, keys, strict=True):
                again = await store.apply("orders", command, IdempotencyKey(str(name), str(digest)))
                assert again.effect == answer
                if again.record is not None:
                    assert again.record.position == Position("d21cab82cc0ec802", 0)
            assert await backend.load("orders") == record
            await store.apply("orders", store.start_command(2, None), IdempotencyKey("new", "digest"))
            await store.delete_session("nightly")
            with pytest.raises(KeyReusedError):
                await store.apply("orders", store.start_command(2, None), IdempotencyKey("start", "another"))
        assert b"completion" not in former.read_bytes()
        async with opened(former) as backend:
            assert [head.session_id for head in await backend.list_summaries(None, 9, None)] == ["orders"]

    async def test_makes_the_same_file_as_a_new_one(self, former: Path, tmp_path: Path) -> None:
        """But for the order of things, and for what is in it."""
        new = tmp_path / "new.db"
        for path in (former, new):
            async with opened(path):
                pass
        tables = [
            {name: sqlite_rows(path, f"PRAGMA table_info({name})") for name in schema.TABLES[3]}
            for path in (former, new)
        ]
        assert tables[0] == tables[1]
        indexes = [
            sqlite_rows(
                path, "SELECT name, tbl_name, sql FROM sqlite_master WHERE sql NOT NULL AND type = 'index' ORDER BY 1"
            )
            for path in (former, new)
        ]
        assert indexes[0] == indexes[1]

    async def test_is_done_wholly_or_not_at_all(self, former: Path, tmp_path: Path) -> None:
        """Killed before each single statement of the opening, and opened again."""
        folder = tmp_path / "killed"
        folder.mkdir()
        command = [sys.executable, "-m", "tests.store.crash_script", "upgrade", str(folder), str(former)]
        subprocess.run(command, check=True, timeout=60)
        killed = sorted(folder.glob("*.lock"))
        assert len(killed) > 20
        for lock in killed:
            async with opened(lock.with_suffix("")) as backend:
                record = await backend.load("orders")
                assert record is not None
                assert record.position.offset == 2
                used = await backend.find_idempotency_key("orders", fingerprint("orders/creation"))
                assert used is not None
                assert used.answer == "created"

    async def test_leaves_what_cannot_be_written_as_it_is(self, former: Path, faults: Faults) -> None:
        """A disk that fails or is full, at any point of it."""
        for statement in ("ALTER TABLE keys", "INSERT INTO keys", "DROP TABLE", "COMMIT"):
            faults.fail(statement, sqlite3.SQLITE_FULL)
            await assert_refused(former, "cannot be used")
        async with opened(former) as backend:
            assert await backend.load("orders") is not None


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
            assert_says(reason, Path(folder) / "progress.db", *(["65534"] if os.geteuid() == 0 else []))
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
            assert_says("refused: .* readonly", path, *(["65534"] if os.geteuid() == 0 else []))

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
                assert_says("refused: .* in use by another process", name)
                with pytest.raises(StoreRefusedError, match="in use by another process"):
                    await SqliteBackend(name, StorageLimits()).open()
            await backend.commit(moved(after(created()), 1))
        assert_says("opened", path)

    async def test_of_another_file_in_its_place(self, path: Path) -> None:
        """Its user has a log by that name still, which SQLite would take for one of the other file."""
        other = path.with_name("other.db")
        await make_store(other)
        async with opened(path) as backend:
            await backend.commit(created())
            path.rename(path.with_name("away.db"))
            other.rename(path)
            assert_says("refused: .* in use by another process", path)

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
            assert_says("opened", path)

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


def assert_says(pattern: str, path: Path, *arguments: str) -> None:
    """Open the store in another process, and look at what becomes of it."""
    command = [sys.executable, "-c", OPENER, str(path), *arguments]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout
    assert re.match(pattern, said)
    assert said.count("\n") == 1


class TestHeld:
    """Another process holds the database, as a backup may."""

    async def test_fails_after_the_busy_timeout_and_heals(self, path: Path) -> None:
        """Nothing was changed then; reads go on; and the next commit works once the file is free."""
        async with opened(path, busy_timeout_s=0.3) as backend:
            record = await apply(backend, created())
            await backend.commit(created("uncached"))
            change = moved(record, 1)
            with held(path):
                with pytest.raises(StoreUnavailableError) as failure:
                    await backend.commit(change)
                assert isinstance(failure.value.__cause__, sqlite3.OperationalError)
                assert not isinstance(failure.value, OutcomeUnknownError)
                with pytest.raises(StoreUnavailableError):
                    await backend.ping()
                assert await backend.load("s") == record
                assert await backend.replay("s", Position("first", 0)) == []
                assert len(await backend.list_summaries(None, 10, None)) == 2
            await backend.ping()
            await backend.commit(change)
            assert await backend.load("s") == after(change)

    async def test_does_not_block_the_loop(self, path: Path) -> None:
        """While commits wait, the event loop turns as if nothing were the matter."""
        async with opened(path, busy_timeout_s=1) as backend:
            record = await apply(backend, created())
            with held(path):
                waiting = asyncio.ensure_future(backend.commit(moved(record, 1)))
                longest, last = 0.0, time.monotonic()
                while not waiting.done():
                    await asyncio.sleep(0.001)
                    longest, last = max(longest, time.monotonic() - last), time.monotonic()
                with pytest.raises(StoreUnavailableError):
                    await waiting
            assert longest < 0.5

    async def test_loses_nothing_that_waited(self, path: Path, faults: Faults) -> None:
        """What can be committed before its time is up is, in one transaction and in order."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            notifications: list[Notification] = []
            await backend.listen("s", notifications.append)
            changes = [change := moved(record, 1)]
            changes += [change := moved(after(change), step) for step in (2, 3) * 24]
            before = faults.count("COMMIT")
            with held(path) as holder:
                commits = [asyncio.ensure_future(backend.commit(change)) for change in changes]
                await asyncio.sleep(0)
                release(holder)
                await asyncio.gather(*commits)
            assert [notification.entries[0].offset for notification in notifications] == list(range(1, 50))
            assert faults.count("COMMIT") == before + 1

    async def test_gives_each_change_its_own_time(self, path: Path) -> None:
        """A change that came later is not given up with an earlier one."""
        async with opened(path, busy_timeout_s=2) as backend:
            with held(path) as holder:
                early = asyncio.ensure_future(backend.commit(created("early")))
                await asyncio.wait([early], timeout=1)
                late = asyncio.ensure_future(backend.commit(created("late")))
                with pytest.raises(StoreUnavailableError):
                    await early
                assert not late.done()
                release(holder)
                await late


class TestGroups:
    """Commits that wait at the same time share a transaction."""

    async def test_share_a_transaction(self, path: Path, faults: Faults) -> None:
        """Up to a bound, which keeps the write-ahead log small."""
        async with opened(path) as backend:
            pause = faults.pause("BEGIN IMMEDIATE")
            before = faults.count("COMMIT")
            commits = [
                asyncio.ensure_future(backend.commit(created(f"s{number}"))) for number in range(2 * MAX_GROUP + 1)
            ]
            await pause.reached()
            pause.end()
            await asyncio.gather(*commits)
            assert faults.count("COMMIT") == before + 3

    async def test_are_told_of_when_durable(self, path: Path) -> None:
        """A listener that asks the file itself finds there what it was told."""
        found: list[tuple[int, object]] = []

        def look(notification: Notification) -> None:
            assert notification.record is not None
            rows = sqlite_rows(path, f"SELECT n FROM sessions WHERE session_id = '{notification.session_id}'")  # noqa: S608 - ours
            found.append((notification.record.position.offset, rows[0][0]))

        async def work(session_id: str) -> None:
            await backend.listen(session_id, look)
            record = await apply(backend, created(session_id))
            for step in (1, 2, 3):
                record = await apply(backend, moved(record, step))

        async with opened(path) as backend:
            await asyncio.gather(*(work(f"s{number}") for number in range(5)))
        assert len(found) == 20
        assert all(told <= there for told, there in found if isinstance(there, int))

    async def test_keep_the_log_small(self, path: Path) -> None:
        """The write-ahead log is moved into the database as it grows, while somebody reads all the time."""
        log = path.with_name("progress.db-wal")
        sizes: list[int] = []
        async with opened(path, history_bytes=20_000) as backend:

            async def work(session_id: str) -> None:
                record = await apply(backend, created(session_id))
                for _ in range(100):
                    record = await apply(backend, moved(record, 1, message="x" * 8000))
                    sizes.append(log.stat().st_size)

            async def read() -> None:
                while True:
                    await backend.replay("s1", Position("first", 0))
                    await backend.list_summaries(None, 10, None)

            reading = asyncio.ensure_future(read())
            await asyncio.gather(*(work(f"s{number}") for number in range(10)))
            reading.cancel()
        assert 0 < max(sizes) < 16 * 1024 * 1024


FAILURES: dict[str, tuple[str, int, type[ProgressError]]] = {
    "no lock": ("BEGIN IMMEDIATE", sqlite3.SQLITE_IOERR_SHMLOCK, StoreUnavailableError),
    "disk full while writing": ("INSERT INTO log", sqlite3.SQLITE_FULL, StoreFullError),
    "read-only": ("INSERT INTO log", sqlite3.SQLITE_READONLY_DBMOVED, StoreUnavailableError),
    "i/o error while writing": ("INSERT INTO log", sqlite3.SQLITE_IOERR_WRITE, StoreUnavailableError),
    "damage": ("SELECT epoch", sqlite3.SQLITE_CORRUPT, StoreUnavailableError),
    "disk full on commit": ("COMMIT", sqlite3.SQLITE_FULL, StoreFullError),
    "busy on commit": ("COMMIT", sqlite3.SQLITE_BUSY_SNAPSHOT, StoreUnavailableError),
    "i/o error on commit": ("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, OutcomeUnknownError),
}


class TestFailure:
    """What SQLite reports is translated, and passes."""

    @pytest.mark.parametrize(("statement", "code", "expected"), FAILURES.values(), ids=FAILURES)
    async def test_is_translated_and_heals(
        self, path: Path, faults: Faults, statement: str, code: int, expected: type[ProgressError]
    ) -> None:
        """Nothing was changed, nobody was told, and the same change is taken the next time."""
        async with opened(path, max_sessions=2) as backend:
            record = await apply(backend, created())
            notifications: list[Notification] = []
            await backend.listen("s", notifications.append)
            change = moved(record, 1, keys=[key("k")])
            faults.fail(statement, code)
            with pytest.raises(expected) as failure:
                await backend.commit(change)
            assert type(failure.value) is expected
            assert isinstance(failure.value.__cause__, sqlite3.OperationalError)
            assert await backend.load("s") == record
            assert await backend.find_idempotency_key("s", "k") is None
            assert notifications == []
            await backend.commit(change)
            assert await backend.load("s") == after(change)
            assert notifications[-1] == Notification("s", after(change), entries=change.entries)
            await backend.commit(created("t"))
            with pytest.raises(StoreFullError):
                await backend.commit(created("u"))

    async def test_takes_no_room(self, path: Path, faults: Faults) -> None:
        """Sessions whose creation failed are not counted."""
        async with opened(path, max_sessions=1) as backend:
            for _ in range(2):
                faults.fail("COMMIT", sqlite3.SQLITE_FULL)
                with pytest.raises(StoreFullError):
                    await backend.commit(created())
            await backend.commit(created())

    async def test_is_logged_when_it_begins_and_ends(
        self, path: Path, faults: Faults, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full disk meets every request, and shall not fill the log as well."""
        monkeypatch.setattr(health, "QUIET_S", 0)
        async with opened(path) as backend:
            for _ in range(2):
                for _ in range(3):
                    faults.fail("COMMIT", sqlite3.SQLITE_FULL)
                    with pytest.raises(StoreFullError):
                        await backend.ping()
                await backend.ping()
                await backend.ping()
        assert caplog.messages == ["Writing to the store: made up", "Writing to the store: working again."] * 2

    async def test_hits_a_whole_group_but_each_with_an_error_of_its_own(self, path: Path, faults: Faults) -> None:
        """An exception that two tasks raise would collect the traces of both."""
        async with opened(path) as backend:
            faults.fail("COMMIT", sqlite3.SQLITE_FULL)
            commits = (backend.commit(created(f"s{number}")) for number in range(10))
            outcomes = await asyncio.gather(*commits, return_exceptions=True)
            failures = [outcome for outcome in outcomes if isinstance(outcome, StoreFullError)]
            assert failures
            assert len({id(failure) for failure in failures}) == len(failures)

    async def test_of_a_commit_that_was_applied_shows_later(self, path: Path, faults: Faults) -> None:
        """Where the outcome is unknown the file decides, and listeners hear of it with the next commit."""
        async with opened(path, max_sessions=2) as backend:
            record = await apply(backend, created())
            notifications: list[Notification] = []
            for session_id in ("s", "new"):
                await backend.listen(session_id, notifications.append)
            applied = moved(record, 1)
            for change in (applied, created("new")):
                faults.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=True)
                with pytest.raises(OutcomeUnknownError):
                    await backend.commit(change)
            assert await backend.load("s") == after(applied)
            with pytest.raises(StoreFullError):
                await backend.commit(created("one too many"))
            assert Notification("s", after(applied)) in notifications
            assert Notification("new", after(created("new"))) in notifications
            told = len(notifications)
            with pytest.raises(ConflictError):
                await backend.commit(applied)
            await backend.commit(moved(after(applied), 2))
            assert len(notifications) == told + 1

    async def test_of_a_commit_that_was_applied_shows_though_nobody_commits_anything(
        self, path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever sends the update again is answered by its key, which is no commit, and readers would wait."""
        monkeypatch.setattr(sqlite_backend, "RESOLVE_DELAY_S", 0.05)
        async with opened(path) as backend:
            record = await apply(backend, created())
            notifications: list[Notification] = []
            await backend.listen("s", notifications.append)
            applied = moved(record, 1)
            faults.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=True)
            with pytest.raises(OutcomeUnknownError):
                await backend.commit(applied)
            faults.fail("BEGIN IMMEDIATE", sqlite3.SQLITE_IOERR_SHMLOCK)
            await eventually(lambda: notifications == [Notification("s", after(applied))], SOON_S)

    async def test_of_a_commit_blocks_nobody_where_its_session_cannot_be_read(self, path: Path, faults: Faults) -> None:
        """Nor the sessions that nothing is wrong with."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            faults.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=True)
            with pytest.raises(OutcomeUnknownError):
                await backend.commit(moved(record, 1))
            with closing(sqlite3.connect(path)) as other, other:
                other.execute("UPDATE steps SET data = x'00'")
            await backend.commit(created("t"))
            with pytest.raises(StoreUnavailableError):
                await backend.load("s")
            faults.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=True)
            with pytest.raises(OutcomeUnknownError):
                await backend.commit(created("u"))
            faults.fail("SELECT life, epoch", sqlite3.SQLITE_CORRUPT)
            await backend.commit(created("v"))

    async def test_of_the_disk_is_no_failure_for_ever(self, path: Path, connections: list[sqlite3.Connection]) -> None:
        """With a database that really cannot grow: refused with 507, then accepted once there is room."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            writer = connections[-1]
            (pages,) = writer.execute("PRAGMA page_count").fetchone()
            writer.execute(f"PRAGMA max_page_count = {pages + 2}")
            change = moved(record, 1, message="x" * 100_000)
            with pytest.raises(StoreFullError):
                await backend.commit(change)
            assert await backend.load("s") == record
            await backend.commit(moved(record, 2))
            writer.execute("PRAGMA max_page_count = 1000000")
            await backend.commit(moved(after(moved(record, 2)), 1, message="x" * 100_000))
        assert sqlite_rows(path, "PRAGMA integrity_check") == [("ok",)]

    async def test_of_our_own_leaves_nobody_waiting(self, path: Path, faults: Faults) -> None:
        """An error that nobody foresaw is an answer, too."""

        def fail() -> None:
            raise ZeroDivisionError

        async with opened(path) as backend:
            faults.meet("UPDATE sessions", fail)
            with pytest.raises(StoreUnavailableError) as failure:
                await backend.commit(created())
            assert isinstance(failure.value.__cause__, ZeroDivisionError)
            await backend.commit(created())

    async def test_to_read_is_translated_and_heals(self, path: Path, faults: Faults) -> None:
        """Each kind of read fails for itself, and the next one makes a new connection."""
        await make_store(path)
        async with opened(path) as backend:
            reads: dict[str, Callable[[], Awaitable[object]]] = {
                "BEGIN": lambda: backend.load("s1"),
                "SELECT life, epoch": lambda: backend.load("s2"),
                "SELECT name": lambda: backend.find_idempotency_key("s1", "k"),
                "SELECT n, step": lambda: backend.replay("s1", Position("first", 0)),
                "SELECT session_id": lambda: backend.list_summaries(None, 10, None),
            }
            for statement, read in reads.items():
                faults.fail(statement, sqlite3.SQLITE_IOERR_READ)
                with pytest.raises(StoreUnavailableError) as failure:
                    await read()
                assert isinstance(failure.value.__cause__, sqlite3.OperationalError)
                await read()

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


class TestRecordCache:
    """`RecordCache` by itself."""

    def test_lets_go_of_what_was_not_used(self) -> None:
        """In the order of use, by weight."""
        records = {name: after(moved(after(created(name)), 1, message="x" * 10_000)) for name in "abcd"}
        size = estimated_bytes(records["a"])
        cache = RecordCache(3 * size)
        for name in "abc":
            cache.put(name, records[name])
        assert cache.get("a") is records["a"]
        cache.put("d", records["d"])
        assert [cache.get(name) for name in "abcd"] == [records["a"], None, records["c"], records["d"]]

    @pytest.mark.parametrize("char", ["x", "é", "進", "😀"])
    def test_counts_text_of_every_kind(self, char: str) -> None:
        """No text that a user sends takes more than is counted, once it has been shown."""
        records = [after(moved(after(created()), 1, message=char * length)) for length in (1, 10_000)]
        sizes = [len(each.body) + sys.getsizeof(each.session.progress.steps[1].message) for each in records]
        assert estimated_bytes(records[1]) - estimated_bytes(records[0]) >= sizes[1] - sizes[0]

    def test_counts_each_session_once(self) -> None:
        """A session that is put again takes the place of its former self; one that is dropped gives its room back."""
        small, large = after(created()), after(moved(after(created()), 1, message="x" * 10_000))
        cache = RecordCache(estimated_bytes(large) + estimated_bytes(small))
        for _ in range(10):
            cache.put("s", large)
            cache.put("s", small)
        cache.put("t", large)
        assert cache.get("s") is small
        cache.drop("s")
        cache.drop("nobody")
        cache.put("u", small)
        assert cache.get("s") is None
        assert cache.get("t") is large

    def test_lets_go_of_what_nobody_asks_for(self) -> None:
        """What was used between two calls stays at the second, and goes at the third."""
        record = after(created())
        cache = RecordCache()
        for name in ("unused", "read", "written"):
            cache.put(name, record)
        cache.drop_unused()
        assert cache.get("read") is record
        cache.put("written", record)
        cache.put("new", record)
        cache.drop_unused()
        kept = [name for name in ("unused", "read", "written", "new") if cache.get(name) is not None]
        assert kept == ["read", "written", "new"]
        for _ in range(2):
            cache.drop_unused()
        assert cache.get("read") is None

    def test_keeps_one_of_what_never_fits(self) -> None:
        """The latest; and it drives out nobody else."""
        small, large = after(created()), after(moved(after(created()), 1, message="x" * 10_000))
        cache = RecordCache(2 * estimated_bytes(small))
        for name, record in (("a", small), ("b", large), ("c", large), ("d", small)):
            cache.put(name, record)
        assert [cache.get(name) for name in "abcd"] == [small, None, large, small]
        cache.put("c", small)
        assert cache.get("c") is small
