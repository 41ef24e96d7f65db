"""Replies of bytes, and the headers that several endpoints send."""

from collections.abc import Mapping
from typing import Final

from starlette.types import Receive, Scope, Send

from progress_sse.core.model import Position
from progress_sse.wire import json_text
from progress_sse.wire.headers import VARY, VARY_WITH_ACCEPT
from progress_sse.wire.preconditions import TagOf, entity_tag

JSON: Final = "application/json"

RUN: Final = "progress-run"
"""The header with `Session.run`: in the response to a creation, and in updates that are for that run only."""

UNCACHED: Final = {"cache-control": "no-store", "vary": VARY}
"""Headers of responses that no cache may store, nor give to another client if it does."""


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Return header fields as a connection carries them."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()]).encode("latin-1")


_UNCACHED_JSON: Final = header_lines({"content-type": JSON, **UNCACHED})


class Reply:
    """A response of bytes: Starlette's own takes as long to encode its headers as a whole poll takes.

    Attributes:
        status_code: The status.
        lines: The header fields as a connection carries them, names in lower case.
        body: The body.
    """

    __slots__ = ("body", "lines", "status_code")

    def __init__(self, status: int, headers: Mapping[str, str] | bytes, body: bytes = b"") -> None:
        """Take the headers or their lines, and add the length of the `body` unless the status forbids one."""
        self.status_code = status
        self.body = body
        self.lines = headers if isinstance(headers, bytes) else header_lines(headers)
        if status not in (204, 304):
            self.lines += b"content-length: %d\r\n" % len(body)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the response."""
        headers = [tuple(line.split(b": ", 1)) for line in self.lines.splitlines()]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_reply(value: object, status: int = 200) -> Reply:
    """Return compact JSON that no cache stores."""
    return Reply(status, _UNCACHED_JSON, json_text.encode_json(value))


def cache_headers(position: Position | None, tag_of: TagOf = entity_tag) -> dict[str, str]:
    """Return the headers that let a client store a session and ask each time whether it has changed."""
    tag = tag_of(position)
    return {"etag": tag, "cache-control": "private, no-cache", "vary": VARY_WITH_ACCEPT}
