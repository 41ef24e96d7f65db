"""How errors of SQLite are translated, and how the store recovers."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest

from progress_sse.core.errors import (
    ConflictError,
    OutcomeUnknownError,
    ProgressError,
    StoreFullError,
    StoreUnavailableError,
)
from progress_sse.core.model import Position
from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.store import health
from progress_sse.store.listeners import changes_of, lines_of
from progress_sse.store.log_lines import StoredLines
from progress_sse.store.sqlite import backend as sqlite_backend
from progress_sse.store.sqlite.reader import SqliteReader
from progress_sse.store.types import Notification
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, key, moved, refuse
from tests.store.contract.test_log_lines import line_key, written
from tests.store.contract.test_outbox import NOW, notice
from tests.store.observed import notified
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import SOON_S, make_store, opened, sqlite_rows

FAILURES: dict[str, tuple[str, int, type[ProgressError]]] = {
    "no lock": ("BEGIN IMMEDIATE", sqlite3.SQLITE_IOERR_SHMLOCK, StoreUnavailableError),
    "disk full while writing": ("INSERT INTO log", sqlite3.SQLITE_FULL, StoreFullError),
    "read-only": ("INSERT INTO log", sqlite3.SQLITE_READONLY_DBMOVED, StoreUnavailableError),
    "i/o error while writing": ("INSERT INTO log", sqlite3.SQLITE_IOERR_WRITE, StoreUnavailableError),
    "damage": ("UPDATE sessions", sqlite3.SQLITE_CORRUPT, StoreUnavailableError),
    "disk full on commit": ("COMMIT", sqlite3.SQLITE_FULL, StoreFullError),
    "busy on commit": ("COMMIT", sqlite3.SQLITE_BUSY_SNAPSHOT, StoreUnavailableError),
    "i/o error on commit": ("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, OutcomeUnknownError),
}


class TestFailure:
    """Errors of SQLite are translated, and the store recovers from them."""

    @pytest.mark.parametrize(("statement", "code", "expected"), FAILURES.values(), ids=FAILURES)
    async def test_an_error_is_translated_and_the_change_succeeds_later(
        self, path: Path, faults: Faults, statement: str, code: int, expected: type[ProgressError]
    ) -> None:
        """Nothing was changed and no listener was notified; the same change is accepted the next time."""
        async with opened(path, max_sessions=2) as backend:
            record = await apply(backend, created())
            notifications = await notified(backend)
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
            await refuse(backend, created("u"), StoreFullError)

    async def test_a_failed_creation_does_not_count(self, path: Path, faults: Faults) -> None:
        """Sessions whose creation failed do not count towards the limit."""
        async with opened(path, max_sessions=1) as backend:
            for _ in range(2):
                faults.fail("COMMIT", sqlite3.SQLITE_FULL)
                await refuse(backend, created(), StoreFullError)
            await backend.commit(created())

    async def test_failures_are_logged_when_they_begin_and_end(
        self, path: Path, faults: Faults, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full disk fails every request, and must not fill the log as well."""
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

    async def test_each_change_of_a_failed_group_has_its_own_error(self, path: Path, faults: Faults) -> None:
        """An exception that two tasks raise would collect the traces of both."""
        async with opened(path) as backend:
            faults.fail("COMMIT", sqlite3.SQLITE_FULL)
            commits = (backend.commit(created(f"s{number}")) for number in range(10))
            outcomes = await asyncio.gather(*commits, return_exceptions=True)
            failures = [outcome for outcome in outcomes if isinstance(outcome, StoreFullError)]
            assert failures
            assert len({id(failure) for failure in failures}) == len(failures)

    async def test_an_applied_commit_in_doubt_is_shown_by_the_next_commit(self, path: Path, faults: Faults) -> None:
        """The file decides on the outcome, and listeners are notified."""
        async with opened(path, max_sessions=2) as backend:
            record = await apply(backend, created())
            notifications: list[Notification] = []
            for session_id in ("s", "new"):
                await backend.subscribe(changes_of(session_id), notifications.append)
            applied = moved(record, 1)
            for change in (applied, created("new")):
                faults.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=True)
                await refuse(backend, change, OutcomeUnknownError)
            assert await backend.load("s") == after(applied)
            await refuse(backend, created("one too many"), StoreFullError)
            assert Notification("s", after(applied)) in notifications
            assert Notification("new", after(created("new"))) in notifications
            count = len(notifications)
            await refuse(backend, applied, ConflictError)
            await backend.commit(moved(after(applied), 2))
            assert len(notifications) == count + 1

    async def test_an_applied_commit_in_doubt_is_shown_without_another_commit(
        self, path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A repeated request is answered by its key, which is no commit, and listeners would wait."""
        monkeypatch.setattr(sqlite_backend, "RESOLVE_DELAY_S", 0.05)
        async with opened(path) as backend:
            record = await apply(backend, created())
            notifications = await notified(backend)
            applied = moved(record, 1)
            faults.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=True)
            await refuse(backend, applied, OutcomeUnknownError)
            faults.fail("BEGIN IMMEDIATE", sqlite3.SQLITE_IOERR_SHMLOCK)
            await eventually(lambda: notifications == [Notification("s", after(applied))], SOON_S)

    @pytest.mark.parametrize("is_applied", [True, False], ids=["applied", "lost"])
    async def test_the_notices_of_a_commit_in_doubt_are_sent_if_it_was_applied(
        self, path: Path, faults: Faults, is_applied: bool
    ) -> None:
        """From the next commit on, and before the notices of that."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            change = moved(record, 1)._replace(notices=(notice(1),))
            faults.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=is_applied)
            await refuse(backend, change, OutcomeUnknownError)
            before = after(change) if is_applied else record
            await backend.commit(moved(before, 2)._replace(notices=(notice(2),)))
            [taken] = await backend.outbox.take("q", NOW, 9)
            assert taken.notice_id == notice(1 if is_applied else 2).notice_id

    @pytest.mark.parametrize("is_applied", [True, False], ids=["applied", "lost"])
    async def test_lines_in_doubt_are_looked_for_by_their_listeners(
        self, path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch, is_applied: bool
    ) -> None:
        """Lines that are sent again are known by their key then, and no listener would learn of them."""
        monkeypatch.setattr(sqlite_backend, "RESOLVE_DELAY_S", 0.05)
        async with opened(path) as backend:
            record = await apply(backend, created())
            notified: list[StoredLines | None] = []
            await backend.subscribe(lines_of("s"), notified.append)
            change = written("a", expected=record.position, key=line_key("k"))
            faults.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=is_applied)
            await refuse(backend, change, OutcomeUnknownError)
            await eventually(lambda: notified == [None], SOON_S)
            with pytest.raises(ConflictError) if is_applied else nullcontext():
                await backend.commit(change)
            stored = await backend.lines.read_lines("s", 0)
            assert stored is not None
            assert [line.data for line in stored.lines] == [b"a"]
            assert len(notified) == (1 if is_applied else 2)

    async def test_a_commit_in_doubt_on_a_damaged_session_blocks_no_other(
        self, path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Commits on intact sessions continue."""
        monkeypatch.setattr(sqlite_backend, "RESOLVE_DELAY_S", 60)  # A resolution in between would take a fault.
        async with opened(path) as backend:
            record = await apply(backend, created())
            faults.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=True)
            await refuse(backend, moved(record, 1), OutcomeUnknownError)
            with closing(sqlite3.connect(path)) as other, other:
                other.execute("UPDATE steps SET data = x'00'")
            await backend.commit(created("t"))
            with pytest.raises(StoreUnavailableError):
                await backend.load("s")
            faults.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, after=True)
            await refuse(backend, created("u"), OutcomeUnknownError)
            faults.fail("SELECT life, epoch", sqlite3.SQLITE_CORRUPT)
            await backend.commit(created("v"))

    async def test_a_full_database_accepts_changes_once_there_is_room(
        self, path: Path, connections: list[sqlite3.Connection]
    ) -> None:
        """The database really cannot grow at first."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            writer = connections[-1]
            (pages,) = writer.execute("PRAGMA page_count").fetchone()
            writer.execute(f"PRAGMA max_page_count = {pages + 2}")
            change = moved(record, 1, message="x" * 100_000)
            await refuse(backend, change, StoreFullError)
            assert await backend.load("s") == record
            await backend.commit(moved(record, 2))
            writer.execute("PRAGMA max_page_count = 1000000")
            await backend.commit(moved(after(moved(record, 2)), 1, message="x" * 100_000))
        assert sqlite_rows(path, "PRAGMA integrity_check") == [("ok",)]

    async def test_an_unexpected_error_is_answered(self, path: Path, faults: Faults) -> None:
        """Any exception fails the waiting changes."""

        def fail() -> None:
            raise ZeroDivisionError

        async with opened(path) as backend:
            faults.call_at("UPDATE sessions", fail)
            with pytest.raises(StoreUnavailableError) as failure:
                await backend.commit(created())
            assert isinstance(failure.value.__cause__, ZeroDivisionError)
            await backend.commit(created())

    async def test_the_next_read_does_not_share_one_that_failed_at_once(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As from Python 3.14 on, where the thread may have ended before the read is awaited."""
        failed, succeeded = (asyncio.get_running_loop().create_future() for _ in range(2))
        failed.set_exception(StoreUnavailableError())
        succeeded.set_result(None)
        async with opened(path) as backend:
            monkeypatch.setattr(SqliteReader, "read", Mock(side_effect=[failed, succeeded]))
            with pytest.raises(StoreUnavailableError):
                await backend.load("s1")
            assert await backend.load("s1") is None

    async def test_a_failed_read_is_translated_and_the_next_one_succeeds(self, path: Path, faults: Faults) -> None:
        """Each kind of read fails alone, and the next one makes a new connection."""
        await make_store(path)
        async with opened(path) as backend:
            reads: dict[str, Callable[[], Awaitable[object]]] = {
                "BEGIN": lambda: backend.load("s1"),
                "SELECT life, epoch": lambda: backend.load("s2"),
                "SELECT name": lambda: backend.find_idempotency_key("s1", "k"),
                "SELECT n, step": lambda: backend.replay("s1", Position("first", 0)),
                "SELECT sessions.session_id": lambda: backend.lists.list_summaries(ALL_SESSIONS, 10, None),
            }
            for statement, read in reads.items():
                faults.fail(statement, sqlite3.SQLITE_IOERR_READ)
                with pytest.raises(StoreUnavailableError) as failure:
                    await read()
                assert isinstance(failure.value.__cause__, sqlite3.OperationalError)
                await read()
