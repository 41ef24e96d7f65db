"""Applications that somebody embeds: ours, inside a middleware of theirs."""

from __future__ import annotations

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from progress_sse import Settings, create_app

ORIGIN = "https://app.example"


def create() -> ASGIApp:
    """The application, on a store in memory, inside a middleware that compresses what it can."""
    return GZipMiddleware(create_app(Settings(store="memory://", allow_origins=(ORIGIN,))), minimum_size=1)


def create_behind_dispatch() -> ASGIApp:
    """The same inside a middleware of the kind that hides from the application when its client has gone."""
    return BaseHTTPMiddleware(create_app(Settings(store="memory://")), dispatch=_dispatch)


async def _dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["X-Embedded"] = "yes"
    return response
