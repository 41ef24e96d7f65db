"""The one way past public ASGI: what our own server class offers the application for a connection.

Under any other server, or behind a middleware that hides it, the application finds nothing here and does without.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from starlette.types import Scope

_EXTENSION: Final = "progress_sse.connection"


class Connection(Protocol):
    """A connection with a response under way, and what public ASGI does not offer for it."""

    def write_chunk(self, chunk: bytes) -> bool:
        """Write a chunk of the response's body at once; return whether the connection was ready for it.

        Only while no `send` is under way. Many connections can be given the same bytes.
        """

    def when_lost(self, callback: Callable[[], None] | None) -> None:
        """Call `callback`, instead of another one set before, when the connection is lost."""


def extensions(connection: Connection) -> dict[str, Any]:
    """Return what the server puts into the scope as ``extensions``."""
    return {_EXTENSION: connection}


def connection_of(scope: Scope) -> Connection | None:
    """Return the connection that a request came by; `None` where the server does not show it."""
    connection: Connection | None = scope.get("extensions", {}).get(_EXTENSION)
    return connection
