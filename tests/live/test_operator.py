"""What an operator sees: metrics, health, logs."""

from __future__ import annotations

import asyncio

from tests.conftest import Serve
from tests.harness.metrics import metrics_of
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, session_path

EVENTS = session_path("s", "events")
SMALL_WINDOW = 4096


async def shown(server: Server, **expected: float) -> dict[str, float]:
    """The server's metrics without their prefix, once these are as expected; for what becomes true by itself."""
    async with asyncio.timeout(15):
        while True:
            metrics = {
                name.removeprefix("progress_sse_"): value for name, value in (await metrics_of(server.port)).items()
            }
            if expected.items() <= metrics.items():
                return metrics
            await asyncio.sleep(0.05)


async def test_readers_are_counted_while_they_are_there(serve: Serve) -> None:
    """Streams and subscribers come and go; each event is counted for each reader; a burst is timed once."""
    server = serve()
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        readers = [await RawStream.open(server.port, EVENTS) for _ in range(3)]
        several = await RawStream.open(server.port, "/api/events?session_id=s&session_id=t")
        for reader in readers:
            await reader.next_event()
        await several.next_events(2)
        before = await shown(server, streams=4, subscribers=5, followed_sessions=2)
        for step in range(2, 7):
            await worker.start("s", step)
        for reader in (*readers, several):
            await reader.wait_until(lambda stream: "STEP6" in stream.events[-1].raw.decode())
        after = await shown(server)
        assert after["deliveries_total"] - before["deliveries_total"] == 4 * 5
        assert after["delivery_seconds_count"] - before["delivery_seconds_count"] == 5
        for reader in (*readers, several):
            await reader.aclose()
        gone = await shown(server, streams=0, subscribers=0, followed_sessions=0)
        assert gone['streams_ended_total{reason="gone"}'] == 4


async def test_whoever_comes_back_is_counted_by_what_it_gets(serve: Serve) -> None:
    """Exactly what it missed, or a snapshot in its place."""
    server = serve(history=3)
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        async with await RawStream.open(server.port, EVENTS) as first:
            await first.next_event()
        await worker.start("s", 2)
        for step in (3, 4, 5):
            async with await RawStream.open(server.port, EVENTS, last_event_id=first.last_event_id) as again:
                await again.next_event()
            await worker.start("s", step)
        metrics = await shown(server)
        assert metrics["replays_total"] == 3
        async with await RawStream.open(server.port, EVENTS, last_event_id=first.last_event_id) as again:
            assert (await again.next_event()).event == "snapshot"
        metrics = await shown(server)
    assert metrics["replays_total"] == 3
    assert metrics['resyncs_total{reason="forgotten"}'] == 1


async def test_each_end_of_a_stream_has_its_reason(serve: Serve) -> None:
    """Completed, gone, stuck; and what was refused a place."""
    server = serve(send_timeout_s=1, max_streams=2, heartbeat_s=0.2)
    async with Worker.at(server) as worker:
        await worker.create("s", total_steps=1)
        await worker.start("s", 1)
        finished = await RawStream.open(server.port, EVENTS)
        stuck = await RawStream.open(server.port, EVENTS, rcvbuf=SMALL_WINDOW)
        for stream in (finished, stuck):
            await stream.next_event()
        async with await RawStream.open(server.port, EVENTS) as refused:
            assert await refused.closed() == "end"
        stuck.pause()
        for number in range(400):
            await worker.progress("s", 1, number, message="大" * 4096)
        await shown(server, **{'streams_ended_total{reason="stuck"}': 1})
        await worker.complete("s", 1)
        assert await finished.closed() == "end"
        await finished.aclose()
        await stuck.abort()
        gone = await RawStream.open(server.port, session_path("t", "events"))
        await gone.next_event()
        await gone.abort()
        metrics = await shown(server, streams=0)
    reasons = ("completed", "gone", "stuck", "drained", "expired", "failed")
    assert [metrics[f'streams_ended_total{{reason="{reason}"}}'] for reason in reasons] == [1, 1, 1, 0, 0, 0]
    assert metrics['refusals_total{reason="streams-full"}'] == 1
    assert metrics['resyncs_total{reason="behind"}'] >= 1
