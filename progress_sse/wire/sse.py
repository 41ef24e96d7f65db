"""The event stream format, encoded and decoded [WHATWG HTML §9.2.6]. Pure: values to bytes and back, nothing else."""

import re
from typing import Final, NamedTuple

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")

_BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"

MAX_EVENT_BYTES: Final = 160 * 2**20
"""Bytes that an event may have: more than a session of a thousand steps with the longest texts, all escaped."""

_MAX_RETRY_DIGITS: Final = 15
"""Digits beyond which a `retry` time is ignored: the wait would never end."""


def encode_event(event: str, data: bytes, *, event_id: str | None = None, retry_ms: int | None = None) -> bytes:
    r"""Return one event as a client reads it.

    Args:
        event: The event's name, a constant of ours without line ends.
        data: UTF-8; each of its lines becomes a `data` field. CR, LF and CRLF end a line, and nothing else does.
        event_id: The client's last event id from now on; `None` leaves it unchanged.
        retry_ms: Milliseconds that the client waits before it reconnects; this field comes first.
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
    """Return an `id` field, to go before an event."""
    return b"id: %b\n" % event_id.encode()


def encode_retry_field(retry_ms: int) -> bytes:
    """Return a `retry` field, to go before an event. It takes effect when its line is read [§9.2.6]."""
    return b"retry: %d\n" % retry_ms


def encode_comment(text: str) -> bytes:
    """Return a comment, which no EventSource shows; it keeps the connection from looking idle.

    No empty line follows, because several clients would report an event without data.
    """
    return b": %b\n" % text.encode()


def encode_final_retry(retry_ms: int) -> bytes:
    """Return the end of a stream that closes before its sessions are completed: when to reconnect.

    An empty line follows although there is no event, because several clients process a block only after one.
    """
    return encode_retry_field(retry_ms) + b"\n"


class StreamEvent(NamedTuple):
    """An event as an EventSource would fire it; `event_id` is its own id, or the last one before it."""

    event: str
    data: str
    event_id: str


class StreamDecoder:
    """Decodes one stream, split into chunks anywhere.

    Attributes:
        last_event_id: The id to reconnect with; empty before the first id.
        retry_ms: Milliseconds to wait before reconnecting; `None` before the stream has sent any.
    """

    def __init__(self, last_event_id: str = "") -> None:
        """Begin with the id that the reader has reconnected with: it holds until the stream has another."""
        self.last_event_id = last_event_id
        self.retry_ms: int | None = None
        self._rest = bytearray()
        self._unread_bytes = 0
        self._is_after_cr = False
        self._is_first_line = True
        self._event = ""
        self._data: list[str] = []
        self._event_id = last_event_id

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Decode the next chunk, and return the events that it completes; an event that never ends is dropped.

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
        # Only the new chunk is searched, since a line may come in many chunks.
        first, *others = _LINE_END.split(chunk)
        self._rest += first
        events = []
        for following in others:
            if self._rest.startswith(b":"):
                self._unread_bytes -= len(self._rest) + 1  # A comment is not kept.
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
        event = self._event or "message"
        data = self._data
        self._event = ""
        self._data = []
        return StreamEvent(event, "\n".join(data), self.last_event_id) if data else None
