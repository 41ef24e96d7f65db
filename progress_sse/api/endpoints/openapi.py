"""The description of all this, for those who generate clients or try the API out."""

import asyncio
from typing import get_args

from starlette.requests import Request

from progress_sse.api.replies import JSON, Reply
from progress_sse.auth.grants import Action
from progress_sse.service import ProgressService


async def openapi(service: ProgressService, _request: Request) -> Reply:
    """`GET /openapi.json`: OpenAPI 3.2, with the limits of this server and the rights that it asks for."""
    body = await asyncio.to_thread(_described, service)
    return Reply(200, {"content-type": JSON, "cache-control": "no-cache"}, body)


def _described(service: ProgressService) -> bytes:
    from progress_sse.api.openapi.document import encoded_document  # takes its time, and hardly anybody asks

    authorizer = service.authorizer
    guarded = frozenset(
        action for action in get_args(Action) if authorizer.takes_tokens and not authorizer.is_open_to(action)
    )
    return encoded_document(service.body_limits, service.settings.max_sessions_per_stream, guarded)
