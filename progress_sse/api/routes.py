"""The paths under `/api`: which endpoint answers, and what becomes of the errors that it raises.

Updates and streams come by the thousand, so they are found by looking at the path once, where Starlette's router
would try one pattern after the other.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from progress_sse.api import problems
from progress_sse.api.endpoints import cookie, events, poll, sessions, steps, tickets, update
from progress_sse.core.errors import (
    MethodNotAllowedError,
    PathNotFoundError,
    ProblemError,
    StoreRefusedError,
    StoreUnavailableError,
)
from progress_sse.service import ProgressService

Endpoint: TypeAlias = Callable[[ProgressService, Request], Awaitable[ASGIApp]]
Endpoints: TypeAlias = Mapping[str, Endpoint]
"""What answers at one path, by method."""

logger = logging.getLogger(__name__)

PREFIX: Final = "/api"

PATHS: Final[Mapping[str, Endpoints]] = {
    "/api/progress": {"GET": sessions.list_sessions, "POST": sessions.create_unnamed},
    "/api/updates": {"POST": update.update_many},
    "/api/events": {"GET": events.combined_events},
    "/api/steps": {"GET": steps.steps},
    "/api/cookie": {"POST": cookie.keep, "DELETE": cookie.drop},
    "/api/tickets": {"POST": tickets.issue},
}

SESSION_PREFIX: Final = "/api/progress/"
SESSION_PATHS: Final[Mapping[str, Endpoints]] = {
    "": {"GET": poll.poll, "PUT": sessions.create, "DELETE": sessions.delete},
    "/update": {"POST": update.update},
    "/events": {"GET": events.events},
}
"""What follows the prefix and a session id, which has no slash."""


class Api:
    """Answers what is asked under `/api`, and leaves the rest to the application behind it."""

    def __init__(self, app: ASGIApp, service: ProgressService) -> None:
        """Serve `service`; `app` gets every other path."""
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, by an endpoint or by a problem."""
        is_request = scope["type"] == "http"
        path = scope["path"].removeprefix(scope.get("root_path", "")) if is_request else ""
        try:
            if is_request and not self._service.is_running:
                await _start(self._service)
            if not path.startswith(PREFIX):
                await self._app(scope, receive, send)
                return
            response = await _endpoint(path, scope)(self._service, Request(scope, receive))
        except ProblemError as problem:
            response = problems.problem_response(self._service, problem)
        await response(scope, receive, send)


async def _start(service: ProgressService) -> None:
    """Start with the first request: a host that mounts the application does not run its lifespan."""
    try:
        await service.start_if_needed()
    except StoreRefusedError as error:
        logger.error("%s", error)
        raise StoreUnavailableError from error


def _endpoint(path: str, scope: Scope) -> Endpoint:
    endpoints = PATHS.get(path)
    if endpoints is None and path.startswith(SESSION_PREFIX):
        session_id, slash, rest = path[len(SESSION_PREFIX) :].partition("/")
        scope["path_params"] = {"session_id": session_id}
        endpoints = SESSION_PATHS.get(slash + rest) if session_id else None
    if endpoints is None:
        raise PathNotFoundError
    method = scope["method"]
    endpoint = endpoints.get("GET" if method == "HEAD" else method)
    if endpoint is None:
        allowed = {*endpoints, "HEAD"} if "GET" in endpoints else endpoints
        raise MethodNotAllowedError(headers={"Allow": ", ".join(sorted(allowed))})
    return endpoint
