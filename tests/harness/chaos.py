"""A TCP proxy that misbehaves on purpose, one connection at a time.

A mode says what happens to the bytes on their way from server to client; the other way they pass (save under
`Blackhole`, where nothing moves). Each new connection takes the next of `modes`, and the last one for ever after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from tests.harness.http1 import HOST
from tests.harness.rawsse import linger_zero


@dataclass(frozen=True, slots=True)
class Pass:
    """Everything goes through unchanged."""


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
    """After `after` bytes the client is told that no more comes, and may go on sending."""

    after: int = 0


Mode = Pass | Slice | Throttle | Blackhole | Cut | Reset | HalfClose

_PIECES_PER_TURN = 64


class Link:
    """One connection through the proxy: what it carried, and what happens to it."""

    def __init__(self, mode: Mode, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        """Join two open connections."""
        self.sent = 0
        self.requests = bytearray()
        self._mode = mode
        self._client = client
        self._server = server
        self._changed = asyncio.Event()

    @property
    def mode(self) -> Mode:
        """What happens to the bytes; may be changed while the connection is open."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        self._changed.set()

    def close(self) -> None:
        """Close both sockets in good order."""
        self._client.close()
        self._server.close()

    def reset(self) -> None:
        """Close both sockets with a reset."""
        for writer in (self._client, self._server):
            linger_zero(writer.transport)
            writer.transport.abort()

    def half_close(self) -> None:
        """Tell the client that no more comes."""
        if self._client.can_write_eof():
            self._client.write_eof()

    async def carry_down(self, source: asyncio.StreamReader) -> None:
        """Carry what the server sends, until it ends or the mode says so."""
        while not self._client.is_closing():
            await self._leave_blackhole()
            data = await source.read(65536)
            await self._leave_blackhole()
            if not data:
                self.close()
                return
            if await self._forward(data):
                return

    async def carry_up(self, source: asyncio.StreamReader) -> None:
        """Carry what the client sends, until it ends."""
        data = b"-"
        while data:
            data = await source.read(65536)
            await self._leave_blackhole()
            self.requests += data
            self._server.write(data)
            await self._server.drain()
        self._server.write_eof()

    async def _forward(self, data: bytes) -> bool:
        """Send bytes as the mode says; true if that was the last of them."""
        while data:
            match self._mode:
                case Pass():
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
        """Send a few pieces, and give what is left: the mode may have changed meanwhile."""
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
        """Let the next connections take these modes, and the last one for ever after."""
        self._modes = iter(modes)

    async def listen(self) -> None:
        """Accept connections, on the same port as before if there was one."""
        self._listener = await asyncio.start_server(self._accept, HOST, self.port, backlog=4096)
        self.port = self._listener.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse new connections until `listen` is called; open ones go on."""
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
                group.create_task(link.carry_up(reader))
        except* OSError:
            pass  # One side went away: so does the link.
        finally:
            link.close()

    async def aclose(self) -> None:
        """Stop listening, and close every connection."""
        self.refuse()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
