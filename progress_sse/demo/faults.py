"""What networks and proxies do to streams, done on purpose."""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUFFERING_S: Final = 20.0
"""Seconds after which a proxy that buffers is mended by itself."""


class Faults:
    """Stands before an application as a proxy does. Polls, pages and reports always get through; streams may not."""

    def __init__(self, app: ASGIApp) -> None:
        """Let everything through for the time being."""
        self._app = app
        self._streams: set[asyncio.Future[None]] = set()
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._mending: asyncio.TimerHandle | None = None

    @property
    def is_buffering(self) -> bool:
        """Whether streams are held back at present."""
        return not self._is_open.is_set()

    def cut(self) -> None:
        """End all open streams in the middle, without a word."""
        for stream in self._streams:
            stream.cancel()

    def buffer(self) -> None:
        """Hold back what streams say from now on, for some time. Who has one must come again, this way."""
        self._is_open.clear()
        self.cut()
        self._mending = asyncio.get_running_loop().call_later(BUFFERING_S, self.mend)

    def mend(self) -> None:
        """Let through what was held back, and what follows."""
        if self._mending is not None:
            self._mending.cancel()
        self._is_open.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and scope["path"].endswith("/events"):
            await self._stream(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_unless_buffering(message: Message) -> None:
            if message["type"] == "http.response.body":
                await self._is_open.wait()
            await send(message)

        # Without extensions there is no way past `send` (see ``body_writer``).
        stream = asyncio.ensure_future(self._app({**scope, "extensions": {}}, receive, send_unless_buffering))
        self._streams.add(stream)
        try:
            await asyncio.wait({stream})
        finally:
            self._streams.discard(stream)
            stream.cancel()
        # One that was cut returns before its body is complete: the server drops the connection then.
        if not stream.cancelled():
            stream.result()
