"""The endpoint for polling, the fallback that needs only GET."""

from typing import Final

from starlette.requests import Request

from progress_sse.api.learned import learned_of_session
from progress_sse.api.preferred_wait import NOT_APPLIED, wait_as_preferred
from progress_sse.api.replies import Reply, cache_headers, session_reply, text_reply
from progress_sse.api.request_parts import accepts_text, preconditions_of, session_id_of
from progress_sse.auth.authorizer import Authorization
from progress_sse.core.errors import PreconditionFailedError
from progress_sse.service import ProgressService
from progress_sse.store.types import Record
from progress_sse.story.usual_times import UsualTimes
from progress_sse.wire.headers import header_index
from progress_sse.wire.preconditions import Preconditions, TagOf, entity_tag, text_tag

_PREFERENCES: Final = frozenset({b"prefer"})


async def poll(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}`: the session as it is, or 304 if the client has it already; also as text."""
    session_id = session_id_of(request)
    authorization = await service.authorizer.check(request, "read", session_id)
    is_text = accepts_text(request)
    tag_of = text_tag if is_text else entity_tag
    preconditions, applied = preconditions_of(request), NOT_APPLIED
    if preconditions.if_none_match and header_index(request).has_any(_PREFERENCES):
        applied = await _wait(service, request, authorization, session_id, preconditions, tag_of)
    record = await service.store.load(session_id)
    position = record.position if record else None
    if not preconditions.is_expected(position):
        raise PreconditionFailedError
    if preconditions.is_known(position, tag_of):
        service.polls["304"] += 1
        return Reply(304, cache_headers(record, tag_of) | applied)
    service.polls["200" if record else "not_found"] += 1
    if is_text:
        usual = await _usual_times(service, record)
        now_s = service.clock.now().timestamp()
        return text_reply(session_id, record, now_s, cache_headers(record, tag_of) | applied, usual)
    return session_reply(session_id, record, headers=applied)


async def _usual_times(service: ProgressService, record: Record | None) -> UsualTimes:
    if record is None:
        return {}
    learned = await learned_of_session(service, record)
    return {name: step.p50_ms for name, step in learned.steps.items() if learned.of(name) is not None}


async def _wait(
    service: ProgressService,
    request: Request,
    authorization: Authorization,
    session_id: str,
    preconditions: Preconditions,
    tag_of: TagOf,
) -> dict[str, str]:
    """Wait until the session is not as the client has it."""

    def is_news(record: Record | None) -> bool:
        position = record.position if record else None
        return not (preconditions.is_expected(position) and preconditions.is_known(position, tag_of))

    return await wait_as_preferred(service, request, authorization, [session_id], is_news)
