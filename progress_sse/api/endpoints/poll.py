"""The endpoint for polling, the fallback that needs only GET."""

from starlette.requests import Request

from progress_sse.api.replies import Reply, cache_headers, session_reply
from progress_sse.api.request_parts import preconditions_of, session_id_of
from progress_sse.core.errors import PreconditionFailedError
from progress_sse.service import ProgressService


async def poll(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}`: the session as it is, or 304 if the client has it already."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "read", session_id)
    record = await service.store.load(session_id)
    preconditions, position = preconditions_of(request), record.position if record else None
    if not preconditions.is_expected(position):
        raise PreconditionFailedError
    if preconditions.is_known(position):
        service.polls["304"] += 1
        return Reply(304, cache_headers(record))
    service.polls["200" if record else "not_found"] += 1
    return session_reply(session_id, record)
