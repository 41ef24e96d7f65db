"""What a server has to refuse in the head of a request, and has to overlook, beyond what llhttp knows.

llhttp finds almost all that is malformed. Its wrapper httptools does the rest otherwise than RFC 9110 and 9112 say.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import httptools

VERSIONS: Final = frozenset({"1.0", "1.1"})

_HOST: Final = re.compile(rb"([A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\])(:[0-9]*)?")
"""A registered name or an address, and a port [RFC 3986 §3.2.2]."""

RawHeaders = Sequence[tuple[bytes, bytes]]


class BadHeadError(Exception):
    """Raised for a head that no request has; in a callback of httptools it comes out as its `HttpParserError`."""


def check_head(method: bytes, version: str, headers: RawHeaders) -> None:
    """Return if this can be the head of a request; header names are in lower case.

    A `Host` that is missing, ambiguous or none at all is answered with 400 [RFC 9112 §3.2]; a transfer coding that we
    do not undo must not be taken for one that we do.

    Raises:
        BadHeadError: It cannot.
    """
    if version not in VERSIONS or method == b"CONNECT":
        raise BadHeadError
    hosts = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
            if not _HOST.fullmatch(value):
                raise BadHeadError
        elif name == b"transfer-encoding" and value.lower() != b"chunked":
            raise BadHeadError
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise BadHeadError


class Receiver(Protocol):
    """Who is called back with the parts of each request, by httptools (see its documentation) and for this."""

    def head_without_offer(self) -> bytes:
        """Return the head that was read last as it would be if it did not offer to change the protocol."""


class RequestParser(httptools.HttpRequestParser):
    """Overlooks the offer of another protocol, as a server may [RFC 9110 §7.8].

    httptools takes an offer (`Upgrade: h2c`) for accepted, and the body of its request for the other protocol. Java's
    HttpClient makes that offer with the first request of every connection. Here the head is read twice: with the
    offer, when nothing must be made of it (`should_upgrade()`), and then without.
    """

    def __init__(self, receiver: Receiver) -> None:
        """Call `receiver` back."""
        self._receiver = receiver
        self._begin()

    def _begin(self) -> None:
        """Have read nothing, not even a request after which the connection is to be closed."""
        super().__init__(self._receiver)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it

    def feed_data(self, data: Any) -> None:
        """Take the next bytes of the connection."""
        while data:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = memoryview(data)[offer.args[0] :]
                head = self._receiver.head_without_offer()
                self._begin()
                super().feed_data(head)
            else:
                return


def head_bytes(method: bytes, target: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the head of a request as it is sent."""
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, target, version.encode(), lines)


def head_size(method: bytes, target: bytes, headers: RawHeaders) -> int:
    """Return how many bytes the head of a request has; white space around values is not counted."""
    fields = sum(len(name) + len(value) for name, value in headers)
    return len(b"%b %b HTTP/1.1\r\n\r\n" % (method, target)) + fields + len(b":\r\n") * len(headers)
