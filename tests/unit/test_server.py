"""What our server writes to a connection, and in how many writes."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from progress_sse.server import JoiningTransport

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class FakeTransport:
    """A transport that notes what it is told to do."""

    def __init__(self) -> None:
        self.told: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

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
    return JoiningTransport(cast(asyncio.Transport, fake))


def test_a_head_goes_out_with_the_body(fake: FakeTransport, joining: JoiningTransport) -> None:
    """One write for a short response, whatever the body looks like; what comes after it waits for nothing."""
    for body in (b"ok", b"HTTP/1.1 is what this body is about", b""):
        joining.write(HEAD)
        assert fake.told == []
        joining.write(body)
        joining.write(b"more")
        assert fake.told == [HEAD + body, b"more"]
        fake.told.clear()


def test_an_interim_response_is_no_head(fake: FakeTransport, joining: JoiningTransport) -> None:
    """The client waits for it before it sends its body."""
    joining.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert fake.told == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_a_head_without_a_body_is_not_kept_for_ever(fake: FakeTransport, joining: JoiningTransport) -> None:
    """At the end of the response, or of the connection."""
    joining.write(HEAD)
    joining.flush()
    joining.flush()
    assert fake.told == [HEAD]
    joining.write(HEAD)
    joining.close()
    assert fake.told == [HEAD, HEAD, "close"]


def test_in_everything_else_it_is_the_transport(fake: FakeTransport, joining: JoiningTransport) -> None:
    """Except that it names its ends as uvicorn wants them, and has no socket to make names from."""
    joining.pause_reading()
    assert fake.told == ["pause"]
    assert joining.get_extra_info("socket") is None
    assert joining.get_extra_info("peername") == ("::1", 50000)
    assert joining.get_extra_info("unheard of", "default") == "default"
