"""Direct writing: the bytes of a stream go to its connection, past ASGI. Our own server offers this with each request.

Under any other server the application finds no such extension, and the stream goes by ASGI. The same holds behind a
middleware that buffers responses and so takes the extension out of the scope.
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
        """Write this next; never blocks, and buffers bytes that cannot be sent yet."""

    def finish(self, last: FrameBatch) -> None:
        """Write this, and then the end of the body."""


class DirectWriteExtension(Protocol):
    """The extension that our own server offers with every request."""

    def detach(self, scope: Scope, protocol: asyncio.BaseProtocol) -> BodyWriter | None:
        """Detach a response whose head has been sent from the application, which then returns.

        `protocol` is notified when to pause and resume writing, and when the connection is lost. The loss is a
        `TimeoutError` if the client is there and has taken nothing for too long. Returns `None` if the client has gone
        already.
        """


def extensions(extension: DirectWriteExtension) -> dict[str, Any]:
    """Return the ``extensions`` of the scope, for a server that offers direct writing."""
    return {_EXTENSION: extension}


def direct_write_extension(scope: Scope) -> DirectWriteExtension | None:
    """Return the server's extension for this request; `None` if it has none."""
    extension: DirectWriteExtension | None = scope.get("extensions", {}).get(_EXTENSION)
    return extension
