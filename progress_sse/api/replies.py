"""Replies of bytes, and the headers that several endpoints send."""

from collections.abc import Mapping
from typing import Final

from starlette.types import Receive, Scope, Send

from progress_sse.store.types import Record
from progress_sse.wire import session_json
from progress_sse.wire.headers import VARY, RawHeaders
from progress_sse.wire.preconditions import entity_tag

JSON: Final = "application/json"

RUN: Final = "progress-run"
"""The header with `Session.run`: in the response to a creation, and in updates that are for that run only."""

UNCACHED: Final = {"cache-control": "no-store", "vary": VARY}
"""Headers of responses that no cache may store, nor give to another client if it does."""


def encoded_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return header fields as ASGI has them."""
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


_UNCACHED_JSON: Final = encoded_headers({"content-type": JSON, **UNCACHED})


class Reply:
    """A response of bytes: Starlette's own takes as long to encode its headers as a whole poll takes."""

    __slots__ = ("body", "raw_headers", "status_code")

    def __init__(self, status: int, headers: Mapping[str, str] | RawHeaders, body: bytes = b"") -> None:
        """Take the `body`, and add its length unless the status forbids one; header names are in lower case."""
        self.status_code = status
        self.body = body
        self.raw_headers = encoded_headers(headers) if isinstance(headers, Mapping) else list(headers)
        if status not in (204, 304):
            self.raw_headers.append((b"content-length", b"%d" % len(body)))

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the response."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


def json_reply(value: object, status: int = 200) -> Reply:
    """Return compact JSON that no cache stores."""
    return Reply(status, _UNCACHED_JSON, session_json.encode_json(value))


def session_reply(
    session_id: str, record: Record | None, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    """Return a session as polling shows it; `None` stands for one that does not exist."""
    body = record.body if record else session_json.encode_absent(session_id)
    return Reply(status, {"content-type": JSON, **cache_headers(record), **(headers or {})}, body)


def cache_headers(record: Record | None) -> dict[str, str]:
    """Return the headers that let a client store a session and ask each time whether it has changed."""
    tag = entity_tag(record.position if record else None)
    return {"etag": tag, "cache-control": "private, no-cache", "vary": VARY}
