"""Which sessions a list is of."""

import pytest

from progress_sse.core.errors import InvalidRequestError, InvalidSessionIdError
from progress_sse.core.session_filter import (
    ALL_SESSIONS,
    SessionFilter,
    check_prefix,
    end_of_prefix,
    parse_labels,
    parse_statuses,
)

LABELS = {"customer": "acme", "kind": "import"}


@pytest.mark.parametrize(
    ("wanted", "is_match"),
    [
        (ALL_SESSIONS, True),
        (SessionFilter("alice-"), True),
        (SessionFilter("alice-1"), True),
        (SessionFilter("alice-12"), False),
        (SessionFilter("lice"), False),
        (SessionFilter(labels=frozenset({("customer", "acme")})), True),
        (SessionFilter(labels=frozenset(LABELS.items())), True),
        (SessionFilter(labels=frozenset({("customer", "acme"), ("kind", "export")})), False),
        (SessionFilter(labels=frozenset({("region", "")})), False),
        (SessionFilter(states=parse_statuses(["running"])), True),
        (SessionFilter(states=parse_statuses(["error"])), False),
        (SessionFilter("alice-", frozenset(LABELS.items()), parse_statuses(["running"])), True),
        (SessionFilter("bob-", frozenset(LABELS.items()), parse_statuses(["running"])), False),
    ],
)
def test_all_conditions_must_hold(wanted: SessionFilter, is_match: bool) -> None:
    """Prefix, labels and status, each only where the list has it."""
    assert wanted.matches("alice-1", "running", LABELS) is is_match


def test_labels_are_parsed_at_the_first_colon() -> None:
    """A value may have colons, or be empty; a label that is given twice counts once."""
    texts = ["url:http://a", "empty:", "a:b", "a:b"]
    assert parse_labels(texts) == {("url", "http://a"), ("empty", ""), ("a", "b")}


@pytest.mark.parametrize(
    "text", ["", ":", ":value", "key", "k" * 65 + ":", "k:" + "v" * 257, "k:\0", "k\udcff:v", "k:\udcff"]
)
def test_what_no_session_can_have_is_no_label(text: str) -> None:
    """Neither key nor value is longer than a session's, or of other characters."""
    with pytest.raises(InvalidRequestError):
        parse_labels([text])


def test_more_labels_than_a_session_has_are_refused() -> None:
    """Sixteen are not too many."""
    texts = [f"k{number}:v" for number in range(17)]
    assert len(parse_labels(texts[:16])) == 16
    with pytest.raises(InvalidRequestError):
        parse_labels(texts)


@pytest.mark.parametrize("prefix", ["", ".", "..", "a", "日本", "x" * 128])
def test_a_prefix_is_the_beginning_of_an_id(prefix: str) -> None:
    """So it may be `.`, which no id is."""
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", ["a/", "a\n", "\u200b", "\udc80", "x" * 129])
def test_other_texts_are_no_prefix(prefix: str) -> None:
    """No id begins with them."""
    with pytest.raises(InvalidSessionIdError):
        check_prefix(prefix)


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("", None),
        ("a", "b"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff\U0010ffff", None),
        ("\ud7ff", "\ue000"),
        ("日", "旦"),
        ("\uffff", "\U00010000"),
    ],
)
def test_the_end_of_a_prefix_is_the_next_text_without_it(prefix: str, end: str | None) -> None:
    """In the order of code points, and so of their UTF-8."""
    assert end_of_prefix(prefix) == end
    for tail in ("", "a", "\U0010ffff" * 3):
        assert end is None or prefix + tail < end
        assert end is None or (prefix + tail).encode() < end.encode()
