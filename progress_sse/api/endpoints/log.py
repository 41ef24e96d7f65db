"""The endpoint that shows the lines of a session's log."""

import json
from itertools import islice
from typing import Final

from starlette.requests import Request

from progress_sse.api.replies import JSON, UNCACHED, Reply
from progress_sse.api.request_parts import accepts_text, query_of, session_id_of
from progress_sse.core.errors import InvalidRequestError, SessionNotFoundError, StepOutOfRangeError
from progress_sse.core.log_lines import MAX_READ_LINES
from progress_sse.core.model import MAX_SAFE_INTEGER
from progress_sse.service import ProgressService
from progress_sse.store.log_lines import StoredLines
from progress_sse.story.log_lines import log_line
from progress_sse.streaming.text_format import TEXT
from progress_sse.wire.headers import VARY_WITH_ACCEPT
from progress_sse.wire.log_lines_json import LinesShown, decode_line, encode_lines

_MAX_DIGITS: Final = 16
_HEADERS: Final = {**UNCACHED, "vary": VARY_WITH_ACCEPT}


async def log(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}/log?after=N&step=n&limit=1000`: the lines that are kept; also as text."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "read", session_id)
    after = _number_of(request, "after", 0, MAX_SAFE_INTEGER)
    step = _number_of(request, "step", 1, MAX_SAFE_INTEGER)
    limit = _number_of(request, "limit", 1, MAX_READ_LINES) or MAX_READ_LINES
    stored = await service.store.read_lines(session_id, after or 0)
    if stored is None:
        raise SessionNotFoundError
    if step is not None:
        await _check_step(service, session_id, step)
    shown = _shown(stored, step, limit)
    if not accepts_text(request):
        return Reply(200, {"content-type": JSON, **_HEADERS}, encode_lines(shown))
    text = "".join(f"{log_line(decode_line(line.data))}\n" for line in shown.lines)
    return Reply(200, {"content-type": f"{TEXT}; charset=utf-8", **_HEADERS}, text.encode())


async def _check_step(service: ProgressService, session_id: str, step: int) -> None:
    progress = await service.store.get_session(session_id)
    if progress is None:
        raise SessionNotFoundError
    if step > progress.total_steps:
        raise StepOutOfRangeError(f"step must lie between 1 and {progress.total_steps}.")


def _shown(stored: StoredLines, step: int | None, limit: int) -> LinesShown:
    of_step = (line for line in stored.lines if step is None or json.loads(b"{" + line.data)["step"] == step)
    lines = list(islice(of_step, limit))
    following = lines[-1].n if len(lines) == limit else stored.last
    return LinesShown(stored.epoch, lines, stored.first, following)


def _number_of(request: Request, name: str, least: int, most: int) -> int | None:
    """Return a number in the query; `None` if there is none."""
    text = query_of(request).get(name)
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and least <= int(text) <= most:
        return int(text)
    raise InvalidRequestError(f"{name} must be a number from {least} to {most}.")
