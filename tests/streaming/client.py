"""A client of a stream, as a server sees it."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from progress_sse.streaming.body_writer import BodyWriter
from progress_sse.wire.frames import FrameBatch
from tests.harness.serving import eventually
from tests.streaming.recorder import DEADLINE_S


class Client:
    """The server's side of a client, as our own server or an ASGI server has it; takes nothing while not `is_ready`."""

    def __init__(self) -> None:
        self.body = b""
        self.headers: dict[str, str] = {}
        self.is_finished = False
        self.fails = False
        self.stream: asyncio.BaseProtocol | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._is_gone = asyncio.Event()

    @property
    def is_gone(self) -> bool:
        return self._is_gone.is_set()

    @property
    def is_ready(self) -> bool:
        return self._room.is_set()

    def detach(self, _scope: Any, protocol: asyncio.BaseProtocol) -> BodyWriter | None:
        if self.is_gone:
            return None
        self.stream = protocol
        return self

    def write(self, batch: FrameBatch) -> None:
        self._take(batch.data)

    def write_chunk(self, chunk: bytes) -> None:
        size, _, rest = chunk.partition(b"\r\n")
        self._take(rest[: int(size, 16)])

    def finish(self, last: FrameBatch) -> None:
        self._take(last.data)
        self.is_finished = True

    def _take(self, data: bytes) -> None:
        if self.fails:
            raise RuntimeError("the connection is closed")
        self.body += data

    async def send(self, message: Any) -> None:
        await self._room.wait()
        if self.is_gone:
            return  # As uvicorn does.
        self.headers |= {name.decode(): value.decode() for name, value in message.get("headers", [])}
        self._take(message.get("body", b""))
        self.is_finished = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def receive(self) -> Any:
        await self._is_gone.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        self._is_gone.set()

    def stall(self) -> None:
        self._room.clear()
        if self.stream is not None:
            self.stream.pause_writing()

    def go_on(self) -> None:
        self._room.set()
        if self.stream is not None:
            self.stream.resume_writing()

    @property
    def events(self) -> list[str]:
        """Names and numbers, as in `step@3`."""
        names = re.findall(rb"^event: (.*)$", self.body, re.MULTILINE)
        numbers = re.findall(rb"^id: .*-(\d+)$", self.body, re.MULTILINE)
        return [f"{name.decode()}@{number.decode()}" for name, number in zip(names, numbers, strict=True)]

    async def end(self) -> None:
        await self.wait_until(lambda: self.is_finished)

    async def wait_for(self, event: str) -> None:
        await self.wait_until(lambda: event in self.events)

    async def wait_until(self, is_so: Callable[[], bool]) -> None:
        await eventually(is_so, DEADLINE_S)
