"""Thousands of readers in one process.

A thousand `RawStream`s would keep a machine busier than the server under test. `LoadClients` read all their streams
through one buffer. The readers of a session get the same bytes, so the strict parser of `event_stream` parses each
block once, and all readers hold the same `Block`. They rely on chunked coding, and on lines that end in LF; a stream
without these counts as broken.
"""

import asyncio
import functools
import itertools
import resource
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from tests.harness.event_stream import Block, EventStreamParser
from tests.harness.http1 import HOST, WireError, parse_head, request_bytes
from tests.harness.rawsse import StreamEndedError, linger_zero

AT_ONCE = 200
"""The number of readers that connect at the same time, unless a test wants a storm."""

SPARE_DESCRIPTORS = 200
"""Descriptors for the rest of a test, and for the server besides its streams."""

_BUFFER_BYTES = 65_536


def allow_descriptors(count: int) -> None:
    """Raise the soft limit of this process and its children to so many descriptors.

    Raises:
        RuntimeError: The machine does not allow as many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        raise RuntimeError(f"this needs {count} file descriptors, and the hard limit is {hard}: see `ulimit -Hn`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def p99_ms(seconds: Iterable[float]) -> float:
    """The 99th percentile of some durations, in milliseconds."""
    ordered = sorted(seconds)
    return round(1000 * ordered[len(ordered) * 99 // 100], 1)


@functools.lru_cache(maxsize=1024)
def _parsed(raw: bytes) -> Sequence[Block]:
    return EventStreamParser().feed(raw + b"\n\n")


class Reader(asyncio.BufferedProtocol):
    """One of many readers: reads a stream over any number of connections, and keeps its events and their times.

    `times` has one entry per event, in seconds of the event loop's clock; `statuses` one per connection. `ending` is
    `None` while the stream is open, then what ended it: `"cut"` (by ourselves), `"end"` (a proper last chunk),
    `"lost"`, `"refused"` (an answer that is no stream) or `"broken"` (see `error`).
    """

    def __init__(self, target: str, buffer: memoryview) -> None:
        """Make an unconnected reader; it shares its buffer with others."""
        self.target = target
        self.events: list[Block] = []
        self.times = array("d")
        self.comments = 0
        self.statuses: list[int] = []
        self.last_event_id = ""
        self.ending: str | None = None
        self.error: Exception | None = None
        self._buffer = buffer
        self._transport: asyncio.Transport | None = None

    async def connect(self, port: int) -> None:
        """Connect, after the last event if there was one, and wait for status and headers.

        Raises:
            StreamEndedError: The connection was lost first.
        """
        loop = asyncio.get_running_loop()
        self.ending = None
        self._has_head = False
        self._frames = self._text = b""
        self._answered = loop.create_future()
        self._lost = loop.create_future()
        self._transport, _ = await loop.create_connection(lambda: self, HOST, port)
        resume = [("Last-Event-ID", self.last_event_id)] if self.last_event_id else []
        self._transport.write(request_bytes("GET", self.target, [("Accept", "text/event-stream"), *resume]))
        await self._answered

    async def cut(self) -> None:
        """Reset the connection, if there is one, and wait until it is closed."""
        if self._transport is None:
            return
        self._end("cut")
        if not self._transport.is_closing():
            linger_zero(self._transport)
        self._transport.abort()
        await self._lost
        self._transport = None

    def __str__(self) -> str:
        return f"{self.target}: {len(self.events)} events up to {self.last_event_id}, {self.ending} {self.error or ''}"

    def _end(self, ending: str, error: Exception | None = None) -> None:
        if self.ending is None:
            self.ending, self.error = ending, error

    # asyncio.BufferedProtocol

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._take(bytes(self._buffer[:nbytes]))
        except Exception as error:  # noqa: BLE001 - any fault of the stream fails the waiting test
            self._end("broken", error)
            assert self._transport is not None
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("lost", exc)
        if not self._answered.done():
            self._answered.set_exception(StreamEndedError(str(self)))
        self._lost.set_result(None)

    def _take(self, data: bytes) -> None:
        self._frames += data
        if self._has_head or self._take_head():
            self._take_frames()
            *blocks, self._text = self._text.split(b"\n\n")
            for block in itertools.chain.from_iterable(map(_parsed, blocks)):
                self._log(block)
            while self._text.startswith(b":") and b"\n" in self._text:
                _, _, self._text = self._text.partition(b"\n")
                self.comments += 1

    def _take_head(self) -> bool:
        raw, found, rest = self._frames.partition(b"\r\n\r\n")
        if not found:
            return False
        head = parse_head(raw)
        self.statuses.append(head.status)
        self._has_head, self._frames = True, rest
        self._answered.set_result(None)
        if head.get("transfer-encoding") != "chunked":
            self._end("refused")
        return self.ending is None

    def _take_frames(self) -> None:
        frames, at = self._frames, 0
        while (size_end := frames.find(b"\r\n", at)) >= 0:
            start = size_end + 2
            end = start + int(frames[at:size_end], 16)
            if len(frames) < end + 2:
                break
            if frames[end : end + 2] != b"\r\n":
                raise WireError(f"a chunk longer than its size: {frames[end : end + 40]!r}")
            if start == end:
                self._end("end")
            self._text += frames[start:end]
            at = end + 2
        self._frames = frames[at:]

    def _log(self, block: Block) -> None:
        self.last_event_id = block.last_event_id or self.last_event_id
        if block.data is not None:
            self.events.append(block)
            self.times.append(asyncio.get_running_loop().time())
        elif block.comment is not None:
            self.comments += 1


class LoadClients:
    """Readers that connect, are awaited and are cut off together."""

    def __init__(self, port: int, targets: Iterable[str]) -> None:
        """Make one reader per target; they connect when this is entered as a context manager."""
        buffer = memoryview(bytearray(_BUFFER_BYTES))
        self.readers = [Reader(target, buffer) for target in targets]
        self._port = port

    async def connect(self, at_once: int = AT_ONCE) -> None:
        """Connect all readers, `at_once` at the same time, each after its last event; wait for the head of each stream.

        Raises:
            RuntimeError: The machine does not allow as many descriptors.
        """
        allow_descriptors(len(self.readers) + SPARE_DESCRIPTORS)
        gate = asyncio.Semaphore(at_once)

        async def connect_one(reader: Reader) -> None:
            async with gate:
                await reader.connect(self._port)

        async with asyncio.TaskGroup() as group:
            for reader in self.readers:
                group.create_task(connect_one(reader))

    async def cut(self) -> None:
        await asyncio.gather(*(reader.cut() for reader in self.readers))

    async def wait_until(self, condition: Callable[[Reader], bool], timeout_s: float) -> None:
        """Wait until a condition has held for each reader.

        Raises:
            StreamEndedError: A stream ended first.
            TimeoutError: It did not hold for all in time.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        missing = self.readers
        while missing := [reader for reader in missing if not condition(reader)]:
            if ended := [reader for reader in missing if reader.ending is not None]:
                raise StreamEndedError(f"{len(ended)} of {len(self.readers)} ended, as {ended[0]}")
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"{len(missing)} of {len(self.readers)} are not there, as {missing[0]}")
            await asyncio.sleep(0.02)  # Polling: thousands of readers would wake this task all the time.

    async def wait_for_events(self, count: int, timeout_s: float) -> None:
        """Wait until each reader has had `count` events."""
        await self.wait_until(lambda reader: len(reader.events) >= count, timeout_s)

    def differing(self, events: Sequence[Block]) -> list[str]:
        """Descriptions of the readers that saw anything else than these events."""
        return [str(reader) for reader in self.readers if reader.events != events]

    def delays(self, sent: Sequence[float], first: int = 1) -> Iterator[float]:
        """The seconds that each event took to each reader, from the `first` on, given when they were sent."""
        for reader in self.readers:
            times = reader.times[first : first + len(sent)]
            yield from (came - went for came, went in zip(times, sent, strict=True))

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.cut()
            raise
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.cut()
