"""How commits wait for locks, share transactions and fail."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from progress_sse.core.errors import (
    ConflictError,
    OutcomeUnknownError,
    ProgressError,
    StoreFullError,
    StoreUnavailableError,
)
from progress_sse.core.model import Position
from progress_sse.store import health
from progress_sse.store.sqlite import backend as sqlite_backend
from progress_sse.store.sqlite.writer import MAX_GROUP
from progress_sse.store.types import Notification
from tests.harness.serving import eventually
from tests.store.changes import after, apply, created, key, moved
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import (
    SOON_S,
    locked_by_another_process,
    make_store,
    opened,
    release,
    sqlite_rows,
)


class TestLockedFile:
    """Another process holds the database, as a backup may."""

    async def test_commits_fail_after_the_busy_timeout(self, path: Path) -> None:
        """Nothing was changed then, reads continue, and the next commit works once the file is free."""
        async with opened(path, busy_timeout_s=0.3) as backend:
            record = await apply(backend, created())
            await backend.commit(created("uncached"))
            change = moved(record, 1)
            with locked_by_another_process(path):
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

    async def test_waiting_commits_do_not_block_the_event_loop(self, path: Path) -> None:
        """The loop runs as usual while commits wait."""
        async with opened(path, busy_timeout_s=1) as backend:
            record = await apply(backend, created())
            with locked_by_another_process(path):
                waiting = asyncio.ensure_future(backend.commit(moved(record, 1)))
                longest, last = 0.0, time.monotonic()
                while not waiting.done():
                    await asyncio.sleep(0.001)
                    longest, last = max(longest, time.monotonic() - last), time.monotonic()
                with pytest.raises(StoreUnavailableError):
                    await waiting
            assert longest < 0.5

    async def test_waiting_commits_are_applied_in_order(self, path: Path, faults: Faults) -> None:
        """All that can be committed in time is, in one transaction."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            notifications: list[Notification] = []
            await backend.listen("s", notifications.append)
            changes = [change := moved(record, 1)]
            changes += [change := moved(after(change), step) for step in (2, 3) * 24]
            before = faults.count("COMMIT")
            with locked_by_another_process(path) as holder:
                commits = [asyncio.ensure_future(backend.commit(change)) for change in changes]
                await asyncio.sleep(0)
                release(holder)
                await asyncio.gather(*commits)
            assert [notification.entries[0].offset for notification in notifications] == list(range(1, 50))
            assert faults.count("COMMIT") == before + 1

    async def test_each_change_has_its_own_timeout(self, path: Path) -> None:
        """A later change does not fail with an earlier one."""
        async with opened(path, busy_timeout_s=2) as backend:
            with locked_by_another_process(path) as holder:
                early = asyncio.ensure_future(backend.commit(created("early")))
                await asyncio.wait([early], timeout=1)
                late = asyncio.ensure_future(backend.commit(created("late")))
                with pytest.raises(StoreUnavailableError):
                    await early
                assert not late.done()
                release(holder)
                await late


class TestGroups:
    """Changes that wait at the same time share a transaction."""

    async def test_waiting_changes_share_a_transaction(self, path: Path, faults: Faults) -> None:
        """A limit keeps the write-ahead log small."""
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

    async def test_listeners_are_notified_after_the_commit(self, path: Path) -> None:
        """A listener that reads the file finds the change there."""
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
        assert all(seen <= stored for seen, stored in found if isinstance(stored, int))

    async def test_the_log_stays_small_during_constant_reads(self, path: Path) -> None:
        """It is moved into the database as it grows."""
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
    """Errors of SQLite are translated, and the store recovers from them."""

    @pytest.mark.parametrize(("statement", "code", "expected"), FAILURES.values(), ids=FAILURES)
    async def test_an_error_is_translated_and_the_change_succeeds_later(
        self, path: Path, faults: Faults, statement: str, code: int, expected: type[ProgressError]
    ) -> None:
        """Nothing was changed and no listener was notified; the same change is accepted the next time."""
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

    async def test_a_failed_creation_does_not_count(self, path: Path, faults: Faults) -> None:
        """Sessions whose creation failed do not count towards the limit."""
        async with opened(path, max_sessions=1) as backend:
            for _ in range(2):
                faults.fail("COMMIT", sqlite3.SQLITE_FULL)
                with pytest.raises(StoreFullError):
                    await backend.commit(created())
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
        """The file decides what the outcome was, and listeners are notified."""
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
            count = len(notifications)
            with pytest.raises(ConflictError):
                await backend.commit(applied)
            await backend.commit(moved(after(applied), 2))
            assert len(notifications) == count + 1

    async def test_an_applied_commit_in_doubt_is_shown_without_another_commit(
        self, path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A repeated request is answered by its key, which is no commit, and listeners would wait."""
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

    async def test_a_commit_in_doubt_on_a_damaged_session_blocks_no_other(self, path: Path, faults: Faults) -> None:
        """Commits on intact sessions continue."""
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
            with pytest.raises(StoreFullError):
                await backend.commit(change)
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

    async def test_a_failed_read_is_translated_and_the_next_one_succeeds(self, path: Path, faults: Faults) -> None:
        """Each kind of read fails alone, and the next one makes a new connection."""
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
