"""Workers report what their steps do, one update at a time or many."""

import asyncio
import logging
from collections import defaultdict
from dataclasses import replace
from typing import Final, NamedTuple

from starlette.requests import Request

from progress_sse.api.problems import counted
from progress_sse.api.replies import RUN, Reply, json_reply, preconditions_of, session_id_of
from progress_sse.api.request_models import UPDATE, BatchBody, UpdateBody, idempotency_key, read_body, read_update
from progress_sse.core.commands import StepCommand
from progress_sse.core.errors import InternalError, ProblemError
from progress_sse.core.idempotency import IdempotencyKey
from progress_sse.service import ProgressService
from progress_sse.store.types import Applied
from progress_sse.wire.headers import header_values

logger: Final = logging.getLogger(__name__)


class _Update(NamedTuple):
    session_id: str
    command: StepCommand
    key: IdempotencyKey | None


async def update(service: ProgressService, request: Request) -> Reply:
    """`POST /api/progress/{session_id}/update`: apply one transition; answer once it is committed."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "publish", session_id)
    body = await read_body(request, UpdateBody, service.body_limits)
    key = idempotency_key(request, UPDATE, body)
    asked = body.command(service.store.workflows, _run_of(request))
    command = replace(asked, only_if=preconditions_of(request).allow_change)
    await service.store.apply(session_id, command, key)
    return json_reply({"success": True, "session_id": session_id})


def _run_of(request: Request) -> str | None:
    """Return what the header says, however odd: that is no run, and refused as another one is."""
    values = header_values(request, RUN.encode())
    return b", ".join(values).decode("latin-1") if values else None


async def update_many(service: ProgressService, request: Request) -> Reply:
    """`POST /api/updates`: apply many, each as if it came alone; answer once all of them are committed or refused.

    Those of one session are applied in their order, and in one commit; sessions go side by side.
    """
    await service.authorizer.check(
        request, "publish", count=0
    )  # What those bring who may publish nothing is not even read.
    batch = await read_body(request, BatchBody, service.body_limits)
    answers: list[object] = [_read(service, value) for value in batch.updates]
    lines: defaultdict[str, dict[int, _Update]] = defaultdict(dict)
    for place, each in enumerate(answers):
        if isinstance(each, _Update):
            lines[each.session_id][place] = each
    await service.authorizer.check(request, "publish", *lines, count=len(answers))
    applied = await asyncio.gather(
        *(
            service.store.apply_all(session_id, [(each.command, each.key) for each in line.values()])
            for session_id, line in lines.items()
        )
    )
    for line, results in zip(lines.values(), applied, strict=True):
        for place, result in zip(line, results, strict=True):
            answers[place] = result
    return json_reply({"results": [_result(service, answer) for answer in answers]})


def _read(service: ProgressService, value: object) -> _Update | ProblemError:
    try:
        update = read_update(value, service.body_limits)
        return _Update(update.session_id, update.command(service.store.workflows, update.run), update.key)
    except ProblemError as refusal:
        return refusal


def _result(service: ProgressService, answer: object) -> dict[str, object]:
    if isinstance(answer, Applied):
        return {"status": 200}
    if not isinstance(answer, ProblemError):
        assert isinstance(answer, BaseException)
        logger.error("an update of many failed", exc_info=answer)
        answer = InternalError()
    return counted(service, answer)
