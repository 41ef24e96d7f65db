"""Measure what a flood of log lines costs others: `python -m tests.bench.log_flood [memory://|sqlite|redis://…]`.

A job writes up to a thousand lines a second into one session, and ten readers follow its log, in a process of their
own. Other sessions of a server report at an even pace, and the time from a report until a reader has the event is
measured. In turns, the flood goes to that server and to another one like it, so that the machine is as busy in both.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import click

from tests.harness.http1 import Connection
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, events_path, eventually, session_path

LINES_PER_S = 1000
LINES_PER_REQUEST = 20
READERS = 10
OTHERS = 20
REPORTS_PER_S = 100
ROUND_S = 10
ROUNDS = 3
TEXT = "2026-01-31 09:30:00 worker-3 copied photo_0000123.jpg to /srv/photos/2026/01 (2.1 MB) in 0.03 s"


class Flood(NamedTuple):
    """What came of a flood: lines written, and those that the readers got, counted once per reader."""

    written: int
    delivered: int


async def update(connection: Connection, session_id: str, body: dict[str, object]) -> None:
    response = await connection.post_json(session_path(session_id, "update"), body)
    assert response.status == 200, response.body


def flood(port: int, session_id: str) -> Flood:
    """Write lines at an even pace while readers follow; for a process of its own."""
    return asyncio.run(_flood(port, session_id))


async def _flood(port: int, session_id: str) -> Flood:
    async with await Connection.open(port) as connection, AsyncExitStack() as stack:
        await update(connection, session_id, {"action": "start", "step": 1})
        target = events_path(session_id) + "?log=1"
        streams = [await stack.enter_async_context(await RawStream.open(port, target)) for _ in range(READERS)]
        for stream in streams:
            await stream.next_event()
        began, count = time.monotonic(), 0
        while (now := time.monotonic()) < began + ROUND_S:
            await asyncio.sleep(max(0.0, began + count / LINES_PER_S - now))
            lines = [f"{count + n} {TEXT}" for n in range(LINES_PER_REQUEST)]
            await update(connection, session_id, {"action": "log", "step": 1, "lines": lines})
            count += LINES_PER_REQUEST
        await eventually(lambda: all(lines_of(stream) == count for stream in streams), ROUND_S)
        return Flood(count, sum(map(lines_of, streams)))


def lines_of(stream: RawStream) -> int:
    return sum(len(json.loads(event.data or "")["lines"]) for event in stream.events if event.event == "log")


async def report(connection: Connection, streams: list[RawStream]) -> list[float]:
    """Report on the other sessions in turn, and return how long each event took to its reader, in milliseconds."""
    began, took_ms = time.monotonic(), list[float]()
    while (now := time.monotonic()) < began + ROUND_S:
        number = len(took_ms)
        await asyncio.sleep(max(0.0, began + number / REPORTS_PER_S - now))
        sent = time.monotonic()
        body: dict[str, object] = {"action": "progress", "step": 1, "current": time.monotonic_ns()}
        await update(connection, f"other-{number % OTHERS}", body)
        await streams[number % OTHERS].next_event()
        took_ms.append((time.monotonic() - sent) * 1000)
    return took_ms


def shown(took_ms: list[float]) -> str:
    percentiles = statistics.quantiles(took_ms, n=100)
    return f"p50 {percentiles[49]:.2f} ms, p90 {percentiles[89]:.2f} ms, p99 {percentiles[98]:.2f} ms"


@asynccontextmanager
async def followed(server: Server) -> AsyncIterator[tuple[Connection, list[RawStream]]]:
    """A connection to report on the other sessions, and a reader of each."""
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(await Connection.open(server.port))
        streams = []
        for number in range(OTHERS):
            await update(connection, f"other-{number}", {"action": "start", "step": 1})
            stream = await RawStream.open(server.port, events_path(f"other-{number}"))
            streams.append(await stack.enter_async_context(stream))
            await stream.next_event()
        yield connection, streams


async def measure(server: Server, elsewhere: Server) -> None:
    loop, took_ms = asyncio.get_running_loop(), {server: list[float](), elsewhere: list[float]()}
    floods, used_s = list[Flood](), 0.0
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        for number in range(ROUNDS):
            for flooded in (elsewhere, server):
                before_s = server.cpu_s()
                async with followed(server) as (connection, streams):
                    flooding = loop.run_in_executor(process, flood, flooded.port, f"flood-{number}")
                    took_ms[flooded] += await report(connection, streams)
                    done = await flooding
                if flooded is server:
                    floods.append(done)
                    used_s += server.cpu_s() - before_s
    click.echo(f"other sessions, flood elsewhere: {shown(took_ms[elsewhere])}")
    click.echo(f"other sessions, flood here:      {shown(took_ms[server])}")
    written, delivered = sum(each.written for each in floods), sum(each.delivered for each in floods)
    share = delivered / READERS / written
    click.echo(f"{written / ROUNDS / ROUND_S:.0f} lines a second, of which each of {READERS} readers got {share:.0%}")
    click.echo(
        f"processor: {100 * used_s / (ROUNDS * ROUND_S):.0f} % of a core, for this and the reports of the others"
    )


if __name__ == "__main__":
    store = sys.argv[1] if len(sys.argv) > 1 else "memory://"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("here", "elsewhere"):
            (Path(folder) / name).mkdir()
        with (
            Server(Path(folder) / "here", store=store, redis_prefix="here", is_forked=False) as running,
            Server(Path(folder) / "elsewhere", store=store, redis_prefix="elsewhere", is_forked=False) as other,
        ):
            asyncio.run(measure(running, other))
