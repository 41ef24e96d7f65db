"""The endpoints of live streams.

They read the sessions and the positions from the request, and respond with 204 where a stream has ended for good.
"""

import asyncio
from collections.abc import Sequence
from functools import wraps
from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from progress_sse.api.request_parts import (
    accepts_text,
    counted_caller,
    filters_sessions,
    query_of,
    session_filter_of,
    session_id_of,
    session_ids_of,
)
from progress_sse.api.router import Endpoint
from progress_sse.auth.authorizer import Authorization
from progress_sse.core.errors import InvalidRequestError, RateExceededError, StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.service import ProgressService
from progress_sse.streaming.event_stream import HEADERS, StreamRequest
from progress_sse.wire.cursor import ResumePoint, cursor_position, end_id, is_end_id, parse_cursor, resume_from
from progress_sse.wire.headers import header_values

LOOK_AHEAD_S: Final = 0.25
"""Seconds that a returning client waits for the answer whether its session is completed; then it gets the stream."""


def _with_delayed_retry(endpoint: Endpoint) -> Endpoint:
    """Let a client that comes too often come back later: an EventSource gives up after a 429."""

    @wraps(endpoint)
    async def delaying(service: ProgressService, request: Request) -> ASGIApp:
        try:
            return await endpoint(service, request)
        except RateExceededError:
            if accepts_text(request, to_events=True):
                raise
            return service.streams.refuse_by_rate()

    return delaying


@_with_delayed_retry
async def events(service: ProgressService, request: Request) -> ASGIApp:
    """`GET /api/progress/{session_id}/events`: one session."""
    session_id = session_id_of(request)
    query = query_of(request)
    authorization = await service.authorizer.check(request, "read", session_id, ticket=query.get("ticket", ""))
    is_text = accepts_text(request, to_events=True)
    position = None if is_text else Position.parse(_last_event_id(request, query))
    if position is not None and await _completed(service, [session_id]) == {session_id: position}:
        return _end_of_stream()
    wanted = StreamRequest({session_id: resume_from(position)}, is_text=is_text)
    return _stream(service, request, query, authorization, wanted)


@_with_delayed_retry
async def combined_events(service: ProgressService, request: Request) -> ASGIApp:
    """`GET /api/events?session_id=a&session_id=b`: several sessions on one stream; with a filter, a list of them."""
    query = query_of(request)
    if filters_sessions(query):
        return await _list_events(service, request, query)
    session_ids = session_ids_of(query, service.settings.max_sessions_per_stream)
    authorization = await service.authorizer.check(request, "read", *session_ids, ticket=query.get("ticket", ""))
    last_event_id = _last_event_id(request, query)
    if is_end_id(last_event_id):
        completed = await _completed(service, session_ids)
        if completed is not None and end_id(completed) == last_event_id:
            return _end_of_stream()
    resume_points = {session_id: _resume_point(last_event_id, session_id) for session_id in session_ids}
    return _stream(service, request, query, authorization, StreamRequest(resume_points, is_combined=True))


async def _list_events(service: ProgressService, request: Request, query: QueryParams) -> ASGIApp:
    """`GET /api/events?prefix=a`: the sessions that the query asks for."""
    if "session_id" in query:
        raise InvalidRequestError("session_id does not go with prefix, label and status.")
    wanted = session_filter_of(query)
    authorization = await service.authorizer.check_list(request, wanted.prefix, ticket=query.get("ticket", ""))
    return _stream(service, request, query, authorization, StreamRequest({}, wanted=wanted))


def _stream(
    service: ProgressService, request: Request, query: QueryParams, authorization: Authorization, wanted: StreamRequest
) -> ASGIApp:
    """Return the stream that a request wants, with what the query and the authorization say of every stream."""
    return service.streams.respond(
        wanted._replace(
            heartbeat_events=query.get("heartbeat") == "event",
            expires_at=authorization.expires_at,
            caller=counted_caller(service.settings, request, authorization),
            reads_lines=query.get("log") == "1",
        )
    )


def _end_of_stream() -> Response:
    """Return the answer that makes an EventSource stop. Caches must not store it, or new clients would stop too."""
    return Response(status_code=204, headers=HEADERS)


def _last_event_id(request: Request, query: QueryParams) -> str:
    """Return the id in the header, which a browser sends by itself; else the one in the query."""
    headers = [value for value in header_values(request, b"last-event-id") if value]
    return headers[0].decode("latin-1") if headers else query.get("last_event_id", "")


def _resume_point(last_event_id: str, session_id: str) -> ResumePoint | None:
    offsets = parse_cursor(last_event_id)
    if offsets is None:
        return None
    return lambda current: cursor_position(offsets, session_id, current)


async def _completed(service: ProgressService, session_ids: Sequence[str]) -> dict[str, Position] | None:
    """Return the positions of the sessions if all are completed, and the store answers in time; else `None`."""
    try:
        async with asyncio.timeout(LOOK_AHEAD_S):
            records = {session_id: await service.store.load(session_id) for session_id in session_ids}
    except (StoreUnavailableError, TimeoutError):
        return None
    positions = {
        session_id: record.position
        for session_id, record in records.items()
        if record is not None and record.status == "completed"
    }
    return positions if len(positions) == len(records) else None
