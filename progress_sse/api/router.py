"""Routes, and the middleware that finds the endpoint of a request under `/api`.

There are thousands of updates and streams, so one look-up of the path finds their endpoint; Starlette's router would
try one pattern after the other.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from progress_sse.api.error_responses import error_response
from progress_sse.api.request_body import pass_over_body
from progress_sse.core.errors import InvalidSessionIdError, MethodNotAllowedError, PathNotFoundError, ProblemError
from progress_sse.service import ProgressService

LIVENESS: Final = "/livez"
PREFIX: Final = "/api/"
SESSION_PREFIX: Final = "/api/progress/"
SESSION_PATH: Final = f"{SESSION_PREFIX}{{session_id}}"
"""Paths of one session begin with this; a session id has no slash."""

PROFILE_PATH: Final = "/api/steps/{profile}"
"""Paths of one profile begin with this."""

HOOK_PATH: Final = "/api/hooks/{hook}"
"""Paths of one hook begin with this."""

_PARAMETERS: Final = (
    (SESSION_PREFIX, SESSION_PATH, "session_id"),
    ("/api/steps/", PROFILE_PATH, "profile"),
    ("/api/hooks/", HOOK_PATH, "hook"),
)

_PUSH: Final = "push/"
"""Paths of a session that go on with this have a subscription's id as another parameter."""

Endpoint: TypeAlias = Callable[[ProgressService, Request], Awaitable[ASGIApp]]
"""Returns the response to a request, or raises a `ProblemError`."""


class Route(NamedTuple):
    """The endpoint of one method of one path.

    Attributes:
        method: The method; GET includes HEAD.
        path: The path, with the names of its parameters in braces.
        operation_id: The key of its description in `openapi.operations.OPERATIONS`.
        endpoint: The function that responds; `None` where a mounted application does.
        is_hot: Whether thousands of requests a second may go there; see ``hot_routes``.
        takes_body: Whether the endpoint reads the body; else a body is passed over before.
    """

    method: str
    path: str
    operation_id: str
    endpoint: Endpoint | None
    is_hot: bool = False
    takes_body: bool = False


def split_path(path: str) -> tuple[str, dict[str, str]]:
    """Return the path of the route that a path belongs to, and its parameters; an empty path where one of them is."""
    for prefix, template, parameter in _PARAMETERS:
        if path.startswith(prefix):
            value, slash, rest = path.removeprefix(prefix).partition("/")
            parameters = {parameter: value}
            if rest.startswith(_PUSH) and rest != _PUSH:
                parameters["subscription_id"] = rest.removeprefix(_PUSH)
                rest = f"{_PUSH}{{subscription_id}}"
            return (template + slash + rest if value else ""), parameters
    return path, {}


class ApiRouter:
    """Responds to requests under `/api`, and passes all others on."""

    def __init__(self, app: ASGIApp, service: ProgressService, routes: Sequence[Route]) -> None:
        """Serve `service` by `routes`; `app` gets every other path."""
        self._app = app
        self._service = service
        self._endpoints: dict[str, dict[str, Endpoint]] = {}
        self._takes_body = {route.endpoint for route in routes if route.takes_body}
        for method, path, _, endpoint, *_ in routes:
            if endpoint is not None and path.startswith(PREFIX):
                self._endpoints.setdefault(path, {})[method] = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with the endpoint's response, or with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        try:
            _check_raw_path(scope.get("raw_path") or b"")
            # A host that mounts the application runs no lifespan of it. Waiting for the store is no reason to end.
            if not self._service.is_running and path != LIVENESS:
                await self._service.start_if_needed()
            endpoint = self._endpoint(path, scope) if path.startswith(PREFIX) else None
            if endpoint not in self._takes_body:
                await pass_over_body(request, self._service.body_limits)
            if endpoint is None:
                await self._app(scope, receive, send)
                return
            response = await endpoint(self._service, request)
        except ProblemError as problem:
            response = await error_response(self._service, request, problem)
        await response(scope, receive, send)

    def _endpoint(self, path: str, scope: Scope) -> Endpoint:
        path, scope["path_params"] = split_path(path)
        endpoints = self._endpoints.get(path)
        if endpoints is None:
            raise PathNotFoundError
        method = scope["method"]
        endpoint = endpoints.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            allowed = {*endpoints, "HEAD"} if "GET" in endpoints else endpoints
            raise MethodNotAllowedError(headers={"Allow": ", ".join(sorted(allowed))})
        return endpoint


def _check_raw_path(raw_path: bytes) -> None:
    """Refuse a path that changes its meaning when it is decoded, as servers pass it on.

    There a `%2F` inside a session id would split it in two, and bytes that are not UTF-8 would become a replacement
    character. Both show only in the raw path.

    Raises:
        InvalidSessionIdError: The path is such a one.
    """
    if b"%" not in raw_path:
        return
    try:
        is_plain = not any("/" in unquote_to_bytes(segment).decode() for segment in raw_path.split(b"/"))
    except UnicodeDecodeError:
        is_plain = False
    if not is_plain:
        raise InvalidSessionIdError("A session id is UTF-8 and has no /.")
