"""Event ids on streams of several sessions."""

import base64
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from progress_sse.core.model import Position
from progress_sse.wire.cursor import StreamCursor, cursor_position, end_id, is_end_id, parse_cursor
from tests.harness.presence import present

ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
MOST_SESSIONS = 20

numbers = st.integers(min_value=0, max_value=2**40)


@given(st.dictionaries(st.text(min_size=1, max_size=20), numbers, min_size=1, max_size=5))
def test_an_id_holds_the_position_of_each_session(places: dict[str, int]) -> None:
    """The positions are decoded again, as long as they fit."""
    cursor, event_id = StreamCursor(), ""
    for session_id, n in places.items():
        event_id = cursor.advance(session_id, Position("epoch", n))
    offsets = present(parse_cursor(event_id))
    for session_id, n in places.items():
        assert cursor_position(offsets, session_id, Position("epoch", 0)) == Position("epoch", n)


@given(st.lists(st.tuples(st.integers(0, MOST_SESSIONS - 1), numbers), min_size=1, max_size=60))
def test_an_id_always_fits_and_holds_the_latest_changes(moves: list[tuple[int, int]]) -> None:
    """With any number of sessions: at most 128 plain characters, and the sessions that changed last are in."""
    cursor = StreamCursor()
    for session, n in moves:
        event_id = cursor.advance(f"session-{session}", Position("epoch", n))
        assert ID.fullmatch(event_id)
        offsets = present(parse_cursor(event_id))
        assert cursor_position(offsets, f"session-{session}", Position("epoch", 0)) == Position("epoch", n)


def test_an_id_holds_ten_sessions_of_a_thousand_transitions_each() -> None:
    """As many as the documentation promises."""
    cursor = StreamCursor()
    event_id = ""
    for session in range(MOST_SESSIONS):
        event_id = cursor.advance(f"session-{session}", Position("epoch", 1000))
    offsets = present(parse_cursor(event_id))
    assert len(offsets) >= 10


def test_an_id_holds_nothing_of_another_epoch_or_session() -> None:
    """A digest that differs from that of the session as it is now gives no position."""
    offsets = present(parse_cursor(StreamCursor().advance("a", Position("one", 3))))
    assert cursor_position(offsets, "a", Position("one", 9)) == Position("one", 3)
    assert cursor_position(offsets, "a", Position("two", 9)) is None
    assert cursor_position(offsets, "b", Position("one", 9)) is None


def test_all_absences_of_a_session_look_alike() -> None:
    """A client that saw one absence has missed nothing in another."""
    offsets = present(parse_cursor(StreamCursor().advance("a", Position.absent("a", "x"))))
    now = Position.absent("a", "y")
    assert cursor_position(offsets, "a", now) == now
    assert cursor_position(offsets, "a", Position("one", 1)) is None


def test_the_end_id_stands_for_exactly_these_positions() -> None:
    """Any other position, session or epoch gives another id; the order of the sessions does not matter."""
    a, b = Position("one", 3), Position("two", 5)
    this = end_id({"x": a, "y": b})
    assert ID.fullmatch(this)
    assert is_end_id(this)
    assert this == end_id({"y": b, "x": a})
    others = [{"x": b, "y": a}, {"x": a}, {"x": a, "y": Position("two", 6)}, {"x": a, "z": b}]
    assert all(end_id(other) != this for other in others)
    assert parse_cursor(this) is None


@pytest.mark.parametrize("text", ["", "m", "abc-1", "e.AAAA", "m.!!!!", "m.AAAA", "m.AAAAAAA", "m.\ud800"])
def test_other_texts_hold_no_positions(text: str) -> None:
    """A hostile id is not an id."""
    assert not parse_cursor(text)


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text from a query parses as an id, or as `None`."""
    for candidate in (text, "m." + text):
        offsets = parse_cursor(candidate)
        assert offsets is None or all(n >= 0 for n in offsets.values())


@given(st.binary(max_size=100))
@example(b"digest" + b"\xff" * 9 + b"\1")
def test_no_packed_bytes_break_the_parser(packed: bytes) -> None:
    """Texts of the right form with any content: offsets stay within their bounds."""
    offsets = parse_cursor("m." + base64.urlsafe_b64encode(packed).decode().rstrip("="))
    assert offsets is None or all(len(digest) == 6 and 0 <= n < 2**56 for digest, n in offsets.items())


@given(st.text(max_size=20), st.integers(0, 2**40), st.text("ab.", max_size=3))
def test_a_changed_id_holds_a_position_of_the_same_epoch_or_none(session_id: str, n: int, tail: str) -> None:
    """A forged offset is at worst one that the session never had, which gets a snapshot."""
    here = Position("epoch", 7)
    offsets = parse_cursor(StreamCursor().advance(session_id, Position("epoch", n)) + tail)
    place = cursor_position(offsets or {}, session_id, here)
    assert place is None or place.epoch == "epoch"


def test_a_text_longer_than_any_id_is_not_decoded() -> None:
    """Decoding it for each session of the stream would take the time of thousands of requests."""
    item = b"digest\x01"
    assert parse_cursor("m." + base64.urlsafe_b64encode(item * 12).decode()) is not None
    assert parse_cursor("m." + base64.urlsafe_b64encode(item * 15).decode()) is None
