"""Faults of networks and proxies, caused on purpose."""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUFFERING_S: Final = 20.0
"""Seconds after which the buffering ends by itself."""


class Faults:
    """A proxy in front of an application. Polls, pages and reports always pass; streams may be held back."""

    def __init__(self, app: ASGIApp) -> None:
        """Begin without a fault."""
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
