"""Measure how soon a job stops that a reader cancels: `python -m tests.bench.cancel [memory://|sqlite|redis://…]`.

A real server, and jobs that check between pieces of work of 5 ms, as `track` does. The time runs from the reader's POST
to the exception in the job.
"""

import asyncio
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click
import httpx

from progress_sse import AsyncProgress, Cancelled, Progress
from tests.harness.serving import Server, session_path

JOBS = 200
PIECE_S = 0.005
DEADLINE_S = 60


def ask(url: str, session_id: str) -> None:
    """Ask the session's worker to cancel, as a page does."""
    httpx.post(url + session_path(session_id, "requests"), json={"kind": "cancel"}).raise_for_status()


def stopped_thread(url: str, session_id: str) -> float:
    runs, asked_at = threading.Event(), 0.0

    def press() -> None:
        nonlocal asked_at
        runs.wait(DEADLINE_S)
        asked_at = time.perf_counter()
        ask(url, session_id)

    reader = threading.Thread(target=press)
    reader.start()
    try:
        with Progress(session_id, steps=["Work"], url=url, accepts=["cancel"]) as progress, progress.step(1) as step:
            assert progress.flush(DEADLINE_S)
            for _ in step.track(range(int(DEADLINE_S / PIECE_S))):
                time.sleep(PIECE_S)
                runs.set()
    except Cancelled:
        return time.perf_counter() - asked_at
    finally:
        reader.join()
    raise TimeoutError


async def stopped_task(url: str, session_id: str) -> float:
    try:
        async with AsyncProgress(session_id, steps=["Work"], url=url, accepts=["cancel"]) as job, job.step(1):
            assert await job.flush(DEADLINE_S)
            asked_at = time.perf_counter()
            press = asyncio.create_task(asyncio.to_thread(ask, url, session_id))
            await asyncio.sleep(DEADLINE_S)
    except Cancelled:
        seconds = time.perf_counter() - asked_at
        await press
        return seconds
    raise TimeoutError


def measure(url: str) -> None:
    kinds: dict[str, Callable[[str], float]] = {
        "Progress": lambda session_id: stopped_thread(url, session_id),
        "AsyncProgress": lambda session_id: asyncio.run(stopped_task(url, session_id)),
    }
    for kind, run in kinds.items():
        times = [run(f"{kind}-{number}") * 1000 for number in range(JOBS)]
        p99 = statistics.quantiles(times, n=100)[98]
        click.echo(f"{kind}: median {statistics.median(times):.0f} ms, p99 {p99:.0f} ms, longest {max(times):.0f} ms")


if __name__ == "__main__":
    store = sys.argv[1] if len(sys.argv) > 1 else "memory://"
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), store=store, is_forked=False) as running:
        measure(running.url)
