"""The ASGI application: what is served beside the API, what stands before both, and the lifespan."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from progress_sse.api import problems
from progress_sse.api.endpoints import health, metrics, openapi, pages
from progress_sse.api.middleware.listed_origins import ListedOriginsMiddleware
from progress_sse.api.middleware.open_access_warning import OpenAccessWarningMiddleware
from progress_sse.api.middleware.path_guard import PathGuardMiddleware
from progress_sse.api.routes import Api, Endpoint
from progress_sse.auth.authorizer import Authorize
from progress_sse.core.errors import ProblemError
from progress_sse.service import ProgressService, running
from progress_sse.settings import Settings, load_settings

logger: Final = logging.getLogger(__name__)

PATHS: Final[Mapping[str, Endpoint]] = {
    "/livez": health.livez,
    "/readyz": health.readyz,
    "/metrics": metrics.metrics,
    "/openapi.json": openapi.openapi,
    "/": pages.page,
    "/s/{session_id}": pages.session_page,
}
"""What answers a GET beside the API."""

FILES: Final = "/web"
"""Where the browser files are."""


def create_app(
    settings: Settings | None = None, *, service: ProgressService | None = None, authorize: Authorize | None = None
) -> Starlette:
    """Return the application; its lifespan opens and closes the service.

    Args:
        settings: How it runs; from the environment where none are given.
        service: What it serves; made from `settings` and `authorize` where none is given.
        authorize: Called with each request, an action (`read`, `publish` or `list`) and the id of the session (`None`
            for the list of all), and returns whether to let it in, or awaits that. It takes the place of all tokens,
            of cookies and tickets too, and of the setting `read`.

    Raises:
        ConfigurationError: The settings do not go together.
    """
    settings = settings or load_settings()
    service = service or ProgressService(settings, authorize=authorize)
    app = Starlette(
        routes=_routes(service),
        middleware=_middleware(settings, service),
        exception_handlers={
            ProblemError: partial(problems.answer_problem, service),
            HTTPException: partial(problems.answer_http_exception, service),
            Exception: partial(problems.answer_unforeseen, service),
        },
        lifespan=_lifespan,
    )
    # A redirect to the path without the slash would be built from a Host that anybody can send.
    app.router.redirect_slashes = False
    app.state.service = service
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with running(app.state.service):
        yield


def _routes(service: ProgressService) -> list[Route | Mount]:
    routes = [Route(path, partial(endpoint, service)) for path, endpoint in PATHS.items()]
    return [*routes, Mount(FILES, pages.BrowserFiles())]


def _middleware(settings: Settings, service: ProgressService) -> list[Middleware]:
    middleware = [Middleware(PathGuardMiddleware, service=service), Middleware(Api, service=service)]
    if settings.allow_origins:
        middleware.insert(0, Middleware(ListedOriginsMiddleware, allow_origins=settings.allow_origins))
    if service.authorizer.is_open_to("publish") and not settings.insecure:
        middleware.insert(0, Middleware(OpenAccessWarningMiddleware))
        if "*" in settings.allow_origins:
            logger.warning(
                "Pages of every origin may create, change and delete sessions, as allow_origins is *: set a "
                "publish_token (or set insecure, if that is meant)."
            )
    return middleware
