import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.harness.http1 import HOST
from tests.harness.rawsse import RawStream, StreamEndedError

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


@pytest.fixture
async def scripted() -> AsyncIterator[Callable[[Script], Awaitable[int]]]:
    """Start a server that reads a request's head and then runs a script; returns its port."""
    servers: list[asyncio.Server] = []

    async def start(script: Script) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await script(reader, writer)
            writer.close()

        servers.append(await asyncio.start_server(serve, HOST, 0))
        port: int = servers[-1].sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()


async def test_a_stream_is_logged_as_it_comes(scripted: Callable[[Script], Awaitable[int]]) -> None:
    """The log has head, retry, comment, events and the proper end, each with the time of its last byte."""
    go_on = asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(b'retry: 100\n\n: hi\n\nid: e-1\nevent: step\ndata: {"a"') + b"3\r\n:1")
        await go_on.wait()
        writer.write(b"}\r\n" + chunk(b"\n\nid: e-2\ndata: 2\n\n") + b"0\r\n\r\n")

    async with await RawStream.open(await scripted(script), "/") as stream:
        await stream.wait_until(lambda s: bool(s.pending))
        assert (stream.status, stream.retries, len(stream.comments), stream.events) == (200, [100], 1, [])
        go_on.set()
        first, second = await stream.next_events(2)
        assert (first.json(), first.position, second.id, second.event) == ({"a": 1}, ("e", 1), "e-2", "message")
        assert await stream.closed() == "end"
        assert stream.last_event_id == "e-2"
        assert [received.t for received in stream.log] == sorted(received.t for received in stream.log)


@pytest.mark.parametrize(
    ("tail", "ending"), [(b"0\r\n\r\n", "end"), (b"", "eof"), (b"zz\r\n", "broken"), (chunk(b"bad: x\n\n"), "broken")]
)
async def test_each_way_to_end_has_a_name(
    scripted: Callable[[Script], Awaitable[int]], tail: bytes, ending: str
) -> None:
    """The cases: a last chunk, none, a broken frame, a broken stream."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + tail)

    async with await RawStream.open(await scripted(script), "/") as stream:
        assert await stream.closed() == ending
        with pytest.raises(StreamEndedError):
            await stream.next_event()


async def test_a_timeout_shows_the_last_events(scripted: Callable[[Script], Awaitable[int]]) -> None:
    """A test that fails for lack of an event shows the last ones."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(b"id: e-5\nevent: step\ndata: x\n\n"))
        await reader.read()

    async with await RawStream.open(await scripted(script), "/") as stream:
        await stream.next_event()
        with pytest.raises(TimeoutError, match="step#e-5"):
            await stream.next_event(timeout_s=0.05)


async def test_a_paused_stream_stalls_its_sender(scripted: Callable[[Script], Awaitable[int]]) -> None:
    """With a small window set before connecting, the sender is blocked; resuming delivers all bytes."""
    stalled, proved = asyncio.Event(), asyncio.Event()
    total = 8 << 20

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(b": hi\n\n"))
        await stalled.wait()
        writer.write(chunk(b"data: " + b"x" * total + b"\n\n"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await writer.drain()
        proved.set()
        await writer.drain()

    async with await RawStream.open(await scripted(script), "/", rcvbuf=4096) as stream:
        await stream.wait_until(lambda s: bool(s.comments))
        stream.pause()
        stalled.set()
        async with asyncio.timeout(5):
            await proved.wait()
        stream.resume()
        event = await stream.next_event(20)
        assert event.data is not None
        assert len(event.data) == total
