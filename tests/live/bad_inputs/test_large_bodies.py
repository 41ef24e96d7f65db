"""Bodies and trailers that are too large: none is kept."""

import asyncio
import gzip
from contextlib import AsyncExitStack

import pytest

from progress_sse.api.routes import ROUTES
from tests.harness.http1 import Connection, request_bytes
from tests.harness.serving import Server, Worker, session_path
from tests.live.asgi_hosts import serve_only
from tests.live.bad_inputs.requests import UPDATE_HEADERS, unaffected_reader

LIMIT = 262_144
"""The default of `max_body_bytes`."""

BOMB = gzip.compress(bytes(10 * 2**20))


def padded(size: int) -> bytes:
    """A valid update of `size` bytes."""
    return b'{"action":"complete","step":1}'.ljust(size)


def in_chunks(size: int) -> bytes:
    """The same update in chunks of 4 KB."""
    body = padded(size)
    parts = [body[at : at + 4096] for at in range(0, size, 4096)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


TOO_LARGE: dict[str, tuple[list[tuple[str, str]], bytes, int]] = {
    "one byte over": ([("Content-Length", str(LIMIT + 1))], padded(LIMIT + 1), 413),
    "one byte over, in chunks": ([("Transfer-Encoding", "chunked")], in_chunks(LIMIT + 1), 413),
    "ten times over, in chunks": ([("Transfer-Encoding", "chunked")], in_chunks(10 * LIMIT), 413),
    "10 GB announced": ([("Content-Length", str(10**10))], b"", 413),
    "10 GB announced and begun": ([("Content-Length", str(10**10))], padded(4 * LIMIT), 413),
    "a bomb": ([("Content-Encoding", "gzip"), ("Content-Length", str(len(BOMB)))], BOMB, 415),
    "a bomb in chunks": ([("Transfer-Encoding", "gzip, chunked")], b"%x\r\n%b\r\n0\r\n\r\n" % (len(BOMB), BOMB), 400),
}
"""Bodies that are too large, with headers that say so or not, and the status of the refusal."""


@serve_only  # Other servers refuse large bodies in ways of their own.
@pytest.mark.parametrize("name", TOO_LARGE)
async def test_a_body_that_is_too_large_is_refused_and_not_kept(server: Server, sid: str, name: str) -> None:
    """SE-03: 30 at once leave no memory behind; each gets an answer, and is closed if it keeps sending."""
    headers, body, status = TOO_LARGE[name]
    request = request_bytes("POST", session_path(sid, "update"), [*UPDATE_HEADERS, *headers]) + body

    async def send() -> bytes:
        async with await Connection.open(server.port) as connection, asyncio.timeout(10):
            connection.writer.write(request)
            if status == 415:  # The connection stays usable.
                return await connection.reader.readuntil(b"\r\n\r\n")
            return await connection.rest()

    async def send_many() -> list[bytes]:
        return await asyncio.gather(*(send() for _ in range(30)))

    async def growth() -> int:
        memory_bytes = server.memory_bytes()
        answers.extend(await send_many())
        return server.memory_bytes() - memory_bytes

    answers: list[bytes] = []
    async with unaffected_reader(server, sid):
        # The allocator keeps room for as many as there were at the same time. In the end the bodies fit into it, unless
        # they are kept: then each round adds all 30.
        assert any([await growth() <= 5 * 2**20 for _ in range(4)][1:])
    for answer in answers:
        assert answer == b"" or answer.startswith(b"HTTP/1.1 %d " % status)
    assert any(answers)


@serve_only
@pytest.mark.protocol("P-2.3")
@pytest.mark.guarantee(79)
@pytest.mark.parametrize(
    ("header", "body", "is_refused"),
    [
        (("Content-Length", "300000"), b"", True),
        (("Transfer-Encoding", "chunked"), in_chunks(LIMIT + 1).removesuffix(b"0\r\n\r\n"), True),
        (("Transfer-Encoding", "chunked"), in_chunks(100), False),
    ],
    ids=["300 KB", "endless", "small"],
)
async def test_a_body_that_is_too_large_is_refused_by_each_route(
    server: Server, sid: str, header: tuple[str, str], body: bytes, is_refused: bool
) -> None:
    """Also by those that take none, before they do anything; they pass over a small one."""
    async with Worker.at(server) as worker:
        await worker.start(sid, 1)
        for route in ROUTES:
            path = route.path.format(session_id=sid, profile="p", file="tracker.js", hook="h", subscription_id="i")
            async with await Connection.open(server.port) as connection, asyncio.timeout(10):
                connection.writer.write(request_bytes(route.method, path, [*UPDATE_HEADERS, header]) + body)
                answer = await connection.reader.readuntil(b" ") + await connection.reader.readuntil(b" ")
            assert (answer == b"HTTP/1.1 413 ") == is_refused, (route.operation_id, answer)
        assert (await worker.poll(sid))["status"] == ("running" if is_refused else "not_found")


@serve_only  # The server reads them.
@pytest.mark.parametrize("method", ["POST", "GET"], ids=["update", "stream"])
async def test_trailers_take_no_memory(server: Server, sid: str, method: str) -> None:
    """SE-03: trailers take no memory on a reused connection, nor during the stream that their request opened."""
    path = session_path(sid, "update" if method == "POST" else "events")
    body = b'{"action":"start","step":1}' if method == "POST" else b"{}"
    headers = [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")]
    request = request_bytes(method, path, headers) + b"%x\r\n%b\r\n0\r\n" % (len(body), body) + b"ab:\r\n" * 90_000
    async with AsyncExitStack() as connections:
        opened = [await connections.enter_async_context(await Connection.open(server.port)) for _ in range(10)]
        memory_bytes = server.memory_bytes()
        for connection in opened:
            connection.writer.write(request + b"\r\n")
            await connection.writer.drain()
        for connection in opened:
            assert (await connection.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            for _ in range(2 if method == "GET" else 0):  # By the second heartbeat all of it has been read.
                await connection.reader.readuntil(b"\n:")
        assert server.memory_bytes() - memory_bytes <= 5 * 2**20


async def test_the_largest_body_fits(server: Server, sid: str) -> None:
    """SE-03: a body of exactly the maximum size is accepted, as one piece and in chunks."""
    async with Worker.at(server) as worker:
        await worker.start(sid, 1)
    lengths = ([("Content-Length", str(LIMIT))], padded(LIMIT)), ([("Transfer-Encoding", "chunked")], in_chunks(LIMIT))
    for headers, body in lengths:
        request = request_bytes("POST", session_path(sid, "update"), [*UPDATE_HEADERS, *headers]) + body
        async with await Connection.open(server.port) as connection:
            assert (await connection.exchange(request, "POST")).status == 200
