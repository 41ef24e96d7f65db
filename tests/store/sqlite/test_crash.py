"""The SQLite backend after its process was killed."""

# ruff: noqa: ASYNC221, ASYNC240 - a test may wait for files and processes of its own

import subprocess
import sys
from pathlib import Path

import pytest

from progress_sse.core.model import Position
from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.wire import session_json
from tests.harness.presence import present
from tests.store.changes import created
from tests.store.sqlite.files import assert_refused, opened, read_until_killed, sqlite_rows

pytestmark = pytest.mark.processes


@pytest.mark.guarantee(17)
class TestKill:
    """The process is killed (`kill -9`) at any moment."""

    async def test_kill_loses_nothing_acknowledged(self, path: Path) -> None:
        """After each kill the store opens, and has all acknowledged changes, with their log, and no partial change."""
        acknowledged: dict[str, int] = {}
        for lines in (1, 30, 400, 1000):
            read_until_killed(
                [sys.executable, "-m", "tests.store.sqlite.crash_script", "write", str(path), "8"], lines, acknowledged
            )
            async with opened(path, history=50) as backend:
                for session_id, n in acknowledged.items():
                    await check_whole(backend, session_id, n)
            assert sqlite_rows(path, "PRAGMA integrity_check") == [("ok",)]
        assert len(acknowledged) == 8

    @pytest.mark.guarantee("N")
    async def test_a_run_teaches_with_the_commit_that_completes_it(self, path: Path) -> None:
        """A kill leaves as many lessons as sessions."""
        acknowledged: dict[str, int] = {}
        command = [sys.executable, "-m", "tests.store.sqlite.crash_script", "teach", str(path)]
        read_until_killed(command, 200, acknowledged)
        async with opened(path) as backend:
            sessions = await backend.lists.list_summaries(ALL_SESSIONS, 100_000, None)
            history = await backend.histories.load("nightly")
        assert {summary.session_id for summary in sessions} >= acknowledged.keys()
        assert set(history.values()) == {len(sessions)}

    @pytest.mark.full
    async def test_kill_during_the_first_opening_leaves_a_usable_file(self, tmp_path: Path) -> None:
        """It is killed before each statement of the first opening."""
        subprocess.run(
            [sys.executable, "-m", "tests.store.sqlite.crash_script", "open", str(tmp_path)], check=True, timeout=60
        )
        killed = sorted(tmp_path.glob("*.lock"))
        assert len(killed) > 10
        for lock in killed:
            async with opened(lock.with_suffix("")) as backend:
                await backend.commit(created())

    async def test_damage_is_found_beside_a_log(self, path: Path) -> None:
        """Damage is found even if a write-ahead log was left behind, and neither file is changed."""
        read_until_killed([sys.executable, "-m", "tests.store.sqlite.crash_script", "write", str(path), "8"], 500, {})
        assert path.with_name("progress.db-wal").stat().st_size > 0
        path.write_bytes(b"\xff" * 8192)
        await assert_refused(path, "cannot be used|damaged")


async def check_whole(backend: SqliteBackend, session_id: str, n: int) -> None:
    """Check that the session is at `n` or one further, and that its log and its steps agree with that."""
    record = present(await backend.load(session_id))
    assert n <= record.position.offset <= n + 1
    entries = present(await backend.replay(session_id, Position("first", max(0, record.position.offset - 50))))
    assert entries[-1].data == session_json.encode_transition(record.session, entries[-1].step)
    for step, progress in record.session.progress.steps.items():
        newest = max(entry.offset for entry in entries if entry.step == step)
        assert progress.message == f"{session_id} {newest}"
