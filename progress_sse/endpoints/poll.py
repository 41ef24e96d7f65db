"""Polling: the fallback that needs nothing but GET."""

from starlette.requests import Request

from progress_sse.endpoints.common import Reply, cache_headers, entity_tag, session_id_of, session_reply
from progress_sse.headers import header_values
from progress_sse.service import ProgressService


async def poll(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}`: the session as it is, or 304 if the client has that already."""
    session_id = session_id_of(request)
    await service.gate.check(request, "read", session_id)
    record = await service.store.load(session_id)
    tag = entity_tag(record)
    if has_current(header_values(request, b"if-none-match"), tag.encode()):
        service.polls["304"] += 1
        return Reply(304, cache_headers(tag))
    service.polls["200" if record else "not_found"] += 1
    return session_reply(session_id, record)


def has_current(offered: list[bytes], tag: bytes) -> bool:
    """Return whether the values of `If-None-Match` name the tag.

    They compare weakly [RFC 9110 §13.1.2]: a proxy that compresses weakens our tags.
    """
    if not offered or offered in ([tag], [b"*"]):
        return bool(offered)
    return tag in {each.strip().removeprefix(b"W/") for each in b",".join(offered).split(b",")}
