"""Direct writing: the bytes of a stream go to its connection, past ASGI. Our own server offers this with each request.

Under any other server, or behind a middleware that keeps an answer for a while and so takes the extension out of the
scope, the application finds no such extension and does without.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from starlette.types import Scope

from progress_sse.wire.frames import FrameBatch

_EXTENSION: Final = "progress_sse.direct_write"


class BodyWriter(Protocol):
    """Writes the body of a response to its connection."""

    @property
    def is_ready(self) -> bool:
        """Whether there is room for more."""

    @property
    def write_chunk(self) -> Callable[[bytes], None] | None:
        """Writes a batch's `chunk`, which many subscribers share, at once; `None` where the body has no chunks.

        To be used once something has been written, so that no head can be waiting, and while there is room.
        """

    def write(self, batch: FrameBatch) -> None:
        """Write this next; never blocks, and keeps what cannot be sent yet."""

    def finish(self, last: FrameBatch) -> None:
        """Write this, and then the end of the body."""


class DirectWriteExtension(Protocol):
    """What our own server class offers with every request."""

    def detach(self, scope: Scope, protocol: asyncio.BaseProtocol) -> BodyWriter | None:
        """Take a response whose head has been sent from the application, which returns then.

        `protocol` learns when to pause and resume writing, and when the connection is lost: by a `TimeoutError` if the
        client is there and has taken nothing for too long. Returns `None` if the client has gone already.
        """


def extensions(extension: DirectWriteExtension) -> dict[str, Any]:
    """Return what a server that offers direct writing puts into the scope as ``extensions``."""
    return {_EXTENSION: extension}


def direct_write_extension(scope: Scope) -> DirectWriteExtension | None:
    """Return what the server offers with this request; `None` if it does not."""
    extension: DirectWriteExtension | None = scope.get("extensions", {}).get(_EXTENSION)
    return extension
