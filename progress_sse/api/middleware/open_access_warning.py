"""Tells of a door that stands open: that others can reach an application in which anybody may do everything.

``progress-sse serve`` knows its address, and refuses to start like that. Where somebody else's server runs the
application, nobody here knows an address before a request comes by it.
"""

import ipaddress
import logging
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)


class OpenAccessWarningMiddleware:
    """Lets everything pass, and warns once that it does."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`, which lets anybody publish."""
        self._app = app
        self._is_told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        server = scope.get("server")
        if server and not self._is_told and is_reachable(server[0]):
            self._is_told = True
            logger.warning(
                "Whoever reaches %s may create, change and delete sessions: set a publish_token, or give a function "
                "`authorize` (or set insecure, if that is meant).",
                server[0],
            )
        await self._app(scope, receive, send)


@lru_cache(maxsize=64)
def is_reachable(host: str) -> bool:
    """Return whether a server's own end of a connection is an address that other machines may reach."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:  # The path of a socket, or a name that a test made up.
        return False
