"""Paths whose decoded form does not say what the client sent."""

from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from progress_sse.api.problems import problem_response
from progress_sse.core.errors import InvalidSessionIdError
from progress_sse.service import ProgressService


class PathGuardMiddleware:
    """Refuses paths that do not say what they seem to.

    Servers hand over the path decoded: a `%2F` inside a session id would cut it in two, and bytes that are not UTF-8
    would turn into a character that nobody sent. Both are seen only in the path as it came.
    """

    def __init__(self, app: ASGIApp, service: ProgressService) -> None:
        """Stand before `app`; `service` counts what is refused."""
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 422."""
        if scope["type"] == "http" and not _is_plain(scope.get("raw_path") or b""):
            refusal = InvalidSessionIdError("A session id is UTF-8 and has no /.")
            await problem_response(self._service, refusal)(scope, receive, send)
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
