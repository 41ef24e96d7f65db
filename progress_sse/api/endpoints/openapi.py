"""The description of the API, for generators of clients and for trying it out."""

import asyncio
from typing import get_args

from progress_sse.api.replies import JSON, Reply
from progress_sse.api.router import Route
from progress_sse.auth.grants import Action
from progress_sse.service import ProgressService


async def openapi(service: ProgressService, routes: tuple[Route, ...]) -> Reply:
    """`GET /openapi.json`: OpenAPI 3.2, with the limits of this server and the tokens that it requires."""
    body = await asyncio.to_thread(_described, service, routes)
    return Reply(200, {"content-type": JSON, "cache-control": "no-cache"}, body)


def _described(service: ProgressService, routes: tuple[Route, ...]) -> bytes:
    from progress_sse.api.openapi.document import encoded_document  # slow to import, and rarely requested

    authorizer = service.authorizer
    guarded = frozenset(
        action for action in get_args(Action) if authorizer.takes_tokens and not authorizer.is_open_to(action)
    )
    return encoded_document(routes, service.body_limits, service.settings.max_sessions_per_stream, guarded)
