"""Waiting for a change before a request is answered, where the client prefers that [RFC 7240 §4.3]."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request

from progress_sse.api.request_parts import counted_caller
from progress_sse.auth.authorizer import Authorization
from progress_sse.core.errors import UnauthorizedError
from progress_sse.service import ProgressService
from progress_sse.store.types import Record
from progress_sse.streaming.waits import WaitRequest
from progress_sse.wire.headers import header_values
from progress_sse.wire.preferences import preferred_wait_s

NOT_APPLIED: Final[dict[str, str]] = {}


async def wait_as_preferred(
    service: ProgressService,
    request: Request,
    authorization: Authorization,
    session_ids: Sequence[str],
    is_met: Callable[[Record | None], bool],
    on_first_look: Callable[[Record | None], None] | None = None,
) -> dict[str, str]:
    """Wait until `is_met` is true of one of the sessions, or for as long as the request prefers.

    A HEAD does not wait, nor does any request where all places are taken. None waits to the end when the server shuts
    down. `on_first_look` is called with each session as it is when the wait begins.

    Returns:
        The header of a preference that was applied; nothing if it was not.

    Raises:
        UnauthorizedError: The client's authorization has ended meanwhile.
        StoreUnavailableError: The store does not answer.
    """
    seconds = preferred_wait_s(header_values(request, b"prefer"))
    if not seconds or request.method == "HEAD":
        return NOT_APPLIED
    caller = counted_caller(service.settings, request, authorization)
    expires_at = authorization.expires_at
    wanted = WaitRequest(session_ids, is_met, seconds, request.receive, expires_at, caller, on_first_look)
    outcome = await service.streams.waits.run(wanted)
    if outcome == "expired":
        raise UnauthorizedError
    return {"preference-applied": f"wait={seconds}"} if outcome in ("met", "unmet") else NOT_APPLIED
