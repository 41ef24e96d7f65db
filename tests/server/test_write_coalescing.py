"""What our server writes to a connection, and in how many writes."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from progress_sse.server.write_coalescing import JoiningTransport, Outbox

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class FakeTransport:
    """A transport that notes what it is told to do."""

    def __init__(self) -> None:
        self.told: list[bytes | str] = []
        self.is_lost = False

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def is_closing(self) -> bool:
        return self.is_lost

    def close(self) -> None:
        self.told.append("close")

    def pause_reading(self) -> None:
        self.told.append("pause")

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"socket": self, "peername": ("::1", 50000, 0, 0), "sslcontext": None}.get(name, default)


@pytest.fixture
def fake() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def joining(fake: FakeTransport) -> JoiningTransport:
    return JoiningTransport(cast(asyncio.Transport, fake), Outbox())


async def end_of_turn() -> None:
    """Let the loop do what it was asked to do at the end of this turn."""
    await asyncio.sleep(0)


async def test_what_is_written_in_one_turn_goes_out_at_its_end(fake: FakeTransport, joining: JoiningTransport) -> None:
    """In one write, and once."""
    joining.write(HEAD)
    joining.write(b"ok")
    assert fake.told == []
    await end_of_turn()
    assert fake.told == [HEAD + b"ok"]
    joining.write(b"more")
    await end_of_turn()
    await end_of_turn()
    assert fake.told == [HEAD + b"ok", b"more"]


async def test_all_connections_of_a_server_are_written_to_together() -> None:
    """In the order in which they were answered, and none is hurt by another that its client has left."""
    outbox = Outbox()
    fakes = [FakeTransport() for _ in range(3)]
    for fake in fakes:
        JoiningTransport(cast(asyncio.Transport, fake), outbox).write(b"ok")
    fakes[1].is_lost = True
    await end_of_turn()
    assert [fake.told for fake in fakes] == [[b"ok"], [], [b"ok"]]


async def test_what_cannot_wait_takes_along_what_waits(fake: FakeTransport, joining: JoiningTransport) -> None:
    """Nothing overtakes a head: not an event, not the end of the connection."""
    joining.write(HEAD)
    joining.write_now(b"event")
    joining.write_through(b"another")
    joining.write(b"last")
    joining.close()
    await end_of_turn()
    assert fake.told == [HEAD, b"event", b"another", b"last", "close"]


async def test_what_is_large_is_not_copied(fake: FakeTransport, joining: JoiningTransport) -> None:
    """Many may get it, and slowly."""
    body = b"x" * 1_000_000
    joining.write(HEAD)
    joining.write(body)
    assert fake.told == [HEAD, body]
    assert fake.told[1] is body


async def test_a_turn_that_writes_without_end_is_seen_by_the_transport(
    fake: FakeTransport, joining: JoiningTransport
) -> None:
    """It tells the writer to wait for a client that does not keep up, which it can only of what it has been given."""
    chunk = b"x" * 20_000
    for _ in range(10):
        joining.write(chunk)
    assert sum(map(len, fake.told)) > 100_000
    await end_of_turn()
    assert b"".join(cast(list[bytes], fake.told)) == chunk * 10


def test_in_everything_else_it_is_the_transport(fake: FakeTransport, joining: JoiningTransport) -> None:
    """Except that it names its ends as uvicorn wants them, and has no socket to make names from."""
    joining.pause_reading()
    assert fake.told == ["pause"]
    assert joining.get_extra_info("socket") is None
    assert joining.get_extra_info("peername") == ("::1", 50000)
    assert joining.get_extra_info("unheard of", "default") == "default"
