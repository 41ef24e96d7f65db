"""Workers report what their steps do."""

from starlette.requests import Request

from progress_sse.bodies import UpdateBody, idempotency_key, read_body
from progress_sse.endpoints.common import Reply, json_reply, session_id_of
from progress_sse.service import ProgressService


async def update(service: ProgressService, request: Request) -> Reply:
    """`POST /api/progress/{session_id}/update`: apply one transition; answer once it is committed."""
    session_id = session_id_of(request)
    await service.gate.check(request, "publish", session_id)
    body = await read_body(request, UpdateBody, service.body_limits)
    key = idempotency_key(request, "update", body)
    await service.store.apply(session_id, body.command(service.store), key)
    return json_reply({"success": True, "session_id": session_id})
