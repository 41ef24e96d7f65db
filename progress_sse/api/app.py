"""The ASGI application: its routes, middleware and lifespan."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from progress_sse.api import error_responses
from progress_sse.api.endpoints import pages
from progress_sse.api.endpoints.pages import UserFiles
from progress_sse.api.middleware import ListedOriginsMiddleware, OpenAccessWarningMiddleware
from progress_sse.api.router import PREFIX, ApiRouter
from progress_sse.api.routes import FILES, ROUTES
from progress_sse.auth.authorizer import Authorize
from progress_sse.service import ProgressService, running
from progress_sse.settings import Settings, load_settings
from progress_sse.wiring import served_folder

logger: Final = logging.getLogger(__name__)


def create_app(
    settings: Settings | None = None, *, service: ProgressService | None = None, authorize: Authorize | None = None
) -> Starlette:
    """Return the application; its lifespan opens and closes the service.

    Args:
        settings: How it runs; from the environment by default.
        service: The service behind it; made from `settings` and `authorize` by default.
        authorize: Called with each request, an action (`read`, `publish`, `control`, `list` or `admin`) and the
            session's id (`None` for all together, and for `admin`). Returns whether the request is allowed, or an
            awaitable of that. It replaces all tokens, cookies and tickets, and the setting `read`.

    Raises:
        ConfigurationError: The settings contradict each other.
    """
    settings = settings or load_settings()
    service = service or ProgressService(settings, authorize=authorize)
    app = Starlette(
        routes=_routes(service, served_folder(settings)),
        middleware=_middleware(settings, service),
        exception_handlers={
            HTTPException: partial(error_responses.answer_http_exception, service),
            Exception: partial(error_responses.answer_unforeseen, service),
        },
        lifespan=_lifespan,
    )
    # A redirect to the path without the slash would contain the Host header, which any client can choose.
    app.router.redirect_slashes = False
    app.state.service = service
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with running(app.state.service):
        yield


def _routes(service: ProgressService, folder: Path | None) -> list[Route | Mount]:
    """Return the routes that are not below `/api`, and last the user's `folder`, for Starlette's router."""
    routes: list[Route | Mount] = [
        Route(route.path, partial(route.endpoint, service))
        for route in ROUTES
        if route.endpoint is not None and not route.path.startswith(PREFIX)
    ]
    routes.append(Mount(FILES, pages.BrowserFiles()))
    if folder is not None:
        routes.append(Mount("/", UserFiles(folder, service.settings)))
    return routes


def _middleware(settings: Settings, service: ProgressService) -> list[Middleware]:
    middleware = [Middleware(ApiRouter, service=service, routes=ROUTES)]
    if settings.allow_origins:
        middleware.insert(0, Middleware(ListedOriginsMiddleware, allow_origins=settings.allow_origins))
    if service.authorizer.is_open_to("publish") and not settings.insecure:
        middleware.insert(0, Middleware(OpenAccessWarningMiddleware))
        if "*" in settings.allow_origins:
            logger.warning(
                "Pages of every origin may create, change and delete sessions, as allow_origins is *: set a "
                "publish_token (or set insecure, if that is intended)."
            )
    return middleware
