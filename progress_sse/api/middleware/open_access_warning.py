"""Warn once when an unauthenticated application is reachable from other machines.

``progress-sse serve`` knows its address, and refuses to start like that. Under another server the application learns
the address only from a request.
"""

import ipaddress
import logging
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)


class OpenAccessWarningMiddleware:
    """Passes every request on, and warns once if other machines can reach the application."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`, which needs no token to publish."""
        self._app = app
        self._has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        server = scope.get("server")
        if server and not self._has_warned and is_reachable(server[0]):
            self._has_warned = True
            logger.warning(
                "Every client that reaches %s may create, change and delete sessions: set a publish_token, or pass a "
                "function `authorize` (or set insecure, if that is intended).",
                server[0],
            )
        await self._app(scope, receive, send)


@lru_cache(maxsize=64)
def is_reachable(host: str) -> bool:
    """Return whether other machines may reach a server at this address, its own end of a connection."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:  # The path of a Unix socket, or a name in a test.
        return False
