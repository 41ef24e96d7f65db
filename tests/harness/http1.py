"""HTTP/1.1 by hand: requests as bytes, responses decoded by pure state machines.

Nothing here follows a redirect, retries, pools or guesses: a test sees exactly the server's bytes on the wire.
The decoders do no I/O, and give the same result however the bytes were split.
"""

import asyncio
import contextlib
import fcntl
import itertools
import json
import random
import re
import socket
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

HOST = "127.0.0.1"

Headers = Iterable[tuple[str, str]]


class WireError(Exception):
    """Raised when the peer sent something that is not HTTP/1.1."""


def request_bytes(
    method: str,
    target: str,
    headers: Headers = (),
    body: bytes | None = None,
    *,
    host: str = HOST,
    version: str = "HTTP/1.1",
) -> bytes:
    """One request, exactly as it will be sent; a `Host` is added, and a `Content-Length` where there is a body.

    Header values are encoded as UTF-8, which for ASCII is what the standard requires, and otherwise what browsers send.
    """
    lines = [f"{method} {target} {version}", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


@dataclass(frozen=True, slots=True)
class Head:
    """Status line and headers of a response; header names in lower case, in the order sent."""

    version: str
    status: int
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The value of a header sent once; `None` where it is absent.

        Raises:
            WireError: The header was sent more than once.
        """
        values = self.all(name)
        if len(values) > 1:
            raise WireError(f"{name} sent {len(values)} times: {values}")
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """Every value of a header, in the order sent."""
        return [value for key, value in self.headers if key == name.lower()]

    def without_date(self) -> list[tuple[str, str]]:
        """All headers but the time, in the order sent."""
        return [(name, value) for name, value in self.headers if name != "date"]


def parse_head(raw: bytes) -> Head:
    """Read a status line and headers, without the empty line that ends them.

    Raises:
        WireError: It is not an HTTP/1.x head: a bare CR or LF, a folded header, a line without a colon.
    """
    status_line, *lines = raw.split(b"\r\n")
    if not re.fullmatch(rb"HTTP/1\.[01] [1-5][0-9]{2}( [^\r\n]*)?", status_line):
        raise WireError(f"no status line: {status_line!r}")
    version, status = status_line.split(b" ", 2)[:2]
    return Head(version.decode(), int(status), tuple(_parse_header(line) for line in lines))


def _parse_header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip() or b"\r" in line or b"\n" in line:
        raise WireError(f"no header line: {line!r}")
    return name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")


class ChunkedDecoder:
    """Undo `Transfer-Encoding: chunked`; `finished` once the last chunk and its trailers were read."""

    def __init__(self) -> None:
        self.finished = False
        self._buffer = bytearray()
        self._left: int | None = None

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the wire, and return the bytes of the body that they complete.

        Raises:
            WireError: The framing is broken, or something follows the last chunk.
        """
        self._buffer += data
        body = bytearray()
        while self._buffer and self._step(body):
            pass
        return bytes(body)

    def _step(self, body: bytearray) -> bool:
        if self.finished:
            raise WireError(f"bytes after the last chunk: {bytes(self._buffer[:40])!r}")
        if self._left is None:
            return self._read_size()
        if self._left:
            return self._read_data(body)
        return self._read_delimiter()

    def _read_size(self) -> bool:
        line, found, rest = bytes(self._buffer).partition(b"\r\n")
        if not found:
            if len(line) > 100:
                raise WireError(f"no chunk size: {line[:40]!r}")
            return False
        digits = line.partition(b";")[0]
        if not digits or digits.strip(b"0123456789abcdefABCDEF"):
            raise WireError(f"no chunk size: {line!r}")
        self._left = int(digits, 16)
        self._buffer[:] = rest
        if self._left == 0:
            self._left = -1
        return True

    def _read_data(self, body: bytearray) -> bool:
        assert self._left is not None
        if self._left < 0:
            return self._read_trailer()
        taken = self._buffer[: self._left]
        del self._buffer[: len(taken)]
        body += taken
        self._left -= len(taken)
        return True

    def _read_delimiter(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise WireError(f"a chunk longer than its size: {bytes(self._buffer[:40])!r}")
        del self._buffer[:2]
        self._left = None
        return True

    def _read_trailer(self) -> bool:
        line, found, rest = bytes(self._buffer).partition(b"\r\n")
        if not found:
            return False
        self._buffer[:] = rest
        self.finished = not line
        return True


class ResponseDecoder:
    """Read one response: `interim` heads (1xx), `head`, then the body as it comes."""

    def __init__(self, method: str = "GET") -> None:
        """Begin before the status line of the response to a request of that method."""
        self.interim: list[Head] = []
        self.head: Head | None = None
        self.complete = False
        self._method = method
        self._buffer = bytearray()
        self._chunks: ChunkedDecoder | None = None
        self._left: int | None = None

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the wire, and return the bytes of the body that they complete.

        Raises:
            WireError: It is not HTTP/1.1, or continues after its end.
        """
        if self.head is not None:
            return self._feed_body(data)
        self._buffer += data
        while self.head is None:
            raw, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return b""
            self._buffer[:] = rest
            self._take_head(parse_head(raw))
        return self._feed_body(rest)

    def feed_eof(self) -> None:
        """Record that the peer closed: that ends a body without a length, and cuts any other short."""
        if self.head is not None and self._chunks is None and self._left is None:
            self.complete = True

    def _take_head(self, head: Head) -> None:
        if 100 <= head.status < 200:
            self.interim.append(head)
            return
        self.head = head
        length = head.get("content-length")
        if self._method == "HEAD" or head.status in (204, 304):
            self._left = 0
        elif head.get("transfer-encoding") == "chunked":
            self._chunks = ChunkedDecoder()
        elif length is not None:
            self._left = int(length)
        self.complete = self._left == 0

    def _feed_body(self, data: bytes) -> bytes:
        if self._chunks is not None:
            body = self._chunks.feed(data)
            self.complete = self._chunks.finished
            return body
        if self._left is None:
            return data
        if len(data) > self._left:
            raise WireError(f"bytes after the body: {data[self._left :][:40]!r}")
        self._left -= len(data)
        self.complete = self._left == 0
        return data


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response; `interim` holds the 1xx responses before it."""

    head: Head
    body: bytes
    interim: tuple[Head, ...] = field(default=())

    @property
    def status(self) -> int:
        return self.head.status

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One TCP connection that carries one request after the other; it is never reopened."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection(HOST, port))

    async def exchange(self, request: bytes, method: str = "GET", *, timeout_s: float = 30) -> Response:
        """Send bytes, and read one response to its end.

        Raises:
            TimeoutError: It did not end in time.
            WireError: It is not HTTP/1.1, or the peer closed in the middle of it.
        """
        self.writer.write(request)
        async with asyncio.timeout(timeout_s):
            return await self._read(ResponseDecoder(method))

    async def request(self, method: str, target: str, headers: Headers = (), body: bytes | None = None) -> Response:
        return await self.exchange(request_bytes(method, target, headers, body), method)

    async def post_json(self, target: str, payload: object, headers: Headers = ()) -> Response:
        body = json.dumps(payload, ensure_ascii=False).encode()
        return await self.request("POST", target, [("Content-Type", "application/json"), *headers], body)

    async def rest(self, timeout_s: float = 30) -> bytes:
        """Everything until the server closes; a reset, which a client that still sends may get, is an end too."""
        received = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(timeout_s):
                while data := await self.reader.read(65_536):
                    received += data
        return received

    async def _read(self, decoder: ResponseDecoder) -> Response:
        body = bytearray()
        while not decoder.complete:
            data = await self.reader.read(65536)
            if data:
                body += decoder.feed(data)
                continue
            decoder.feed_eof()
            if not decoder.complete:
                raise WireError("the peer closed before the end of its response")
        assert decoder.head is not None
        return Response(decoder.head, bytes(body), tuple(decoder.interim))

    async def aclose(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):  # The peer has closed already.
            await self.writer.wait_closed()

    async def __aenter__(self) -> Self:
        """Return the connection; it is closed at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


FIRST_PORT = 20_000
"""Below the kernel's range for clients, so that no connection takes the port of a restarting server."""

PORTS_EACH = 750
BLOCKS = 16
"""Each process of a test run has a block of ports of its own; of all runs on this machine, sixteen have one."""

_locks: list[IO[str]] = []
"""Kept open for as long as the process uses the block that it locks."""


@cache
def _ports() -> Iterator[int]:
    first, start = FIRST_PORT + _lock_block() * PORTS_EACH, random.randrange(PORTS_EACH)
    return itertools.cycle([first + (start + n) % PORTS_EACH for n in range(PORTS_EACH)])


def _lock_block() -> int:
    for number in random.sample(range(BLOCKS), BLOCKS):
        lock = (Path(tempfile.gettempdir()) / f"progress-sse-test-ports-{number}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            _locks.append(lock)
            return number
    raise RuntimeError("all blocks of ports are in use by test runs")


def free_port() -> int:
    """A TCP port of the loopback interface on which no server listens; other calls return other ports for a while."""
    for port in itertools.islice(_ports(), PORTS_EACH):
        with socket.socket() as probe, contextlib.suppress(OSError):
            # A server may listen while connections of an earlier one are still being closed.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port
    raise RuntimeError("all ports are taken")
