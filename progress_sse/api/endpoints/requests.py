"""The endpoints by which readers ask something of a worker, and the worker receives it."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request

from progress_sse.api.preferred_wait import wait_as_preferred
from progress_sse.api.replies import JSON, UNCACHED, Reply, json_reply
from progress_sse.api.request_body import read_body
from progress_sse.api.request_parts import (
    condition_of,
    idempotency_key,
    query_of,
    run_of,
    session_id_of,
    session_ids_of,
)
from progress_sse.api.session_models import RequestBody
from progress_sse.core.asks import Asks, ends_wait, taken_ask
from progress_sse.core.commands import Ask
from progress_sse.core.errors import RequestNotFoundError, SessionNotFoundError
from progress_sse.service import ProgressService
from progress_sse.store.session_operations import make_request_id
from progress_sse.store.types import Record, fingerprint
from progress_sse.wire.details_json import show_request
from progress_sse.wire.json_text import encode_json

REQUEST: Final = "request"
"""The kind of request that this is; an idempotency key identifies a request of one kind."""


async def ask(service: ProgressService, request: Request) -> Reply:
    """`POST /api/progress/{session_id}/requests`: 202, or 200 where an open request of the kind is there already."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "control", session_id)
    body = await read_body(request, RequestBody, service.body_limits)
    key = idempotency_key(request, REQUEST, body.canonical)
    # The same id for the same key, so that a repetition finds it.
    request_id = make_request_id() if key is None else fingerprint(f"{REQUEST} {session_id}/{key.key}")
    command = Ask(body.kind, request_id, body.step, body.reason, run_of(request), condition_of(request))
    record = (await service.store.apply(session_id, command, key)).record
    if record is None:
        raise SessionNotFoundError
    taken = taken_ask(record.session.details.requests, request_id, body.kind)
    if taken is None:
        raise RequestNotFoundError
    return json_reply(show_request(taken), 202 if taken.id == request_id else 200)


async def list_of_session(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress/{session_id}/requests`: what is not settled yet; where preferred, once the worker is asked."""
    session_id = session_id_of(request)
    authorization = await service.authorizer.check(request, "read", session_id)
    wait = _Wait()
    applied = await wait_as_preferred(
        service, request, authorization, [session_id], lambda record: record is None or wait.is_over(record), wait.begin
    )
    record = await service.store.load(session_id)
    if record is None:
        raise SessionNotFoundError
    may_ask = await service.authorizer.has_right(request, "control", session_id)
    allow = "GET, HEAD, POST" if may_ask else "GET, HEAD"  # What the sender may use [RFC 9110 §10.2.1].
    return _listing(_open_requests(record), {**applied, "allow": allow})


async def list_of_sessions(service: ProgressService, request: Request) -> Reply:
    """`GET /api/requests?session_id=a&session_id=b`: the same, of several sessions."""
    session_ids = session_ids_of(query_of(request), service.settings.max_sessions_per_stream)
    authorization = await service.authorizer.check(request, "read", *session_ids)
    wait = _Wait()
    applied = await wait_as_preferred(service, request, authorization, session_ids, wait.is_over, wait.begin)
    listed: list[dict[str, object]] = []
    for session_id in session_ids:
        record = await service.store.load(session_id)
        listed += [{"session_id": session_id, **each} for each in _open_requests(record)]
    return _listing(listed, applied)


def _requests(record: Record | None) -> Asks:
    return record.session.details.requests if record is not None else ()


def _open_requests(record: Record | None) -> Sequence[dict[str, object]]:
    return [show_request(each) for each in _requests(record) if each.is_open]


class _Wait:
    """The wait of a worker for requests: those that are asked, and those that were asked since the wait began.

    Another worker of the session may have seen one of the latter before this process looks.
    """

    def __init__(self) -> None:
        self._known: set[str] | None = None

    def begin(self, record: Record | None) -> None:
        """Take in a session as it is when the wait begins."""
        self._known = (self._known or set()).union(each.id for each in _requests(record))

    def is_over(self, record: Record | None) -> bool:
        """Return whether a session has one."""
        return ends_wait(_requests(record), self._known)


def _listing(listed: Sequence[dict[str, object]], applied: Mapping[str, str]) -> Reply:
    return Reply(200, {"content-type": JSON, **UNCACHED, **applied}, encode_json({"requests": listed}))
