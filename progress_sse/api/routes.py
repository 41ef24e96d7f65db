"""The table of all routes."""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp

from progress_sse.api.endpoints import (
    access,
    events,
    hooks,
    pages,
    push,
    reading,
    requests,
    server,
    sessions,
    steps,
    update,
)
from progress_sse.api.router import HOOK_PATH, LIVENESS, PROFILE_PATH, SESSION_PATH, Route
from progress_sse.service import ProgressService

FILES: Final = "/web"
"""Where the browser files are mounted."""


async def _describe(service: ProgressService, request: Request) -> ASGIApp:
    """`GET /openapi.json`: the description of this very table."""
    return await server.openapi(service, request, ROUTES)


ROUTES: Final = (
    Route("GET", "/api", "getVersion", server.about),
    Route("GET", "/api/progress", "listSessions", sessions.list_sessions),
    Route("POST", "/api/progress", "createUnnamedSession", sessions.create_unnamed, takes_body=True),
    Route("POST", "/api/updates", "reportUpdates", update.update_many, is_hot=True, takes_body=True),
    Route("GET", "/api/events", "followSessions", events.combined_events),
    Route("GET", "/api/requests", "listRequestsOfSessions", requests.list_of_sessions),
    Route("GET", "/api/steps", "listSteps", steps.steps),
    Route("DELETE", f"{PROFILE_PATH}/learned", "forgetLearned", steps.forget),
    Route("POST", "/api/cookie", "keepToken", access.keep_token),
    Route("DELETE", "/api/cookie", "dropToken", access.drop_token),
    Route("POST", "/api/tickets", "issueTicket", access.issue_ticket),
    Route("GET", SESSION_PATH, "getSession", reading.poll, is_hot=True),
    Route("PUT", SESSION_PATH, "createSession", sessions.create, takes_body=True),
    Route("DELETE", SESSION_PATH, "deleteSession", sessions.delete),
    Route("POST", f"{SESSION_PATH}/update", "reportUpdate", update.update, is_hot=True, takes_body=True),
    Route("POST", f"{SESSION_PATH}/requests", "askWorker", requests.ask, takes_body=True),
    Route("GET", f"{SESSION_PATH}/requests", "listRequests", requests.list_of_session),
    Route("GET", f"{SESSION_PATH}/events", "followSession", events.events, is_hot=True),
    Route("GET", f"{SESSION_PATH}/parts", "listParts", reading.parts),
    Route("GET", f"{SESSION_PATH}/log", "listLogLines", reading.log),
    Route("GET", f"{SESSION_PATH}/steps", "listStepsOfSession", steps.steps_of_session),
    Route("POST", f"{SESSION_PATH}/link", "openLink", access.keep_link),
    Route("GET", "/api/push", "getPush", push.offer),
    Route("PUT", f"{SESSION_PATH}/push", "subscribe", push.subscribe, takes_body=True),
    Route("GET", f"{SESSION_PATH}/push/{{subscription_id}}", "findSubscription", push.find),
    Route("DELETE", f"{SESSION_PATH}/push/{{subscription_id}}", "endSubscription", push.end),
    Route("GET", "/api/hooks", "listHooks", hooks.list_hooks),
    Route("POST", f"{HOOK_PATH}/test", "testHook", hooks.test, takes_body=True),
    Route("POST", f"{HOOK_PATH}/retry", "retryNotices", hooks.retry, takes_body=True),
    Route("GET", LIVENESS, "getLiveness", server.livez),
    Route("GET", "/readyz", "getReadiness", server.readyz),
    Route("GET", "/metrics", "getMetrics", server.metrics),
    Route("GET", "/openapi.json", "getDescription", _describe),
    Route("GET", "/", "getPage", pages.home_page),
    Route("GET", "/s/{session_id}", "getSessionPage", pages.session_page),
    Route("GET", "/push-worker.js", "getPushWorker", pages.push_worker),
    Route("GET", "/manifest.webmanifest", "getManifest", pages.manifest),
    Route("GET", "/s/{session_id}/badge.svg", "getBadge", reading.show_badge),
    Route("GET", f"{FILES}/{{file}}", "getBrowserFile", None),
)
