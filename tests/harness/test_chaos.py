import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

import pytest

from tests.harness.chaos import Answer, Blackhole, ChaosProxy, Cut, Delay, HalfClose, Mode, Pass, Reset, Slice, Throttle
from tests.harness.http1 import HOST, Connection, request_bytes

PAYLOAD = bytes(range(256)) * 8


@pytest.fixture
def received() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def source_port(received: asyncio.Event) -> AsyncIterator[int]:
    """A server that sends the payload to each client that sends a line, then echoes its input."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionResetError):
            await reader.readline()
            writer.write(PAYLOAD)
            while data := await reader.read(1024):
                received.set()
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


class Client(Connection):
    """A plain connection that records how it ended."""

    @classmethod
    async def through(cls, proxy: ChaosProxy) -> Self:
        client = await cls.open(proxy.port)
        client.writer.write(b"go\n")
        return client

    async def read_to_end(self) -> tuple[bytes, str]:
        """All received bytes, and whether a FIN or a reset ended the connection."""
        got = bytearray()
        try:
            async with asyncio.timeout(5):
                while data := await self.reader.read(65536):
                    got += data
        except ConnectionResetError:
            return bytes(got), "reset"
        return bytes(got), "fin"


async def expect_exactly(client: Client, expected: bytes) -> None:
    async with asyncio.timeout(5):
        assert await client.reader.readexactly(len(expected)) == expected


async def expect_nothing(client: Client) -> None:
    """The peer sends nothing, and does not close."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.reader.read(1)


@pytest.mark.parametrize("mode", [Pass(), Slice(1), Slice(7), Slice(512, 0.001), Throttle(100_000), Delay(0.02)])
async def test_the_gentle_modes_change_only_the_timing(source_port: int, mode: Mode) -> None:
    """The same bytes arrive in whatever pieces, and the other direction works."""
    async with ChaosProxy(source_port, [mode]) as proxy, await Client.through(proxy) as client:
        await expect_exactly(client, PAYLOAD)
        client.writer.write(b"pong")
        await expect_exactly(client, b"pong")


@pytest.mark.parametrize(
    ("mode", "ending"), [(Cut(100), "fin"), (Cut(0), "fin"), (Reset(100), "reset"), (HalfClose(100), "fin")]
)
async def test_a_link_ends_after_the_bytes_it_was_allowed(source_port: int, mode: Mode, ending: str) -> None:
    """Exactly so many bytes arrive, then the requested kind of end."""
    async with ChaosProxy(source_port, [mode]) as proxy, await Client.through(proxy) as client:
        got, how = await client.read_to_end()
        assert how == ending
        if ending == "fin":  # A reset may discard what the receiver has not read yet.
            assert got == PAYLOAD[: proxy.links[0].sent]
            assert proxy.links[0].sent == mode.after  # type: ignore[union-attr]


async def test_a_half_closed_link_still_carries_requests(source_port: int, received: asyncio.Event) -> None:
    """After the client got a FIN, the bytes that it sends still reach the server."""
    async with ChaosProxy(source_port, [HalfClose(10)]) as proxy, await Client.through(proxy) as client:
        await client.read_to_end()
        client.writer.write(b"still here")
        async with asyncio.timeout(5):
            await received.wait()


async def test_a_blackhole_holds_everything_until_it_is_healed(source_port: int) -> None:
    """No byte beyond the limit arrives, neither side is notified, and healing delivers every byte."""
    async with ChaosProxy(source_port, [Blackhole(100)]) as proxy, await Client.through(proxy) as client:
        await expect_exactly(client, PAYLOAD[:100])
        await expect_nothing(client)
        proxy.links[0].mode = Pass()
        await expect_exactly(client, PAYLOAD[100:])


async def test_a_refusing_proxy_takes_connections_again_on_the_same_port(source_port: int) -> None:
    """Refusing closes the port; listening opens the same port again."""
    async with ChaosProxy(source_port) as proxy:
        port = proxy.port
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await Client.through(proxy)
        await proxy.listen()
        assert proxy.port == port
        async with await Client.through(proxy) as client:
            await expect_exactly(client, PAYLOAD)


async def test_each_connection_takes_the_next_mode_and_the_last_one_stays(source_port: int) -> None:
    """Connections take the modes in the order in which they connect."""
    async with ChaosProxy(source_port, [Cut(5), Cut(9)]) as proxy:
        lengths = []
        for _ in range(3):
            async with await Client.through(proxy) as client:
                got, _ = await client.read_to_end()
                lengths.append(len(got))
        assert lengths == [5, 9, 9]


async def test_delayed_bytes_arrive_in_order_and_at_once_when_healed(source_port: int) -> None:
    """No byte comes before its time or overtakes another; after healing, none is held back."""
    async with ChaosProxy(source_port, [Delay(60)]) as proxy, await Client.through(proxy) as client:
        await expect_nothing(client)
        proxy.switch(Pass())
        client.writer.write(b"pong")
        await expect_exactly(client, PAYLOAD + b"pong")


async def test_a_request_may_be_answered_on_the_way(source_port: int) -> None:
    """It holds for targets that match, on an open connection too; all requests are recorded with their time."""
    refusal = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with ChaosProxy(source_port) as proxy, await Client.through(proxy) as client:
        await expect_exactly(client, PAYLOAD)
        proxy.switch(Answer("/events", refusal))
        poll = request_bytes("GET", "/poll")
        client.writer.write(poll)
        await expect_exactly(client, poll)
        assert proxy.busy_with("/poll") == 1
        client.writer.write(request_bytes("GET", "/events?x"))
        assert await client.read_to_end() == (refusal, "fin")
        assert [request.target for request in proxy.asked()] == ["/poll", "/events?x"]
        assert [request.target for request in proxy.asked("ev")] == ["/events?x"]
        assert sorted(proxy.asked()) == proxy.asked()
        assert proxy.busy_with("/events") == 0


async def test_a_request_may_get_no_answer_at_all(source_port: int, received: asyncio.Event) -> None:
    """The connection stays open, and the server never gets the request."""
    async with ChaosProxy(source_port, [Answer("/")]) as proxy, await Client.through(proxy) as client:
        await expect_exactly(client, PAYLOAD)
        client.writer.write(request_bytes("GET", "/events"))
        await expect_nothing(client)
        assert not received.is_set()
        assert proxy.busy_with("/events") == 1


async def test_all_open_links_are_cut_at_once(source_port: int) -> None:
    """New connections are accepted afterwards."""
    async with ChaosProxy(source_port) as proxy:
        clients = [await Client.through(proxy) for _ in range(3)]
        for client in clients:
            await expect_exactly(client, PAYLOAD)
        proxy.cut()
        for client in clients:
            assert await client.read_to_end() == (b"", "fin")
            await client.aclose()
        async with await Client.through(proxy) as again:
            await expect_exactly(again, PAYLOAD)
