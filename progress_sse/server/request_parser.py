"""Checks of a request's head beyond those of llhttp, and a parser that ignores `Upgrade` where httptools does not.

llhttp rejects almost all malformed requests. Its wrapper httptools deviates from RFC 9110 and 9112 in the rest.
"""

import re
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, Protocol

import httptools

from progress_sse.wire.headers import WHITE_SPACE, HeaderIndex, RawHeaders

VERSIONS: Final = frozenset({"1.0", "1.1"})

_HOST: Final = re.compile(rb"([A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\])(:[0-9]*)?")
"""A registered name or an address, and a port [RFC 3986 §3.2.2]."""


class BadHeadError(Exception):
    """Raised for an invalid head; from a callback, httptools raises its `HttpParserError` instead."""


def check_head(method: bytes, version: str, headers: HeaderIndex) -> None:
    """Raise a `BadHeadError` for the head of a request that is invalid, or that the server cannot serve.

    A missing, repeated or invalid `Host` gets 400 [RFC 9112 §3.2]. So does a transfer coding other than `chunked`, as
    the server does not decode it.
    """
    host = headers.get(b"host")
    if version not in VERSIONS or method == b"CONNECT" or (host is None and version == "1.1"):
        raise BadHeadError
    if b"host" in headers.repeated or (host is not None and not _HOST.fullmatch(host.strip(WHITE_SPACE))):
        raise BadHeadError
    if b"transfer-encoding" in headers:
        codings = headers.getlist(b"transfer-encoding")
        if any(coding.lower() != b"chunked" for coding in codings):
            raise BadHeadError


class Receiver(Protocol):
    """Receives the callbacks of httptools (see its documentation), and keeps the head without its `Upgrade` field."""

    url: bytes
    headers: list[tuple[bytes, bytes]]


class RequestParser(httptools.HttpRequestParser):
    """Ignores the offer of another protocol, as a server may [RFC 9110 §7.8].

    httptools treats an offer (`Upgrade: h2c`) as accepted, and the request's body as the other protocol. Java's
    HttpClient makes that offer with the first request of every connection. Here the head is parsed twice: first with
    the offer, when the receiver must ignore it (`should_upgrade()`), and then without.
    """

    def __init__(self, receiver: Receiver) -> None:
        """Send the callbacks to `receiver`."""
        self._receiver = receiver
        self._begin()

    def _begin(self) -> None:
        """Reset the parser, so that no earlier `Connection: close` is remembered."""
        super().__init__(self._receiver)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def feed_data(self, data: Any) -> None:
        """Parse the next bytes of the connection."""
        while data:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = memoryview(data)[offer.args[0] :]
                head = head_bytes(
                    self.get_method(), self._receiver.url, self.get_http_version(), self._receiver.headers
                )
                self._begin()
                super().feed_data(head)
            else:
                return


def head_bytes(method: bytes, target: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the head of a request as it is sent."""
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, target, version.encode(), lines)


def head_size(method: bytes, target: bytes, headers: RawHeaders) -> int:
    """Return the bytes of a request's head, without white space around values."""
    fields = sum(map(len, chain.from_iterable(headers))) + _FIELD_BYTES * len(headers)
    return len(method) + len(target) + _LINE_BYTES + fields


_LINE_BYTES: Final = len(b"  HTTP/1.1\r\n\r\n")
_FIELD_BYTES: Final = len(b":\r\n")
