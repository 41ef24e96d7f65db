"""Headers: `Vary` for all responses, and those of a request as bytes, since Starlette decodes all to return one."""

from collections.abc import Mapping, Sequence
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
"""The key of the `HeaderIndex` in a request's scope."""


class HeaderIndex(dict[bytes, bytes]):
    """The headers of a request, looked at once: by name in lower case, the last value of each, as it was sent.

    Names are in lower case already, as ASGI has them.

    Attributes:
        raw: The header fields in the order in which they were sent.
        repeated: Every value of each header that was sent more than once; most requests repeat none.
    """

    __slots__ = ("raw", "repeated")

    def __init__(self, headers: RawHeaders) -> None:
        super().__init__(headers)
        self.raw = headers
        self.repeated: Mapping[bytes, Sequence[bytes]] = _repeated(headers) if len(self) < len(headers) else {}

    def getlist(self, name: bytes) -> Sequence[bytes]:
        """Return every value of a header in the order sent, without white space around it; none without the header.

        White space around a value is not part of it [RFC 9110 §5.5]. Our own server removes it, others may not.
        """
        values = self.repeated.get(name)
        if values is not None:
            return values
        value = self.get(name)
        return () if value is None else (value.strip(WHITE_SPACE),)


def _repeated(headers: RawHeaders) -> Mapping[bytes, Sequence[bytes]]:
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value.strip(WHITE_SPACE))
    return {name: each for name, each in values.items() if len(each) > 1}


def header_index(request: Request) -> HeaderIndex:
    """Return the index of the headers that the request has now; it is made anew only if a middleware replaced them."""
    scope = request.scope
    index: HeaderIndex | None = scope.get(INDEX)
    if index is None or index.raw is not scope["headers"]:
        index = scope[INDEX] = HeaderIndex(scope["headers"])
    return index


def header_values(request: Request, name: bytes) -> Sequence[bytes]:
    """Return every value of a header, without white space around it; `name` is in lower case."""
    return header_index(request).getlist(name)


def header_value(request: Request, name: bytes) -> str:
    """Return the first value of a header as text, empty if there is none; `name` is in lower case."""
    return next((value.decode("latin-1") for value in header_values(request, name)), "")
