"""`If-Match` and `If-None-Match`, with valid and invalid values [RFC 9110 §8.8.3, §13.1]."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from progress_sse.core.model import Position
from progress_sse.wire.preconditions import GONE, Preconditions

HERE = Position("3f2a9c", 12)
TAG = b'"3f2a9c-12"'
ABSENT = b'"absent"'

opaque = st.binary(max_size=6).map(lambda raw: bytes(byte for byte in raw if byte >= 0x21 and byte not in (0x22, 0x7F)))
"""The characters allowed between the quotation marks of a tag; a comma is one."""

tags = st.just(TAG) | opaque.map(lambda inside: b'"%b"' % inside)
offers = st.lists(st.tuples(st.sampled_from([b"", b"W/"]), tags), max_size=4)
separators = st.sampled_from([b",", b", ", b" ,\t", b",,"])


def is_expected(values: list[bytes], position: Position | None = HERE) -> bool:
    return Preconditions(values, []).is_expected(position)


def is_known(values: list[bytes], position: Position | None = HERE) -> bool:
    return Preconditions([], values).is_known(position)


@given(offers, separators, st.integers(0, 4))
def test_a_session_is_named_if_and_only_if_its_tag_is_in_the_list(
    offered: list[tuple[bytes, bytes]], separator: bytes, cut: int
) -> None:
    """In one field or two, beside any other tags; for `If-Match` a weak tag does not count."""
    fields = [separator.join(weak + tag for weak, tag in part) for part in (offered[:cut], offered[cut:])]
    values = [field for field in fields if field] or [b""]
    assert is_known(values) is (TAG in {tag for _, tag in offered})
    assert is_expected(values) is ((b"", TAG) in offered)


@given(st.lists(st.binary(max_size=20), max_size=3))
@example([b"W/*"])
@example([b"*, *"])
@example([b"*", b"*"])
def test_a_value_that_is_not_a_list_of_tags_names_nothing(values: list[bytes]) -> None:
    """And raises no error."""
    assert is_known(values) is (values == [b"*"] or any(TAG in value for value in values))
    assert is_expected(values) is (values in ([], [b"*"]) or any(TAG in value for value in values))


@pytest.mark.parametrize(
    ("value", "names_here", "names_nothing"),
    [
        (b"*", True, False),
        (TAG, True, False),
        (ABSENT, False, True),
        (b"W/" + ABSENT, False, True),
        (b"", False, False),
    ],
)
def test_a_star_is_every_session_that_exists(value: bytes, names_here: bool, names_nothing: bool) -> None:
    """A session that does not exist has a tag of its own, so that a client can create it only if it still is absent."""
    assert (is_known([value]), is_known([value], None)) == (names_here, names_nothing)
    is_strong = not value.startswith(b"W/")
    assert (is_expected([value]), is_expected([value], None)) == (names_here, names_nothing and is_strong)


def test_one_that_is_gone_has_a_tag_of_its_own() -> None:
    """It may be created by that of any session that does not exist."""
    tag = b'"gone-0"'
    assert [is_known([tag], each) for each in (HERE, None, GONE)] == [False, False, True]
    assert all(is_expected([each], GONE) and is_expected([each], None) for each in (ABSENT, tag))
    assert not is_known([b"*"], GONE)


def test_without_conditions_everything_is_allowed() -> None:
    """And the client is taken to know no state."""
    for position in (HERE, None):
        assert Preconditions([], []).allow_change(position)
        assert not is_known([], position)
