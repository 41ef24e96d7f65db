"""Checks the `Host` header, against DNS rebinding, where the server needs no token from its own machine.

A browser lets every page send requests to the host that the page came from. The owner of that host's name can make it
resolve to the loopback address of the page's visitor, so that the page passes for one of ours. But the requests still
carry that name in `Host`.
"""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from progress_sse.api.error_pages import error_response
from progress_sse.core.errors import MisdirectedRequestError
from progress_sse.service import ProgressService

UNOWNABLE_DOMAINS: Final = (b".localhost", b".test", b".internal")
"""Domains in which no name can be owned [RFC 6761 §6.2, §6.3; ICANN 2024-07-29]. A container, for example, reaches its
own machine as `host.docker.internal`."""


class HostCheckMiddleware:
    """Refuses requests with a host name that another party may own."""

    def __init__(self, app: ASGIApp, service: ProgressService) -> None:
        """Stand before `app`; `service` counts the refusals."""
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or respond with 421."""
        if is_public_name(dict(scope["headers"]).get(b"host", b"")):
            refusal = MisdirectedRequestError("Ask by an address or as localhost; or the server needs a publish_token.")
            response = await error_response(self._service, Request(scope), refusal)
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def needs_host_check(service: ProgressService) -> bool:
    """Return whether requests are checked: the server is for its own machine, and jobs need no token."""
    settings = service.settings
    return settings.is_loopback and not settings.insecure and service.authorizer.is_open_to("publish")


def is_public_name(host: bytes) -> bool:
    """Return whether the value of `Host` is a name that an owner can make resolve to any address.

    An address is not one, nor is a name without a dot, since the domains of the Internet have one.
    """
    name = (host.rpartition(b":")[0] or host).strip(b"[]").removesuffix(b".").lower()
    is_address = name.rpartition(b".")[2].isdigit()
    return b"." in name and not is_address and not name.endswith(UNOWNABLE_DOMAINS)
