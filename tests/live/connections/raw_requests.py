"""Connections to which a test writes its requests as bytes, slowly or all at once, and whose responses wait."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import Self

from tests.harness.http1 import HOST, Connection, ResponseDecoder, request_bytes
from tests.harness.rawsse import unconnected_socket
from tests.harness.serving import Server, Worker, session_path

UPDATE = session_path("s", "update")
SMALL_WINDOW = 4096


class RawConnection(Connection):
    """A connection whose receive buffer may be small, and that may send at a slow pace."""

    @classmethod
    async def open(cls, port: int, rcvbuf: int | None = None) -> Self:
        sock = unconnected_socket(rcvbuf)
        await asyncio.get_running_loop().sock_connect(sock, (HOST, port))
        # The receive buffer is as small as those on the way.
        return cls(*await asyncio.open_connection(sock=sock, limit=256 if rcvbuf else 65_536))

    @property
    def port(self) -> int:
        port: int = self.writer.get_extra_info("sockname")[1]
        return port

    def trickle(self, parts: Iterable[bytes]) -> asyncio.Task[None]:
        """Send one part after the other, slowly, until the server closes."""

        async def send() -> None:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    self.writer.write(part)
                    await self.writer.drain()
                    await asyncio.sleep(0.1)  # The pace of this client.

        return asyncio.create_task(send())


@contextlib.asynccontextmanager
async def raw_connection(port: int, sent: bytes = b"", rcvbuf: int | None = None) -> AsyncIterator[RawConnection]:
    """A connection on which some bytes are sent at once; it is aborted at the end of the block."""
    opened = await RawConnection.open(port, rcvbuf)
    opened.writer.write(sent)
    try:
        yield opened
    finally:
        opened.writer.transport.abort()


def assert_refused(received: bytes, *statuses: int) -> None:
    """Check that there is one problem, after which the connection is closed."""
    decoder = ResponseDecoder()
    problem = json.loads(decoder.feed(received))
    assert decoder.head is not None
    assert decoder.head.status in statuses
    assert decoder.head.get("content-type") == "application/problem+json"
    assert decoder.head.get("connection") == "close"
    assert problem["status"] == decoder.head.status
    assert problem["success"] is False


HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
START = {"action": "start", "step": 1}
POST = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % UPDATE.encode()


@contextlib.asynccontextmanager
async def unread_responses(server: Server, count: int) -> AsyncIterator[list[RawConnection]]:
    """`count` connections that have requested a response of 240 KB and read none of it."""
    async with Worker.at(server) as worker:
        await worker.create("s", steps=[{"name": "大" * 8000}] * 10)
    async with contextlib.AsyncExitStack() as stack:
        ask = request_bytes("GET", session_path("s"))
        yield [await stack.enter_async_context(raw_connection(server.port, ask, SMALL_WINDOW)) for _ in range(count)]
