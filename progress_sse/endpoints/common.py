"""What several endpoints need."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from progress_sse import wire
from progress_sse.model import check_session_id
from progress_sse.record import Record
from progress_sse.service import ProgressService

JSON: Final = "application/json"

ABSENT_TAG: Final = '"absent"'
"""The ETag of a session that does not exist: there is only one way not to exist."""


def service_of(request: Request) -> ProgressService:
    """Return the service that the application was made for."""
    service: ProgressService = request.app.state.service
    return service


def session_id_of(request: Request) -> str:
    """Return the session id in the path.

    Raises:
        InvalidSessionIdError: It is none.
    """
    return check_session_id(request.path_params["session_id"])


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return compact JSON."""
    return Response(wire.encode_json(value), status, headers, JSON)


def session_response(
    session_id: str, record: Record | None, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a session as polling shows it; `None` as one that does not exist."""
    body = record.body if record else wire.encode_absent(session_id)
    cached = {"ETag": entity_tag(record), "Cache-Control": "private, no-cache"}
    return Response(body, status, {**cached, **(headers or {})}, JSON)


def entity_tag(record: Record | None) -> str:
    """Return the ETag: equal ones mean equal bodies, since a session changes only by moving to another position."""
    return f'"{record.position}"' if record else ABSENT_TAG
