"""The page of the HTTP API."""

from docs.generators.markdown import code, page, table
from progress_sse.api.openapi.operations import OPERATIONS
from progress_sse.api.routes import ROUTES


def http_api_page() -> str:
    """Return the page."""
    rows: dict[str, list[list[str]]] = {}
    for route in ROUTES:
        operation = OPERATIONS[route.operation_id]
        statuses = ", ".join(map(str, operation.responses))
        row = [
            code(f"{route.method} {route.path}"),
            operation.summary,
            code(operation.action) if operation.action and not operation.is_open else "",
            statuses,
        ]
        rows.setdefault(operation.tag, []).append(row)
    parts = [
        "A running server describes this API as OpenAPI 3.2 at `/openapi.json`, with its own limits and the tokens\n"
        "that it requires. [The protocol](../protocol.md) specifies requests, answers and streams.",
    ]
    for tag, each in rows.items():
        parts += [
            f"## {tag[0].upper()}{tag[1:]}",
            table("request | purpose | right | answers besides [problems](problems.md)", each),
        ]
    return page("HTTP API", *parts)
