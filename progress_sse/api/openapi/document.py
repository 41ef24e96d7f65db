"""The description of the HTTP API, as OpenAPI 3.2: for people, for generators of clients, and for machines that test.

It is derived from the table of routes (``api.routes``), the models that requests are parsed by (``update_models`` and
``creation_model``), the problems (``errors``) and the limits of the settings. The rest of an endpoint's description
stands in ``operations``, and the models of responses in ``response_models`` and ``stream_models``.

To add a path: put its endpoint into ``api.routes``, a description under its operation id into
`operations.OPERATIONS`, and its new parameters, headers and links into ``components``.
``tests/api/test_openapi.py`` names what is missing, and ``tests/live/test_schemathesis.py`` tries the description out.
None of this is imported before the description is requested.
"""

from collections.abc import Iterable, Set
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from typing import Final

from progress_sse.api.openapi.components import HEADERS, make_links, make_parameters
from progress_sse.api.openapi.paths import describe_paths
from progress_sse.api.openapi.references import Json
from progress_sse.api.openapi.schemas import make_schemas, with_limits
from progress_sse.api.router import Route
from progress_sse.auth.cookies import COOKIE, SECURE_LINK_COOKIE
from progress_sse.auth.grants import Action
from progress_sse.core.limits import BodyLimits
from progress_sse.wire import json_text

DESCRIPTION: Final = """\
Workers report the steps of their jobs, and every client that follows a session sees each change at once.

Every path that takes GET takes HEAD. Any other path gets 404 (`/problems/not-found`), any other method 405
(`/problems/method-not-allowed`, with `Allow`). A stand-alone server refuses the following requests, and closes the
connection: those that are not HTTP (400, `/problems/malformed-request`), not complete in time (408,
`/problems/request-timeout`) or too large (414, `/problems/url-too-long`; 431, `/problems/head-too-large`), and those on
connections beyond its limit (503, `/problems/overloaded`). Where clients on its machine need no token, it refuses
requests with a host name that could belong to others (421, `/problems/misdirected-request`). A refusal is
`application/problem+json`, and means that nothing was changed. Only after `/problems/outcome-unknown` and
`/problems/internal-error` is that unknown.
"""

CREDENTIALS: Final[Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A `publish_token`, or a signed token (JWT)."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "A token in the cookie that `POST /api/cookie` sets; for this server's own pages.",
    },
    "link": {
        "type": "apiKey",
        "in": "cookie",
        "name": SECURE_LINK_COOKIE,
        "description": "A token in the cookie of `POST /api/progress/{session_id}/link`, without the prefix where "
        "there is no TLS; for requests with `link=1` on that session.",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "A ticket of `POST /api/tickets`: opens one stream, once.",
    },
}


@lru_cache(maxsize=8)
def encoded_document(
    routes: tuple[Route, ...], limits: BodyLimits, max_sessions_per_stream: int, guarded: Set[Action]
) -> bytes:
    """Return the description as JSON; the arguments are those of `document`."""
    return json_text.encode_json(document(routes, limits, max_sessions_per_stream, guarded))


def document(routes: Iterable[Route], limits: BodyLimits, max_sessions_per_stream: int, guarded: Set[Action]) -> Json:
    """Return the description.

    Args:
        routes: The routes to describe.
        limits: The limits of request bodies.
        max_sessions_per_stream: See the setting.
        guarded: The actions that need a token, or a cookie or ticket in its place.
    """
    described: Json = {
        "openapi": "3.2.0",
        "info": {
            "title": "progress_sse",
            "version": version("progress-sse"),
            "summary": "Live progress of multi-step jobs",
            "description": DESCRIPTION,
        },
        # Relative to the URL of this document: below the prefix that the application is mounted at.
        "servers": [{"url": "."}],
        "security": [],
        "paths": describe_paths(routes, guarded),
        "components": {
            "schemas": make_schemas(),
            "parameters": make_parameters(max_sessions_per_stream),
            "headers": HEADERS,
            "links": make_links(),
            "securitySchemes": CREDENTIALS,
        },
    }
    filled: Json = with_limits(described, asdict(limits))
    return filled
