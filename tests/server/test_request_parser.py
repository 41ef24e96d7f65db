"""The checks of a request's head beyond those of llhttp, and the ignored `Upgrade`."""

import httptools
import pytest

from progress_sse.server.request_parser import BadHeadError, RequestParser, check_head, head_bytes
from progress_sse.wire.headers import HeaderIndex, RawHeaders

HOST = (b"host", b"progress.example")
NO_HOSTS = (b"a/b", b"a?b", b"a#b", b"user@a", b"a b", b"[a]", b"a:b", b"\xe9", b"\\")
NO_CODINGS = (b"identity", b"gzip, chunked", b"gzip", b"")


@pytest.mark.parametrize(
    "host", ["", "a", "a.example:8000", "127.0.0.1", "[::1]:80", "[::ffff:1.2.3.4]", "xn--caf-dma.example", "a_b", "a:"]
)
def test_every_kind_of_host_is_accepted(host: str) -> None:
    """Names, addresses and ports are, and an empty host where the target has none [RFC 9112 §3.2]."""
    for version in ("1.0", "1.1"):
        check_head(b"GET", version, HeaderIndex([(b"host", host.encode()), (b"transfer-encoding", b"Chunked")]))
    check_head(b"GET", "1.0", HeaderIndex([]))


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("0.9", []),
        ("2.0", [HOST]),
        ("1.1", []),
        ("1.1", [HOST, HOST]),
        ("1.0", [HOST, HOST]),
        *(("1.1", [(b"host", host)]) for host in NO_HOSTS),
        *(("1.1", [HOST, (b"transfer-encoding", coding)]) for coding in NO_CODINGS),
        ("1.1", [HOST, (b"transfer-encoding", b"gzip"), (b"transfer-encoding", b"chunked")]),
    ],
    ids=str,
)
def test_an_ambiguous_head_is_refused(version: str, headers: RawHeaders) -> None:
    """It has another version, no host or several, or a transfer coding that the server does not decode."""
    with pytest.raises(BadHeadError):
        check_head(b"GET", version, HeaderIndex(headers))


def test_connect_is_refused() -> None:
    """It would turn the rest of the connection into another protocol."""
    with pytest.raises(BadHeadError):
        check_head(b"CONNECT", "1.1", HeaderIndex([HOST]))


class Reader:
    """Records the requests that a parser finds, as our protocol does."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes]] = []
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.parser = RequestParser(self)

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        self.parser.feed_data(data)
        return self.requests

    def on_message_begin(self) -> None:
        self.url, self.headers, self.body = b"", [], b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() != b"upgrade":
            self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self.requests.append((self.url, self.body))


OFFER = [(b"Host", b"a"), (b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c")]
LENGTH = head_bytes(b"POST", b"/length", "1.1", [*OFFER, (b"Content-Length", b"3")]) + b"abc"
CHUNKS = head_bytes(b"POST", b"/chunks", "1.1", [*OFFER, (b"Transfer-Encoding", b"chunked")]) + b"3\r\nabc\r\n0\r\n\r\n"
BODILESS = head_bytes(b"GET", b"/bodiless", "1.1", OFFER)
PLAIN = head_bytes(b"GET", b"/plain", "1.1", [(b"Host", b"a")])
STREAM = LENGTH + CHUNKS + BODILESS + PLAIN + LENGTH
READ = [(b"/length", b"abc"), (b"/chunks", b"abc"), (b"/bodiless", b""), (b"/plain", b""), (b"/length", b"abc")]


def test_an_offer_of_another_protocol_is_ignored() -> None:
    """Each request is read, with its body, however the bytes are cut."""
    assert Reader().feed(STREAM) == READ
    reader = Reader()
    for at in range(len(STREAM)):
        reader.feed(STREAM[at : at + 1])
    assert reader.requests == READ
    for at in range(len(STREAM)):
        reader = Reader()
        reader.feed(STREAM[:at])
        assert reader.feed(STREAM[at:]) == READ


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("connection", [b"Upgrade, close", b"close, Upgrade", b"Upgrade", b"upgrade, keep-alive"])
def test_an_offer_is_ignored_whether_or_not_the_connection_is_kept(version: str, connection: bytes) -> None:
    """A proxy that keeps no connection, or speaks HTTP/1.0, forwards offers."""
    offer = [(b"Host", b"a"), (b"Connection", connection), (b"Upgrade", b"h2c"), (b"Content-Length", b"3")]
    sent = head_bytes(b"POST", b"/", version, offer) + b"abc"
    for at in range(len(sent)):
        reader = Reader()
        reader.feed(sent[:at])
        assert reader.feed(sent[at:]) == [(b"/", b"abc")]


def test_thousands_of_offers_in_one_piece_are_parsed() -> None:
    """The client controls how many arrive at once."""
    assert len(Reader().feed(BODILESS * 2000)) == 2000


def test_a_malformed_body_behind_an_offer_is_refused() -> None:
    """The second parse is as strict as the first."""
    with pytest.raises(httptools.HttpParserError):
        Reader().feed(CHUNKS.replace(b"3\r\n", b"4\r\n"))
