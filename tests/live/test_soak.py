"""After a long time of work a server is as it was: nothing accumulates, and every delivery is right."""

import asyncio
import contextlib
import itertools
import os
import random
import sqlite3
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests.conftest import Serve
from tests.harness.follower import Follower
from tests.harness.metrics import metrics_of
from tests.harness.oracle import Oracle
from tests.harness.serving import Server, Worker
from tests.live.asgi_hosts import serve_only

SOAK_S = int(os.environ.get("SOAK_S", "1200"))
"""Duration: twenty minutes, or the value in the environment; four hours are 14400."""

SAMPLES = 240

SESSIONS = 25
READERS = 20
"""The number of sessions at a time, and of readers of each: 500 readers in all."""

STEPS, REPORTS_PER_STEP, PAUSE_S = 5, 8, 0.5
"""A session takes twenty seconds; all sessions together, 50 reports a second."""

IDLE_SESSIONS_PER_S = 5
"""Sessions that are created and never updated; the clean-up removes them like all others."""

MAX_AGE_HOURS, CLEANUP_S = 0.025, 5
"""A minute and a half: after two minutes, as many sessions are removed as are created."""


CLIENT_IDLE_S = 2
"""Workers close idle connections before the server does, so that no report meets a closing connection."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Resources of the server at one moment."""

    memory_bytes: int
    descriptors: int
    tasks: float
    sessions: float
    rows: int
    wal_bytes: int

    @classmethod
    def of(cls, server: Server, metrics: dict[str, float]) -> Self:
        return cls(
            memory_bytes=server.memory_bytes(),
            descriptors=server.descriptors(),
            tasks=metrics["progress_sse_tasks"],
            sessions=sum(value for name, value in metrics.items() if name.startswith("progress_sse_sessions{")),
            rows=_rows(server.database),
            wal_bytes=_size(server.database.with_name(f"{server.database.name}-wal")),
        )


MAY_GROW = Sample(memory_bytes=1_000_000, descriptors=25, tasks=25, sessions=50, rows=2500, wal_bytes=1_000_000)
"""Limits of growth from the third quarter to the last one, by medians: the usual fluctuation of each."""


def _rows(database: Path) -> int:
    """The number of rows about sessions. Idempotency keys stay for a day, and have a limit of their own."""
    tables = ("sessions", "definitions", "steps", "log")
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        return sum(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)  # noqa: S608


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class Soak:
    """Workers and readers of many short sessions in succession, until the test ends."""

    def __init__(self, server: Server, worker: Worker) -> None:
        self._server = server
        self._worker = worker
        self._numbers = itertools.count()
        self._is_over = asyncio.Event()
        self.checked = 0
        self.metrics: list[dict[str, float]] = []

    async def run(self, seconds: float) -> list[Sample]:
        """Run for so long, check each session, and return samples of the server's resources."""
        samples = []
        async with asyncio.TaskGroup() as group:
            for _ in range(SESSIONS):
                group.create_task(self._work_on_sessions())
            group.create_task(self._leave_sessions_idle())
            for _ in range(SAMPLES):
                await asyncio.sleep(seconds / SAMPLES)
                self.metrics.append(await metrics_of(self._server.port))
                samples.append(Sample.of(self._server, self.metrics[-1]))
            self._is_over.set()
        return samples

    async def _work_on_sessions(self) -> None:
        await asyncio.sleep(random.random() * STEPS * REPORTS_PER_STEP * PAUSE_S)  # Spread the beginnings.
        while not self._is_over.is_set():
            await self._run_session(f"soak-{next(self._numbers)}")

    async def _run_session(self, session_id: str) -> None:
        """Work on a session from its beginning to its end while readers follow it; then check their events."""
        oracle, is_done = Oracle(), asyncio.Event()
        await self._worker.create(session_id, total_steps=STEPS)
        followers = [
            Follower(oracle, f"reader-{number}", self._server.port, [session_id], several=number % 5 == 0)
            for number in range(READERS)
        ]
        async with asyncio.TaskGroup() as group:
            for follower in followers:
                group.create_task(_reconnect_often(follower, is_done))
            await self._report(oracle, session_id)
            is_done.set()
        final = await self._worker.poll(session_id)
        assert final["status"] == "completed"
        for follower in followers:
            await follower.read_until({session_id: final}, 30)
        verdict = oracle.check(session_id, final)
        assert verdict.is_clean(), (session_id, verdict)
        self.checked += 1

    async def _report(self, oracle: Oracle, session_id: str) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for step, number in itertools.product(range(1, STEPS + 1), range(REPORTS_PER_STEP)):
            post = partial(oracle.post, self._worker, session_id)
            if number == 0:
                reported = await post("start", step)
            elif number < REPORTS_PER_STEP - 1:
                reported = await post("progress", step, current=number)
            else:
                reported = await post("complete", step)
            while reported.outcome != "ok":  # Its idle connection was closed just when it was used again.
                assert reported.status is None, reported
                await oracle.send(self._worker, reported)
            due += PAUSE_S
            await asyncio.sleep(max(0, due - loop.time()))  # The pace of the worker; it waits for nothing.

    async def _leave_sessions_idle(self) -> None:
        while not self._is_over.is_set():
            await self._worker.create(f"idle-{next(self._numbers)}")
            await asyncio.sleep(1 / IDLE_SESSIONS_PER_S)


async def _reconnect_often(follower: Follower, is_done: asyncio.Event) -> None:
    while not is_done.is_set():
        with contextlib.suppress(OSError):
            await follower.read(random.randint(1, 12), at_most_s=random.uniform(1, 8))


def growth(samples: Sequence[Sample]) -> dict[str, tuple[float, float]]:
    half, quarter = samples[len(samples) // 2 :], len(samples) // 4
    return {
        field.name: (
            statistics.median(getattr(sample, field.name) for sample in half[:quarter]),
            statistics.median(getattr(sample, field.name) for sample in half[quarter:]),
        )
        for field in fields(Sample)
    }


def delivered_within_s(before: dict[str, float], after: dict[str, float]) -> str:
    """The upper bound of the histogram bucket that includes 99 of 100 deliveries between two moments."""
    grown = {name: after[name] - before[name] for name in after if "delivery_seconds_bucket" in name}
    return next(name.split('"')[1] for name, count in grown.items() if count >= 0.99 * max(grown.values()))


@serve_only  # An application's resources are the same on every host, and this takes long.
@pytest.mark.full
@pytest.mark.soak  # Other tests that begin or end beside it change how much memory and time the server takes.
@pytest.mark.timeout(SOAK_S + 300)
async def test_a_long_run_leaves_no_trace(serve: Serve, record_property: Callable[[str, object], None]) -> None:
    """LD-06: memory, descriptors, tasks and rows are flat in the second half; each session was delivered exactly."""
    server = serve(store="sqlite", max_age_hours=MAX_AGE_HOURS, cleanup_interval_s=CLEANUP_S, is_forked=False)
    limits = httpx.Limits(keepalive_expiry=CLIENT_IDLE_S)
    async with Worker(httpx.AsyncClient(base_url=server.url, limits=limits, timeout=30)) as worker:
        soak = Soak(server, worker)
        samples = await soak.run(SOAK_S)
    medians = growth(samples)
    for name, (third, last) in medians.items():
        record_property(name, f"{third:.0f} → {last:.0f}")
    record_property("sessions_checked", soak.checked)
    half, late, end = (soak.metrics[SAMPLES * quarter // 4 - 1] for quarter in (2, 3, 4))
    record_property("delivery_p99_s", f"{delivered_within_s(half, late)} → {delivered_within_s(late, end)}")
    grown = {name: last - third for name, (third, last) in medians.items() if last - third > getattr(MAY_GROW, name)}
    assert grown == {}
    assert max(sample.wal_bytes for sample in samples) <= 64_000_000
    assert soak.checked >= SESSIONS * (SOAK_S // (2 * STEPS * REPORTS_PER_STEP * PAUSE_S))
    assert "Traceback" not in server.log()
