"""Helpers for tests of database files: open them, hold them, damage them, kill their processes."""

import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from progress_sse.core.errors import StoreRefusedError
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import StorageLimits
from tests.harness.presence import present
from tests.store.changes import after, created, moved

SOON_S = 30
"""Seconds; a generous deadline for short waits."""

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
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


@asynccontextmanager
async def opened(path: Path, *, busy_timeout_s: float = SOON_S, **limits: int) -> AsyncIterator[SqliteBackend]:
    """Open a store for a while."""
    backend = SqliteBackend(path, StorageLimits(**limits), busy_timeout_s=busy_timeout_s)
    await backend.open()
    try:
        yield backend
    finally:
        await backend.aclose()


async def has_new_epoch(backend: SqliteBackend) -> bool:
    """Whether the session `s` is there, in another epoch than its first one."""
    record = await backend.load("s")
    return record is not None and record.position.epoch != "first"


async def make_store(path: Path) -> None:
    """Leave a closed store with a few sessions, several pages large."""
    async with opened(path) as backend:
        for number in range(20):
            change = created(f"s{number}")
            await backend.commit(change)
            await backend.commit(moved(after(change), 1, 2, 3, message="text " * 100))


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the database under BEGIN EXCLUSIVE until its standard input is closed."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert present(holder.stdout).readline() == "locked\n"
        yield holder
        release(holder)


def release(holder: subprocess.Popen[str]) -> None:
    """End the other process."""
    present(holder.stdin).close()
    holder.wait(SOON_S)


def files(path: Path) -> dict[str, bytes]:
    """The content of the files in the folder, except `.lock` and `-shm`."""
    omitted = (".lock", "-shm")
    return {each.name: each.read_bytes() for each in path.parent.iterdir() if not each.name.endswith(omitted)}


def read_until_killed(command: list[str], lines: int, acknowledged: dict[str, int]) -> None:
    """Start a writing process, kill it after so many acknowledgements, and record all of them."""
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
    """Let a process die that had a session in the database, and its first two transitions only in the log."""
    command = [sys.executable, "-m", "tests.store.sqlite.crash_script", "leave", str(path)]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL


def sqlite_rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Query a database as any other program would."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def rows_of_the_file_alone(path: Path) -> list[tuple[object, ...]]:
    """The positions of the sessions in the database without the files beside it."""
    alone = path.with_name("alone.db")
    subprocess.run(["cp", path, alone], check=True)  # Closing the file in this process would drop the locks on it.
    return sqlite_rows(alone, "SELECT session_id, n FROM sessions")


async def assert_refused(path: Path, reason: str) -> None:
    """Check that opening fails with one sentence, leaves every file as it is, and leaves no lock."""
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


def assert_opening_says(pattern: str, path: Path, *arguments: str) -> None:
    """Open the store in another process, and compare the text that it prints."""
    command = [sys.executable, "-c", OPENER, str(path), *arguments]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout
    assert re.match(pattern, said)
    assert said.count("\n") == 1
