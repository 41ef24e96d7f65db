"""Sessions as a whole: create, delete, list."""

import base64
import secrets
from typing import Final
from urllib.parse import quote

from starlette.requests import Request

from progress_sse.api.field_types import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from progress_sse.api.replies import JSON, RUN, UNCACHED, Reply, cache_headers
from progress_sse.api.request_body import read_body
from progress_sse.api.request_parts import (
    condition_of,
    idempotency_key,
    number_of,
    query_of,
    session_filter_of,
    session_id_of,
)
from progress_sse.api.session_models import CreateBody
from progress_sse.core.commands import Delete
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.workflows import profile_of
from progress_sse.service import ProgressService
from progress_sse.store.types import Applied, PageCursor, SessionSummary
from progress_sse.wire import session_json

SESSION_ID_BYTES: Final = 16


async def create(service: ProgressService, request: Request) -> Reply:
    """`PUT /api/progress/{session_id}`: 201, or 200 where `?replace=true` made it replace an earlier one."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "publish", session_id)
    body = await read_body(request, CreateBody, service.body_limits)
    wants_replacement = _wants_replacement(request)
    key = idempotency_key(request, "replace" if wants_replacement else "create", body.canonical)
    condition = condition_of(request)
    profile = await _profile_of(service, request, body)
    command = body.command(service.store.workflows, profile, replace=wants_replacement, only_if=condition)
    applied = await service.store.apply(session_id, command, key)
    status = 200 if applied.effect == "replaced" else 201
    return _created(applied, status)


async def create_unnamed(service: ProgressService, request: Request) -> Reply:
    """`POST /api/progress`: create a session under an id that cannot be guessed."""
    session_id = secrets.token_urlsafe(SESSION_ID_BYTES)
    await service.authorizer.check(request, "publish", session_id)
    body = await read_body(request, CreateBody, service.body_limits)
    command = body.command(service.store.workflows, await _profile_of(service, request, body), replace=False)
    applied = await service.store.apply(session_id, command)
    location = f"{request.scope['path']}/{session_id}"  # Without a host: any client can choose one.
    return _created(applied, 201, location=quote(location))


async def delete(service: ProgressService, request: Request) -> Reply:
    """`DELETE /api/progress/{session_id}`: 204."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "publish", session_id)
    await service.store.apply(session_id, Delete(only_if=condition_of(request)))
    return Reply(204, UNCACHED)


async def list_sessions(service: ProgressService, request: Request) -> Reply:
    """`GET /api/progress`: a page of the sessions that the query asks for, newest first."""
    query = query_of(request)
    wanted = session_filter_of(query)
    await service.authorizer.check_list(request, wanted.prefix)
    limit = number_of(query, "limit", 1, MAX_PAGE_SIZE) or DEFAULT_PAGE_SIZE
    summaries = await service.store.backend.lists.list_summaries(wanted, limit + 1, _cursor(query.get("after")))
    shown = summaries[:limit]
    after = _cursor_text(shown[-1]) if len(summaries) > limit else None
    body = session_json.encode_page([summary.listed for summary in shown], after)
    return Reply(200, {"content-type": JSON, **UNCACHED}, body)


async def _profile_of(service: ProgressService, request: Request, body: CreateBody) -> str | None:
    """Return the profile of the session to create: that of the body, or that of its workflow if the request may use it.

    Raises:
        ForbiddenError: The request may not publish to the profile of the body.
    """
    if body.profile is not None:
        await service.authorizer.check(request, "publish", body.profile, count=0)
        return body.profile
    implied = profile_of(None, body.workflow)
    return implied if implied is not None and await service.authorizer.has_right(request, "publish", implied) else None


def _created(applied: Applied, status: int, **headers: str) -> Reply:
    """Return the session that was created, as polling shows it."""
    record = applied.record
    assert record is not None
    shown = {"content-type": JSON, **cache_headers(record.position), **headers, RUN: record.session.run}
    return Reply(status, shown, record.body)


def _wants_replacement(request: Request) -> bool:
    wanted = query_of(request).get("replace", "false")
    if wanted not in ("true", "false"):
        raise InvalidRequestError("replace must be true or false.")
    return wanted == "true"


def _cursor_text(summary: SessionSummary) -> str:
    return base64.urlsafe_b64encode(f"{summary.created_at} {summary.session_id}".encode()).decode().rstrip("=")


def _cursor(text: str | None) -> PageCursor | None:
    if text is None:
        return None
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        decoded = ""
    created_at, space, session_id = decoded.partition(" ")
    if not space:
        raise InvalidRequestError("after must be the next of an earlier page.")
    return PageCursor(created_at, session_id)
