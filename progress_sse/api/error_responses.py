"""From errors to responses: a person who looks for a page gets a page, any other client a problem [RFC 9457]."""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from html import escape
from http import HTTPStatus
from string import Template
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from progress_sse.api.page_files import ASSETS, page_headers
from progress_sse.core.errors import InternalError, MethodNotAllowedError, PathNotFoundError, ProblemError
from progress_sse.service import ProgressService
from progress_sse.wire import json_text
from progress_sse.wire.headers import VARY, VARY_WITH_ACCEPT, header_values
from progress_sse.wire.preferences import preferred_language, prefers_html

MEDIA_TYPE: Final = "application/problem+json"


def problem(error: ProblemError) -> dict[str, object]:
    """Return the problem that a client gets for an error."""
    return {
        "type": f"/problems/{error.problem}",
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        "success": False,
    }


def counted(service: ProgressService, error: ProblemError) -> dict[str, object]:
    """Return the problem that a client gets for an error, and count it."""
    service.refusals[error.problem] += 1
    return problem(error)


def problem_response(service: ProgressService, error: ProblemError, vary: str = VARY) -> Response:
    """Return the response to an error, and count it."""
    # Caches may store some statuses by default, but a session that is unknown now may exist in a moment.
    headers = {"Cache-Control": "no-store", "Vary": vary, **error.headers}
    return Response(json_text.encode_json(counted(service, error)), error.status, headers, MEDIA_TYPE)


TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "missing": "There is no such page",
        "missing_text": "The address may be mistyped, or the page may be gone.",
        "invalid": "This address is not valid",
        "invalid_text": "The id of a job has at most 128 characters, and neither slashes nor control characters.",
        "misdirected": "The server does not answer to this name",
        "misdirected_text": "Without tokens it answers only where its address is a number, or localhost.",
        "unavailable": "The server cannot answer now",
        "unavailable_text": "Load the page again in a moment.",
        "failed": "The server failed",
        "failed_text": "Its log has the reason.",
        "refused": "The server refused this request",
        "refused_text": "Open the page by its address.",
        "home": "Start page",
    },
    "ja": {
        "missing": "ページが見つかりません",
        "missing_text": "アドレスが間違っているか、ページがなくなった可能性があります。",
        "invalid": "このアドレスは無効です",
        "invalid_text": "ジョブの ID は 128 文字以内で、スラッシュや制御文字は使えません。",
        "misdirected": "このサーバーはこの名前では応答しません",
        "misdirected_text": "トークンがない場合、数値のアドレスか localhost でのみ応答します。",
        "unavailable": "サーバーは現在応答できません",
        "unavailable_text": "しばらくしてから再読み込みしてください。",
        "failed": "サーバーでエラーが発生しました",
        "failed_text": "原因はサーバーのログに記録されています。",
        "refused": "このリクエストは拒否されました",
        "refused_text": "ページのアドレスを開いてください。",
        "home": "トップページ",
    },
}

_KINDS: Final[Mapping[int, str]] = {
    HTTPStatus.NOT_FOUND: "missing",
    HTTPStatus.MISDIRECTED_REQUEST: "misdirected",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    HTTPStatus.TOO_MANY_REQUESTS: "unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
    HTTPStatus.INTERNAL_SERVER_ERROR: "failed",
}


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
    language = preferred_language(header_values(request, b"accept-language"), TEXTS)
    texts = TEXTS[language]
    kind = _KINDS.get(error.status, "refused")
    return {
        "language": language,
        "base": escape(request.scope.get("root_path", ""), quote=True),
        "status": str(error.status),
        "title": texts[kind],
        "text": texts[f"{kind}_text"],
        "home": texts["home"],
    }


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
