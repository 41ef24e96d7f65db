"""The readers of a server that is being stopped: many that read, and some that do not."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from tests.harness.oracle import Body
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path, publish

STREAMS = 500
SMALL_WINDOW = 4096
STALLED = 10


def big_reports(count: int) -> Iterator[Body]:
    """`count` transitions of 24 KiB each."""
    return ({"action": "progress", "step": 1, "current": n, "message": "大" * 8192} for n in range(count))


@contextlib.asynccontextmanager
async def stalled_readers(server: Server, session_id: str, count: int) -> AsyncIterator[list[RawStream]]:
    """Readers with a small window that have read their snapshot and then stop reading."""
    streams = [await RawStream.open(server.port, events_path(session_id), rcvbuf=SMALL_WINDOW) for _ in range(count)]
    try:
        for stream in streams:
            await stream.next_event()
            stream.pause()
        yield streams
    finally:
        for stream in streams:
            await stream.abort()


@contextlib.asynccontextmanager
async def connected_readers(server: Server, worker: Worker) -> AsyncIterator[tuple[list[RawStream], list[RawStream]]]:
    """Readers of a server: many that read, and some whose buffers are full because they do not."""
    await worker.start("good", 1)
    await worker.start("big", 1)
    async with stalled_readers(server, "big", STALLED) as stalled:
        good = [await RawStream.open(server.port, events_path("good")) for _ in range(STREAMS - STALLED)]
        for stream in good:
            await stream.next_event()
        await publish(server.port, "big", big_reports(400))
        assert full_send_queues(server.port) >= STALLED
        try:
            yield good, stalled
        finally:
            for stream in good:
                await stream.abort()


def full_send_queues(port: int) -> int:
    """The number of connections of a server that hold bytes their reader does not take."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return sum(row[1].endswith(f":{port:04X}") and row[4].split(":")[0] != "00000000" for row in rows)


async def closed(stream: RawStream) -> RawStream:
    """The stream, once it has ended."""
    await stream.closed()
    return stream


def assert_ended_with_retry(streams: list[RawStream]) -> None:
    """Check that each ended with a last chunk and a `retry` of its own, and that these are spread."""
    assert {stream.ending for stream in streams} == {"end"}
    assert {len(stream.pending) for stream in streams} == {0}
    hints = [stream.log[-1].block.retry_ms for stream in streams]
    assert None not in hints
    spread = [hint for hint in hints if hint is not None]
    assert max(spread) - min(spread) >= 5000
    assert len(set(spread)) > len(streams) / 4
    assert "end" not in {event.event for stream in streams for event in stream.events}
