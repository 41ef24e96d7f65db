"""From errors to `application/problem+json` [RFC 9457], in this one place."""

from typing import Final

from starlette.responses import Response

from progress_sse.core.errors import ProblemError
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


def problem_response(service: ProgressService, error: ProblemError, vary: str = VARY) -> Response:
    """Return the response to an error, and count it."""
    # Caches may store some statuses by default, but a session that is unknown now may exist in a moment.
    headers = {"Cache-Control": "no-store", "Vary": vary, **error.headers}
    return Response(json_text.encode_json(counted(service, error)), error.status, headers, MEDIA_TYPE)
