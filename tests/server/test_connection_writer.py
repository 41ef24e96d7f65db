"""The writes of our server to a connection, and their number."""

import asyncio
from typing import cast

import pytest

from progress_sse.server.connection_writer import CoalescingTransport, WriteCoalescer

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class FakeTransport:
    """A transport that records its calls."""

    def __init__(self) -> None:
        self.calls: list[bytes | str] = []
        self.is_lost = False

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def is_closing(self) -> bool:
        return self.is_lost

    def close(self) -> None:
        self.calls.append("close")

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"socket": self, "peername": ("::1", 50000, 0, 0), "sslcontext": None}.get(name, default)


@pytest.fixture
def fake() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def coalescing(fake: FakeTransport) -> CoalescingTransport:
    return CoalescingTransport(cast(asyncio.Transport, fake), WriteCoalescer())


async def end_of_turn() -> None:
    await asyncio.sleep(0)


async def test_bytes_written_in_one_turn_go_out_at_its_end(
    fake: FakeTransport, coalescing: CoalescingTransport
) -> None:
    """They go out in one write, once."""
    coalescing.write(HEAD)
    coalescing.write(b"ok")
    assert fake.calls == []
    await end_of_turn()
    assert fake.calls == [HEAD + b"ok"]
    coalescing.write(b"more")
    await end_of_turn()
    await end_of_turn()
    assert fake.calls == [HEAD + b"ok", b"more"]


async def test_all_connections_of_a_server_are_written_to_together() -> None:
    """They go in the order of their responses. A lost connection does not affect the others."""
    coalescer = WriteCoalescer()
    fakes = [FakeTransport() for _ in range(3)]
    for fake in fakes:
        CoalescingTransport(cast(asyncio.Transport, fake), coalescer).write(b"ok")
    fakes[1].is_lost = True
    await end_of_turn()
    assert [fake.calls for fake in fakes] == [[b"ok"], [], [b"ok"]]


async def test_an_immediate_write_sends_buffered_bytes_first(
    fake: FakeTransport, coalescing: CoalescingTransport
) -> None:
    """Neither an event nor the end of the connection overtakes a head."""
    coalescing.write(HEAD)
    coalescing.write_now(b"event")
    coalescing.write_through(b"another")
    coalescing.write(b"last")
    coalescing.close()
    await end_of_turn()
    assert fake.calls == [HEAD, b"event", b"another", b"last", "close"]


async def test_a_large_body_is_not_copied(fake: FakeTransport, coalescing: CoalescingTransport) -> None:
    """Many slow clients may share it."""
    body = b"x" * 1_000_000
    coalescing.write(HEAD)
    coalescing.write(body)
    assert fake.calls == [HEAD, body]
    assert fake.calls[1] is body


async def test_the_transport_gets_large_writes_within_the_turn(
    fake: FakeTransport, coalescing: CoalescingTransport
) -> None:
    """It pauses the writer for a client that does not keep up, and can do so only for bytes that it has."""
    chunk = b"x" * 20_000
    for _ in range(10):
        coalescing.write(chunk)
    assert sum(map(len, fake.calls)) > 100_000
    await end_of_turn()
    assert b"".join(cast(list[bytes], fake.calls)) == chunk * 10


def test_everything_else_is_delegated_to_the_transport(fake: FakeTransport, coalescing: CoalescingTransport) -> None:
    """Except that it returns addresses as uvicorn expects them, and no socket."""
    coalescing.pause_reading()
    assert fake.calls == ["pause"]
    assert coalescing.get_extra_info("socket") is None
    assert coalescing.get_extra_info("peername") == ("::1", 50000)
    assert coalescing.get_extra_info("unknown", "default") == "default"
