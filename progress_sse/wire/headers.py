"""Headers: `Vary` for all responses, and those of a request as bytes, since Starlette decodes all to return one."""

from typing import Final

from starlette.requests import Request

WHITE_SPACE: Final = b" \t"
"""The white space allowed around the value of a header [RFC 9110 §5.6.3]."""

VARY: Final = "Authorization, Cookie"
"""The headers on which each response depends, for caches that are configured to store it all the same."""


def header_values(request: Request, name: bytes) -> list[bytes]:
    """Return every value of a header; `name` is in lower case.

    White space around a value is not part of it [RFC 9110 §5.5]. Our own server removes it, others may not.
    """
    return [value.strip(WHITE_SPACE) for key, value in request.scope["headers"] if key == name]


def header_value(request: Request, name: bytes) -> str:
    """Return the first value of a header as text, empty if there is none; `name` is in lower case."""
    return next((value.decode("latin-1") for value in header_values(request, name)), "")
