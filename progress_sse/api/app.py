"""The ASGI application: what is served beside the API, what stands before both, and the lifespan."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from progress_sse.api import problems
from progress_sse.api.endpoints import health, metrics, openapi, pages
from progress_sse.api.middleware.open_access_warning import OpenAccessWarningMiddleware
from progress_sse.api.routes import Api, Endpoint
from progress_sse.auth.authorizer import Authorize
from progress_sse.core.errors import InvalidSessionIdError, ProblemError
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

CORS_MAX_AGE_S: Final = 600
CORS_METHODS: Final = ("GET", "POST", "PUT", "DELETE")
CORS_REQUEST_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Progress-Run",
)
CORS_RESPONSE_HEADERS: Final = ("Date", "ETag", "Location", "Progress-Run", "Retry-After")
"""What pages of other origins may read; the date, so that they know how long a step has been running."""


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
    middleware = [Middleware(PathGuard, service=service), Middleware(Api, service=service)]
    if settings.allow_origins:
        cors = Middleware(
            ListedOrigins,
            allow_origins=settings.allow_origins,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_RESPONSE_HEADERS,
            max_age=CORS_MAX_AGE_S,
        )
        middleware.insert(0, cors)
    if service.authorizer.is_open_to("publish") and not settings.insecure:
        middleware.insert(0, Middleware(OpenAccessWarningMiddleware))
        if "*" in settings.allow_origins:
            logger.warning(
                "Pages of every origin may create, change and delete sessions, as allow_origins is *: set a "
                "publish_token (or set insecure, if that is meant)."
            )
    return middleware


class ListedOrigins(CORSMiddleware):
    """Lets pages of listed origins in, with credentials; of these Starlette would tell everybody else as well."""

    @staticmethod
    def allow_explicit_origin(headers: MutableHeaders, origin: str) -> None:
        """Name the origin, which is never done for `*`."""
        CORSMiddleware.allow_explicit_origin(headers, origin)
        headers["Access-Control-Allow-Credentials"] = "true"

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer what a browser asks before it sends a request that is not simple."""
        response = super().preflight_response(request_headers)
        if response.headers.get("access-control-allow-origin", "*") != "*":
            response.headers["access-control-allow-credentials"] = "true"
        return response


class PathGuard:
    """Refuses paths that do not say what they seem to.

    Servers hand over the path decoded: a `%2F` inside a session id would cut it in two, and bytes that are not UTF-8
    would turn into a character that nobody sent. Both are seen only in the path as it came.
    """

    def __init__(self, app: ASGIApp, service: ProgressService) -> None:
        """Stand before `app`; `service` counts what is refused."""
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 422."""
        if scope["type"] == "http" and not _is_plain(scope.get("raw_path") or b""):
            refusal = InvalidSessionIdError("A session id is UTF-8 and has no /.")
            await problems.problem_response(self._service, refusal)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_plain(raw_path: bytes) -> bool:
    if b"%" not in raw_path:
        return True
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in raw_path.split(b"/")]
    except UnicodeDecodeError:
        return False
    return not any("/" in segment for segment in segments)
