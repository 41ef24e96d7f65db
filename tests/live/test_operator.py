"""The operator's view: metrics, health, logs."""

import asyncio
import contextlib
import json
import re
import signal
from pathlib import Path

import pytest

from progress_sse.observability.logs import MAX_RECORDS
from tests.conftest import Serve
from tests.harness.http1 import HOST, Connection, request_bytes
from tests.harness.metrics import metrics_of
from tests.harness.rawsse import RawStream
from tests.harness.redis import RedisServer
from tests.harness.serving import Server, Worker, events_path, eventually, session_path
from tests.harness.tokens import KEY
from tests.live.asgi_hosts import serve_only

EVENTS = events_path("s")
SMALL_WINDOW = 4096

RECORD = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) [\w.]+: ."
"""The beginning of each line of the log."""


async def shown(server: Server, **expected: float) -> dict[str, float]:
    """The metrics without their prefix, once they have the expected values."""
    async with asyncio.timeout(15):
        while True:
            metrics = {
                name.removeprefix("progress_sse_"): value for name, value in (await metrics_of(server.port)).items()
            }
            if expected.items() <= metrics.items():
                return metrics
            await asyncio.sleep(0.05)


async def test_readers_are_counted_while_they_are_there(serve: Serve) -> None:
    """Streams and subscribers come and go; each event counts once per reader; a batch is timed once."""
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


async def test_a_returning_reader_is_counted_by_what_it_gets(serve: Serve) -> None:
    """The metrics distinguish an exact replay from a snapshot."""
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


@pytest.mark.full
async def test_each_end_of_a_stream_has_its_reason(serve: Serve) -> None:
    """Completed, disconnected and stalled streams have a reason each, and refused ones are counted."""
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
        gone = await RawStream.open(server.port, events_path("t"))
        await gone.next_event()
        await gone.abort()
        metrics = await shown(server, streams=0)
    reasons = ("completed", "gone", "stuck", "drained", "expired", "failed")
    assert [metrics[f'streams_ended_total{{reason="{reason}"}}'] for reason in reasons] == [1, 1, 1, 0, 0, 0]
    assert metrics['refusals_total{reason="streams-full"}'] == 1
    assert metrics['resyncs_total{reason="behind"}'] >= 1


HOSTILE = "\x1b[2J\u202e\u2028forged\x07"
"""Text that no log may show unescaped, and that a body can carry."""

HOSTILE_REQUESTS = [
    b"GET /\x1b[2Jforged HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00 a TLS hello",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: \xe2\x80\xae, websocket\r\nConnection: Upgrade\r\n\r\n",
    b"POST /api/progress/%1b%0aforged/update HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"GET /api/progress/s?token=hush-hush HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer hush-hush\r\n\r\n",
    b"GET /api/events?session_id=%ff&ticket=hush-hush HTTP/1.1\r\nHost: x\r\nCookie: progress_sse=hush-hush\r\n\r\n",
    request_bytes(
        "POST",
        session_path("s", "update"),
        [("Content-Type", "application/json")],
        json.dumps({"action": HOSTILE, "message": HOSTILE * 1000}, ensure_ascii=False).encode(),
    ),
]


async def send_and_leave(port: int, request: bytes) -> None:
    """Send a request on a connection of its own, and read the beginning of a response, if there is one."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(request)
        await asyncio.wait_for(reader.read(1024), 10)
    except OSError:
        pass
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def send_all(port: int, rounds: int) -> None:
    """Send each hostile request `rounds` times, a few at once."""
    for _ in range(rounds):
        await asyncio.gather(*(send_and_leave(port, request) for request in HOSTILE_REQUESTS))


@serve_only  # Elsewhere the log is the host's.
@pytest.mark.parametrize("log_format", [pytest.param("text", marks=pytest.mark.full), "json"])
@pytest.mark.parametrize("rounds", [60, pytest.param(1112, marks=[pytest.mark.full, pytest.mark.timeout(300)])])
async def test_bad_requests_leave_few_harmless_log_lines(serve: Serve, log_format: str, rounds: int) -> None:
    """SE-13: 10⁴ bad requests leave one record a line, escaped, rate-limited, without secrets or requested texts."""
    server = serve(log_format=log_format, read="token", token_key=KEY, publish_token="hush-hush")
    await eventually(lambda: "curl" in server.log(), 10)
    greeting = len(server.log())
    loop = asyncio.get_running_loop()
    began = loop.time()
    await send_all(server.port, rounds)
    taken_s = loop.time() - began
    async with Worker.at(server, "hush-hush") as worker:
        assert (await worker.client.get("/readyz")).status_code == 200
    await asyncio.to_thread(server.terminate)
    log = server.log()
    lines = log[greeting:].splitlines()
    assert lines
    for line in lines:
        assert line.isprintable()
        assert json.loads(line)["level"] if log_format == "json" else re.match(RECORD, line), line
    places = {re.sub(r"[\d,.:+-]+", "", line) for line in lines}
    assert len(lines) <= (MAX_RECORDS + 1) * (taken_s + 2) * len(places)
    assert "hush" not in log
    assert "forged" not in log
    assert "Traceback" not in log


@serve_only  # Elsewhere the log is the host's.
async def test_the_end_of_each_stream_is_logged(serve: Serve) -> None:
    """The line gives duration, events and reason; many ends at once are a few lines and a count."""
    server = serve(log_format="json")
    async with Worker.at(server) as worker:
        await worker.create("s", total_steps=1)
        await worker.start("s", 1)
        async with await RawStream.open(server.port, "/api/events?session_id=s&session_id=t") as several:
            await several.next_events(2)
            await worker.progress("s", 1, 1)
            await several.next_event()
        await shown(server, streams=0)
        async with await RawStream.open(server.port, EVENTS) as finished:
            await finished.next_event()
            await worker.complete("s", 1)
            assert await finished.closed() == "end"
        async with await RawStream.open(server.port, EVENTS) as late:
            assert await late.closed() == "end"
        await shown(server, streams=0)
        streams = [await RawStream.open(server.port, events_path("t")) for _ in range(40)]
        for stream in streams:
            await stream.next_event()
        await asyncio.to_thread(server.terminate)
        for stream in streams:
            await stream.aclose()
    records = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    ends = [record for record in records if "a stream ended" in record["message"]]
    first, second, third, *others = ends
    assert 0 <= first.pop("seconds") < 60
    assert {name: first[name] for name in ("level", "sessions", "events", "reason")} == {
        "level": "INFO",
        "sessions": 2,
        "events": 3,
        "reason": "gone",
    }
    assert (second["events"], second["reason"]) == (2, "completed")
    assert (third["events"], third["reason"]) == (1, "completed")
    assert {record["reason"] for record in others} == {"drained"}
    assert len(others) <= MAX_RECORDS + 1
    counts = [int(match[1]) for record in others if (match := re.match(r"(\d+) more like", record["message"]))]
    assert len(others) - len(counts) + sum(counts) == len(streams)


@serve_only  # Elsewhere the log is the host's.
@pytest.mark.processes
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGTERM], 0),
        ([signal.SIGINT], 0),
        ([signal.SIGTERM, signal.SIGTERM], -signal.SIGTERM),
        ([signal.SIGTERM, signal.SIGINT], -signal.SIGINT),
    ],
    ids=["SIGTERM", "SIGINT", "twice", "both"],
)
async def test_what_is_counted_is_logged_at_each_end(
    serve: Serve,
    redis_servers: dict[str, RedisServer],
    tmp_path: Path,
    workers: int,
    signals: list[signal.Signals],
    code: int,
) -> None:
    """Also where a second signal ends the wait for requests."""
    shared = {"store": redis_servers["redis"].url, "redis_prefix": tmp_path.name, "workers": workers}
    server = serve(log_format="json", graceful_timeout_s=60, **(shared if workers > 1 else {}))
    streams = [await RawStream.open(server.port, events_path("t")) for _ in range(40)]
    for stream in streams:
        await stream.next_event()
    requests = []
    head = [("Content-Type", "application/json"), ("Content-Length", "100")]
    for _ in range(20 * (len(signals) - 1)):  # Enough for each process to wait for some.
        requests.append(await Connection.open(server.port))
        requests[-1].writer.write(request_bytes("POST", session_path("s", "update"), head) + b"{")
        await requests[-1].writer.drain()
    for number in signals:
        server.signal(number)
        for stream in streams:
            assert await stream.closed() == "end"
    assert await asyncio.to_thread(server.wait) == (code if workers == 1 else 0)
    for stream in streams:
        await stream.aclose()
    for connection in requests:
        await connection.aclose()
    lines = [json.loads(line)["message"] for line in server.log().splitlines() if line.startswith("{")]
    ends = [line for line in lines if "a stream ended" in line]
    counts = [int(match[1]) for line in ends if (match := re.match(r"(\d+) more like", line))]
    assert len(ends) - len(counts) + sum(counts) == len(streams)
