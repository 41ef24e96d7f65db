"""Streams and keep-alive connections on raw sockets, read by one epoll.

Each read costs only a few operations, since a generator slower than the server would measure itself.
"""

import re
import select
import socket
import struct
from collections.abc import Callable
from time import monotonic, monotonic_ns

from tests.bench.plan import STAMP_BYTES, STAMP_MARK, Account, Tally

MARK = STAMP_MARK.encode()
READ_BYTES = 65_536
TIMEOUT_S = 30.0
"""An event that has not arrived after this is lost."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class RefusedError(Exception):
    """Raised when a server answers with something else than was requested."""


class Loop:
    """One epoll, and the reader of each descriptor."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._takers: dict[int, Callable[[], None]] = {}

    def connect(self, port: int | None = None) -> socket.socket:
        """A connected socket that does not block, and does not keep its port when closed."""
        sock = socket.create_connection(("127.0.0.1", port or self._port), timeout=TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.setblocking(False)
        return sock

    def watch(self, sock: socket.socket, take: Callable[[], None]) -> None:
        """Call `take` whenever there are bytes to read."""
        if sock.fileno() not in self._takers:
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._takers[sock.fileno()] = take

    def close(self, sock: socket.socket) -> None:
        self._takers.pop(sock.fileno(), None)
        sock.close()

    def turn(self, at_most_s: float) -> None:
        """Read the bytes there are, and wait for some if there are none."""
        takers = self._takers
        for fd, _ in self._epoll.poll(max(0, at_most_s), 4096):
            if (take := takers.get(fd)) is not None:
                take()

    def run_until(self, is_done: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> bool:
        deadline = monotonic() + timeout_s
        while not is_done():
            left_s = deadline - monotonic()
            if left_s <= 0:
                return False
            self.turn(left_s)
        return True

    def run_for(self, seconds: float) -> None:
        self.run_until(lambda: False, seconds)


class Reader:
    """One open stream."""

    __slots__ = ("_loop", "_recv", "_tail", "got", "is_ready", "last_read", "session", "sock", "tally")

    def __init__(self, loop: Loop, port: int, session: int, request: bytes, ready_mark: bytes, tally: Tally) -> None:
        self.session = session
        self.tally = tally
        self.got = Account()
        self.is_ready = False
        self.last_read = b""
        self.sock = loop.connect(port)
        self._loop = loop
        self._recv = self.sock.recv
        self._tail = b""
        self.sock.send(request)
        loop.watch(self.sock, lambda: self._take_head(ready_mark))

    def _take_head(self, ready_mark: bytes) -> None:
        self._tail += self._read()
        if not self._tail.startswith(b"HTTP/1.1 200"[: len(self._tail)]):
            raise RefusedError(f"a reader got {self._tail[:200]!r}")
        _, mark, rest = self._tail.partition(ready_mark)
        if mark:
            self._tail = b""
            self.is_ready = True
            self._loop.watch(self.sock, self._take)
            self._count(rest)

    def _read(self) -> bytes:
        try:
            data = self._recv(READ_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            self._loop.close(self.sock)  # From now on, events that it does not get count as lost.
        return data

    def _take(self) -> None:
        data = self._read()
        self.tally.received_bytes += len(data)
        self.last_read = data
        self._count(self._tail + data if self._tail else data)

    def _count(self, data: bytes) -> None:
        now_ns = monotonic_ns()
        at = data.find(MARK)
        while at >= 0:
            text = data[at : at + STAMP_BYTES]
            if len(text) < STAMP_BYTES:
                self._tail = text
                return
            self.got.add(int(text[2:10]))
            self.tally.latencies_ns.append(now_ns - int(text[11:]))
            at = data.find(MARK, at + STAMP_BYTES)
        self._tail = MARK[:1] if data.endswith(MARK[:1]) else b""


class Caller:
    """One keep-alive connection for requests, one at a time."""

    def __init__(self, loop: Loop, port: int | None = None) -> None:
        self.is_busy = False
        self.answers = 0
        self.status = 0
        self.answer = b""
        self._loop = loop
        self._port = port
        self._connect()

    def _connect(self) -> None:
        self._sock = self._loop.connect(self._port)
        self._recv = self._sock.recv
        self._loop.watch(self._sock, self._take)

    def send(self, request: bytes) -> None:
        """Send a request; the previous one must have been answered."""
        self.is_busy = True
        self.answer = b""
        self._sock.send(request)

    def call(self, request: bytes) -> bytes:
        self.send(request)
        if not self._loop.run_until(lambda: not self.is_busy):
            raise RefusedError(f"no answer to {request[:200]!r}")
        return self.answer

    def on_answer(self) -> None:
        """Called after each response; may send the next request."""

    def close(self) -> None:
        self._loop.close(self._sock)

    def _take(self) -> None:
        data = self._recv(READ_BYTES)
        if not data:
            self._replace()
            return
        self.answer += data
        if not _is_whole(self.answer):
            return
        self.status = int(self.answer[9:12])
        if self.status >= 400:
            raise RefusedError(f"a publisher got {self.answer[:400]!r}")
        self.is_busy = False
        self.answers += 1
        self.on_answer()

    def _replace(self) -> None:
        """Reconnect: a server may close an idle connection, but not one on which a response is due."""
        if self.is_busy:
            raise RefusedError("the server closed a connection instead of answering")
        self._loop.close(self._sock)
        self._connect()


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end or answer[9:12] in (b"204", b"304"):
        return bool(end)
    length = _LENGTH.search(head)
    return len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")
