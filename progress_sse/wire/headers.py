"""Headers: `Vary` for all responses, and those of a request as bytes, since Starlette decodes all to return one."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from starlette.requests import Request

RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Header fields as ASGI has them: names and values."""

WHITE_SPACE: Final = b" \t"
"""The white space allowed around the value of a header [RFC 9110 §5.6.3]."""

VARY: Final = "Authorization, Cookie"
"""The headers on which each response depends, for caches that are configured to store it all the same."""


_INDEX: Final = "progress_sse.headers"
"""The key in a request's scope of its headers, and their values by name: an update looks seven of them up."""


def header_values(request: Request, name: bytes) -> Sequence[bytes]:
    """Return every value of a header; `name` is in lower case.

    White space around a value is not part of it [RFC 9110 §5.5]. Our own server removes it, others may not.
    """
    scope = request.scope
    headers = scope["headers"]
    indexed: tuple[object, dict[bytes, list[bytes]]] | None = scope.get(_INDEX)
    if indexed is None or indexed[0] is not headers:
        index: dict[bytes, list[bytes]] = {}
        for key, value in headers:
            index.setdefault(key, []).append(value.strip(WHITE_SPACE))
        indexed = scope[_INDEX] = headers, index
    return indexed[1].get(name, ())


def header_value(request: Request, name: bytes) -> str:
    """Return the first value of a header as text, empty if there is none; `name` is in lower case."""
    return next((value.decode("latin-1") for value in header_values(request, name)), "")
