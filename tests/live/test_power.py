"""The power fails at any moment."""

import asyncio
import contextlib
import json
import random
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from progress_sse.store.seals import unsealed
from tests.conftest import Serve
from tests.harness.power import Operation, after_power_loss, has_ended, operations, recording
from tests.harness.serving import Worker, eventually
from tests.live.asgi_hosts import serve_only

pytestmark = serve_only  # The store waits for the disk, whichever host serves.


@pytest.mark.guarantee(6)
@pytest.mark.parametrize(("updates", "moments"), [(20, 10), pytest.param(1000, 300, marks=pytest.mark.full)])
async def test_answered_updates_survive_a_loss_of_power(
    serve: Serve, tmp_path: Path, updates: int, moments: int
) -> None:
    """FT-01, power: whatever the disk kept of unconfirmed writes, each 200 is there, and the file is sound."""
    log, database = tmp_path / "strace.log", tmp_path / "progress.db"
    start = [sys.executable, "-m", "progress_sse", "serve", "--store", f"sqlite:///{database}", "--port", "{port}"]
    server = serve(command=recording(log, start))
    async with Worker.at(server) as worker:
        await worker.create("s")
        await worker.start("s", 1)
        for number in range(2, updates + 1):
            await worker.progress("s", 1, number, message=f"{number} " * 300)
    await asyncio.to_thread(server.terminate)
    await eventually(lambda: has_ended(server.pid, log), 20)
    done = operations(log)
    answers = [n for n, operation in enumerate(done) if operation.kind == "answer"]
    assert len(answers) >= updates
    rng = random.Random(updates)
    for moment in rng.sample(range(answers[-updates] + 1, len(done)), moments):
        answered = sum(n < moment for n in answers[-updates:])
        assert answered <= found_after(done[:moment], database, tmp_path / "after", rng) <= answered + 1


def found_after(done: Sequence[Operation], database: Path, folder: Path, rng: random.Random) -> int:
    """The number of updates in the database after the operations up to the power failure."""
    folder.mkdir(exist_ok=True)
    left = folder / database.name
    for suffix in ("", "-wal"):
        Path(f"{left}{suffix}").write_bytes(after_power_loss(done, f"{database}{suffix}", rng))
    Path(f"{left}-shm").unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(left)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        [(n,)] = connection.execute("SELECT n FROM sessions")
        logged = [each for (each,) in connection.execute("SELECT n FROM log ORDER BY n")]
        [(session_id,)] = connection.execute("SELECT session_id FROM sessions")
        [(number, step)] = connection.execute("SELECT step, data FROM steps")
    assert logged == list(range(n - len(logged) + 1, n + 1))
    assert n == 1 or json.loads(unsealed(step, session_id, number))["progress"]["current"] == n
    assert isinstance(n, int)
    return n
