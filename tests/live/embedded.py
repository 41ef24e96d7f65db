"""Applications that somebody embeds: ours, inside a middleware of theirs, with settings from the environment."""

from __future__ import annotations

import asyncio

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from progress_sse import create_app


def create_behind_gzip() -> ASGIApp:
    """The application inside a middleware that compresses what it can."""
    return GZipMiddleware(create_app(), minimum_size=1)


def create_behind_dispatch() -> ASGIApp:
    """The application inside a middleware of the kind that hides from it when its client has gone."""
    return BaseHTTPMiddleware(create_app(), dispatch=_dispatch)


async def _dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["X-Embedded"] = "yes"
    response.headers["X-Tasks"] = str(len(asyncio.all_tasks()))
    return response
