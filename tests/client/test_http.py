"""The limits of the client against any server at its URL."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from unittest import mock

import pytest

from progress_sse._internal.http_library import httpx
from progress_sse.client import http, thread_sender
from progress_sse.client.config import Address
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.sync import Progress
from progress_sse.core.updates import Start
from tests.harness.http1 import HOST
from tests.harness.serving import eventually

REQUEST = ReportRequest("s", Start(1), "key")


def length_of(head: bytes) -> int:
    return int(head.partition(b"content-length: ")[2].split()[0])


@contextlib.asynccontextmanager
async def answering(body: bytes, *, times: int) -> AsyncIterator[Address]:
    """A server that repeats a body this many times in its answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert b"accept-encoding: identity" in head
            assert b"cookie" not in head
            await reader.readexactly(length_of(head))  # Unread bytes would reset the connection.
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nSet-Cookie: a=b\r\nConnection: close\r\n\r\n")
            for _ in range(times):
                writer.write(body)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, HOST, 0) as server:
        yield Address(f"http://{HOST}:{server.sockets[0].getsockname()[1]}", None)


async def sent(address: Address) -> ReportAnswer:
    """The answer to a report."""
    transport = http.HttpTransport(address)
    try:
        return await asyncio.to_thread(transport.send, REQUEST)
    finally:
        transport.close()


async def test_an_endless_answer_counts_as_no_answer() -> None:
    """A download or an endless stream does not fill the job's memory, and the report waits."""
    async with answering(b"x" * 2**16, times=10**6) as address:
        assert await sent(address) == ReportAnswer(0, detail="ReadError: the answer does not end")


async def test_an_answer_that_takes_too_long_counts_as_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for any size of its pieces."""
    monkeypatch.setattr(http, "ANSWER_S", 0.0)
    async with answering(b"x", times=1) as address:
        assert await sent(address) == ReportAnswer(0, detail="ReadError: the answer does not end")


@contextlib.asynccontextmanager
async def keeping_open(open_now: dict[asyncio.StreamWriter, list[str]]) -> AsyncIterator[str]:
    """Yield the URL of a server that keeps its connections, each with the heads of its requests."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now[writer] = []
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                open_now[writer].append(head.decode().lower())
                await reader.readexactly(length_of(head.lower()))
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"session_id": 1}')
        del open_now[writer]
        writer.close()

    async with await asyncio.start_server(answer, HOST, 0) as server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        for writer in list(open_now):
            writer.close()
            await writer.wait_closed()


async def report(url: str, token: str | None) -> None:
    """Report to a server by the thread."""
    progress = Progress.attach("s", url=url, token=token)
    progress.step(1).start()
    assert await asyncio.to_thread(progress.flush)


async def test_sessions_of_different_tokens_share_a_connection() -> None:
    """A worker may have a token for each session, and each request shows its own."""
    open_now: dict[asyncio.StreamWriter, list[str]] = {}
    async with keeping_open(open_now) as url:
        created = mock.Mock(wraps=httpx.Client)
        with mock.patch.object(httpx, "Client", created):
            for number in range(2 * thread_sender.MAX_TRANSPORTS):
                await report(url, str(number) if number else None)
        assert created.call_count == 1
        heads = [head for each in open_now.values() for head in each]
        shown = [re.findall(r"\r\nauthorization: bearer (\d+)\r\n", head) for head in heads]
        assert shown[-3:] == [[str(2 * thread_sender.MAX_TRANSPORTS - number)] for number in (3, 2, 1)]


async def test_connections_to_former_servers_are_closed() -> None:
    """Those to the latest ones are kept."""
    open_now: dict[asyncio.StreamWriter, list[str]] = {}
    async with keeping_open(open_now) as url:
        for number in range(30):
            await report(f"{url}/{number}", None)
        await eventually(lambda: len(open_now) <= thread_sender.MAX_TRANSPORTS, 30)
        assert open_now


async def test_compressed_answers_are_not_unpacked() -> None:
    """A few bytes could become a gigabyte; the client asks for no compression."""
    async with answering(b"\x1f\x8b", times=1) as address:
        answer = await sent(address)
        assert answer.detail == "the answer, of status 200, is not that of a progress server"


async def test_no_cookie_is_kept() -> None:
    """Otherwise the server would get its cookie with the next report."""
    async with answering(b'{"session_id": "s"}', times=1) as address:
        blocking = http.HttpTransport(address)
        assert [await asyncio.to_thread(blocking.send, REQUEST) for _ in range(2)] == [ReportAnswer(200)] * 2
        blocking.close()
