"""By which names a server is asked that lets everybody on its machine do everything: against DNS rebinding.

A browser lets every page talk to the host that it came from, and whoever owns that host's name can let it lead to the
loopback address of whoever looks at the page, which then passes for one of ours. But it asks by that name.
"""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from progress_sse.api.problems import problem_response
from progress_sse.core.errors import MisdirectedRequestError
from progress_sse.service import ProgressService

UNOWNABLE_DOMAINS: Final = (b".localhost", b".test", b".internal")
"""Domains in which nobody can own a name [RFC 6761 §6.2, §6.3; ICANN 2024-07-29]: a container asks the machine that it
is on by `host.docker.internal`."""


class HostCheckMiddleware:
    """Refuses what is asked by a name that somebody else may own."""

    def __init__(self, app: ASGIApp, service: ProgressService) -> None:
        """Stand before `app`; `service` counts what is refused."""
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421."""
        if is_public_name(dict(scope["headers"]).get(b"host", b"")):
            refusal = MisdirectedRequestError("Ask by an address or as localhost; or the server needs a publish_token.")
            await problem_response(self._service, refusal)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def is_public_name(host: bytes) -> bool:
    """Return whether the value of a `Host` is a name that its owner can let lead to wherever he wants.

    An address is none, nor is a name without a dot, which the domains of the Internet do not have.
    """
    name = (host.rpartition(b":")[0] or host).strip(b"[]").removesuffix(b".").lower()
    is_address = name.rpartition(b".")[2].isdigit()
    return b"." in name and not is_address and not name.endswith(UNOWNABLE_DOMAINS)
