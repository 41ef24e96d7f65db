"""Headers: `Vary` for all responses, and those of a request as bytes, since Starlette decodes all to return one."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias

from starlette.requests import Request

RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Header fields as ASGI has them: names and values."""

WHITE_SPACE: Final = b" \t"
"""The white space allowed around the value of a header [RFC 9110 §5.6.3]."""

VARY: Final = "Authorization, Cookie"
"""The headers on which each response depends, for caches that are configured to store it all the same."""

VARY_WITH_ACCEPT: Final = f"{VARY}, Accept"
"""Those of a response that may also be text."""

INDEX: Final = "progress_sse.headers"
"""The key of the `HeaderIndex` in a request's scope: an update looks seven headers up."""


class HeaderIndex:
    """The values of a request's headers, by name in lower case; `raw` has them as they were sent."""

    __slots__ = ("_last", "_repeated", "raw")

    def __init__(self, headers: RawHeaders) -> None:
        self.raw = headers
        self._last = dict(headers)
        self._repeated: dict[bytes, list[bytes]] = {}  # Most requests repeat none.
        if len(self._last) < len(headers):
            for name, value in headers:
                self._repeated.setdefault(name, []).append(value.strip(WHITE_SPACE))

    def values(self, name: bytes) -> Sequence[bytes]:
        """Return every value of a header."""
        if self._repeated:
            return self._repeated.get(name, ())
        value = self._last.get(name)
        return () if value is None else (value.strip(WHITE_SPACE),)

    def value(self, name: bytes) -> bytes:
        """Return the last value of a header as it was sent, empty if there is none."""
        return self._last.get(name, b"")

    def has_any(self, names: AbstractSet[bytes]) -> bool:
        """Return whether the request has at least one of these headers."""
        return not names.isdisjoint(self._last)


def header_index(request: Request) -> HeaderIndex:
    """Return the index of the headers that the request has now."""
    scope = request.scope
    index: HeaderIndex | None = scope.get(INDEX)
    if index is None or index.raw is not scope["headers"]:
        index = scope[INDEX] = HeaderIndex(scope["headers"])
    return index


def header_values(request: Request, name: bytes) -> Sequence[bytes]:
    """Return every value of a header in lower case, without white space around it [RFC 9110 §5.5]."""
    return header_index(request).values(name)


def header_value(request: Request, name: bytes) -> str:
    """Return the first value of a header as text, empty if there is none; `name` is in lower case."""
    return next((value.decode("latin-1") for value in header_values(request, name)), "")
