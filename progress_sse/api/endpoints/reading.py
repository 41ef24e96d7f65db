"""The endpoints that read one session: its state, the parts of a step, its log, and its badge."""

import json
from datetime import UTC
from functools import partial
from itertools import islice
from typing import Final

from starlette.requests import Request

from progress_sse.api.endpoints.steps import learned_of_session
from progress_sse.api.preferred_wait import NOT_APPLIED, wait_as_preferred
from progress_sse.api.replies import JSON, UNCACHED, Reply, cache_headers
from progress_sse.api.request_parts import accepts_text, number_of, preconditions_of, query_of, session_id_of
from progress_sse.core.errors import (
    InvalidRequestError,
    PreconditionFailedError,
    SessionNotFoundError,
    StepOutOfRangeError,
)
from progress_sse.core.log_lines import MAX_READ_LINES
from progress_sse.core.model import MAX_SAFE_INTEGER, Position, SessionProgress
from progress_sse.service import ProgressService
from progress_sse.store.idempotency import was_removed
from progress_sse.store.log_lines import StoredLines
from progress_sse.store.types import Record
from progress_sse.story.drawing import badge, drawn
from progress_sse.story.plain_text import log_line
from progress_sse.story.time_left import UsualTimes, with_usual
from progress_sse.streaming.stream_format import TEXT
from progress_sse.wire.details_json import encode_parts
from progress_sse.wire.headers import VARY, VARY_WITH_ACCEPT, header_index
from progress_sse.wire.log_lines_json import LinesShown, decode_line, encode_lines
from progress_sse.wire.preconditions import GONE, Preconditions, TagOf, badge_tag, entity_tag, text_tag
from progress_sse.wire.session_json import encode_absent


async def poll(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}`: the session as it is, or 304 if the client has it already; also as text."""
    session_id = session_id_of(request)
    authorization = await service.authorizer.check(request, "read", session_id)
    is_text = accepts_text(request)
    tag_of = text_tag if is_text else entity_tag
    preconditions = preconditions_of(request)
    applied = NOT_APPLIED
    if preconditions.if_none_match and b"prefer" in header_index(request):
        is_changed = partial(_is_changed, preconditions, tag_of)
        applied = await wait_as_preferred(service, request, authorization, [session_id], is_changed)
    record, position, body = await _shown(service, session_id)
    headers = cache_headers(position, tag_of) | applied
    if not preconditions.is_expected(position):
        raise PreconditionFailedError
    if preconditions.is_known(position, tag_of):
        service.polls["304"] += 1
        return Reply(304, headers)
    service.polls["200" if record else "not_found"] += 1
    if not is_text:
        return Reply(200, {"content-type": JSON, **headers}, body)
    usual = await _usual_times(service, record)
    now_s = service.clock.now().timestamp()
    text = drawn(with_usual(json.loads(body), usual), now_s, "", UTC)
    return Reply(200, {"content-type": f"{TEXT}; charset=utf-8", **headers}, text.encode())


async def _shown(service: ProgressService, session_id: str) -> tuple[Record | None, Position | None, bytes]:
    """Return a session, where it is, and its JSON, which shows also whether it was there before."""
    record = await service.store.load(session_id)
    if record is not None:
        return record, record.position, record.body
    is_gone = await was_removed(service.store.backend, session_id)
    return None, GONE if is_gone else None, encode_absent(session_id, is_gone=is_gone)


async def _usual_times(service: ProgressService, record: Record | None) -> UsualTimes:
    """Return the milliseconds that the session's steps usually take, by their names, as far as that was learned."""
    if record is None:
        return {}
    learned = await learned_of_session(service, record)
    return {name: step.p50_ms for name, step in learned.steps.items() if learned.of(name) is not None}


def _is_changed(preconditions: Preconditions, tag_of: TagOf, record: Record | None) -> bool:
    """Return whether a poll that waits has something to report: another state than the client has, or a refusal."""
    shown = (record.position,) if record else (None, GONE)  # It cannot go from one of these to the other.
    is_known = any(preconditions.is_known(position, tag_of) for position in shown)
    return not (preconditions.is_expected(shown[0]) and is_known)


async def parts(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}/parts?step=n`: the parts of a step, in the order of their first report."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "read", session_id)
    number = number_of(query_of(request), "step", 1, MAX_SAFE_INTEGER)
    if number is None:
        raise InvalidRequestError("step must be the number of a step, from 1.")
    step = (await _with_step(service, session_id, number)).steps.get(number)
    return Reply(200, {"content-type": JSON, **UNCACHED}, encode_parts(None if step is None else step.parts))


_LOG_HEADERS: Final = {**UNCACHED, "vary": VARY_WITH_ACCEPT}


async def log(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}/log?after=N&step=n&limit=1000`: the lines that are kept; also as text."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "read", session_id)
    query = query_of(request)
    after = number_of(query, "after", 0, MAX_SAFE_INTEGER)
    step = number_of(query, "step", 1, MAX_SAFE_INTEGER)
    limit = number_of(query, "limit", 1, MAX_READ_LINES) or MAX_READ_LINES
    stored = await service.store.read_lines(session_id, after or 0)
    if stored is None:
        raise SessionNotFoundError
    if step is not None:
        await _with_step(service, session_id, step)
    shown = _lines_shown(stored, step, limit)
    if not accepts_text(request):
        return Reply(200, {"content-type": JSON, **_LOG_HEADERS}, encode_lines(shown))
    text = "".join(f"{log_line(decode_line(line.data))}\n" for line in shown.lines)
    return Reply(200, {"content-type": f"{TEXT}; charset=utf-8", **_LOG_HEADERS}, text.encode())


async def _with_step(service: ProgressService, session_id: str, step: int) -> SessionProgress:
    """Return the session, if it has the step, started or not.

    Raises:
        SessionNotFoundError: There is no session.
        StepOutOfRangeError: It has fewer steps.
    """
    progress = await service.store.get_session(session_id)
    if progress is None:
        raise SessionNotFoundError
    if step > progress.total_steps:
        raise StepOutOfRangeError(f"step must lie between 1 and {progress.total_steps}.")
    return progress


def _lines_shown(stored: StoredLines, step: int | None, limit: int) -> LinesShown:
    of_step = (line for line in stored.lines if step is None or json.loads(b"{" + line.data)["step"] == step)
    lines = list(islice(of_step, limit))
    following = lines[-1].n if len(lines) == limit else stored.last
    return LinesShown(stored.epoch, lines, stored.first, following)


BADGE_MAX_AGE_S: Final = 10
"""Seconds for which a cache may show a badge without asking again."""

BADGE_HEADERS: Final = {
    "vary": VARY,
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'",
}


async def show_badge(service: ProgressService, request: Request) -> Reply:
    """`GET /s/{session_id}/badge.svg`: the session's status and percentage, or 304 if the client has them already."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "read", session_id)
    _, position, body = await _shown(service, session_id)
    scope = "public" if service.authorizer.is_open_to("read") else "private"
    headers = {"etag": badge_tag(position), "cache-control": f"{scope}, max-age={BADGE_MAX_AGE_S}", **BADGE_HEADERS}
    if preconditions_of(request).is_known(position, badge_tag):
        return Reply(304, headers)
    picture = badge(json.loads(body))
    return Reply(200, {"content-type": "image/svg+xml; charset=utf-8", **headers}, picture.encode())
