"""The badge of a session: a picture for pages that only show pictures, such as a README."""

import json
from typing import Final

from starlette.requests import Request

from progress_sse.api.replies import Reply
from progress_sse.api.request_parts import preconditions_of, session_id_of
from progress_sse.service import ProgressService
from progress_sse.story.badge import badge
from progress_sse.wire.headers import VARY
from progress_sse.wire.preconditions import badge_tag
from progress_sse.wire.session_json import encode_absent

MAX_AGE_S: Final = 10
"""Seconds for which a cache may show a badge without asking again."""

HEADERS: Final = {
    "vary": VARY,
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'",
}


async def show(service: ProgressService, request: Request) -> Reply:
    """`GET /s/{session_id}/badge.svg`: the session's status and percentage, or 304 if the client has them already."""
    session_id = session_id_of(request)
    await service.authorizer.check(request, "read", session_id)
    record = await service.store.load(session_id)
    position = record.position if record else None
    scope = "public" if service.authorizer.is_open_to("read") else "private"
    headers = {"etag": badge_tag(position), "cache-control": f"{scope}, max-age={MAX_AGE_S}", **HEADERS}
    if preconditions_of(request).is_known(position, badge_tag):
        return Reply(304, headers)
    picture = badge(json.loads(record.body if record else encode_absent(session_id)))
    return Reply(200, {"content-type": "image/svg+xml; charset=utf-8", **headers}, picture.encode())
