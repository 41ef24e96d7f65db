"""The upgrade of a store of an earlier format."""

# ruff: noqa: ASYNC221, ASYNC240 - a test may wait for files and processes of its own

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from progress_sse.core.commands import Command, Create
from progress_sse.core.errors import KeyReusedError
from progress_sse.core.history import Cell, Lesson
from progress_sse.core.idempotency import IdempotencyKey
from progress_sse.core.model import Position
from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.core.updates import Complete
from progress_sse.store.log_lines import LineAppend, LineUnit
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.sqlite import schema
from progress_sse.store.types import fingerprint
from tests.clock import ManualClock
from tests.core.samples import start_of
from tests.store.changes import after, created, moved
from tests.store.contract.test_filtered_lists import ids, labelled, wanted
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import assert_refused, execute, make_store, opened, sqlite_rows


def downgrade(path: Path, version: int) -> None:
    """Take from a store what it did not have in a former format."""
    lacking = schema.TABLES[schema.VERSION] - schema.TABLES[version]
    tables = (f"DROP TABLE {name}" for name in sorted(lacking))
    execute(path, *tables, "DROP INDEX sessions_by_status", f"PRAGMA user_version = {version}")


@pytest.fixture
def former(path: Path) -> Path:
    """A file of the earliest format that can be used."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("format2.sql").read_text())
    return path


@pytest.mark.guarantee(13)
class TestUpgrade:
    """A store of an earlier format is brought up to date when it is opened."""

    async def test_upgrade_keeps_sessions_and_keys(self, former: Path) -> None:
        """No worker notices it: requests that were under way are applied once."""
        keys = sqlite_rows(former, "SELECT key, digest, answer FROM keys ORDER BY rank")
        assert [answer for _, _, answer in keys] == ["created", "updated", "updated"]
        async with opened(former) as backend:
            store = ProgressStore(backend, clock=ManualClock(datetime(2026, 11, 28, tzinfo=UTC)))
            record = await backend.load("orders")
            assert record is not None
            assert record.position.offset == 2
            assert record.session.progress.steps[1].message == "8,000 rows"
            definitions = record.session.definitions
            commands: list[Command] = [Create(definitions, replace=False), start_of(1), Complete(1)]
            for command, (name, digest, answer) in zip(commands, keys, strict=True):
                again = await store.apply("orders", command, IdempotencyKey(str(name), str(digest)))
                assert again.effect == answer
                assert again.record is not None
                if answer == "created":
                    assert again.record.position == Position("d21cab82cc0ec802", 0)
            assert await backend.load("orders") == record
            await store.apply("orders", start_of(2), IdempotencyKey("new", "digest"))
            await store.delete_session("nightly")
            with pytest.raises(KeyReusedError):
                await store.apply("orders", start_of(2), IdempotencyKey("start", "another"))
        assert b"completion" not in former.read_bytes()
        async with opened(former) as backend:
            assert [summary.session_id for summary in await backend.list_summaries(ALL_SESSIONS, 9, None)] == ["orders"]

    async def test_an_upgraded_file_has_the_tables_of_a_new_one(self, former: Path, tmp_path: Path) -> None:
        """Only the order of tables, and the content, may differ."""
        new = tmp_path / "new.db"
        for path in (former, new):
            async with opened(path):
                pass
        tables = [
            {name: sqlite_rows(path, f"PRAGMA table_info({name})") for name in schema.TABLES[schema.VERSION]}
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

    @pytest.mark.parametrize("version", [3, 4, 5])
    async def test_a_later_format_gets_the_tables_that_it_lacks(self, path: Path, version: int) -> None:
        """Those of log lines, and of what runs teach. Format 3 holds no details, either; all keep what they have."""
        await make_store(path)
        rows = sqlite_rows(path, "SELECT * FROM steps")
        downgrade(path, version)
        lesson, change = Lesson("nightly", (Cell(1, "Load", 2),)), created()
        append = LineAppend("s", after(change).position, [LineUnit([b"a"])])
        async with opened(path) as backend:
            assert len(await backend.list_summaries(ALL_SESSIONS, 100, None)) == 20
            assert await backend.history("nightly") == {}
            await backend.commit(change._replace(lesson=lesson))
            await backend.append_lines(append)
        assert sqlite_rows(path, "PRAGMA user_version") == [(schema.VERSION,)]
        assert sqlite_rows(path, "SELECT * FROM steps") == rows
        async with opened(path) as backend:
            assert await backend.history("nightly") == {Cell(1, "Load", 2): 1}
            stored = await backend.read_lines("s", 0)
            assert stored is not None
            assert [line.data for line in stored.lines] == [b"a"]

    async def test_sessions_of_a_later_format_are_found_by_their_labels(self, path: Path) -> None:
        """Format 5 has no index: the sessions are entered into it when the file is opened."""
        async with opened(path) as backend:
            for number in range(3):
                await backend.commit(labelled(created(f"s{number}"), {"kind": str(number % 2), "all": ""}))
        downgrade(path, 5)
        async with opened(path) as backend:
            assert await ids(backend, wanted(kind="0")) == ["s2", "s0"]
            assert await ids(backend, wanted("s1", "pending", all="")) == ["s1"]
            record = await backend.load("s2")
            assert record is not None
            await backend.commit(labelled(moved(record, 1), {"kind": "1"}))
            assert await ids(backend, wanted(kind="1")) == ["s2", "s1"]
            assert await ids(backend, wanted(status="running", kind="0")) == []

    @pytest.mark.processes
    async def test_upgrade_is_done_completely_or_not_at_all(self, former: Path, tmp_path: Path) -> None:
        """It is killed before each statement of the opening, and opened again."""
        folder = tmp_path / "killed"
        folder.mkdir()
        command = [sys.executable, "-m", "tests.store.sqlite.crash_script", "upgrade", str(folder), str(former)]
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

    async def test_a_failed_upgrade_leaves_the_file_as_it_is(self, former: Path, faults: Faults) -> None:
        """The disk fails or is full at any point of it."""
        statements = ("ALTER TABLE keys", "INSERT INTO keys", "DROP TABLE", "CREATE INDEX profiles_by_lesson", "COMMIT")
        for statement in statements:
            faults.fail(statement, sqlite3.SQLITE_FULL)
            await assert_refused(former, "cannot be used")
        async with opened(former) as backend:
            assert await backend.load("orders") is not None
