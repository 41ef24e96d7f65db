"""The event stream format, written out [WHATWG HTML §9.2.6]. Pure: values to bytes, nothing else."""

import re
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


def encode_event(event: str, data: bytes, *, event_id: str | None = None, retry_ms: int | None = None) -> bytes:
    r"""Return one event as a client reads it.

    Args:
        event: The event's name, a constant of ours without line ends.
        data: UTF-8; each of its lines becomes a `data` field. CR, LF and CRLF end a line, and nothing else does.
        event_id: What the client keeps as its last event id; without one it keeps the one it has.
        retry_ms: Milliseconds that the client shall wait before it reconnects; goes first.
    """
    lines = b"data: %b\n" % (_LINE_END.sub(b"\ndata: ", data) if b"\n" in data or b"\r" in data else data)
    retry = encode_retry_field(retry_ms) if retry_ms is not None else b""
    identity = encode_id_field(event_id) if event_id is not None else b""
    return b"%b%bevent: %b\n%b\n" % (retry, identity, event.encode(), lines)


def decode_event(frame: bytes) -> tuple[str, bytes]:
    """Return the name and the data of an event that `encode_event` wrote, its data being one line."""
    _, _, named = frame.partition(b"event: ")
    event, _, data = named.partition(b"\ndata: ")
    return event.decode(), data.rstrip(b"\n")


def encode_id_field(event_id: str) -> bytes:
    """Return an `id` field, to be put in front of an event."""
    return b"id: %b\n" % event_id.encode()


def encode_retry_field(retry_ms: int) -> bytes:
    """Return a `retry` field. It takes effect when the line is read, with or without an event [§9.2.6]."""
    return b"retry: %d\n" % retry_ms


def encode_comment(text: str) -> bytes:
    """Return a comment, which no EventSource ever shows; it keeps the connection from looking idle."""
    return b": %b\n\n" % text.encode()
