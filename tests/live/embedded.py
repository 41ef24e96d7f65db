"""Applications that embed ours, inside a middleware of their own, with settings from the environment."""

import gc

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from progress_sse import create_app


def create_behind_gzip() -> ASGIApp:
    """The application inside a middleware that compresses every response that it can."""
    return GZipMiddleware(create_app(), minimum_size=1)


def create_behind_dispatch() -> ASGIApp:
    """The application inside a middleware of the kind that hides its client's disconnect."""
    return BaseHTTPMiddleware(create_app(), dispatch=_dispatch)


def create_with_memory_probe() -> ASGIApp:
    """The application, and a path that counts the objects which still hold a text; the text is sent reversed."""
    app = create_app()
    app.router.routes.append(Route("/held/{backwards}", _count_held))
    return app


async def _count_held(request: Request) -> Response:
    text = request.path_params["backwards"][::-1]
    data = text.encode()
    gc.collect()
    objects, held = gc.get_objects(), 0
    while objects:
        keys = [key for each in objects if isinstance(each, dict) for key in tuple(each)]  # Texts are no referents.
        objects = [*gc.get_referents(*objects), *keys]
        held += sum(_has(each, text, data) for each in objects if each is not text and each is not data)
        # The collector does not track tuples and dictionaries of texts alone; this search has to follow them.
        objects = [each for each in objects if isinstance(each, tuple | dict) and not gc.is_tracked(each)]
    return JSONResponse(held)


def _has(each: object, text: str, data: bytes) -> bool:
    return text in each if isinstance(each, str) else isinstance(each, bytes) and data in each


async def _dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["X-Embedded"] = "yes"
    return response
