"""The headers by which a client names what it likes best."""

import pytest

from progress_sse.wire.preferences import MAX_WAIT_S, preferred_wait_s, prefers_text


@pytest.mark.protocol("P-22.8")
@pytest.mark.parametrize(
    "values",
    [
        [b"text/plain"],
        [b"Text/Plain"],
        [b"text/*"],
        [b"text/plain, */*;q=0.1"],
        [b"text/plain", b"application/json;q=0.9"],
        [b"application/json;q=0.5, text/plain;q=0.51"],
        [b"text/plain; charset=utf-8"],
        [b"text/plain;q=1.000"],
        [b"text/plain;format=flowed;Q=0.5"],
        [b'text/html;x="a,b", text/plain'],
        [b"text/*, */*;q=0"],
        [b"application/*;q=0.2, */*;q=0.1, text/plain;q=0.3"],
    ],
)
def test_text_for_clients_that_like_it_better(values: list[bytes]) -> None:
    """By the weight of the most specific range that names each type."""
    assert prefers_text(values)


@pytest.mark.protocol("P-22.8")
@pytest.mark.parametrize(
    "values",
    [
        [],
        *([value] for value in (b"", b"*/*", b"application/json", b"text/event-stream", b"text/html", b"text/plainer")),
        [b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"],
        *([value] for value in (b"application/json, text/plain, */*", b"text/plain, application/json")),
        *([b"text/plain;" + more] for more in (b"q=0.5, application/json", b"q=0.5, */*", b"q=0, text/*")),
        *([b"text/plain;" + more] for more in (b"q=0", b"q=", b"q=2", b"q=.5", b"q=0.5555", b"q=1x;q=1", b"q=0.000")),
        *([value] for value in (b"x-text/plain", b"text/plain/x", b'"text/plain"', b"text/ plain")),
    ],
)
def test_json_for_all_others(values: list[bytes]) -> None:
    """Also for browsers, for libraries that name both, and for a client that takes neither."""
    assert not prefers_text(values)


@pytest.mark.protocol("P-22.8")
@pytest.mark.parametrize(
    "values",
    [
        [b"text/event-stream, text/plain;q=0.5"],
        [b"text/event-stream", b"text/*;q=0.9"],
        [b"text/plain, text/event-stream"],
        [b"text/*"],
        [b"text/plain, application/json"],
    ],
)
def test_events_for_clients_that_take_them_as_well(values: list[bytes]) -> None:
    """A library that follows streams may name text besides."""
    assert not prefers_text(values, to_events=True)


@pytest.mark.protocol("P-22.8")
@pytest.mark.parametrize(
    "values", [[b"text/plain"], [b"text/plain, */*;q=0.1"], [b"text/event-stream;q=0.5, text/plain"]]
)
def test_a_stream_of_text_for_clients_that_like_it_better(values: list[bytes]) -> None:
    """By the same weights."""
    assert prefers_text(values, to_events=True)


def test_a_long_header_is_parsed_in_linear_time() -> None:
    """A head may have 64 KiB; one that took longer would hold the whole server up."""
    for piece in (b"text/", b"text/plain;", b"text/a;q=0", b';q="', b"text/plain;q=1 ", b"a/b;\t", b"text/a,"):
        prefers_text([b"text/plain;" + piece * (65_536 // len(piece))])


@pytest.mark.protocol("P-22.1")
@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        *(([value], 10) for value in (b"wait=10", b"WAIT=10", b"Wait = 10", b'wait="10"', b'wait="1\\0"')),
        *(([value], 10) for value in (b"respond-async, wait=10", b"wait=10;foo=bar, x", b'wait=10 ; foo="a, wait=3"')),
        *(([value], 10) for value in (b'foo="a, wait=3", wait=10', b'foo="a\\", wait=3", wait=10', b",, ,wait=10,")),
        *(([value], 10) for value in (b"wait=10, wait=3", b"?=1, wait=10")),
        *(([value], MAX_WAIT_S) for value in (b"wait=030", b"wait=31", b"wait=" + b"9" * 5000)),
        *(([first, b"wait=10"], 10) for first in (b"respond-async", b"wait=10")),
        ([b"wait=10", b"wait=3"], 10),
        ([b"wait=x, wait=3"], 0),
    ],
)
def test_the_first_wait_counts(values: list[bytes], seconds: int) -> None:
    """In a list or several fields, beside other preferences; more than the most is the most."""
    assert preferred_wait_s(values) == seconds


@pytest.mark.protocol("P-22.1")
@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"wait", b"wait=", b"wait=0", b'wait=""', b"wait=-1", b"wait=+1", b"wait=1.5", b"wait=1e1"),
        *(b"wait=0x1", b"wait=1 2", b"wait=1_0", b"wait=\xb2", b"wait=\xd9\xa1", b"waiting=10", b"a wait=10"),
        *(b"respond-async; wait=10", b'"wait=10"', b'wait="10', b'foo="a, wait=10', b"wait:10"),
    ],
)
def test_anything_else_is_no_wait(value: bytes) -> None:
    """The header is a wish, so that nonsense in it is no error."""
    assert preferred_wait_s([value]) == 0


def test_a_long_preference_is_parsed_in_linear_time() -> None:
    """A head may have 64 KiB; one that took longer would hold the whole server up."""
    for piece in (b'"', b"\\", b'"\\', b" ", b"a=", b"wait ", b"wait=10;", b"=", b", "):
        preferred_wait_s([piece * (65_536 // len(piece))])
