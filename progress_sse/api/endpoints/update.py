"""The endpoints by which workers report on their steps, one update at a time or many."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp

from progress_sse.api.error_responses import counted, problem_response
from progress_sse.api.replies import Reply, header_lines, json_reply
from progress_sse.api.request_body import keys_with_value, read_body, read_update, read_with_keys
from progress_sse.api.request_parts import OF_FEW_UPDATES, UPDATE, condition_of, idempotency_key, run_of, session_id_of
from progress_sse.api.router import Endpoint
from progress_sse.api.update_models import TAKEN_KEYS, BatchBody, UpdateBody, check_strictly, command_of, ignored_keys
from progress_sse.core.commands import IdempotencyKey
from progress_sse.core.errors import InternalError, ProblemError
from progress_sse.core.updates import Condition, Update, anywhere
from progress_sse.service import ProgressService
from progress_sse.store.types import Applied
from progress_sse.wire.details_json import asked_requests
from progress_sse.wire.headers import header_index
from progress_sse.wire.preferences import prefers_strict

logger: Final = logging.getLogger(__name__)

_STRICT: Final = {"preference-applied": "handling=strict"}
_STRICT_LINES: Final = header_lines(_STRICT)


class _Update(NamedTuple):
    session_id: str
    command: Update
    key: IdempotencyKey | None
    ignored: Sequence[str]


def _strict_if_preferred(endpoint: Callable[[ProgressService, Request, bool], Awaitable[Reply]]) -> Endpoint:
    """Handle requests strictly that prefer it [RFC 7240 §4.4]: each answer to them names the preference."""

    async def answer_strictly(service: ProgressService, request: Request) -> ASGIApp:
        try:
            reply = await endpoint(service, request, True)
        except ProblemError as refusal:
            response = problem_response(service, refusal)
            response.headers.update(_STRICT)
            return response
        reply.lines += _STRICT_LINES
        return reply

    @wraps(endpoint)
    def answer(service: ProgressService, request: Request) -> Awaitable[ASGIApp]:
        # No coroutine of its own: each update would run through it.
        headers = header_index(request)
        if b"prefer" in headers and prefers_strict(headers.getlist(b"prefer")):
            return answer_strictly(service, request)
        return endpoint(service, request, False)

    return answer


@_strict_if_preferred
async def update(service: ProgressService, request: Request, is_strict: bool) -> Reply:
    """`POST /api/progress/{session_id}/update`: apply one transition; respond once it is committed."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "publish", session_id)
    body, keys = await read_with_keys(request, UpdateBody, service.body_limits)
    ignored = () if TAKEN_KEYS[body.action].issuperset(keys) else ignored_keys(body, keys)
    if is_strict:
        check_strictly(body, ignored)
    key: IdempotencyKey | None = None
    run: str | None = None
    only_if: Condition = anywhere
    if not OF_FEW_UPDATES.isdisjoint(header_index(request)):
        key = idempotency_key(request, UPDATE, body.canonical)
        if not body.takes_key:
            key = None  # It has been checked all the same.
        run = run_of(request)
        only_if = condition_of(request)
    command = command_of(body, service.store.workflows, service.body_limits, run, only_if)
    applied = await service.store.apply(session_id, command, key)
    record = applied.record
    answer: dict[str, object] = {"success": True, "session_id": session_id}
    if ignored or (record is not None and record.session.progress.details.requests):
        answer |= _besides(applied, ignored)
    return json_reply(answer)


def _besides(applied: Applied, ignored: Sequence[str]) -> dict[str, object]:
    """Return what an answer says besides: what readers ask, and the keys that were ignored."""
    requests = applied.record.session.details.requests if applied.record is not None else ()
    asked = asked_requests(requests) if requests else []
    return ({"requests": asked} if asked else {}) | ({"ignored": ignored} if ignored else {})


@_strict_if_preferred
async def update_many(service: ProgressService, request: Request, is_strict: bool) -> Reply:
    """`POST /api/updates`: apply many, each as if sent alone; respond once all are committed or refused.

    Those of one session are applied in order, in one commit; sessions are processed concurrently.
    """
    # Without any right to publish, the body is not even read.
    await service.authorizer.check(request, "publish", count=0)
    batch = await read_body(request, BatchBody, service.body_limits)
    outcomes = [_read(service, value, is_strict) for value in batch.updates]
    by_session: defaultdict[str, dict[int, _Update]] = defaultdict(dict)
    for index, each in enumerate(outcomes):
        if isinstance(each, _Update):
            by_session[each.session_id][index] = each
    await service.authorizer.check(request, "publish", *by_session, count=len(outcomes))
    applied = await asyncio.gather(
        *(
            service.store.apply_all(session_id, [(each.command, each.key) for each in updates.values()])
            for session_id, updates in by_session.items()
        )
    )
    answers = [counted(service, each) if isinstance(each, ProblemError) else {} for each in outcomes]
    for updates, results in zip(by_session.values(), applied, strict=True):
        for (index, each), result in zip(updates.items(), results, strict=True):
            answers[index] = _answer(service, result, each.ignored)
    return json_reply({"results": answers})


def _read(service: ProgressService, value: object, is_strict: bool) -> _Update | ProblemError:
    try:
        update = read_update(value, service.body_limits)
        assert isinstance(value, dict)
        ignored = ignored_keys(update, keys_with_value(value))
        if is_strict:
            check_strictly(update, ignored)
        command = command_of(update, service.store.workflows, service.body_limits, update.run)
        return _Update(update.session_id, command, update.key, ignored)
    except ProblemError as refusal:
        return refusal


def _answer(service: ProgressService, outcome: Applied | BaseException, ignored: Sequence[str]) -> dict[str, object]:
    if isinstance(outcome, Applied):
        return {"status": 200, **_besides(outcome, ignored)}
    if not isinstance(outcome, ProblemError):
        logger.error("an update of many failed", exc_info=outcome)
        outcome = InternalError()
    return counted(service, outcome)
