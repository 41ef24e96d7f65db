"""A TCP proxy that misbehaves on purpose, one connection at a time.

A mode determines what happens to the bytes from server to client; the other direction passes (except under `Blackhole`,
where nothing moves, and under `Answer`). Each new connection takes the next of `modes`, and all further connections
the last one.

Of HTTP it knows one thing: a browser sends each request in one piece, and only after the previous one was answered.
"""

import asyncio
import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

from tests.harness.http1 import HOST
from tests.harness.rawsse import linger_zero


@dataclass(frozen=True, slots=True)
class Pass:
    """All bytes pass unchanged."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes leave `size` at a time, each in a segment of its own, `delay_s` apart."""

    size: int = 1
    delay_s: float = 0


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most `bytes_per_s` leave."""

    bytes_per_s: int


@dataclass(frozen=True, slots=True)
class Delay:
    """Each byte leaves `delay_s` after its arrival; bytes still held when the mode changes leave at once."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Blackhole:
    """After `after` bytes nothing moves, and both sockets stay open, until the link gets another mode."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """After `after` bytes both sockets are closed in good order (FIN)."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Reset:
    """After `after` bytes both sockets are reset (RST)."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class HalfClose:
    """After `after` bytes the client gets a FIN, and may continue to send."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A request whose target contains `part` never reaches the server: it gets `response`, and then the end.

    Without a response it gets silence, until the client gives up.
    """

    part: str
    response: bytes = b""


Mode = Pass | Slice | Throttle | Delay | Blackhole | Cut | Reset | HalfClose | Answer

_PIECES_PER_TURN = 64
_REQUEST = re.compile(rb"[A-Z]+ (\S+) HTTP/1\.[01]\r\n")


class Request(NamedTuple):
    """A request of a client, with its time on the event loop's clock."""

    t: float
    target: str


class Link:
    """One connection through the proxy: the bytes that it carried, and its mode."""

    def __init__(self, mode: Mode, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.sent = 0
        self.requests = bytearray()
        self.asked: list[Request] = []
        self._mode = mode
        self._client = client
        self._server = server
        self._changed = asyncio.Event()
        self._late: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()

    @property
    def is_open(self) -> bool:
        return not self._client.is_closing()

    @property
    def mode(self) -> Mode:
        """The present mode; may be changed while the connection is open."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        self._changed.set()

    def close(self) -> None:
        self._client.close()
        self._server.close()

    def reset(self) -> None:
        for writer in (self._client, self._server):
            linger_zero(writer.transport)
            writer.transport.abort()

    def half_close(self) -> None:
        """Send the client a FIN."""
        if self._client.can_write_eof():
            self._client.write_eof()

    async def carry_down(self, source: asyncio.StreamReader) -> None:
        """Forward bytes from the server, until it ends or the mode ends the connection."""
        while self.is_open:
            await self._leave_blackhole()
            data = await source.read(65536)
            await self._leave_blackhole()
            if not data:
                await self._late.join()
                self.close()
            elif await self._forward(data):
                break
        self._late.put_nowait(None)

    async def carry_late(self) -> None:
        while (entry := await self._late.get()) is not None:
            due, data = entry
            await self._be_late(due)
            await self._send(data)
            self._late.task_done()

    async def carry_up(self, source: asyncio.StreamReader) -> None:
        data = b"-"
        while data:
            data = await source.read(65536)
            self.requests += data
            if not self._is_for_the_server(data):
                continue
            await self._leave_blackhole()
            self._server.write(data)
            await self._server.drain()
        if not self._server.is_closing():
            self._server.write_eof()

    def _is_for_the_server(self, data: bytes) -> bool:
        """Record a request, and answer it here if the mode says so."""
        if (request := _REQUEST.match(data)) is None:
            return True
        self.asked.append(Request(asyncio.get_running_loop().time(), request[1].decode("latin-1")))
        match self._mode:
            case Answer(part, response) if part in self.asked[-1].target:
                if response:
                    self._client.write(response)
                    self.close()
                return False
        return True

    async def _forward(self, data: bytes) -> bool:
        """Forward bytes as the mode says; return true if those were the last ones."""
        while data:
            if isinstance(self._mode, Delay):
                self._late.put_nowait((asyncio.get_running_loop().time() + self._mode.delay_s, data))
                return False
            await self._late.join()
            match self._mode:
                case Pass() | Answer():
                    await self._send(data)
                    return False
                case Slice(size, delay_s):
                    data = await self._send_sliced(data, size, delay_s)
                case Throttle(bytes_per_s):
                    piece, data = data[: max(1, bytes_per_s // 20)], data[max(1, bytes_per_s // 20) :]
                    await self._send(piece)
                    await asyncio.sleep(len(piece) / bytes_per_s)
                case Blackhole(after):
                    data = await self._send_up_to(after, data)
                    await self._leave_blackhole()
                case Cut(after) | Reset(after) | HalfClose(after):
                    data = await self._send_up_to(after, data)
                    if self.sent >= after:
                        self._finish()
                        return True
        return False

    def _finish(self) -> None:
        match self._mode:
            case Reset():
                self.reset()
            case HalfClose():
                self.half_close()
            case _:
                self.close()

    async def _send_sliced(self, data: bytes, size: int, delay_s: float) -> bytes:
        """Send a few pieces, and return the rest: the mode may have changed meanwhile."""
        pieces = 1 if delay_s else _PIECES_PER_TURN
        for start in range(0, min(len(data), pieces * size), size):
            await self._send(data[start : start + size])
        await asyncio.sleep(delay_s)
        return data[pieces * size :]

    async def _send_up_to(self, limit: int, data: bytes) -> bytes:
        allowed = max(0, limit - self.sent)
        await self._send(data[:allowed])
        return data[allowed:]

    async def _send(self, data: bytes) -> None:
        self.sent += len(data)
        self._client.write(data)
        await self._client.drain()

    async def _leave_blackhole(self) -> None:
        while isinstance(self._mode, Blackhole) and self.sent >= self._mode.after:
            self._changed.clear()
            await self._changed.wait()

    async def _be_late(self, due: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                while isinstance(self._mode, Delay):
                    self._changed.clear()
                    await self._changed.wait()


class ChaosProxy:
    """A proxy on a port of its own in front of a server on the loopback interface."""

    def __init__(self, target_port: int, modes: Iterable[Mode] = (Pass(),)) -> None:
        """Make a proxy; it listens once entered as a context manager."""
        self.port = 0
        self.links: list[Link] = []
        self._target_port = target_port
        self._modes = iter(modes)
        self._mode: Mode = Pass()
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, *modes: Mode) -> None:
        """Set the modes of the next connections; all further ones take the last mode."""
        self._modes = iter(modes)

    def switch(self, mode: Mode) -> None:
        self.use(mode)
        for link in self.links:
            link.mode = mode

    def cut(self) -> None:
        """Close every open connection in good order; new ones are accepted as before."""
        for link in self.links:
            link.close()

    def asked(self, part: str = "") -> list[Request]:
        """Each request so far whose target contains `part`, oldest first."""
        return sorted(request for link in self.links for request in link.asked if part in request.target)

    def busy_with(self, part: str) -> int:
        """The number of open connections whose last request had a target that contains `part`."""
        return sum(link.is_open and bool(link.asked) and part in link.asked[-1].target for link in self.links)

    async def listen(self) -> None:
        """Accept connections, on the same port as before if there was one."""
        self._listener = await asyncio.start_server(self._accept, HOST, self.port, backlog=4096)
        self.port = self._listener.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse new connections until `listen` is called; open ones continue."""
        if self._listener is not None:
            self._listener.close()
        self._listener = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._mode = next(self._modes, self._mode)
        task = asyncio.get_running_loop().create_task(self._serve(self._mode, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, mode: Mode, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(HOST, self._target_port)
        except OSError:
            linger_zero(writer.transport)
            writer.transport.abort()
            return
        link = Link(mode, writer, upstream_writer)
        self.links.append(link)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(link.carry_down(upstream_reader))
                group.create_task(link.carry_late())
                group.create_task(link.carry_up(reader))
        except* OSError:
            pass  # One side has closed, so the link closes.
        finally:
            link.close()

    async def aclose(self) -> None:
        self.refuse()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
