"""Polling: the fallback that needs nothing but GET."""

from starlette.requests import Request
from starlette.responses import Response

from progress_sse.endpoints.common import entity_tag, service_of, session_id_of, session_response


async def poll(request: Request) -> Response:
    """`GET /api/progress/{session_id}`: the session as it is, or 304 if the client has that already."""
    session_id = session_id_of(request)
    record = await service_of(request).store.load(session_id)
    response = session_response(session_id, record)
    if _has_current(request, entity_tag(record)):
        unchanged = {name: response.headers[name] for name in ("etag", "cache-control")}
        return Response(status_code=304, headers=unchanged)
    return response


def _has_current(request: Request, tag: str) -> bool:
    """Compare weakly, as If-None-Match does [RFC 9110 §13.1.2]: a proxy that compresses weakens our tags."""
    offered = request.headers.get("if-none-match")
    if offered is None:
        return False
    tags = {each.strip().removeprefix("W/") for each in offered.split(",")}
    return tag in tags or "*" in tags
