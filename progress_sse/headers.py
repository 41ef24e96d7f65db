"""Request headers, as they came: Starlette's own view decodes all of them again for each one that is asked for."""

from starlette.requests import Request


def header_values(request: Request, name: bytes) -> list[bytes]:
    """Return every value of a header; `name` is in lower case."""
    return [value for key, value in request.scope["headers"] if key == name]


def header_value(request: Request, name: bytes) -> str:
    """Return the first value of a header as text, empty if there is none; `name` is in lower case."""
    return next((value.decode("latin-1") for value in header_values(request, name)), "")
