import pytest

from tests.harness.http1 import ChunkedDecoder, ResponseDecoder, WireError, parse_head, request_bytes


def test_a_request_is_written_unchanged() -> None:
    """Only Host and Content-Length are added."""
    assert request_bytes("POST", "/x?y", [("A", "é")], b"{}", host="h:1") == (
        "POST /x?y HTTP/1.1\r\nHost: h:1\r\nA: é\r\nContent-Length: 2\r\n\r\n{}".encode()
    )


def test_a_head_keeps_repeated_headers_apart() -> None:
    """Names are in lower case, values are stripped, and reading the one value of a repeated header is an error."""
    head = parse_head(b"HTTP/1.1 200 OK\r\nVary:  a \r\nvary: b\r\nX: y")
    assert (head.version, head.status, head.all("Vary"), head.get("x")) == ("HTTP/1.1", 200, ["a", "b"], "y")
    with pytest.raises(WireError):
        head.get("vary")


@pytest.mark.parametrize(
    "raw",
    [
        *[b"", b"HTTP/2 200 OK", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nno colon", b"HTTP/1.1 200 OK\r\nA : b"],
        *[b"HTTP/1.1 200 OK\r\nA: b\nC: d", b"HTTP/1.1 200 OK\r\n folded: x", b"HTTP/1.1 200 OK\nA: b"],
    ],
)
def test_a_malformed_head_is_refused(raw: bytes) -> None:
    """A lenient parser would hide a header injection."""
    with pytest.raises(WireError):
        parse_head(raw)


CHUNKED = b"4\r\nWiki\r\n7;a=b\r\npedia i\r\nB\r\nn \r\nchunks.\r\n0\r\nTrailer: x\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 5, len(CHUNKED)])
def test_chunks_decode_the_same_however_they_are_cut(size: int) -> None:
    """Sizes, extensions, trailers and CRLF inside data do not depend on the packets."""
    decoder = ChunkedDecoder()
    body = b"".join(decoder.feed(CHUNKED[start : start + size]) for start in range(0, len(CHUNKED), size))
    assert body == b"Wikipedia in \r\nchunks."
    assert decoder.finished


def test_chunks_are_not_finished_before_the_last_empty_line() -> None:
    """A stream cut just before its end is unfinished."""
    decoder = ChunkedDecoder()
    decoder.feed(CHUNKED[:-2])
    assert not decoder.finished


@pytest.mark.parametrize("raw", [b"x\r\n", b"\r\n", b"-1\r\n", b"1\r\nab\r\n", CHUNKED + b"x", b"1" * 101])
def test_broken_chunks_are_refused(raw: bytes) -> None:
    """The cases: no size, a wrong size, bytes after the end."""
    with pytest.raises(WireError):
        ChunkedDecoder().feed(raw)


@pytest.mark.parametrize(
    ("method", "raw", "body", "complete"),
    [
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", b"ok", False),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok", True),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", b"ok", False),
        ("GET", b"HTTP/1.0 200 OK\r\n\r\nok", b"ok", True),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"", True),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", b"", True),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", b"", True),
    ],
)
def test_a_response_ends_where_its_framing_says(method: str, raw: bytes, body: bytes, complete: bool) -> None:
    """It ends by length, by last chunk, by the end of the connection, or with its head."""
    for size in (1, len(raw)):
        decoder = ResponseDecoder(method)
        got = b"".join(decoder.feed(raw[start : start + size]) for start in range(0, len(raw), size))
        decoder.feed_eof()
        assert (got, decoder.complete) == (body, complete)


def test_bytes_behind_a_body_are_refused() -> None:
    """A second response without a request is smuggled."""
    with pytest.raises(WireError):
        ResponseDecoder().feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n")
