"""What a client prefers [RFC 7240]."""

import pytest

from progress_sse.wire.prefer import MAX_WAIT_S, preferred_wait_s


@pytest.mark.protocol("P-22.1")
@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ([b"wait=10"], 10),
        ([b"WAIT=10"], 10),
        ([b"Wait = 10"], 10),
        ([b'wait="10"'], 10),
        ([b'wait="1\\0"'], 10),
        ([b"wait=030"], 30),
        ([b"wait=31"], MAX_WAIT_S),
        ([b"wait=" + b"9" * 5000], MAX_WAIT_S),
        ([b"respond-async, wait=10"], 10),
        ([b"respond-async", b"wait=10"], 10),
        ([b"wait=10;foo=bar, x"], 10),
        ([b'wait=10 ; foo="a, wait=3"'], 10),
        ([b'foo="a, wait=3", wait=10'], 10),
        ([b'foo="a\\", wait=3", wait=10'], 10),
        ([b",, ,wait=10,"], 10),
        ([b"wait=10, wait=3"], 10),
        ([b"wait=10", b"wait=3"], 10),
        ([b"wait=x, wait=3"], 0),
        ([b"?=1, wait=10"], 10),
    ],
)
def test_the_first_wait_counts(values: list[bytes], seconds: int) -> None:
    """In a list or several fields, beside other preferences; more than the most is the most."""
    assert preferred_wait_s(values) == seconds


@pytest.mark.protocol("P-22.1")
@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"wait",
        b"wait=",
        b"wait=0",
        b'wait=""',
        b"wait=-1",
        b"wait=+1",
        b"wait=1.5",
        b"wait=1e1",
        b"wait=0x1",
        b"wait=1 2",
        b"wait=1_0",
        b"wait=\xb2",
        b"wait=\xd9\xa1",
        b"waiting=10",
        b"a wait=10",
        b"respond-async; wait=10",
        b'"wait=10"',
        b'wait="10',
        b'foo="a, wait=10',
        b"wait:10",
    ],
)
def test_anything_else_is_no_wait(value: bytes) -> None:
    """The header is a wish, so that nonsense in it is no error."""
    assert preferred_wait_s([value]) == 0


def test_a_long_header_is_parsed_in_linear_time() -> None:
    """A head may have 64 KiB; one that took longer would hold the whole server up."""
    for piece in (b'"', b"\\", b'"\\', b" ", b"a=", b"wait ", b"wait=10;", b"=", b", "):
        preferred_wait_s([piece * (65_536 // len(piece))])
