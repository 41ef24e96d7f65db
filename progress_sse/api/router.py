"""Routes, and the middleware that finds the endpoint of a request under `/api`.

There are thousands of updates and streams, so one look-up of the path finds their endpoint; Starlette's router would
try one pattern after the other.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from progress_sse.api.error_responses import error_response
from progress_sse.api.request_body import pass_over_body
from progress_sse.core.errors import (
    MethodNotAllowedError,
    PathNotFoundError,
    ProblemError,
)
from progress_sse.service import ProgressService

LIVENESS: Final = "/livez"
PREFIX: Final = "/api/"
SESSION_PREFIX: Final = "/api/progress/"
SESSION_PATH: Final = f"{SESSION_PREFIX}{{session_id}}"
"""Paths of one session begin with this; a session id has no slash."""

PROFILE_PREFIX: Final = "/api/steps/"
PROFILE_PATH: Final = f"{PROFILE_PREFIX}{{profile}}"
"""Paths of one profile begin with this."""

Endpoint: TypeAlias = Callable[[ProgressService, Request], Awaitable[ASGIApp]]


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


def split_session(path: str) -> tuple[str, str] | None:
    """Return the session id in a path below `/api/progress/`, and the path of its route; `None` if it names none."""
    return _split(path, SESSION_PREFIX, SESSION_PATH)


def _split(path: str, prefix: str, template: str) -> tuple[str, str] | None:
    name, slash, rest = path.removeprefix(prefix).partition("/")
    return (name, template + slash + rest) if name else None


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
        is_request = scope["type"] == "http"
        path = scope["path"].removeprefix(scope.get("root_path", "")) if is_request else ""
        try:
            # A host that mounts the application runs no lifespan of it. Waiting for the store is no reason to end.
            if is_request and not self._service.is_running and path != LIVENESS:
                await self._service.start_if_needed()
            endpoint = self._endpoint(path, scope) if path.startswith(PREFIX) else None
            if is_request and endpoint not in self._takes_body:
                await pass_over_body(Request(scope, receive), self._service.body_limits)
            if endpoint is None:
                await self._app(scope, receive, send)
                return
            response = await endpoint(self._service, Request(scope, receive))
        except ProblemError as problem:
            response = await error_response(self._service, Request(scope), problem)
        await response(scope, receive, send)

    def _endpoint(self, path: str, scope: Scope) -> Endpoint:
        if path.startswith(SESSION_PREFIX):
            session_id, path = split_session(path) or ("", "")
            scope["path_params"] = {"session_id": session_id}
        elif path.startswith(PROFILE_PREFIX):
            profile, path = _split(path, PROFILE_PREFIX, PROFILE_PATH) or ("", "")
            scope["path_params"] = {"profile": profile}
        endpoints = self._endpoints.get(path)
        if endpoints is None:
            raise PathNotFoundError
        method = scope["method"]
        endpoint = endpoints.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            allowed = {*endpoints, "HEAD"} if "GET" in endpoints else endpoints
            raise MethodNotAllowedError(headers={"Allow": ", ".join(sorted(allowed))})
        return endpoint
