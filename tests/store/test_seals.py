"""Seals of stored values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progress_sse.store.seals import checked_position, sealed, unsealed


@given(st.binary(), st.text(st.characters(codec="utf-8")), st.integers())
def test_a_value_is_read_back_in_its_place_alone(data: bytes, session_id: str, place: int) -> None:
    """Of another session, or of another part of it, it is damaged."""
    stored = sealed(data, session_id, place)
    assert unsealed(stored, session_id, place) == data
    for others in ((f"{session_id}x", place), (session_id, place + 1)):
        with pytest.raises(ValueError, match="seal"):
            unsealed(stored, *others)


@given(st.binary(min_size=1), st.data())
def test_a_changed_byte_is_found(data: bytes, draw: st.DataObject) -> None:
    """Wherever it is."""
    stored = bytearray(sealed(data, "s", 1))
    stored[draw.draw(st.integers(0, len(stored) - 1))] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="seal"):
        unsealed(bytes(stored), "s", 1)


@pytest.mark.parametrize("stored", [None, 5, "text", b"", b"{}", 1.5])
def test_foreign_values_are_found(stored: object) -> None:
    """Of another type, or without a seal."""
    with pytest.raises(ValueError, match="seal"):
        unsealed(stored, "s", 1)


@pytest.mark.parametrize(("epoch", "offset"), [("", 1), ("a b", 1), (b"a", 1), ("b", "1"), ("a", True), ("é", 1)])
def test_a_position_has_an_epoch_and_a_number(epoch: object, offset: object) -> None:
    """An epoch is part of the ids of events."""
    assert checked_position("a1", 2) == ("a1", 2)
    with pytest.raises(ValueError, match="epoch"):
        checked_position(epoch, offset)
