"""A header that all answers have; and those of requests, as they came, since Starlette decodes all to look at one."""

from typing import Final

from starlette.requests import Request

VARY: Final = "Authorization, Cookie"
"""What each answer depends on besides its address, for caches that were told to store it all the same."""


def header_values(request: Request, name: bytes) -> list[bytes]:
    """Return every value of a header; `name` is in lower case."""
    return [value for key, value in request.scope["headers"] if key == name]


def header_value(request: Request, name: bytes) -> str:
    """Return the first value of a header as text, empty if there is none; `name` is in lower case."""
    return next((value.decode("latin-1") for value in header_values(request, name)), "")
