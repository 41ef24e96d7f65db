"""Heads of requests that are too large are refused."""

import itertools
import re
from collections.abc import Sequence
from typing import Any

import pytest

from progress_sse.server.connection_limits import MAX_HEAD_BYTES
from tests.harness.rawsse import RawStream
from tests.harness.serving import Server, Worker, events_path
from tests.live.asgi_hosts import serve_only
from tests.live.connections.raw_requests import HEAD, POST, assert_refused, raw_connection

pytestmark = serve_only  # All limits here are those of our own server.


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    return {"is_forked": False}


HUGE_HEADS: dict[str, tuple[Sequence[int], bytes]] = {
    "10 MB in one field": ((431,), HEAD + b"X: " + b"x" * 10_000_000 + b"\r\n\r\n"),
    "10 MB in many fields": ((431,), HEAD + b"X: 1234567\r\n" * 900_000 + b"\r\n"),
    "10000 fields": ((431,), HEAD + b"X: 1\r\n" * 10_000 + b"\r\n"),
    "101 fields": ((431,), HEAD + b"X: 1\r\n" * 100 + b"\r\n"),
    "a URL of 64 KiB": ((414,), b"GET /" + b"x" * 65_536 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a URL of 33 KiB": ((414,), b"GET /" + b"x" * 33_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a method of 1 MB": ((400,), b"G" * 1_000_000),
    "empty lines without end": ((431,), b"\r\n" * 500_000),
    "a trailer of 10 MB": (
        (413,),
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX: " + b"x" * 10_000_000,
    ),
    "10 MB of chunk extensions": (
        (413,),
        POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 10_000_000,
    ),
}


@pytest.mark.protocol("P-2.10")
async def test_heads_that_are_too_large_are_refused_and_harm_no_others(server: Server) -> None:
    """SE-03: each is refused or its connection closed; none is kept, and a reader's stream is not affected."""
    async with Worker.at(server) as worker, await RawStream.open(server.port, events_path("s")) as control:
        await control.next_event()
        await worker.start("s", 1)
        await control.next_events(2)
        memory_bytes = server.memory_bytes()
        for name, (statuses, sent) in HUGE_HEADS.items():
            async with raw_connection(server.port, sent) as opened:
                received = await opened.rest()
            if received:  # A client that still sends may lose the response to a reset [RFC 9112 §9.6].
                assert_refused(received, *statuses)
            assert len(sent) > 70_000 or received, name
        assert server.memory_bytes() - memory_bytes <= 5 * 2**20
        await worker.complete("s", 1)
        await control.next_event()
    assert "Traceback" not in server.log()


def head_of(size: int, fields: int = 2) -> bytes:
    """The head of a request of `size` bytes, in lines without white space."""
    start, share = b"GET /livez HTTP/1.1\r\nHost:x\r\n", size // fields
    padding = b"X:%b\r\n" % (b"x" * (share - 4)) * (fields - 1)
    return start + padding + b"X:%b\r\n\r\n" % (b"x" * (size - len(start + padding) - 6))


async def test_a_head_is_refused_from_one_byte_too_many(server: Server) -> None:
    """SE-03: the limit is exact, however the head is cut into pieces, and whatever requests came before it."""
    sizes, cuts = (MAX_HEAD_BYTES, MAX_HEAD_BYTES + 1, 2 * MAX_HEAD_BYTES - 1), (0, 1000, MAX_HEAD_BYTES // 2)
    for size, fields, cut, before in itertools.product(sizes, (1, 90), cuts, (b"", 3 * head_of(60_000))):
        head, answered = head_of(size, fields), before.count(b"GET ")
        assert len(head) == size
        async with raw_connection(server.port, before + head[:cut]) as opened:
            await opened.writer.drain()
            opened.writer.write(head[cut:] + HEAD + b"Connection: close\r\n\r\n")
            statuses = re.findall(rb"HTTP/1.1 (\d+) ", await opened.rest())
        assert statuses[:answered] == [b"200"] * answered, (size, fields, cut, answered)
        # A refusal is lost where other responses have to come first, and where the client still sends.
        ends = [[b"200", b"200"]] if size <= MAX_HEAD_BYTES else [[b"431"], []]
        assert statuses[answered:] in ends, (size, fields, cut, answered)


async def test_a_request_of_a_hundred_fields_is_answered(server: Server) -> None:
    """SE-03, the other side: a head just below the limit is accepted."""
    async with raw_connection(server.port, b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X: 1\r\n" * 99 + b"\r\n") as full:
        assert (await full.reader.readline()).startswith(b"HTTP/1.1 200")
    async with raw_connection(server.port, b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"x" * 32_767)) as full:
        assert (await full.reader.readline()).startswith(b"HTTP/1.1 404")
