"""From errors to `application/problem+json` [RFC 9457], in this one place."""

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from progress_sse.core.errors import InternalError, MethodNotAllowedError, PathNotFoundError, ProblemError
from progress_sse.service import ProgressService
from progress_sse.wire import json_text
from progress_sse.wire.headers import VARY

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


def problem_response(service: ProgressService, error: ProblemError) -> Response:
    """Return the response to an error, and count it."""
    # Caches may store some statuses by default, but a session that is unknown now may exist in a moment.
    headers = {"Cache-Control": "no-store", "Vary": VARY, **error.headers}
    return Response(json_text.encode_json(counted(service, error)), error.status, headers, MEDIA_TYPE)


async def answer_problem(service: ProgressService, _request: Request, error: Exception) -> Response:
    """Respond to an error of this package."""
    assert isinstance(error, ProblemError)
    return problem_response(service, error)


async def answer_http_exception(service: ProgressService, _request: Request, error: Exception) -> Response:
    """Respond to an error of Starlette's router: an unknown path, or a method that the path does not take."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = sorted((error.headers or {})["Allow"].split(", "))
        return problem_response(service, MethodNotAllowedError(headers={"Allow": ", ".join(allowed)}))
    return problem_response(service, PathNotFoundError())


async def answer_unforeseen(service: ProgressService, _request: Request, _error: Exception) -> Response:
    """Respond to an unforeseen exception without its text; Starlette raises it again for the log."""
    return problem_response(service, InternalError())
