"""The messages that a commit publishes, both ways."""

import pytest

from progress_sse.store.redis.messages import MAX_BYTES, apply_message, decode_message, encode_message
from progress_sse.store.types import Change
from tests.store.changes import after, created, key, moved, removed

FIRST = created()
ONE = moved(after(FIRST), 1)


@pytest.mark.parametrize(
    "change",
    [
        FIRST,
        ONE,
        moved(after(ONE), 1, 3, 1, message="\u2028\r\n\u0085"),
        created(epoch="second", expected=after(ONE).position),
        removed(after(ONE)),
    ],
)
def test_a_message_contains_the_change(change: Change) -> None:
    """Character for character."""
    message = decode_message(b"17 16\n" + encode_message(change))
    assert change.is_visible
    assert (message.revision, message.previous) == (17, 16)
    assert message.position == (change.record.position if change.record else None)
    assert (message.is_fresh, message.entries) == (change.is_fresh, change.entries)


def test_a_message_is_empty_when_the_change_is_invisible() -> None:
    """Listeners do not see a key that was remembered."""
    change = moved(after(created()), keys=[key("k")])
    assert (change.is_visible, encode_message(change)) == (False, b"")


def test_a_message_takes_a_record_on() -> None:
    """Also a record that contains the first of its transitions."""
    batch = moved(after(FIRST), 1, 2, 1, status="error")
    message = decode_message(b"1 0\n" + encode_message(batch))
    assert apply_message(after(FIRST), message) == after(batch)
    assert apply_message(after(moved(after(FIRST), 1, 2)), message) == after(batch)
    assert apply_message(after(batch), message) is None
    assert apply_message(after(created(epoch="other")), message) is None


def test_a_message_leaves_out_transitions_that_are_too_large() -> None:
    """Its position makes listening processes read them."""
    change = moved(after(FIRST), 1, message="x" * MAX_BYTES)
    payload = encode_message(change)
    assert len(payload) < 1000
    message = decode_message(b"1 0\n" + payload)
    assert (message.position, message.entries) == (after(change).position, ())
    assert apply_message(after(FIRST), message) is None
