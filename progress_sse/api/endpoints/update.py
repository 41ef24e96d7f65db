"""The endpoints by which workers report on their steps, one update at a time or many."""

import asyncio
import logging
from collections import defaultdict
from typing import Final, NamedTuple

from starlette.requests import Request

from progress_sse.api.error_responses import counted
from progress_sse.api.replies import Reply, json_reply
from progress_sse.api.request_body import read_body, read_update
from progress_sse.api.request_parts import UPDATE, condition_of, idempotency_key, run_of, session_id_of
from progress_sse.api.update_models import BatchBody, UpdateBody, command_of
from progress_sse.core.commands import IdempotencyKey
from progress_sse.core.errors import InternalError, ProblemError
from progress_sse.core.updates import Update
from progress_sse.service import ProgressService
from progress_sse.store.types import Applied
from progress_sse.wire.details_json import asked_requests

logger: Final = logging.getLogger(__name__)


class _Update(NamedTuple):
    session_id: str
    command: Update
    key: IdempotencyKey | None


async def update(service: ProgressService, request: Request) -> Reply:
    """`POST /api/progress/{session_id}/update`: apply one transition; respond once it is committed."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "publish", session_id)
    body = await read_body(request, UpdateBody, service.body_limits)
    key = idempotency_key(request, UPDATE, body.canonical)
    command = command_of(body, service.store.workflows, service.body_limits, run_of(request), condition_of(request))
    applied = await service.store.apply(session_id, command, key if body.takes_key else None)
    return json_reply({"success": True, "session_id": session_id, **_asked(applied)})


def _asked(applied: Applied) -> dict[str, object]:
    requests = applied.record.session.details.requests if applied.record is not None else ()
    asked = asked_requests(requests) if requests else []
    return {"requests": asked} if asked else {}


async def update_many(service: ProgressService, request: Request) -> Reply:
    """`POST /api/updates`: apply many, each as if sent alone; respond once all are committed or refused.

    Those of one session are applied in order, in one commit; sessions are processed concurrently.
    """
    # Without any right to publish, the body is not even read.
    await service.authorizer.check(request, "publish", count=0)
    batch = await read_body(request, BatchBody, service.body_limits)
    outcomes: list[object] = [_read(service, value) for value in batch.updates]
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
    for updates, results in zip(by_session.values(), applied, strict=True):
        for index, result in zip(updates, results, strict=True):
            outcomes[index] = result
    return json_reply({"results": [_result(service, outcome) for outcome in outcomes]})


def _read(service: ProgressService, value: object) -> _Update | ProblemError:
    try:
        update = read_update(value, service.body_limits)
        command = command_of(update, service.store.workflows, service.body_limits, update.run)
        return _Update(update.session_id, command, update.key)
    except ProblemError as refusal:
        return refusal


def _result(service: ProgressService, outcome: object) -> dict[str, object]:
    if isinstance(outcome, Applied):
        return {"status": 200, **_asked(outcome)}
    if not isinstance(outcome, ProblemError):
        assert isinstance(outcome, BaseException)
        logger.error("an update of many failed", exc_info=outcome)
        outcome = InternalError()
    return counted(service, outcome)
