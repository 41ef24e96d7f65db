"""From errors to responses: a person who looks for a page gets a page, and any other client a problem."""

import asyncio
from functools import lru_cache
from html import escape
from http import HTTPStatus
from string import Template
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from progress_sse.api.error_texts import TEXTS, error_text
from progress_sse.api.page_files import ASSETS, page_headers
from progress_sse.api.problems import counted, problem_response
from progress_sse.core.errors import InternalError, MethodNotAllowedError, PathNotFoundError, ProblemError
from progress_sse.service import ProgressService
from progress_sse.wire.accept import preferred_language, prefers_html
from progress_sse.wire.headers import VARY_WITH_ACCEPT, header_values

MACHINE_PATHS: Final = ("/api", "/livez", "/readyz", "/metrics", "/openapi.json")
"""Where programs ask: these paths, and those below them, answer with a problem whatever the client accepts."""

VARY_OF_PAGES: Final = f"{VARY_WITH_ACCEPT}, Accept-Language"


async def error_response(service: ProgressService, request: Request, error: ProblemError) -> Response:
    """Return the response to an error, and count it: a page where a browser asks for one, in its visitor's language."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if any(path == each or path.startswith(f"{each}/") for each in MACHINE_PATHS):
        return problem_response(service, error)
    if not prefers_html(header_values(request, b"accept")):
        return problem_response(service, error, VARY_OF_PAGES)
    counted(service, error)
    template = await asyncio.to_thread(_template)
    headers = {**page_headers(service.settings), "Cache-Control": "no-store", "Vary": VARY_OF_PAGES, **error.headers}
    return Response(template.substitute(_values(request, error)), error.status, headers, "text/html")


@lru_cache(maxsize=1)
def _template() -> Template:
    html = (ASSETS / "error.html").read_text("utf-8")
    return Template(html.replace('lang="en"', 'lang="$language"').replace('<base href="/">', '<base href="$base/">'))


def _values(request: Request, error: ProblemError) -> dict[str, str]:
    """Return what is inserted into the template. None of it comes from the request, but for the escaped prefix."""
    language = preferred_language(header_values(request, b"accept-language"), tuple(TEXTS))
    title, text = error_text(language, error.status)
    return {
        "language": language,
        "base": escape(request.scope.get("root_path", ""), quote=True),
        "status": str(error.status),
        "title": title,
        "text": text,
        "home": TEXTS[language]["home"],
    }


async def answer_problem(service: ProgressService, request: Request, error: Exception) -> Response:
    """Respond to an error of this package."""
    assert isinstance(error, ProblemError)
    return await error_response(service, request, error)


async def answer_http_exception(service: ProgressService, request: Request, error: Exception) -> Response:
    """Respond to an error of Starlette's router: an unknown path, or a method that the path does not take."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = sorted((error.headers or {})["Allow"].split(", "))
        return await error_response(service, request, MethodNotAllowedError(headers={"Allow": ", ".join(allowed)}))
    return await error_response(service, request, PathNotFoundError())


async def answer_unforeseen(service: ProgressService, request: Request, _error: Exception) -> Response:
    """Respond to an unforeseen exception without its text; Starlette raises it again for the log."""
    return await error_response(service, request, InternalError())
