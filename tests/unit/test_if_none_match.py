"""`If-None-Match`, whatever it says [RFC 9110 §8.8.3, §13.1.2]."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from progress_sse.endpoints.poll import has_current

TAG = b'"3f2a9c-12"'

opaque = st.binary(max_size=6).map(lambda raw: bytes(byte for byte in raw if byte >= 0x21 and byte not in (0x22, 0x7F)))
"""What may stand between the quotation marks of a tag; a comma too."""

tags = st.just(TAG) | opaque.map(lambda inside: b'"%b"' % inside)
offers = st.lists(st.tuples(st.sampled_from([b"", b"W/"]), tags), max_size=4)
separators = st.sampled_from([b",", b", ", b" ,\t", b",,"])


@given(offers, separators, st.integers(0, 4))
def test_a_tag_is_current_if_and_only_if_it_is_in_the_list(
    offered: list[tuple[bytes, bytes]], separator: bytes, cut: int
) -> None:
    """Weak or strong, over one field or two, and whatever the other tags are."""
    fields = [separator.join(weak + tag for weak, tag in part) for part in (offered[:cut], offered[cut:])]
    values = [field for field in fields if field]
    assert has_current(values, TAG) is (TAG in {tag for _, tag in offered})


@given(st.lists(st.binary(max_size=20), max_size=3))
@example([b"W/*"])
@example([b"*, *"])
def test_whatever_is_no_list_of_tags_is_not_current(values: list[bytes]) -> None:
    """And nothing else comes of it."""
    assert has_current(values, TAG) is (values == [b"*"] or any(TAG in value for value in values))


@pytest.mark.parametrize("value", [b"*", TAG, b"W/" + TAG])
def test_any_tag_is_current_to_who_takes_any(value: bytes) -> None:
    """As is the very one, also where something on the way has weakened it."""
    assert has_current([value], TAG)
