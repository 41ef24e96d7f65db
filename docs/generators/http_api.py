"""The page of the HTTP API."""

from docs.generators.markdown import code, page, table
from progress_sse.api.openapi.operations import OPERATIONS
from progress_sse.api.routes import ROUTES


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
        "that it requires. [The protocol](../protocol.md) specifies requests, answers and streams.",
        table("request | purpose | right | answers besides [problems](problems.md)", rows),
    )
