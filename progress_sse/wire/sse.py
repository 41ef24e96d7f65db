"""The event stream format, written out and read [WHATWG HTML §9.2.6]. Pure: values to bytes and back, nothing else."""

import re
from typing import Final, NamedTuple

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")

_BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"

MAX_EVENT_BYTES: Final = 160 * 2**20
"""Bytes of an event that are read: more than a session of a thousand steps has whose longest texts are escapes."""

_MAX_RETRY_DIGITS: Final = 15
"""A time that is longer than this would not end."""


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
    """Return a `retry` field, to be put in front of an event. It takes effect when its line is read [§9.2.6]."""
    return b"retry: %d\n" % retry_ms


def encode_comment(text: str) -> bytes:
    """Return a comment, which no EventSource ever shows; it keeps the connection from looking idle.

    No empty line follows: there several clients hand their users an event without data.
    """
    return b": %b\n" % text.encode()


def encode_final_retry(retry_ms: int) -> bytes:
    """Return what a stream ends with before its sessions have: when to come back.

    An empty line follows although there is no event: several clients take a block in only once that has come.
    """
    return encode_retry_field(retry_ms) + b"\n"


class StreamEvent(NamedTuple):
    """An event as an EventSource would fire it; `event_id` is its id, or the last one before it that there was."""

    event: str
    data: str
    event_id: str


class StreamDecoder:
    """Reads one stream, in whatever pieces it comes.

    Attributes:
        last_event_id: What to come back with; empty before the first id.
        retry_ms: Milliseconds to wait before coming back; `None` before the stream has said so.
    """

    def __init__(self) -> None:
        """Begin before the first byte."""
        self.last_event_id = ""
        self.retry_ms: int | None = None
        self._rest = bytearray()
        self._unread_bytes = 0
        self._is_after_cr = False
        self._is_first_line = True
        self._event = ""
        self._data: list[str] = []
        self._event_id = ""

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Take in what came next, and return the events that it completes; what a stream ends within is no event.

        Raises:
            ValueError: An event does not end within `MAX_EVENT_BYTES`.
        """
        if self._is_after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # The other half of a CRLF.
            self._is_after_cr = False
        if not chunk:
            return []
        self._is_after_cr = chunk.endswith(b"\r")
        self._unread_bytes += len(chunk)
        if self._unread_bytes > MAX_EVENT_BYTES:
            raise ValueError(f"an event of more than {MAX_EVENT_BYTES} bytes")
        # Only what is new is searched: a line may come in many pieces.
        first, *others = _LINE_END.split(chunk)
        self._rest += first
        events = []
        for following in others:
            if self._rest.startswith(b":"):
                self._unread_bytes -= len(self._rest) + 1  # Nothing of a comment is kept.
            event = self._take(self._rest.decode(errors="replace"))
            self._rest = bytearray(following)
            if event is not None:
                events.append(event)
        return events

    def _take(self, line: str) -> StreamEvent | None:
        if self._is_first_line:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._is_first_line = False
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._event_id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
            self.retry_ms = int(value)
        return None

    def _dispatch(self) -> StreamEvent | None:
        self.last_event_id = self._event_id
        self._unread_bytes = 0
        event, data = self._event or "message", self._data
        self._event, self._data = "", []
        return StreamEvent(event, "\n".join(data), self.last_event_id) if data else None
