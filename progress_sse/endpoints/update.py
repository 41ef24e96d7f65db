"""Workers report what their steps do."""

from starlette.requests import Request
from starlette.responses import Response

from progress_sse.bodies import UpdateBody, idempotency_key, read_body
from progress_sse.endpoints.common import json_response, service_of, session_id_of


async def update(request: Request) -> Response:
    """`POST /api/progress/{session_id}/update`: apply one transition; answer once it is committed."""
    service = service_of(request)
    service.gate.check(request)
    session_id = session_id_of(request)
    body = await read_body(request, UpdateBody, service.body_limits)
    key = idempotency_key(request, "update", body)
    await service.store.apply(session_id, body.command(service.store), key)
    return json_response({"success": True, "session_id": session_id})
