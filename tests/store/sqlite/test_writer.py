"""How commits wait for locks and share transactions."""

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from progress_sse._internal.tasks import run_eagerly
from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.store.listeners import changes_of
from progress_sse.store.sqlite.writer import MAX_GROUP
from progress_sse.store.types import Notification
from tests.store.changes import after, apply, created, moved
from tests.store.observed import ids, notified
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import locked_by_another_process, opened, release, sqlite_rows

SLOW_TURN_S = 0.05


@pytest.mark.processes
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
                assert len(await ids(backend)) == 2
            await backend.ping()
            await backend.commit(change)
            assert await backend.load("s") == after(change)

    async def test_waiting_commits_do_not_block_the_event_loop(self, path: Path) -> None:
        """The loop runs as usual while commits wait."""
        async with opened(path, busy_timeout_s=1) as backend:
            record = await apply(backend, created())
            with locked_by_another_process(path):
                waiting = asyncio.ensure_future(backend.commit(moved(record, 1)))
                turns = 0
                while not waiting.done():
                    await asyncio.sleep(0)
                    turns += 1
                with pytest.raises(StoreUnavailableError):
                    await waiting
            assert turns > 100

    async def test_waiting_commits_are_applied_in_order(self, path: Path, faults: Faults) -> None:
        """All that can be committed in time is, in one transaction."""
        async with opened(path) as backend:
            record = await apply(backend, created())
            notifications = await notified(backend)
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
                await asyncio.wait([early], timeout=1.5)  # Another change comes shortly before the first one fails.
                late = asyncio.ensure_future(backend.commit(created("late")))
                with pytest.raises(StoreUnavailableError):
                    await early
                assert not late.done()
                release(holder)
                await late


class TestGroups:
    """Changes that wait at the same time share a transaction."""

    async def test_changes_of_one_turn_share_a_transaction(self, path: Path, faults: Faults) -> None:
        """The thread is woken at the end of the turn, however long that takes."""

        def commit_slowly(number: int) -> asyncio.Task[None] | None:
            written = run_eagerly(backend.commit(created(f"s{number}")))
            turn_ends_at = time.monotonic() + SLOW_TURN_S
            while time.monotonic() < turn_ends_at:  # A busy loop, beside which the thread could run.
                pass
            return written

        async with opened(path) as backend:
            before = faults.count("COMMIT")
            await asyncio.gather(*filter(None, map(commit_slowly, range(3))))
            assert faults.count("COMMIT") == before + 1

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
            await backend.subscribe(changes_of(session_id), look)
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
                    await backend.lists.list_summaries(ALL_SESSIONS, 10, None)

            reading = asyncio.ensure_future(read())
            await asyncio.gather(*(work(f"s{number}") for number in range(10)))
            reading.cancel()
        assert 0 < max(sizes) < 16 * 1024 * 1024
