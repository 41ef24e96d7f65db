"""A strict event-stream client over a raw socket.

`RawStream` feeds the parser of `event_stream` from a socket, and keeps a log.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import NamedTuple, Self

from tests.harness.event_stream import Block, EventStreamParser
from tests.harness.http1 import HOST, Head, Headers, ResponseDecoder, request_bytes
from tests.harness.presence import present


class Received(NamedTuple):
    """A block, and when its last byte came (seconds of the event loop's clock)."""

    t: float
    block: Block


class StreamEndedError(Exception):
    """Raised when a stream ended before the awaited condition held."""


class RawStream(asyncio.Protocol):
    """One open stream: it reads by itself and keeps a log, and a test can wait for conditions on it.

    `events` are the blocks for which an EventSource fires an event; `log` has all blocks, each with its time. `wire`
    holds every byte received, head and chunk sizes included, `body` those of the body. `ending` is `None` while it is
    open, then `"end"` (a proper last chunk), `"eof"` (closed without one), `"reset"`, or `"broken"` (not HTTP or not an
    event stream: see `error`).
    """

    def __init__(self) -> None:
        """Make an unconnected stream; use `open` instead."""
        self.log: list[Received] = []
        self.events: list[Block] = []
        self.wire = bytearray()
        self.body = bytearray()
        self.ending: str | None = None
        self.error: Exception | None = None
        self._decoder = ResponseDecoder()
        self._parser = EventStreamParser()
        self._transport: asyncio.Transport | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self._lost: asyncio.Future[None] | None = None
        self._cursor = 0

    @classmethod
    async def open(
        cls,
        port: int,
        target: str,
        headers: Headers = (),
        *,
        last_event_id: str | None = None,
        rcvbuf: int | None = None,
        request: bytes | None = None,
    ) -> Self:
        """Connect, send the request, and return at once; `request` replaces the bytes to send."""
        loop = asyncio.get_running_loop()
        sock = unconnected_socket(rcvbuf)
        try:
            await loop.sock_connect(sock, (HOST, port))
        except BaseException:
            sock.close()
            raise
        transport, stream = await loop.create_connection(cls, sock=sock)
        extra = [("Last-Event-ID", last_event_id)] if last_event_id is not None else []
        accept = [("Accept", "text/event-stream")]
        transport.write(request or request_bytes("GET", target, [*accept, *headers, *extra]))
        return stream

    # The log

    @property
    def head(self) -> Head:
        """Status and headers; available once they have arrived (`await received_head()`)."""
        assert self._decoder.head is not None, "no head yet"
        return self._decoder.head

    @property
    def status(self) -> int:
        """The status code; available once the head has arrived."""
        return self.head.status

    @property
    def comments(self) -> list[Received]:
        return [received for received in self.log if received.block.comment is not None]

    @property
    def retries(self) -> list[int]:
        """Each `retry` in milliseconds, in order."""
        return self._parser.retries

    @property
    def last_event_id(self) -> str:
        """The id that an EventSource would send on a reconnect."""
        return self._parser.last_event_id

    @property
    def pending(self) -> bytes:
        """The bytes of an unfinished block."""
        return self._parser.pending

    @property
    def local_port(self) -> int:
        port: int = present(self._transport).get_extra_info("sockname")[1]
        return port

    # Waiting

    async def wait_until(self, condition: Callable[[Self], bool], timeout_s: float = 30) -> None:
        """Wait until a condition on the stream holds.

        Raises:
            StreamEndedError: The stream ended first.
            TimeoutError: Neither happened in time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not condition(self):
            if self.ending is not None:
                raise StreamEndedError(f"{self.ending} ({self.error!r}) after {self.summary()}")
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.add(waiter)
            handle = loop.call_at(deadline, _time_out, waiter, self)
            try:
                await waiter
            finally:
                handle.cancel()
                self._waiters.discard(waiter)

    async def received_head(self, timeout_s: float = 30) -> Head:
        await self.wait_until(lambda _: self._decoder.head is not None, timeout_s)
        return self.head

    async def next_event(self, timeout_s: float = 30) -> Block:
        """Wait for the next event, and return it; each call returns another one."""
        return (await self.next_events(1, timeout_s))[0]

    async def next_events(self, count: int, timeout_s: float = 30) -> list[Block]:
        """Wait for the next `count` events, and return them."""
        wanted = self._cursor + count
        await self.wait_until(lambda stream: len(stream.events) >= wanted, timeout_s)
        taken = self.events[self._cursor : wanted]
        self._cursor = wanted
        return taken

    async def closed(self, timeout_s: float = 30) -> str:
        """Wait for the end of the stream, and return its kind; the connection may outlive it."""
        await self.wait_until(lambda stream: stream.ending is not None, timeout_s)
        return present(self.ending)

    # Acting

    def send(self, data: bytes) -> None:
        present(self._transport).write(data)

    def pause(self) -> None:
        """Stop reading: further bytes fill the kernel's buffer, then the server's."""
        present(self._transport).pause_reading()

    def resume(self) -> None:
        present(self._transport).resume_reading()

    async def aclose(self) -> None:
        assert self._transport is not None
        assert self._lost is not None
        self._transport.close()
        await self._lost

    def half_close(self) -> None:
        """Send a FIN, and continue to read."""
        present(self._transport).write_eof()

    async def abort(self) -> None:
        """Close the connection with a reset (RST), and wait until it is gone."""
        assert self._transport is not None
        assert self._lost is not None
        if not self._lost.done():
            linger_zero(self._transport)
        self._transport.abort()
        await self._lost

    async def __aenter__(self) -> Self:
        """Return the stream; it is closed at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._lost = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self.wire += data
        try:
            self._take(data, now)
        except Exception as error:  # noqa: BLE001 - any fault of the stream fails the waiting test
            self.error, self.ending = error, "broken"
            present(self._transport).abort()
        self._wake()

    def _take(self, data: bytes, now: float) -> None:
        body = self._decoder.feed(data)
        self.body += body
        if body and (self.head.get("content-type") or "").startswith("text/event-stream"):
            self._log(self._parser.feed(body), now)
        if self._decoder.complete:
            self.ending = "end"

    def _log(self, blocks: list[Block], now: float) -> None:
        self.log += [Received(now, block) for block in blocks]
        self.events += [block for block in blocks if block.data is not None]

    def connection_lost(self, exc: Exception | None) -> None:
        self._decoder.feed_eof()
        if self.ending is None:
            self.ending = "end" if self._decoder.complete else "reset" if exc else "eof"
        assert self._lost is not None
        if not self._lost.done():
            self._lost.set_result(None)
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def summary(self) -> str:
        last = [f"{block.event}#{block.id}" for block in self.events[-5:]]
        head = self._decoder.head
        return f"status {head and head.status}, {len(self.events)} events, the last ones {last}"


def _time_out(waiter: asyncio.Future[None], stream: RawStream) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError(f"waited in vain after {stream.summary()}"))


def unconnected_socket(rcvbuf: int | None = None) -> socket.socket:
    """A non-blocking socket, not yet connected: its receive buffer must be set first, to limit the window."""
    sock = socket.socket()
    sock.setblocking(False)
    if rcvbuf is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    return sock


async def received_through(sock: socket.socket, mark: bytes) -> bytes:
    """The bytes of a connection up to a mark, and few after it."""
    received = b""
    while mark not in received:
        more = await asyncio.get_running_loop().sock_recv(sock, 256)
        assert more, received
        received += more
    return received


def linger_zero(transport: asyncio.BaseTransport) -> None:
    """Make closing the connection a reset, unless it is closed already."""
    sock = transport.get_extra_info("socket")
    if sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
