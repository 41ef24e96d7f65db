"""The one way past public ASGI: what our own server class tells the application about a connection.

Under any other server, or behind a middleware that hides it, the application finds nothing here and does without.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import Scope

_EXTENSION: Final = "progress_sse.connection"


@dataclass(frozen=True, slots=True)
class Connection:
    """What public ASGI does not offer.

    Attributes:
        abort: Drops the connection at once, unsent bytes and all. Ending the response instead makes a server wait until
            the client has taken the rest, which a stalled one never does.
        unsent_bytes: Returns how many bytes the server holds because the client has not taken them yet.
    """

    abort: Callable[[], None]
    unsent_bytes: Callable[[], int]


_UNKNOWN: Final = Connection(abort=lambda: None, unsent_bytes=lambda: 0)


def extensions(connection: Connection) -> dict[str, Any]:
    """Return what the server puts into the scope as ``extensions``."""
    return {_EXTENSION: connection}


def connection_of(scope: Scope) -> Connection:
    """Return the connection that a request came by; where the server does not show it, one that does nothing."""
    connection: Connection = scope.get("extensions", {}).get(_EXTENSION, _UNKNOWN)
    return connection
