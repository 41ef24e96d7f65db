"""A receiver of hooks in the test's own process."""

import asyncio
import base64
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.harness.http1 import HOST

SECRET = f"whsec_{base64.b64encode(b'k' * 24).decode()}"


class Received(NamedTuple):
    """A notice that came."""

    notice_id: str
    event: str
    session_id: str
    body: bytes
    headers: dict[str, str]


class HookReceiver:
    """Answers each notice with `status`, after `delay_s` and once it `may_answer`, and keeps what it got.

    With 503 it asks for a pause of half a minute: else the next try of a notice, which comes after five seconds, may
    still find the failure that a test stages, and the one after that comes after five minutes.
    """

    def __init__(self) -> None:
        self.status = 204
        self.delay_s = 0.0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.port = 0
        self.received: list[Received] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n"))}
            body = await reader.readexactly(int(headers["content-length"]))
            decoded: dict[str, Any] = json.loads(body)
            session_id = decoded.get("data", {}).get("session", {}).get("session_id", "")
            event = decoded["type"].removeprefix("session.")
            self.received.append(Received(headers["webhook-id"], event, session_id, body, headers))
            await asyncio.sleep(self.delay_s)
            await self.may_answer.wait()
            pause = "Retry-After: 30\r\n" if self.status == 503 else ""
            writer.write(f"HTTP/1.1 {self.status} X\r\n{pause}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):  # The server was killed.
            pass
        finally:
            writer.close()

    def ids(self) -> dict[tuple[str, str], set[str]]:
        """The ids of the notices of each session and event."""
        found = defaultdict[tuple[str, str], set[str]](set)
        for each in self.received:
            found[each.session_id, each.event].add(each.notice_id)
        return found

    def hook(self, **keys: object) -> str:
        """A hook that sends to it, for a file of hooks."""
        lines = {"url": f"http://{HOST}:{self.port}/in", "secret": SECRET, **keys}
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())


@asynccontextmanager
async def receiving() -> AsyncIterator[HookReceiver]:
    receiver = HookReceiver()
    server = await asyncio.start_server(receiver.serve, HOST, 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.may_answer.set()
        server.close()


def write_hooks(path: Path, **hooks: str) -> Path:
    """Write a file of hooks."""
    path.write_text("".join(f"[hooks.{name}]\n{text}" for name, text in hooks.items()))
    return path
