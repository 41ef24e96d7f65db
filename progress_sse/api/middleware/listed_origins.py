"""Cross-origin requests [Fetch, CORS protocol]: which pages of other origins may read the responses."""

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

CORS_MAX_AGE_S: Final = 600
CORS_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE")
CORS_REQUEST_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "Progress-Run",
)
CORS_RESPONSE_HEADERS: Final = (
    "Allow",
    "Date",
    "ETag",
    "Location",
    "Preference-Applied",
    "Progress-Run",
    "Retry-After",
)
"""Headers that pages of other origins may read; `Date` tells them how long a step has been running."""


class ListedOriginsMiddleware(CORSMiddleware):
    """Allows pages of listed origins, with credentials; Starlette would allow credentials to all other pages too."""

    def __init__(self, app: ASGIApp, allow_origins: Sequence[str]) -> None:
        """Stand before `app`, and let the pages of `allow_origins` read its responses; `*` stands for all."""
        super().__init__(
            app,
            allow_origins=allow_origins,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_RESPONSE_HEADERS,
            max_age=CORS_MAX_AGE_S,
        )

    @staticmethod
    def allow_explicit_origin(headers: MutableHeaders, origin: str) -> None:
        """Name the origin and allow credentials; this is never called for `*`."""
        CORSMiddleware.allow_explicit_origin(headers, origin)
        headers["Access-Control-Allow-Credentials"] = "true"

    def preflight_response(self, request_headers: Headers) -> Response:
        """Respond to a preflight request, which a browser sends before a request that is not simple."""
        response = super().preflight_response(request_headers)
        if response.headers.get("access-control-allow-origin", "*") != "*":
            response.headers["access-control-allow-credentials"] = "true"
        return response
