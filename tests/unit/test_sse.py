"""The event stream format, written out [WHATWG HTML §9.2.6]."""

from __future__ import annotations

import pytest

from progress_sse import sse

EVENTS = [
    (sse.encode_event("step", b'{"a":1}'), b'event: step\ndata: {"a":1}\n\n'),
    (sse.encode_event("step", b"x", event_id="e-1"), b"id: e-1\nevent: step\ndata: x\n\n"),
    (sse.encode_event("step", b"x", retry_ms=2000), b"retry: 2000\nevent: step\ndata: x\n\n"),
    (
        sse.encode_event("snapshot", b"x", event_id="e-0", retry_ms=0),
        b"retry: 0\nid: e-0\nevent: snapshot\ndata: x\n\n",
    ),
    (
        sse.encode_event("step", "日本語\u2028\u0085\x0b\x0c".encode()),
        "event: step\ndata: 日本語\u2028\u0085\x0b\x0c\n\n".encode(),
    ),
    (sse.encode_event("step", b""), b"event: step\ndata: \n\n"),
    (sse.encode_event("step", b" x"), b"event: step\ndata:  x\n\n"),
]


@pytest.mark.parametrize(("encoded", "expected"), EVENTS)
def test_event_is_written_field_by_field(encoded: bytes, expected: bytes) -> None:
    """`retry` goes first, so that it takes effect with whatever follows; one empty line ends the event."""
    assert encoded == expected


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_event_breaks_data_at_each_line_end(end: bytes) -> None:
    """Data can forge no field: each of its lines gets the name `data` in front."""
    encoded = sse.encode_event("step", b"a" + end + b"id: 9" + end + end + b"data: y")
    assert encoded == b"event: step\ndata: a\ndata: id: 9\ndata: \ndata: data: y\n\n"


def test_comment_shows_nothing() -> None:
    """A line that begins with a colon, and an empty one."""
    assert sse.encode_comment("") == b": \n\n"
    assert sse.encode_comment("ping") == b": ping\n\n"


def test_fields_can_be_sent_by_themselves() -> None:
    """To be put in front of an event that is there already."""
    assert sse.encode_id_field("e-1") + sse.encode_event("step", b"x") == sse.encode_event("step", b"x", event_id="e-1")
    assert sse.encode_retry_field(5) == b"retry: 5\n"
