"""A server whose answers a test controls, and transports without a server."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import NamedTuple, Self

from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.reports import Report
from tests.harness.http1 import HOST

SUCCESS = b'{"success":true,"session_id":"any"}'


class Seen(NamedTuple):
    """A received request."""

    request: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")


class FakeServer:
    """Accepts every connection, and answers once it is allowed to; an old server takes no batches."""

    def __init__(self, *, is_old: bool = False) -> None:
        self._is_old = is_old
        self.seen: list[Seen] = []
        self.came = asyncio.Event()
        self.may_answer = asyncio.Event()
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[writer] = task
        try:
            while True:
                request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.seen.append(Seen(request, headers, body))
                self.came.set()
                status, answer = await self._respond(request, headers, body, reader)
                writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(answer), answer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The client has gone.
        finally:
            writer.close()

    async def _respond(
        self, request: str, headers: dict[str, str], body: bytes, reader: asyncio.StreamReader
    ) -> tuple[bytes, bytes]:
        await self.may_answer.wait()
        return self._answer(request, body)

    def _answer(self, request: str, body: bytes) -> tuple[bytes, bytes]:
        if " /api/updates " not in request:
            return b"200 OK", SUCCESS
        if self._is_old:
            return b"404 Not Found", b"{}"
        return b"200 OK", json.dumps({"results": [{"status": 200}] * len(json.loads(body)["updates"])}).encode()

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.may_answer.set()
        for writer in self._connections:
            writer.close()
        await asyncio.gather(*self._connections.values())


class FakeTransport:
    """A transport with given answers, callable from any thread, that records its requests."""

    def __init__(self, answer: Callable[[ReportRequest], ReportAnswer] = lambda _: ReportAnswer(200)) -> None:
        self.requests: list[ReportRequest] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.answer = answer

    @property
    def reports(self) -> list[Report]:
        return [request.report for request in self.requests]

    def send(self, request: ReportRequest) -> ReportAnswer:
        self.requests.append(request)
        assert self.may_answer.wait(60)
        return self.answer(request)


class AsyncFakeTransport:
    """The same for event loops."""

    def __init__(self, transport: FakeTransport) -> None:
        self._transport = transport

    async def send(self, request: ReportRequest) -> ReportAnswer:
        return await asyncio.to_thread(self._transport.send, request)
