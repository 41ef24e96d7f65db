"""The event stream format, written out [WHATWG HTML §9.2.6]."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progress_sse.core.model import Session, SessionProgress, StepDefinition, StepProgress
from progress_sse.settings import Settings
from progress_sse.wire import json_text, session_json, sse
from tests.harness.event_stream import EventStreamParser
from tests.harness.vectors import GRAMMAR

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
    """`retry` goes first, so that it takes effect before the event; one empty line ends the event."""
    assert encoded == expected


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_event_breaks_data_at_each_line_end(end: bytes) -> None:
    """Data cannot forge a field: each of its lines gets the name `data` in front."""
    encoded = sse.encode_event("step", b"a" + end + b"id: 9" + end + end + b"data: y")
    assert encoded == b"event: step\ndata: a\ndata: id: 9\ndata: \ndata: data: y\n\n"


def test_comment_shows_nothing() -> None:
    """A line that begins with a colon. An empty line after it would be an event to several clients."""
    assert sse.encode_comment("") == b": \n"
    assert sse.encode_comment("ping") == b": ping\n"


def test_fields_can_be_sent_by_themselves() -> None:
    """To go before an event that was encoded earlier."""
    assert sse.encode_id_field("e-1") + sse.encode_event("step", b"x") == sse.encode_event("step", b"x", event_id="e-1")
    assert sse.encode_retry_field(5) == b"retry: 5\n"


LINE_ENDS = st.sampled_from(["\n", "\r", "\r\n"])
FORGERIES = st.sampled_from(
    ["\n\nevent: x\nid: 9\ndata: y\n\n", "\r: c", "data: ", "id:9", ":", " ", "\0", "\ufeff", "\u2028"]
)
texts = st.lists(st.text() | LINE_ENDS | FORGERIES, max_size=8).map("".join)
names = st.sampled_from(["snapshot", "step", "end", "heartbeat"])
ids = st.from_regex(r"[A-Za-z0-9._~-]{1,128}", fullmatch=True)


@given(names, texts, ids | st.none(), st.integers(0, 10**9) | st.none(), st.integers(0, 400))
def test_a_strict_client_reads_what_was_written(
    name: str, data: str, event_id: str | None, retry_ms: int | None, cut: int
) -> None:
    """SE-05: for any data, cut anywhere: one event, with the line ends that a client sees."""
    parser = EventStreamParser()
    frame = sse.encode_event(name, data.encode(), event_id=event_id, retry_ms=retry_ms)
    [block] = [*parser.feed(frame[:cut]), *parser.feed(frame[cut:])]
    lines = data.replace("\r\n", "\n").replace("\r", "\n")
    assert (block.event, block.data, block.id, block.retry_ms) == (name, lines, event_id, retry_ms)
    assert parser.pending == b""


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(names, values, ids | st.none(), st.integers(0, 10**9) | st.none())
def test_an_encoded_event_decodes_to_the_same(
    name: str, value: Any, event_id: str | None, retry_ms: int | None
) -> None:
    """Our data is JSON on one line, so none of it is lost or read as a field."""
    data = json_text.encode_json(value)
    frame = sse.encode_event(name, data, event_id=event_id, retry_ms=retry_ms)
    assert sse.decode_event(frame) == (name, data)
    assert frame.count(b"\ndata: ") == 1


@pytest.mark.parametrize("vector", GRAMMAR, ids=lambda each: each["name"])
def test_a_stream_is_decoded_from_chunks_of_any_size(vector: dict[str, Any]) -> None:
    """Whole, byte by byte, in two chunks cut anywhere, and with empty chunks between."""
    raw = vector["stream"].encode()
    cut_somewhere = [[raw[:at], b"", raw[at:]] for at in range(len(raw) + 1)]
    for pieces in ([raw], [raw[at : at + 1] for at in range(len(raw))], *cut_somewhere):
        decoder = sse.StreamDecoder()
        events = [event for piece in pieces for event in decoder.feed(piece)]
        assert [
            {"event": event.event, "data": event.data, "last_event_id": event.event_id} for event in events
        ] == vector["events"]
        assert (decoder.last_event_id, decoder.retry_ms) == (vector["last_event_id"], vector["retry_ms"])


@pytest.mark.parametrize("retry", ["9" * 5000, "٣", "-1", ""])
def test_a_time_that_cannot_be_waited_is_ignored(retry: str) -> None:
    """With too many digits, or in a form that only Python accepts."""
    decoder = sse.StreamDecoder()
    decoder.feed(f"retry: 5\nretry: {retry}\n".encode())
    assert decoder.retry_ms == 5


def test_data_of_megabytes_is_read_whole() -> None:
    """In pieces as a network brings them."""
    data, decoder = "0123456789abcdef" * 2**18, sse.StreamDecoder()
    frame = sse.encode_event("step", data.encode())
    pieces = (frame[at : at + 2**16] for at in range(0, len(frame), 2**16))
    assert [event for piece in pieces for event in decoder.feed(piece)] == [("step", data, "")]


def test_what_is_not_utf8_does_not_end_the_stream() -> None:
    """It decodes to replacement characters, and the rest is read."""
    assert sse.StreamDecoder().feed(b"data: a\xff\n\ndata: b\n\n") == [
        ("message", "a\N{REPLACEMENT CHARACTER}", ""),
        ("message", "b", ""),
    ]


@pytest.mark.parametrize("piece", [b"x" * 1000, b"data: x\n" * 100])
def test_an_event_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch, piece: bytes) -> None:
    """Whether it is one endless line or many lines; any number of events that end is fine."""
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 2500)
    decoder = sse.StreamDecoder()
    for _ in range(40):
        decoder.feed(piece + b"\n\n")
    assert decoder.feed(piece) == decoder.feed(piece) == []
    with pytest.raises(ValueError, match="more than 2500 bytes"):
        decoder.feed(piece * 2)


@pytest.mark.parametrize("character", ["<", "\x01", "\u2028"])
def test_the_longest_session_is_read(character: str) -> None:
    """With as many steps and as long texts as the defaults allow, all of escaped characters."""
    settings, share = Settings(), 100
    count, text = settings.max_total_steps // share, character * settings.max_text_chars
    steps = {n: StepProgress(n, text, "error", "", "", 0, None, text, text) for n in range(1, count + 1)}
    progress = SessionProgress("s", count, count, "error", steps, "", "")
    snapshot = session_json.encode_session(Session(progress, (StepDefinition(text),) * count))
    assert len(snapshot) * share < sse.MAX_EVENT_BYTES


def test_comments_are_no_part_of_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream may carry nothing but comments for days."""
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 2500)
    decoder = sse.StreamDecoder()
    for _ in range(1000):
        assert decoder.feed(sse.encode_comment("heartbeat")) == []
    assert decoder.feed(b"data: x\n\n") == [("message", "x", "")]


@pytest.mark.parametrize(("encoded", "_"), EVENTS)
def test_decode_event_agrees_with_the_stream_decoder(encoded: bytes, _: bytes) -> None:
    """On each event that `encode_event` writes."""
    [event] = sse.StreamDecoder().feed(encoded)
    assert (event.event, event.data.encode()) == sse.decode_event(encoded)
