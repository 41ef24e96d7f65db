import random
from collections.abc import Callable

import pytest

from tests.harness.event_stream import Block, EventStreamParser, GrammarError, split_id

# By name: the stream, and for each of its blocks event, data, id, last event id, retry and comment.
STREAMS = {
    "data": (b"data: x\n\n", [("message", "x", None, "", None, None)]),
    "every field": (b"id: a-1\nevent: step\ndata: {}\nretry: 10\n\n", [("step", "{}", "a-1", "a-1", 10, None)]),
    "CR": (b"event: a\rdata: 1\rdata: 2\r\r", [("a", "1\n2", None, "", None, None)]),
    "CRLF": (b"event: a\r\ndata: 1\r\ndata: 2\r\n\r\n", [("a", "1\n2", None, "", None, None)]),
    "mixed ends": (b"data: 1\r\ndata: 2\rdata: 3\n\r\ndata: 4\n\r", [*[("message", "1\n2\n3", None, "", None, None)],
                   *[("message", "4", None, "", None, None)]]),
    "one space is eaten": (b"data:  x\ndata:y\n\n", [("message", " x\ny", None, "", None, None)]),
    "empty data fires": (b"data\n\n", [("message", "", None, "", None, None)]),
    "no data fires nothing": (b"event: x\nid: 7\n\n", [("x", None, "7", "7", None, None)]),
    "comment": (b": ping\n\n:\n\n", [("message", None, None, "", None, " ping"),
                                      ("message", None, None, "", None, "")]),
    "a comment is one wherever it stands": (b"retry: 1\n: a\ndata: x\n:\n\n: b\n",
        [("message", None, None, "", None, " a"), ("message", None, None, "", None, ""),
         ("message", "x", None, "", 1, None), ("message", None, None, "", None, " b")]),
    "id stays": (b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
                 [("message", "a", "1", "1", None, None), ("message", "b", None, "1", None, None),
                  ("message", "c", "", "", None, None)]),
    "only CR and LF end lines": ("data: a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\n\n".encode(),
                                 [("message", "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg", None, "", None, None)]),
    "byte order mark": (b"\xef\xbb\xbfdata: x\n\ndata: \xef\xbb\xbfy\n\n",
                        [("message", "x", None, "", None, None), ("message", "\ufeffy", None, "", None, None)]),
    "an unfinished block is none": (b"data: x\n\ndata: y\n", [("message", "x", None, "", None, None)]),
    "empty lines make no block": (b"\n\r\n\r\n\ndata: x\n\n\n\n", [("message", "x", None, "", None, None)]),
}  # fmt: skip


def feed(raw: bytes, sizes: Callable[[], int]) -> list[Block]:
    parser, blocks, start = EventStreamParser(), [], 0
    while start < len(raw):
        size = sizes()
        blocks += parser.feed(raw[start : start + size])
        start += size
    return blocks


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_reads_the_same_however_it_is_cut(name: str) -> None:
    """Whole, byte by byte, in twos and at random: the blocks are the same, and those of the standard."""
    raw, expected = STREAMS[name]
    whole = feed(raw, lambda: len(raw))
    assert [(b.event, b.data, b.id, b.last_event_id, b.retry_ms, b.comment) for b in whole] == expected
    pieces = random.Random(1)
    assert feed(raw, lambda: 1) == feed(raw, lambda: 2) == feed(raw, lambda: pieces.randint(1, 9)) == whole


@pytest.mark.parametrize(
    "raw",
    [
        *[b"foo: x\n\n", b" data: x\n\n", b"Data: x\n\n", b"data: \xff\n\n", b"id: a\0b\n\n", b"retry: 1_000\n\n"],
        *[b"retry: -1\n\n", b"retry:  5\n\n", b"retry:\n\n", b"retry: 2000x\n\n", "retry: ٢\n\n".encode(), b"x\n\n"],
    ],
)
def test_bytes_outside_the_grammar_are_refused(raw: bytes) -> None:
    """A browser ignores these faults, but a server that sends them is broken."""
    with pytest.raises(GrammarError):
        EventStreamParser().feed(raw)


def test_the_bytes_of_an_unfinished_block_are_known() -> None:
    """A stream that ends in the middle of a block shows its bytes."""
    parser = EventStreamParser()
    parser.feed(b"data: x\n\nid: 7\ndata: y")
    assert parser.pending == b"id: 7\ndata: y"
    assert parser.last_event_id == ""


def test_a_retry_counts_from_its_line_on() -> None:
    """It takes effect before the end of its block."""
    parser = EventStreamParser()
    assert parser.feed(b"retry: 5\n") == []
    assert parser.retries == [5]
    [block] = parser.feed(b"data: x\nretry: 7\n\n")
    assert (block.retry_ms, parser.retries) == (7, [5, 7])


@pytest.mark.parametrize(("text", "parts"), [("a-1", ("a", 1)), ("x-y-0", ("x-y", 0))])
def test_an_id_is_split_at_its_last_dash(text: str, parts: tuple[str, int]) -> None:
    """The epoch may contain dashes."""
    assert split_id(text) == parts


@pytest.mark.parametrize("text", ["", "a", "a-", "-1", "a-01", "a-+1", "a-1x"])
def test_an_id_of_another_form_is_refused(text: str) -> None:
    """An id without epoch or number violates the protocol."""
    with pytest.raises(AssertionError):
        split_id(text)
