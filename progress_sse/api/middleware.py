"""The middleware that a request passes before it reaches the router."""

import ipaddress
import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from progress_sse.api.error_responses import error_response
from progress_sse.core.errors import MisdirectedRequestError
from progress_sse.service import ProgressService

logger: Final = logging.getLogger(__name__)


UNOWNABLE_DOMAINS: Final = (b".localhost", b".test", b".internal")
"""Domains in which no name can be owned [RFC 6761 §6.2, §6.3; ICANN 2024-07-29]. A container, for example, reaches its
own machine as `host.docker.internal`."""


class HostCheckMiddleware:
    """Refuses requests with a host name that another party may own, against DNS rebinding.

    A browser lets every page send requests to its own host. The owner of that host's name can make it resolve to the
    loopback address of the visitor, so that the page passes for one of ours. But its requests carry the name in `Host`.
    """

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


@lru_cache(maxsize=64)
def is_public_name(host: bytes) -> bool:
    """Return whether the value of `Host` is a name that an owner can make resolve to any address.

    An address is not one, nor is a name without a dot, since the domains of the Internet have one.
    """
    name = (host.rpartition(b":")[0] or host).strip(b"[]").removesuffix(b".").lower()
    is_address = name.rpartition(b".")[2].isdigit()
    return b"." in name and not is_address and not name.endswith(UNOWNABLE_DOMAINS)


CORS_MAX_AGE_S: Final = 600
"""Seconds for which a browser keeps the answer to a preflight request."""

CORS_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE")
CORS_REQUEST_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "Progress-Run",
)
CORS_RESPONSE_HEADERS: Final = (
    "Allow",
    "Date",
    "ETag",
    "Location",
    "Preference-Applied",
    "Progress-Run",
    "Retry-After",
)
"""Headers that pages of other origins may read; from `Date` they compute how long a step has been running."""


class ListedOriginsMiddleware(CORSMiddleware):
    """Allows pages of listed origins to read responses, with credentials [Fetch, CORS protocol]; `*` stands for all.

    Starlette would allow credentials to all other pages too.
    """

    def __init__(self, app: ASGIApp, allow_origins: Sequence[str]) -> None:
        """Stand before `app`, and let the pages of `allow_origins` read its responses; `*` stands for all."""
        super().__init__(
            app,
            allow_origins=allow_origins,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_RESPONSE_HEADERS,
            max_age=CORS_MAX_AGE_S,
        )

    @staticmethod
    def allow_explicit_origin(headers: MutableHeaders, origin: str) -> None:
        """Name the origin and allow credentials; this is never called for `*`."""
        CORSMiddleware.allow_explicit_origin(headers, origin)
        headers["Access-Control-Allow-Credentials"] = "true"

    def preflight_response(self, request_headers: Headers) -> Response:
        """Respond to a preflight request, which a browser sends before a request that is not simple."""
        response = super().preflight_response(request_headers)
        if response.headers.get("access-control-allow-origin", "*") != "*":
            response.headers["access-control-allow-credentials"] = "true"
        return response


class OpenAccessWarningMiddleware:
    """Passes every request on, and warns once if other machines can reach the application.

    `progress-sse serve` knows its address, and refuses to start like that. Under another server only a request
    shows the address.
    """

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
