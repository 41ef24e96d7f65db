"""Processes that are killed while they use a store; `python -m` this module with `open|leave|teach|write …`."""

import asyncio
import os
import signal
import sqlite3
import sys
from functools import partial
from itertools import count, cycle
from pathlib import Path
from typing import Any

from progress_sse.core.history import RUNS, Cell, Lesson
from progress_sse.store.sqlite.backend import SqliteBackend
from progress_sse.store.types import StorageLimits
from tests.store.changes import after, created, moved


def open_and_die(folder: Path) -> None:
    """Open `folder`/<k>.db and die at its k-th statement, for each k until an opening has no k-th statement."""
    for fatal in range(1000):
        child = os.fork()
        if child == 0:
            _die_at(fatal)
            asyncio.run(SqliteBackend(folder / f"{fatal}.db", StorageLimits()).open())
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return


def _die_at(fatal: int) -> None:
    class DyingConnection(sqlite3.Connection):
        count = 0

        def execute(self, *args: Any) -> sqlite3.Cursor:
            DyingConnection.count += 1
            if DyingConnection.count > fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().execute(*args)

    sqlite3.connect = partial(sqlite3.connect, factory=DyingConnection)  # type: ignore[assignment]  # to reach all connections


async def write_until_killed(path: Path, sessions: int) -> None:
    """Write to the store, and print each acknowledged change: a line `<session id> <n>`."""
    backend = SqliteBackend(path, StorageLimits(history=50))
    await backend.open()

    async def work(session_id: str) -> None:
        record = await backend.load(session_id)
        if record is None:
            await backend.commit(created(session_id))
            record = after(created(session_id))
        for step in cycle((1, 2, 3)):
            change = moved(record, step, message=f"{session_id} {record.position.offset + 1}")
            await backend.commit(change)
            record = after(change)
            os.write(1, f"{session_id} {record.position.offset}\n".encode())

    await asyncio.gather(*(work(f"s{number}") for number in range(sessions)))


async def teach_until_killed(path: Path) -> None:
    """Commit runs of a profile, several at once, and print each acknowledged one: a line `<session id> 0`."""
    backend = SqliteBackend(path, StorageLimits())
    await backend.open()
    lesson = Lesson("nightly", (Cell(1, "", RUNS), Cell(1, "Load", 80)))

    async def work(worker: int) -> None:
        for number in count():
            await backend.commit(created(f"{worker}-{number}")._replace(lesson=lesson))
            os.write(1, f"{worker}-{number} 0\n".encode())

    await asyncio.gather(*map(work, range(8)))


async def leave_a_log(path: Path) -> None:
    """Die with one state of a session in the database, and a later one only in the log."""
    backend = SqliteBackend(path, StorageLimits())
    await backend.open()
    await backend.commit(created())
    await backend.aclose()
    await backend.open()
    await backend.commit(moved(after(created()), 1, 2))
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "open":
        open_and_die(Path(sys.argv[2]))
    elif sys.argv[1] == "teach":
        asyncio.run(teach_until_killed(Path(sys.argv[2])))
    elif sys.argv[1] == "leave":
        asyncio.run(leave_a_log(Path(sys.argv[2])))
    else:
        asyncio.run(write_until_killed(Path(sys.argv[2]), int(sys.argv[3])))
