"""The server process of the demo: the application of the product inside the page and the faults of the demo."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from progress_sse.api.app import create_app
from progress_sse.api.page_files import ASSETS, page_headers
from progress_sse.auth.cookies import is_cross_site
from progress_sse.server.sockets import InheritedSockets, listen
from progress_sse.server.uvicorn_server import serve
from progress_sse.service import ProgressService
from progress_sse.settings import Settings, load_settings

BUFFERING_S: Final = 20.0
"""Seconds after which the buffering ends by itself."""


class Faults:
    """A proxy in front of an application. Polls, pages and reports always pass; streams may be held back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._streams: set[asyncio.Future[None]] = set()
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._buffering_timer: asyncio.TimerHandle | None = None

    @property
    def is_buffering(self) -> bool:
        """Whether streams are held back."""
        return not self._is_open.is_set()

    def cut(self) -> None:
        """Cut all open streams without an end event."""
        for stream in self._streams:
            stream.cancel()

    def buffer(self) -> None:
        """Hold streams back for `BUFFERING_S`. Open streams are cut, so that their clients come back through here."""
        self._is_open.clear()
        self.cut()
        self._buffering_timer = asyncio.get_running_loop().call_later(BUFFERING_S, self.stop_buffering)

    def stop_buffering(self) -> None:
        """Release the held bytes, and pass all that follow."""
        if self._buffering_timer is not None:
            self._buffering_timer.cancel()
        self._is_open.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application."""
        if scope["type"] == "http" and scope["path"].endswith("/events"):
            await self._stream(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_unless_buffering(message: Message) -> None:
            if message["type"] == "http.response.body":
                await self._is_open.wait()
            await send(message)

        # Without extensions the stream cannot bypass `send` (see ``body_writer``).
        stream = asyncio.ensure_future(self._app({**scope, "extensions": {}}, receive, send_unless_buffering))
        self._streams.add(stream)
        try:
            await asyncio.wait({stream})
        finally:
            self._streams.discard(stream)
            stream.cancel()
        # A cut stream returns before its body is complete, so the server drops the connection.
        if not stream.cancelled():
            stream.result()


def make_app(service: ProgressService) -> Starlette:
    """Return the demo's application around the product's."""
    faults = Faults(create_app(service.settings, service=service))

    async def page(_request: Request) -> Response:
        html = (ASSETS / "demo.html").read_text("utf-8")
        return Response(html, media_type="text/html", headers=page_headers(service.settings))

    def cut() -> Response:
        faults.cut()
        return Response(status_code=204)

    def buffer() -> Response:
        """Begin to buffer, or stop early."""
        if faults.is_buffering:
            faults.stop_buffering()
        else:
            faults.buffer()
        return JSONResponse({"buffering_ms": round(BUFFERING_S * 1000) if faults.is_buffering else 0})

    def restart() -> Response:
        os.kill(os.getpid(), signal.SIGTERM)
        return Response(status_code=202)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/demo/cut", _by_own_page(cut), methods=["POST"]),
            Route("/demo/buffer", _by_own_page(buffer), methods=["POST"]),
            Route("/demo/restart", _by_own_page(restart), methods=["POST"]),
            Mount("/", faults),
        ]
    )


def _by_own_page(fault: Callable[[], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Refuse requests of other origins' pages."""

    async def endpoint(request: Request) -> Response:
        own = f"{request.url.scheme}://{request.url.netloc}"  # No cookie is needed, and so no TLS either.
        return Response(status_code=403) if is_cross_site(request, [own]) else fault()

    return endpoint


def _settings(host: str, port: str, folder: str) -> Settings:
    """Return the demo's settings. All are given, so that the environment of other servers does not count.

    Heartbeats are frequent, so that buffering shows soon. Browsers reconnect slowly enough for the badge to show it.
    """
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    own = {"host": host, "port": port, "store": f"sqlite:///{folder}/demo.db"}
    return load_settings(**{**defaults, **own, "heartbeat_s": 1, "retry_ms": 4000, "graceful_timeout_s": 1})


async def _serve(settings: Settings) -> None:
    inherited = InheritedSockets.take()
    service = ProgressService(settings)
    assert inherited is not None, "the supervisor starts this process"
    inherited.receive_hooks()  # None: it has no setting for them.
    with listen(settings) as listener:
        app = make_app(service)
        await serve(service, app, listener, on_started=inherited.send_ready, watch=inherited.watch)


if __name__ == "__main__":
    # Uvicorn logs cut streams as errors; here they are intended.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    uvloop.run(_serve(_settings(*sys.argv[1:])))
