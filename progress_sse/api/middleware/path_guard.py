"""Refuses paths whose decoded form hides the text that the client sent."""

from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from progress_sse.api.error_pages import error_response
from progress_sse.core.errors import InvalidSessionIdError
from progress_sse.service import ProgressService


class PathGuardMiddleware:
    """Refuses paths that change their meaning when they are decoded.

    Servers pass the decoded path on. There a `%2F` inside a session id would split it in two, and bytes that are not
    UTF-8 would become a replacement character. Both show only in the raw path.
    """

    def __init__(self, app: ASGIApp, service: ProgressService) -> None:
        """Stand before `app`; `service` counts the refusals."""
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or respond with 422."""
        if scope["type"] == "http" and not _is_plain(scope.get("raw_path") or b""):
            refusal = InvalidSessionIdError("A session id is UTF-8 and has no /.")
            response = await error_response(self._service, Request(scope), refusal)
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_plain(raw_path: bytes) -> bool:
    if b"%" not in raw_path:
        return True
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in raw_path.split(b"/")]
    except UnicodeDecodeError:
        return False
    return not any("/" in segment for segment in segments)
