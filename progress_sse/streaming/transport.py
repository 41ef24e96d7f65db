"""Where the bytes of a stream go: by public ASGI, or by the short way past it that our own server class offers.

Under any other server, or behind a middleware that keeps an answer for a while, the application finds no short way and
does without.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

from starlette.types import Receive, Scope, Send

from progress_sse.wire.frames import Burst

logger = logging.getLogger(__name__)

_EXTENSION: Final = "progress_sse.outlet"


class Reader(Protocol):
    """Who writes to an outlet, and is told how that goes."""

    def on_ready(self) -> None:
        """There is room again."""

    def on_full(self) -> None:
        """There is no room; what is written all the same is kept."""

    def on_lost(self, *, is_overdue: bool) -> None:
        """The client has gone; or it is there and has taken nothing for too long (`is_overdue`)."""


class Outlet(Protocol):
    """The body of a response under way."""

    @property
    def is_ready(self) -> bool:
        """Whether there is room for more."""

    def write(self, burst: Burst) -> None:
        """Send this next; never blocks, and keeps what cannot be sent yet."""

    @property
    def write_chunk(self) -> Callable[[bytes], None] | None:
        """Sends a burst's `chunk`, which many readers share, at once; `None` where there is no such way.

        To be used once something has been written, so that no head can be waiting, and while there is room.
        """

    def finish(self, last: Burst) -> None:
        """Send this, and then the end of the body."""


class ShortWay(Protocol):
    """What our own server class offers with every request."""

    def take_over(self, scope: Scope, reader: Reader) -> Outlet | None:
        """Take a response whose head has been sent from the application, which returns then; `None` if impossible."""


def extensions(way: ShortWay) -> dict[str, Any]:
    """Return what a server that offers the short way puts into the scope as ``extensions``."""
    return {_EXTENSION: way}


def direct_outlet(scope: Scope, reader: Reader) -> Outlet | None:
    """Take a request's response over by the short way; `None` where there is none, or it is closed."""
    way: ShortWay | None = scope.get("extensions", {}).get(_EXTENSION)
    return way.take_over(scope, reader) if way is not None else None


class AsgiOutlet:
    """An outlet by public ASGI: the request's own task awaits each `send`, and another waits for the client to go."""

    write_chunk = None

    def __init__(self, receive: Receive, send: Send, timeout_s: float) -> None:
        """Give up on a client that takes nothing for `timeout_s` seconds."""
        self._receive = receive
        self._send = send
        self._timeout_s = timeout_s
        self._unsent: list[bytes] = []
        self._is_sending = False
        self._is_finished = False
        self._wake = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether everything has been sent, and more may come."""
        return not (self._unsent or self._is_sending or self._is_finished)

    def write(self, burst: Burst) -> None:
        """Send this next."""
        self._unsent.append(burst.data)
        self._wake.set()

    def finish(self, last: Burst) -> None:
        """Send this, and then the end of the body."""
        self._is_finished = True
        self.write(last)

    async def run(self, reader: Reader) -> None:
        """Send what is written, until the body is finished or cannot go on."""
        watcher = asyncio.create_task(self._watch(reader))
        try:
            await self._send_all(reader)
        except TimeoutError:
            reader.on_lost(is_overdue=True)
        except OSError as error:  # Some servers say in this way that the client has gone.
            logger.debug("a stream ended: %r", error)
        finally:
            watcher.cancel()

    async def _send_all(self, reader: Reader) -> None:
        more_body = True
        while more_body:
            await self._wake.wait()
            self._wake.clear()
            body, self._unsent, more_body = b"".join(self._unsent), [], not self._is_finished
            self._is_sending = True
            async with asyncio.timeout(self._timeout_s):
                await self._send({"type": "http.response.body", "body": body, "more_body": more_body})
            self._is_sending = False
            if self.is_ready:
                reader.on_ready()

    async def _watch(self, reader: Reader) -> None:
        try:
            while (await self._receive())["type"] != "http.disconnect":
                pass
        finally:
            reader.on_lost(is_overdue=False)
            self.finish(Burst(()))
