"""Checks by a few exchanges over a pair of sockets that `HttpProtocol` fits the installed uvicorn.

``http_protocol`` builds on inner parts of uvicorn, which any version may change. A list of their names would not show
their behaviour. So each server tries the protocol once, before it listens.
"""

import asyncio
import logging
import re
import socket
from functools import partial
from typing import Any, Final, NamedTuple

import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from progress_sse.server.connection_limits import MAX_URL_BYTES, ConnectionLimits
from progress_sse.server.connection_writer import WriteCoalescer
from progress_sse.server.http_protocol import HttpProtocol
from progress_sse.streaming.body_writer import direct_write_extension
from progress_sse.wire.frames import FrameBatch

TIMEOUT_S: Final = 5.0
"""Seconds after which a protocol that does not answer does not fit; one that fits takes milliseconds."""


class _Exchange(NamedTuple):
    """Requests on one connection, and a pattern of all that the server sends before the connection ends."""

    requests: bytes
    answers: bytes
    client_leaves: bool = False


_EXCHANGES: Final = (
    # A stream that is written directly, and behind it on the same connection a body that is sent back.
    _Exchange(
        b"GET / HTTP/1.1\r\nHost: probe\r\n\r\n"
        b"POST / HTTP/1.1\r\nHost: probe\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
        rb"HTTP/1\.1 200 OK\r\n(.+\r\n)*\r\n6\r\ndirect\r\n5\r\nchunk\r\n3\r\nend\r\n0\r\n\r\n"
        rb"HTTP/1\.1 200 OK\r\n(.+\r\n)*\r\n4\r\nbody\r\n0\r\n\r\n",
    ),
    # A client that waits to be asked for its body.
    _Exchange(
        b"POST / HTTP/1.1\r\nHost: probe\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
        rb"HTTP/1\.1 100 Continue\r\n\r\nHTTP/1\.1 200 OK\r\n(.+\r\n)*\r\n4\r\nbody\r\n0\r\n\r\n",
    ),
    # A client that knows no chunks, and one that leaves before it has its answer.
    _Exchange(b"GET / HTTP/1.0\r\n\r\n", rb"HTTP/1\.1 200 OK\r\n(.+\r\n)*\r\ndirectend"),
    _Exchange(b"PUT / HTTP/1.1\r\nHost: probe\r\n\r\n", rb"HTTP/1\.1 200 OK\r\n(.+\r\n)*\r\n", client_leaves=True),
    # Requests that the server refuses before the application sees them.
    _Exchange(
        b"GET /%b HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n" % (b"a" * MAX_URL_BYTES),
        rb"HTTP/1\.1 414 (.+\r\n)+\r\n",
    ),
    _Exchange(b"no request\r\n\r\n", rb"HTTP/1\.1 400 (.+\r\n)+\r\n"),
)

_uvicorn_logger: Final = logging.getLogger("uvicorn.error")


async def fits() -> bool:
    """Return whether the server answers each exchange as it should, with nothing raised. Logs nothing."""
    loop = asyncio.get_running_loop()
    errors: list[dict[str, Any]] = []
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    _uvicorn_logger.addFilter(_reject)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            is_answered = [re.fullmatch(each.answers, await _received(each)) is not None for each in _EXCHANGES]
    except Exception:  # noqa: BLE001  # any error means that it does not fit
        return False
    finally:
        _uvicorn_logger.removeFilter(_reject)
        loop.set_exception_handler(handler)
    return not errors and all(is_answered)


def _reject(_record: logging.LogRecord) -> bool:
    return False


async def _received(exchange: _Exchange) -> bytes:
    state = ServerState()
    config = uvicorn.Config(_app, ws="none", lifespan="off", log_config=None, access_log=False)
    config.load()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        make_protocol = partial(_protocol, config=config, server_state=state, app_state={})
        transport, protocol = await asyncio.get_running_loop().connect_accepted_socket(make_protocol, ours)
        reader, writer = await asyncio.open_connection(sock=theirs)
        try:
            protocol.pause_writing()
            protocol.resume_writing()
            writer.write(exchange.requests)
            received = await reader.readuntil(b"\r\n\r\n")
            if exchange.client_leaves:
                writer.write_eof()
            received += await reader.read()
            while state.connections:  # noqa: ASYNC110  # until the protocol knows that the connection is lost
                await asyncio.sleep(0)
        finally:
            for each in (transport, writer.transport):
                each.abort()
            await asyncio.sleep(0)  # The transports let go of their sockets.
    return received


def _protocol(**arguments: Any) -> HttpProtocol:
    limits = ConnectionLimits(
        head_timeout_s=TIMEOUT_S, body_timeout_s=TIMEOUT_S, keep_alive_s=TIMEOUT_S, max_body_bytes=0, max_connections=1
    )
    return HttpProtocol(
        coalescer=WriteCoalescer(), limits=limits, refusal=lambda error: Response(status_code=error.status), **arguments
    )


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a POST with its body, a PUT never, and a GET with a stream that is written directly."""
    body = (await receive())["body"] if scope["method"] == "POST" else b""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    extension = direct_write_extension(scope)
    if scope["method"] == "POST":
        await send({"type": "http.response.body", "body": body})
    elif scope["method"] == "PUT":
        while (await receive())["type"] != "http.disconnect":
            pass
    elif extension is not None and (writer := extension.detach(scope, asyncio.BaseProtocol())) and writer.is_ready:
        writer.write(FrameBatch((), b"direct"))
        if writer.write_chunk is not None:
            writer.write_chunk(FrameBatch((), b"chunk").chunk)
        writer.finish(FrameBatch((), b"end"))
