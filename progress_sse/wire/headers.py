"""A header that all answers have; and those of requests, as they came, since Starlette decodes all to look at one."""

from typing import Final

from starlette.requests import Request

WHITE_SPACE: Final = b" \t"
"""What may stand around the value of a header [RFC 9110 §5.6.3]."""

VARY: Final = "Authorization, Cookie"
"""What each answer depends on besides its address, for caches that were told to store it all the same."""


def header_values(request: Request, name: bytes) -> list[bytes]:
    """Return every value of a header; `name` is in lower case.

    White space around a value is no part of it [RFC 9110 §5.5]. Our own server has removed it, others may not have.
    """
    return [value.strip(WHITE_SPACE) for key, value in request.scope["headers"] if key == name]


def header_value(request: Request, name: bytes) -> str:
    """Return the first value of a header as text, empty if there is none; `name` is in lower case."""
    return next((value.decode("latin-1") for value in header_values(request, name)), "")
