"""The table of all routes."""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp

from progress_sse.api.endpoints import (
    badge,
    cookie,
    events,
    health,
    log,
    metrics,
    openapi,
    pages,
    parts,
    poll,
    requests,
    sessions,
    steps,
    tickets,
    update,
)
from progress_sse.api.router import LIVENESS, PROFILE_PATH, SESSION_PATH, Route
from progress_sse.service import ProgressService

FILES: Final = "/web"
"""Where the browser files are mounted."""


async def _describe(service: ProgressService, _request: Request) -> ASGIApp:
    """`GET /openapi.json`: the description of this very table."""
    return await openapi.openapi(service, ROUTES)


ROUTES: Final = (
    Route("GET", "/api/progress", "listSessions", sessions.list_sessions),
    Route("POST", "/api/progress", "createUnnamedSession", sessions.create_unnamed, takes_body=True),
    Route("POST", "/api/updates", "reportUpdates", update.update_many, is_hot=True, takes_body=True),
    Route("GET", "/api/events", "followSessions", events.combined_events),
    Route("GET", "/api/requests", "listRequestsOfSessions", requests.list_of_sessions),
    Route("GET", "/api/steps", "listSteps", steps.steps),
    Route("DELETE", f"{PROFILE_PATH}/learned", "forgetLearned", steps.forget),
    Route("POST", "/api/cookie", "keepToken", cookie.keep),
    Route("DELETE", "/api/cookie", "dropToken", cookie.drop),
    Route("POST", "/api/tickets", "issueTicket", tickets.issue),
    Route("GET", SESSION_PATH, "getSession", poll.poll, is_hot=True),
    Route("PUT", SESSION_PATH, "createSession", sessions.create, takes_body=True),
    Route("DELETE", SESSION_PATH, "deleteSession", sessions.delete),
    Route("POST", f"{SESSION_PATH}/update", "reportUpdate", update.update, is_hot=True, takes_body=True),
    Route("POST", f"{SESSION_PATH}/requests", "askWorker", requests.ask, takes_body=True),
    Route("GET", f"{SESSION_PATH}/requests", "listRequests", requests.list_of_session),
    Route("GET", f"{SESSION_PATH}/events", "followSession", events.events, is_hot=True),
    Route("GET", f"{SESSION_PATH}/parts", "listParts", parts.parts),
    Route("GET", f"{SESSION_PATH}/log", "listLogLines", log.log),
    Route("GET", f"{SESSION_PATH}/steps", "listStepsOfSession", steps.steps_of_session),
    Route("POST", f"{SESSION_PATH}/link", "openLink", cookie.keep_link),
    Route("GET", LIVENESS, "getLiveness", health.livez),
    Route("GET", "/readyz", "getReadiness", health.readyz),
    Route("GET", "/metrics", "getMetrics", metrics.metrics),
    Route("GET", "/openapi.json", "getDescription", _describe),
    Route("GET", "/", "getPage", pages.home_page),
    Route("GET", "/s/{session_id}", "getSessionPage", pages.session_page),
    Route("GET", "/s/{session_id}/badge.svg", "getBadge", badge.show),
    Route("GET", f"{FILES}/{{file}}", "getBrowserFile", None),
)
