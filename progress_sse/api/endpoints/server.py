"""The endpoints on the server itself: its health, its metrics, and the description of its API."""

import asyncio
from importlib.metadata import version
from typing import Final, get_args

from starlette.requests import Request

from progress_sse._internal.optional_imports import from_extra
from progress_sse.api.replies import JSON, UNCACHED, Reply, json_reply
from progress_sse.api.request_parts import query_of, version_in_query
from progress_sse.api.router import Route
from progress_sse.auth.grants import Action
from progress_sse.core.errors import ConfigurationError, PathNotFoundError, StoreFullError, StoreUnavailableError
from progress_sse.service import ProgressService

PING_TIMEOUT_S: Final = 3
"""Seconds within which the store must respond."""


async def about(_service: ProgressService, _request: Request) -> Reply:
    """`GET /api`: the version, and where the API is described."""
    return json_reply({"name": "progress_sse", "version": version("progress-sse"), "description": "openapi.json"})


async def livez(service: ProgressService, _request: Request) -> Reply:
    """`GET /livez`: 503 once a part of the service no longer works; no response where that is the event loop."""
    fault = service.fault
    return json_reply({"status": fault or "ok"}, 503 if fault else 200)


async def readyz(service: ProgressService, _request: Request) -> Reply:
    """`GET /readyz`: 503 while the store is unavailable or full, or the server shuts down."""
    if service.streams.is_draining:
        return json_reply({"status": "draining"}, 503)
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            await service.store.ping()
    except StoreFullError:
        return json_reply({"status": "store full"}, 503)
    except (StoreUnavailableError, TimeoutError):
        return json_reply({"status": "store unavailable"}, 503)
    return json_reply({"status": "ok"})


async def metrics(service: ProgressService, request: Request) -> Reply:
    """`GET /metrics`: for clients that may list all sessions."""
    await service.authorizer.check(request, "list", None)
    try:
        with from_extra("metrics", "prometheus_client", need="Metrics need"):
            from progress_sse.observability.metrics import exposition
    except ConfigurationError as error:
        raise PathNotFoundError(str(error)) from error
    if service.notifier is not None:
        await service.notifier.count_waiting()
    body, media_type = exposition(service, await service.session_counts.take(), request.headers.get("accept", ""))
    return Reply(200, {"content-type": media_type, **UNCACHED}, body)


async def openapi(service: ProgressService, request: Request, routes: tuple[Route, ...]) -> Reply:
    """`GET /openapi.json`: with the tokens that this server requires, and, but for OpenAPI 3.1, with its limits."""
    version = version_in_query(query_of(request))
    body = await asyncio.to_thread(_described, service, routes, version)
    return Reply(200, {"content-type": JSON, "cache-control": "no-cache"}, body)


def _described(service: ProgressService, routes: tuple[Route, ...], version: str) -> bytes:
    from progress_sse.api.openapi.document import encoded_document  # slow to import, and rarely requested

    authorizer = service.authorizer
    guarded = frozenset(
        action for action in get_args(Action) if authorizer.takes_tokens and not authorizer.is_open_to(action)
    )
    return encoded_document(version, routes, service.body_limits, service.settings.max_sessions_per_stream, guarded)
