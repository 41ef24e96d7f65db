"""The headers of a request, which are looked at once."""

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from progress_sse.wire.headers import INDEX, HeaderIndex, RawHeaders, header_index, header_value, header_values

NAMES = (b"accept", b"host", b"prefer")

values = st.sampled_from([b"", b"a", b" a", b"a\t ", b"a b", b"\xe9", b" "])
heads = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=6)


def values_of(headers: RawHeaders, name: bytes) -> Sequence[bytes]:
    """Return what the index has to find, by a look at each field."""
    return [value.strip(b" \t") for each, value in headers if each == name]


def request(headers: RawHeaders, **scope: object) -> Request:
    return Request({"type": "http", "headers": headers, **scope})


@given(heads)
@example([(b"prefer", b"a"), (b"host", b"b"), (b"prefer", b"c")])
@example([(b"prefer", b""), (b"prefer", b"")])
def test_an_index_finds_what_a_look_at_each_field_finds(headers: RawHeaders) -> None:
    """All values in their order, and which headers are missing or repeated."""
    index = HeaderIndex(headers)
    for name in NAMES:
        found = values_of(headers, name)
        assert list(index.getlist(name)) == found
        assert (name in index) is bool(found)
        assert (name in index.repeated) is (len(found) > 1)
        assert list(header_values(request(headers), name)) == found
        assert header_value(request(headers), name) == (found[0].decode("latin-1") if found else "")


@given(heads)
def test_an_index_has_the_last_value_of_each_header_as_it_was_sent(headers: RawHeaders) -> None:
    """White space included: whether it counts is for the reader of the value."""
    index = HeaderIndex(headers)
    assert index == dict(headers)
    assert index.raw is headers


def test_a_request_is_indexed_once() -> None:
    """The index that our own server made of the head is taken, and one that is made here is kept."""
    headers = [(b"host", b"a")]
    made_by_server = HeaderIndex(headers)
    assert header_index(request(headers, **{INDEX: made_by_server})) is made_by_server

    without = request(headers)
    assert header_index(without) is header_index(without)


def test_an_index_without_a_header_is_kept_too() -> None:
    """Though it is empty."""
    without = request([])
    assert header_index(without) is header_index(without)


def test_headers_that_a_middleware_replaced_are_indexed_anew() -> None:
    """The endpoint reads what the middleware wants it to read."""
    changed = request([(b"host", b"a")])
    assert header_value(changed, b"host") == "a"
    changed.scope["headers"] = [(b"host", b"b")]
    assert header_value(changed, b"host") == "b"
