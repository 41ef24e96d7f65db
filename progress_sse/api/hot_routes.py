"""The endpoints that get thousands of requests a second, for a server that calls them without ASGI's machinery.

Jobs post updates, browsers poll and open streams; all other requests are rare. Our own server finds the endpoint of
such a request here, and calls it with a scope of what these endpoints read. No middleware of the application would do
anything to a request that is found: one that a middleware might refuse or change is not found, and goes the usual way.
(`serve` has refused to start where `OpenAccessWarningMiddleware` would warn.)
"""

import logging
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp, Receive

from progress_sse.api.error_responses import problem_response
from progress_sse.api.middleware import is_public_name, needs_host_check
from progress_sse.api.router import Endpoint, Route, split_path
from progress_sse.core.errors import InternalError, ProblemError
from progress_sse.service import ProgressService
from progress_sse.wire.headers import INDEX, HeaderIndex

logger: Final = logging.getLogger(__name__)

_UNUSUAL: Final = frozenset({b"origin", b"cookie", b"expect", b"transfer-encoding", b"last-event-id"})
"""Headers of requests that go the usual way: those of other origins' pages and of cookies, those of bodies whose length
is unknown or that wait to be asked for, and positions. `Prefer` is one too, but not in an update, which never waits."""

_QUERIES: Final = frozenset({b"", b"heartbeat=event"})
"""The queries of hot requests. A ticket, or a position to go on from, may need a task of asyncio to be looked up in."""

MAX_BODY_BYTES: Final = 65_536
"""Bytes of a body that the server takes in before an endpoint asks for them: above this, uvicorn pauses reading."""

_MAX_LENGTH_DIGITS: Final = 9
"""Digits of a length that is allowed, with room for leading zeros."""


class HotRequest(NamedTuple):
    """A request whose endpoint was found; its `scope` has what hot endpoints read."""

    endpoint: Endpoint
    scope: dict[str, Any]


class HotRoutes:
    """The endpoints by method and path."""

    def __init__(self, service: ProgressService, routes: Iterable[Route]) -> None:
        """Find the endpoints among `routes` that are hot."""
        self._service = service
        self._endpoints = {
            (route.method.encode(), route.path): route.endpoint
            for route in routes
            if route.is_hot and route.endpoint is not None
        }
        settings = service.settings
        self._checks_host = needs_host_check(service)
        self._max_body_bytes = min(settings.max_body_bytes, MAX_BODY_BYTES)
        # Rates, and a function of the host that decides, may need a task of asyncio. Callers are counted by addresses,
        # which a proxy may have named. Where pages of other origins are allowed, each response has a header for that.
        self._is_usable = service.authorizer.takes_tokens and not (
            settings.has_rates or settings.max_streams_per_caller or settings.allow_origins
        )

    def find(self, method: bytes, target: bytes, headers: HeaderIndex) -> HotRequest | None:
        """Return the request with its endpoint; `None` if it has to go the usual way."""
        # A fragment is not part of the path, and an escape stands for another character.
        if b"%" in target or b"#" in target or not self._is_usable or not self._service.is_running:
            return None
        raw_path, _, query = target.partition(b"?")
        path = raw_path.decode("ascii")
        route, parameters = split_path(path)
        endpoint = self._endpoints.get((method, route))
        if endpoint is None or query not in _QUERIES or not self._is_plain(method, headers):
            return None
        return HotRequest(
            endpoint,
            {
                "type": "http",
                "method": method.decode("ascii"),
                "path": path,
                "query_string": query,
                "headers": headers.raw,
                INDEX: headers,
                "path_params": parameters,
            },
        )

    def _is_plain(self, method: bytes, headers: HeaderIndex) -> bool:
        """Return whether no middleware would look at the request, and its body has a length that is allowed."""
        if not _UNUSUAL.isdisjoint(headers) or (self._checks_host and is_public_name(headers.get(b"host", b""))):
            return False
        length = headers.get(b"content-length") or b"0"
        if method == b"GET":
            return length == b"0" and b"prefer" not in headers
        # `int` would take `1_0` too, which is refused the usual way.
        return length.isdigit() and len(length) <= _MAX_LENGTH_DIGITS and int(length) <= self._max_body_bytes

    async def respond(self, request: HotRequest, receive: Receive) -> ASGIApp:
        """Return the endpoint's response, or a problem."""
        try:
            return await request.endpoint(self._service, Request(request.scope, receive))
        except ProblemError as problem:
            return problem_response(self._service, problem)
        except Exception:
            logger.exception("a request failed")
            return problem_response(self._service, InternalError())
