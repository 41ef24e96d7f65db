"""Measure what ten thousand leases cost: `python -m tests.bench.leases [memory://|sqlite|redis://…]`.

A real server holds a lease of each session. First its workers beat, each every ten seconds, as requests of their own;
then all of them fall silent at once.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import click

from tests.harness.http1 import Connection
from tests.harness.serving import Server, session_path

LEASES = 10_000
LEASE_S = 30
BEAT_S = 10
BEATING_S = 30
CONNECTIONS = 16
BATCH = 100


def names() -> list[str]:
    return [f"lease-{number}" for number in range(LEASES)]


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[list[Connection]]:
    """Some connections to the server."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(await Connection.open(port)) for _ in range(CONNECTIONS)]


async def start_all(connections: Sequence[Connection]) -> None:
    start = {"action": "start", "step": 1, "attempt_id": "bench", "lease_ms": LEASE_S * 1000}
    ids = names()

    async def start_some(connection: Connection, batches: Sequence[Sequence[str]]) -> None:
        for batch in batches:
            updates = [{"session_id": session_id, **start} for session_id in batch]
            response = await connection.post_json("/api/updates", {"updates": updates})
            assert response.status == 200, response.body

    batches = [ids[at : at + BATCH] for at in range(0, LEASES, BATCH)]
    await asyncio.gather(
        *(start_some(connection, batches[number::CONNECTIONS]) for number, connection in enumerate(connections))
    )


async def beat_all(connections: Sequence[Connection]) -> float:
    """Beat for each session, evenly over `BEAT_S`, and return the longest wait for an answer."""
    began, longest_s = time.monotonic(), 0.0

    async def beat_some(connection: Connection, mine: Sequence[tuple[int, str]]) -> None:
        nonlocal longest_s
        for number, session_id in mine:
            due = began + number * BEAT_S / LEASES
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            sent = time.monotonic()
            body = {"action": "beat", "step": 1, "attempt_id": "bench"}
            response = await connection.post_json(session_path(session_id, "update"), body)
            assert response.status == 200, response.body
            longest_s = max(longest_s, time.monotonic() - sent)

    numbered = list(enumerate(names()))
    await asyncio.gather(
        *(beat_some(connection, numbered[number::CONNECTIONS]) for number, connection in enumerate(connections))
    )
    return longest_s


async def count_stalled(connection: Connection) -> int:
    ids = names()
    sample = [*ids[:50], *ids[-50:]]
    bodies = [(await connection.request("GET", session_path(session_id))).body for session_id in sample]
    return sum(b'"stalled"' in body for body in bodies)


async def measure(server: Server) -> None:
    async with connected(server.port) as connections:
        empty = server.memory_bytes()
        await start_all(connections)
        click.echo(f"memory: {(server.memory_bytes() - empty) / LEASES / 1024:.1f} KiB per session with a lease")
        cpu_s, beats = server.cpu_s(), 0
        for _ in range(BEATING_S // BEAT_S):
            longest_s = await beat_all(connections)
            beats += LEASES
        used = server.cpu_s() - cpu_s
        click.echo(
            f"beats: {used / beats * 1e6:.0f} µs each, {100 * used / BEATING_S:.0f} % of a core for {LEASES} workers"
        )
        click.echo(f"longest answer to a beat in the last {BEAT_S} s: {longest_s * 1000:.0f} ms")
        cpu_s, silent_at = server.cpu_s(), time.monotonic()
        while await count_stalled(connections[0]) < 100:
            await asyncio.sleep(0.2)
            assert time.monotonic() - silent_at < 2 * LEASE_S
        click.echo(f"all silent: told {time.monotonic() - silent_at:.1f} s after the last beat (lease {LEASE_S} s)")
        click.echo(f"CPU for it: {(server.cpu_s() - cpu_s) / LEASES * 1e6:.0f} µs per lease")


if __name__ == "__main__":
    store = sys.argv[1] if len(sys.argv) > 1 else "memory://"
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), store=store, is_forked=False) as running:
        asyncio.run(measure(running))
