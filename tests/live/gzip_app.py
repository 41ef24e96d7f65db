"""An application that somebody embeds: ours, wrapped in a middleware that compresses what it can."""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from progress_sse import Settings, create_app


def create() -> ASGIApp:
    """The application, on a store in memory."""
    return GZipMiddleware(create_app(Settings(store="memory://")), minimum_size=1)
