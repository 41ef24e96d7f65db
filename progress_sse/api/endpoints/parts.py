"""The endpoint that shows all parts of a step, of which polls and events show a few."""

from typing import Final

from starlette.requests import Request

from progress_sse.api.replies import JSON, UNCACHED, Reply
from progress_sse.api.request_parts import query_of, session_id_of
from progress_sse.core.errors import InvalidRequestError, SessionNotFoundError, StepOutOfRangeError
from progress_sse.service import ProgressService
from progress_sse.wire.parts_json import encode_parts

_MAX_DIGITS: Final = 16


async def parts(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}/parts?step=n`: the parts of a step, in the order of their first report."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "read", session_id)
    number = _step_of(request)
    record = await service.store.load(session_id)
    if record is None:
        raise SessionNotFoundError
    progress = record.session.progress
    if number > progress.total_steps:
        raise StepOutOfRangeError(f"step must lie between 1 and {progress.total_steps}.")
    step = progress.steps.get(number)
    return Reply(200, {"content-type": JSON, **UNCACHED}, encode_parts(None if step is None else step.parts))


def _step_of(request: Request) -> int:
    text = query_of(request).get("step", "")
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text):
        return int(text)
    raise InvalidRequestError("step must be the number of a step, from 1.")
