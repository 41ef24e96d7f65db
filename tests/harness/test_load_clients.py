import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.harness.event_stream import EventStreamParser
from tests.harness.http1 import HOST
from tests.harness.load_clients import LoadClients, allow_descriptors, p99_ms
from tests.harness.rawsse import StreamEndedError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ONE = b'retry: 100\n\n: hi\n\nid: e-1\nevent: step\ndata: {"a": 1}\n\n'
TWO = b"id: e-2\nevent: step\ndata: 2\n\n"
LAST = b"0\r\n\r\n"


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


class Streams:
    """A server that answers each connection with the next of these texts, and then leaves it open."""

    def __init__(self, *answers: bytes, size: int = 65_536) -> None:
        """Send `size` bytes at a time."""
        self.requests: list[bytes] = []
        self.port = 0
        self._answers = iter(answers)
        self._size = size

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = next(self._answers)
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        for start in range(0, len(answer), self._size):
            writer.write(answer[start : start + self._size])
            await asyncio.sleep(0)  # Send each piece by itself.
        if answer.endswith(LAST) or not answer:
            writer.close()
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._serve, HOST, 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield


@pytest.mark.parametrize("size", [1, 2, 7, 65_536])
async def test_each_reader_gets_every_event(size: int) -> None:
    """However the bytes were split, all readers hold the same blocks of `event_stream`'s parser, with times."""
    streams = Streams(*[HEAD + chunk(ONE[:30]) + chunk(ONE[30:] + TWO)] * 5, size=size)
    events = [block for block in EventStreamParser().feed(ONE + TWO) if block.data is not None]
    async with streams.running(), LoadClients(streams.port, ["/"] * 5) as load_clients:
        await load_clients.wait_for_events(2, timeout_s=10)
        assert load_clients.differing(events) == []
        assert load_clients.differing(events[:1]) == [str(reader) for reader in load_clients.readers]
        for reader in load_clients.readers:
            assert (reader.statuses, reader.comments, reader.last_event_id) == ([200], 1, "e-2")
            assert len(reader.times) == 2
            assert [id(event) for event in reader.events] == [id(event) for event in load_clients.readers[0].events]


async def test_a_reader_that_was_cut_off_resumes() -> None:
    """It sends the id of its last complete event, and adds to its events."""
    streams = Streams(HEAD + chunk(ONE + TWO[:-1]), HEAD + chunk(TWO))
    async with streams.running(), LoadClients(streams.port, ["/x"]) as load_clients:
        await load_clients.wait_for_events(1, timeout_s=10)
        await load_clients.cut()
        assert load_clients.readers[0].ending == "cut"
        await load_clients.connect()
        await load_clients.wait_for_events(2, timeout_s=10)
        assert [event.id for event in load_clients.readers[0].events] == ["e-1", "e-2"]
        assert load_clients.readers[0].statuses == [200, 200]
    assert b"last-event-id" not in streams.requests[0].lower()
    assert b"\r\nLast-Event-ID: e-1\r\n" in streams.requests[1]


REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "ending", "status"),
    [
        (HEAD + chunk(ONE) + LAST, "end", 200),
        (REFUSAL, "refused", 503),
        (HEAD + b"zz\r\n", "broken", 200),
        (HEAD + b"2\r\nabc\r\n", "broken", 200),
        (HEAD + chunk(b"bad: x\n\n"), "broken", 200),
    ],
)
async def test_an_ended_stream_is_not_waited_for(answer: bytes, ending: str, status: int) -> None:
    """A test that waits for events of an ended stream gets the reason."""
    streams = Streams(HEAD + chunk(ONE + TWO), answer)
    async with streams.running(), LoadClients(streams.port, ["/a", "/b"]) as load_clients:
        with pytest.raises(StreamEndedError, match=f"1 of 2 ended.*{ending}"):
            await load_clients.wait_for_events(2, timeout_s=10)
        assert sorted([reader.statuses for reader in load_clients.readers]) == sorted([[200], [status]])


async def test_an_answer_that_never_comes_is_an_error() -> None:
    """A connection that is lost before the head ends the attempt."""
    streams = Streams(b"")
    async with streams.running():
        with pytest.RaisesGroup(StreamEndedError):
            async with LoadClients(streams.port, ["/"]):
                pytest.fail("it was let in")


async def test_a_timeout_names_a_reader() -> None:
    """A test that fails for lack of an event shows one of the readers."""
    streams = Streams(HEAD + chunk(ONE))
    async with streams.running(), LoadClients(streams.port, ["/one"]) as load_clients:
        with pytest.raises(TimeoutError, match="1 of 1 are not there, as /one: 1 events up to e-1"):
            await load_clients.wait_for_events(2, timeout_s=0.05)


async def test_delays_are_those_of_every_event_to_every_reader() -> None:
    """Each counts from its sending, over all readers; the percentile is taken of all."""
    streams = Streams(*[HEAD + chunk(ONE + TWO)] * 2)
    async with streams.running(), LoadClients(streams.port, ["/"] * 2) as load_clients:
        await load_clients.wait_for_events(2, timeout_s=10)
        sent = [time - 0.25 for time in load_clients.readers[0].times]
        load_clients.readers[1].times = load_clients.readers[0].times
        assert list(load_clients.delays(sent, first=0)) == pytest.approx([0.25] * 4)
        assert list(load_clients.delays(sent[1:])) == pytest.approx([0.25] * 2)
    assert p99_ms([*[0.001] * 990, *[0.002] * 10]) == 2
    assert p99_ms([*[0.001] * 991, *[0.002] * 9]) == 1


def test_too_few_descriptors_are_an_error() -> None:
    """A machine that cannot run a test of thousands says so at once."""
    with pytest.raises(RuntimeError, match="needs 1099511627776 file descriptors, and the hard limit is"):
        allow_descriptors(1 << 40)
