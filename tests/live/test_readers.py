"""Readers that are slow, stalled or one too many, and streams on other servers than ours."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from tests.conftest import Serve
from tests.harness.event_stream import Block, EventStreamParser
from tests.harness.http1 import HOST, Connection, ResponseDecoder, request_bytes
from tests.harness.load_clients import LoadClients, p99_ms
from tests.harness.oracle import fold_all
from tests.harness.rawsse import RawStream, unconnected_socket
from tests.harness.serving import Server, Worker, eventually, session_path
from tests.live.asgi_hosts import each_host, serve_only
from tests.live.slow_readers import SMALL_WINDOW, stalled_readers

EVENTS = "/api/progress/s/events"
QUEUE_BYTES = 262_144
"""The most bytes that the server queues for one reader."""
LARGE_MESSAGE = "x" * 8000


async def publish_large(worker: Worker, count: int) -> None:
    """Report transitions of about 8 KB each, numbered on from the present one."""
    for number in range(count):
        await worker.complete("s", 1, message=f"{number} {LARGE_MESSAGE}")


@dataclass(frozen=True, slots=True)
class Readers:
    """The number of readers of each kind, and how many transitions of about 24 KB with which send timeout they get."""

    stalled: int
    trickling: int
    good: int
    transitions: int
    send_timeout_s: float


FEW = Readers(stalled=5, trickling=1, good=10, transitions=300, send_timeout_s=5)
MANY = Readers(stalled=50, trickling=10, good=50, transitions=900, send_timeout_s=15)


@pytest.mark.full
@pytest.mark.guarantee(39)
@pytest.mark.protocol("P-5.19")
@serve_only  # A plain uvicorn closes a connection only after all bytes held for it are sent.
@pytest.mark.parametrize(
    "readers",
    [
        pytest.param(FEW, id="few"),
        pytest.param(MANY, id="many", marks=[pytest.mark.full, pytest.mark.alone, pytest.mark.timeout(300)]),
    ],
)
async def test_readers_that_read_nothing_are_cut_off_and_harm_no_others(
    serve: Serve, record_property: Callable[[str, object], None], readers: Readers
) -> None:
    """FT-10: stalled readers hold bounded memory, freed past the send timeout; the others get everything.

    A reader that takes a byte a second opens no window through which the server could send: it counts as stalled.
    """
    server = serve(send_timeout_s=readers.send_timeout_s, heartbeat_s=0.5, is_forked=False)
    bad, warmed_up = readers.stalled + readers.trickling, 50
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
    async with LoadClients(server.port, [EVENTS] * readers.good) as good:
        await good.wait_for_events(1, 10)
        descriptors = server.descriptors()
        sent, memory_bytes = await report_large(server, 0, warmed_up)
        async with stalled_readers(server, "s", readers.stalled) as stalled, trickle(server, readers.trickling):
            await eventually(lambda: server.descriptors() == descriptors + bad, 10)
            sent_on, most_bytes = await report_large(server, warmed_up, readers.transitions)
            await eventually(lambda: server.descriptors() <= descriptors, readers.send_timeout_s + 30)
            await report_large(server, readers.transitions, readers.transitions + 1)
            await good.wait_for_events(1 + readers.transitions + 1, 30)
            for stream in stalled:
                stream.resume()
                assert await stream.closed() in ("reset", "eof")
    record_property("p99_before_ms", p99_ms(good.delays(sent)))
    record_property("p99_ms", p99_ms(good.delays(sent_on, first=1 + warmed_up)))
    record_property("bytes_per_bad_reader", (most_bytes - memory_bytes) // bad)
    events = good.readers[0].events
    largest_frame_bytes = max(len(event.raw) for event in events)
    assert most_bytes - memory_bytes <= readers.stalled * (QUEUE_BYTES + 65_536 + largest_frame_bytes)
    assert [event.event for event in events] == ["snapshot", *["step"] * (readers.transitions + 1)]
    assert [event.position.offset for event in events] == list(range(1, readers.transitions + 3))
    assert good.differing(events) == []
    async with Worker.at(server) as worker:
        assert fold_all(events) == await worker.poll("s")
    assert "Traceback" not in server.log()


async def report_large(server: Server, first: int, after: int) -> tuple[list[float], int]:
    """POST transitions of about 24 KB; return when each was sent, and the server's peak memory meanwhile."""
    sent: list[float] = []
    most_bytes = server.memory_bytes()
    async with await Connection.open(server.port) as connection:
        for number in range(first, after):
            body = {"action": "complete", "step": 1, "message": f"{number:06}" + "大" * 8000}
            sent.append(asyncio.get_running_loop().time())
            response = await connection.post_json(session_path("s", "update"), body)
            assert response.status == 200, response.body
            if number % 10 == 0:
                most_bytes = max(most_bytes, server.memory_bytes())
    return sent, most_bytes


@contextlib.asynccontextmanager
async def trickle(server: Server, count: int) -> AsyncIterator[None]:
    """Readers with a small window that read one byte a second during the block."""
    loop = asyncio.get_running_loop()
    sockets = [unconnected_socket(SMALL_WINDOW) for _ in range(count)]

    async def read() -> None:
        while True:
            for sock in sockets:
                with contextlib.suppress(OSError):  # The expected cut.
                    await loop.sock_recv(sock, 1)
            await asyncio.sleep(1)  # The pace of these readers; it waits for nothing.

    for sock in sockets:
        await loop.sock_connect(sock, (HOST, server.port))
        await loop.sock_sendall(sock, request_bytes("GET", EVENTS))
    reading = asyncio.create_task(read())
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        for sock in sockets:
            sock.close()


@serve_only  # Only our server reads the kernel's counts.
@pytest.mark.parametrize(("count", "heartbeat_s"), [(1, 0.2), (3, 60), (7, 60)])
@pytest.mark.full
async def test_a_reader_that_reads_nothing_is_cut_off_however_little_waits(
    serve: Serve, count: int, heartbeat_s: float
) -> None:
    """A few KB fit into the buffers on the way, and heartbeats fit into any; the reader is cut off all the same."""
    server = serve(send_timeout_s=1, heartbeat_s=heartbeat_s)
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        stalled = await RawStream.open(server.port, EVENTS, rcvbuf=SMALL_WINDOW)
        await stalled.next_event()
        stalled.pause()
        await publish_large(worker, count)
        assert stalled.local_port in server.client_ports()
        await eventually(lambda: stalled.local_port not in server.client_ports(), 1 + 30)
        await stalled.abort()


@pytest.mark.full
@pytest.mark.alone  # Two seconds in which a busy machine does not run the reader are a stall.
@serve_only  # Other servers cut off every send that does not end within the send timeout.
async def test_a_reader_that_is_slow_but_steady_is_not_cut_off(serve: Serve) -> None:
    """Only a stalled reader is cut off; a slow one gets snapshots, and ends in the true state."""
    server = serve(heartbeat_s=0.2, send_timeout_s=2)
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        publishing = asyncio.create_task(publish_large(worker, 150))
        seen, taken_s = await read_slowly(server.port, until=151)
        await publishing
        assert taken_s > 4, "it was not slow enough to show anything"
        last, final = seen[-1].json(), (await worker.poll("s"))["steps"][0]
        assert final in (last.get("step"), *last.get("steps", []))


async def read_slowly(port: int, until: int) -> tuple[list[Block], float]:
    """Read 20 KB a second through a small window, until the transition with that number has arrived."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    decoder, parser, seen = ResponseDecoder("GET"), EventStreamParser(), list[Block]()
    with unconnected_socket(SMALL_WINDOW) as sock:
        await loop.sock_connect(sock, (HOST, port))
        await loop.sock_sendall(sock, request_bytes("GET", EVENTS))
        while not (seen and seen[-1].position.offset == until):
            received = await loop.sock_recv(sock, 1024)
            assert received, f"cut off after {loop.time() - started:.1f} s"
            seen += [block for block in parser.feed(decoder.feed(received)) if block.data is not None]
            await asyncio.sleep(0.05)  # The pace of this reader; it waits for nothing.
    return seen, loop.time() - started


@pytest.mark.guarantee(39)
@pytest.mark.protocol("P-5.18")
@pytest.mark.full
async def test_a_reader_that_fell_behind_gets_a_snapshot_in_place_of_what_it_missed(serve: Serve) -> None:
    """FT-10, in part: it gets far fewer transitions than happened, ends in the true state, and stays live."""
    server = serve(send_timeout_s=60)
    async with Worker.at(server) as worker, await RawStream.open(server.port, EVENTS, rcvbuf=SMALL_WINDOW) as slow:
        await slow.next_event()
        await worker.create("s", total_steps=2)
        await worker.start("s", 1)
        slow.pause()
        await publish_large(worker, 1200)
        final = await worker.poll("s")
        slow.resume()
        await slow.wait_until(lambda stream: fold_all(stream.events) == final, 20)
        names = [block.event for block in slow.events]
        assert names.count("snapshot") == 3, "absent, created, and in place of what was missed"
        assert len(names) < 600  # Some megabytes of the missed transitions may wait in the kernel.
        await worker.start("s", 2)
        await slow.wait_until(lambda stream: len(stream.events) > len(names))
        assert slow.events[-1].event == "step"
        assert fold_all(slow.events) == await worker.poll("s")


@pytest.mark.protocol("P-5.20")
async def test_one_stream_too_many_is_refused_softly(serve: Serve) -> None:
    """An EventSource takes the refusal as "later"; a freed place is reused, and polls continue."""
    server = serve(max_streams=2)
    async with (
        Worker.at(server) as worker,
        await RawStream.open(server.port, EVENTS) as first,
        await RawStream.open(server.port, EVENTS) as second,
    ):
        await first.next_event()
        await second.next_event()
        async with await RawStream.open(server.port, EVENTS) as refused:
            assert await refused.closed() == "end"
            assert refused.status == 200
            assert refused.head.get("content-type") == "text/event-stream; charset=utf-8"
            assert refused.retries == [30_000]
            assert refused.events == []
        assert (await worker.poll("s"))["status"] == "not_found"
        await first.aclose()
        await until_let_in(server.port)


@contextlib.asynccontextmanager
async def asking_for_more(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A reader that has its snapshot, and whose next request came along with the one for the stream."""
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(request_bytes("GET", EVENTS) + request_bytes("GET", session_path("s")))
    await reader.readuntil(b"event: snapshot")
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_a_request_behind_a_stream_is_answered_after_its_end(serve: Serve) -> None:
    """The response comes on the same connection, which the stream leaves as any other response does."""
    server = serve()
    async with Worker.at(server) as worker:
        await worker.create("s", total_steps=1)
        async with asking_for_more(server) as (reader, _), asyncio.timeout(10):
            await worker.run("s", 1)
            assert b"event: end" in await reader.readuntil(b"\r\n0\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            await reader.readuntil(b'"percentage":100')


@serve_only  # A plain uvicorn notifies only the newest request of the disconnect.
async def test_a_reader_that_asked_for_more_and_went_leaves_its_place(serve: Serve) -> None:
    """FT-11: the next heartbeat finds the disconnect, as the server reads nothing more until the stream has ended."""
    server = serve(max_streams=1, heartbeat_s=0.2)
    async with asking_for_more(server) as (_, writer):
        writer.transport.abort()
    await until_let_in(server.port)
    assert "ERROR" not in server.log()
    assert "Traceback" not in server.log()


@pytest.mark.full
async def test_a_reader_that_reads_nothing_loses_its_place(serve: Serve) -> None:
    """FT-10, in part: past the send timeout it no longer counts and holds little, even if its connection stays."""
    server = serve(send_timeout_s=1, heartbeat_s=0.2, max_streams=50, is_forked=False)
    async with Worker.at(server) as worker:
        await worker.start("s", 1)
        memory_bytes = server.memory_bytes()
        async with stalled_readers(server, "s", 50) as stalled:
            assert not await is_let_in(server.port)
            await publish_large(worker, 600)
            await until_let_in(server.port)
            assert server.memory_bytes() - memory_bytes <= len(stalled) * (QUEUE_BYTES + 3 * 65_536)


async def is_let_in(port: int) -> bool:
    """Whether one more reader gets its snapshot."""
    async with await RawStream.open(port, EVENTS) as stream:
        await stream.wait_until(lambda s: bool(s.events) or s.ending is not None)
        return [block.event for block in stream.events] == ["snapshot"]


async def until_let_in(port: int) -> None:
    async with asyncio.timeout(30):
        while not await is_let_in(port):
            pass


@each_host
async def test_every_reader_gets_everything_then_the_end_on_each_host(serve: Serve) -> None:
    """DG-04, in part: transitions reported all at once reach each reader once, in order, and before the end."""
    steps = range(1, 65)
    server = serve()
    async with Worker.at(server) as worker:
        await worker.create("s", total_steps=len(steps))
        readers = [await RawStream.open(server.port, EVENTS) for _ in range(20)]
        for reader in readers:
            await reader.next_event()
        await asyncio.gather(*(worker.start("s", step) for step in steps))
        await asyncio.gather(*(worker.complete("s", step) for step in steps))
        final = await worker.poll("s")
        for reader in readers:
            assert await reader.closed() == "end"
            assert [block.event for block in reader.events] == ["snapshot", *["step"] * 128, "end"]
            assert [block.position.offset for block in reader.events] == [*range(129), 128]
            assert fold_all(reader.events) == final
            await reader.aclose()
