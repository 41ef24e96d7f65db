"""The page of the HTTP API, and its description as OpenAPI 3.1."""

import json
from typing import get_args

from docs.generators.markdown import code, page, table
from progress_sse.api.openapi.document import document
from progress_sse.api.openapi.operations import OPERATIONS
from progress_sse.api.openapi.projection import projected
from progress_sse.api.routes import ROUTES
from progress_sse.auth.grants import Action
from progress_sse.settings import BodyLimits


def http_api_page() -> str:
    """Return the page."""
    rows = [
        [
            code(f"{route.method} {route.path}"),
            operation.summary,
            code(operation.action) if operation.action and not operation.is_open else "",
            ", ".join(map(str, operation.responses)),
        ]
        for route in ROUTES
        for operation in [OPERATIONS[route.operation_id]]
    ]
    return page(
        "HTTP API",
        "A running server describes this API as OpenAPI 3.2 at `/openapi.json`, with its own limits and the tokens\n"
        "that it requires. `/openapi.json?version=3.1` is for [generators of\n"
        "clients](../how-to/generate-a-client.md): [openapi-3.1.json](openapi-3.1.json), where tokens are required.\n"
        "[The protocol](../protocol.md) specifies requests, answers and streams.",
        table("request | purpose | right | answers besides [problems](problems.md)", rows),
    )


def openapi_3_1() -> str:
    """Return the description as OpenAPI 3.1 of a server that requires tokens; it has no limits."""
    described = projected(document(ROUTES, BodyLimits(0, 0, 0), 0, frozenset(get_args(Action))))
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"
