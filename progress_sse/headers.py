"""Request headers, as they came: Starlette's own view decodes all of them again for each one that is asked for."""

from starlette.requests import Request


def header_values(request: Request, name: bytes) -> list[bytes]:
    """Return every value of a header; `name` is in lower case."""
    return [value for key, value in request.scope["headers"] if key == name]
