"""The one way past public ASGI: what our own server class tells the application about a connection.

Under any other server, or behind a middleware that hides it, the application finds nothing here and does without.
"""

from collections.abc import Callable
from typing import Any, Final

from starlette.types import Scope

EXTENSION: Final = "progress_sse.transport"


def extension(abort: Callable[[], None]) -> dict[str, Any]:
    """Return what the server puts into the scope's ``extensions``."""
    return {EXTENSION: {"abort": abort}}


def abort_of(scope: Scope) -> Callable[[], None]:
    """Return what drops the connection at once, unsent bytes and all; nothing, where the server does not offer it.

    Public ASGI has no such thing: ending the response makes a server wait until the client has taken the rest, which
    a stalled one never does.
    """
    abort: Callable[[], None] = scope.get("extensions", {}).get(EXTENSION, {}).get("abort", _nothing)
    return abort


def _nothing() -> None:
    """Drop nothing."""
