"""Cross-origin requests [Fetch, CORS protocol]: which pages of other origins may read what this server answers."""

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

CORS_MAX_AGE_S: Final = 600
CORS_METHODS: Final = ("GET", "POST", "PUT", "DELETE")
CORS_REQUEST_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Progress-Run",
)
CORS_RESPONSE_HEADERS: Final = ("Date", "ETag", "Location", "Progress-Run", "Retry-After")
"""What pages of other origins may read; the date, so that they know how long a step has been running."""


class ListedOriginsMiddleware(CORSMiddleware):
    """Lets pages of listed origins in, with credentials; of these Starlette would tell everybody else as well."""

    def __init__(self, app: ASGIApp, allow_origins: Sequence[str]) -> None:
        """Stand before `app`, and let the pages of `allow_origins` read its answers; `*` stands for all."""
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
        """Name the origin, which is never done for `*`."""
        CORSMiddleware.allow_explicit_origin(headers, origin)
        headers["Access-Control-Allow-Credentials"] = "true"

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer what a browser asks before it sends a request that is not simple."""
        response = super().preflight_response(request_headers)
        if response.headers.get("access-control-allow-origin", "*") != "*":
            response.headers["access-control-allow-credentials"] = "true"
        return response
