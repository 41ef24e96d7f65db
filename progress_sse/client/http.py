"""Requests by httpx, whose types stay in here.

The sending thread may be interrupted at any point when the job forks, and the child would inherit a partial state. So
modules that httpx imports lazily are imported with this module, by the job. A fork also waits while a client is
created, since OpenSSL holds locks meanwhile that the child could never release.
"""

import encodings.idna  # noqa: F401  # see above
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, TypeVar

from progress_sse._internal.http_library import httpx
from progress_sse._internal.threads import loading
from progress_sse.client import codec
from progress_sse.client.config import Address
from progress_sse.client.exchange import Asked, ReportAnswer, ReportRequest
from progress_sse.client.own_log import is_sending, sending

A = TypeVar("A")

SILENCE_S: Final = 10
"""Seconds that the server may send nothing."""

CONNECT_S: Final = 5
"""Seconds that a connection may take to open."""

ANSWER_S: Final = 30.0
"""Seconds that the body of an answer may take."""

MAX_ANSWER_BYTES: Final = 4 * 2**20
"""Bytes of the body of an answer; the longest is a session, the answer to a creation."""

TIMEOUT: Final = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
LIMITS: Final = httpx.Limits(keepalive_expiry=2)
"""An idle connection is kept for fewer seconds than on servers, so that none is used while it is being closed."""

_NO_TLS: Final = httpx.create_ssl_context(verify=False)
"""For servers by HTTP, as httpx would create a context for each client.

Where a job has eventlet patch the standard library late, a context that a thread is creating raises `RecursionError`.
"""


# httpx logs a line for each request. That would fill the log of a job ten times a second, and cause a loop where log
# records are reported as progress.
logging.getLogger(httpx.__name__).addFilter(lambda _: not is_sending.get())


def authorization(token: str | None) -> dict[str, str]:
    """Return the headers that show a token."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def client_options(address: Address) -> dict[str, Any]:
    """Return the arguments of an httpx client for one server."""
    return {
        "base_url": address.url,
        # The size of compressed content is unknown before it is unpacked.
        "headers": {"User-Agent": "progress-sse", "Accept-Encoding": "identity", **authorization(address.token)},
        # Cookies would be kept while the job runs, and sent with each report.
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())),
        # Loading the trusted certificates takes a third of a second in a busy job.
        "verify": address.url.lower().startswith("https:") or _NO_TLS,
    }


class Content:
    """The body of an answer, within limits of size and time: any server at the URL might send without end."""

    def __init__(self, max_bytes: int = MAX_ANSWER_BYTES, wait_s: float = 0) -> None:
        """Begin empty; the server may wait `wait_s` seconds before it answers."""
        self._content = bytearray()
        self._max_bytes = max_bytes
        self._until = time.monotonic() + wait_s + ANSWER_S

    def add(self, chunk: bytes) -> None:
        """Add the next bytes.

        Raises:
            httpx.ReadError: That is too much, or took too long.
        """
        self._content += chunk
        if len(self._content) > self._max_bytes or time.monotonic() > self._until:
            raise httpx.ReadError("the answer does not end")

    def __bytes__(self) -> bytes:
        """Return all bytes."""
        return bytes(self._content)


def _client(url: str) -> httpx.Client:
    with loading():
        return httpx.Client(timeout=TIMEOUT, limits=LIMITS, **client_options(Address(url, None)))


def _exchange(
    client: httpx.Client,
    headers: Mapping[str, str],
    message: codec.EncodedRequest,
    read: Callable[..., A],
    wait_s: float = 0,
    extensions: dict[str, Any] | None = None,
) -> A | ReportAnswer:
    """Send a request that the server may answer after `wait_s` seconds; return the answer that `read` makes of it."""
    method, path, body, own_headers = message
    content = Content(wait_s=wait_s)
    timeout = httpx.Timeout(SILENCE_S + wait_s, connect=CONNECT_S)
    options: dict[str, Any] = {"content": body, "headers": {**headers, **own_headers}, "timeout": timeout}
    try:
        with client.stream(method, path, **options, extensions=extensions) as response:
            for chunk in response.iter_raw():
                content.add(chunk)
    except (httpx.HTTPError, OSError) as error:
        return ReportAnswer(0, detail=f"{type(error).__name__}: {error}".removesuffix(": "))
    return read(response.status_code, response.headers, bytes(content))


class HttpTransport:
    """Blocking requests to one server; network errors become answers."""

    def __init__(self, address: Address, client: httpx.Client | None = None) -> None:
        """Begin without a connection, which the first request opens; or use those of another transport's `client`."""
        self._url = address.url
        self._headers = {"Content-Type": "application/json", **authorization(address.token)}
        self._client = client or _client(address.url)

    def showing(self, token: str | None) -> "HttpTransport":
        """Return a transport by the same connections that shows another token."""
        return HttpTransport(Address(self._url, token), self._client)

    def send(self, request: ReportRequest) -> ReportAnswer:
        """Send a request, and return the answer."""
        return _exchange(self._client, self._headers, codec.encode(request), codec.read_answer)

    def send_batch(self, requests: Sequence[ReportRequest]) -> list[ReportAnswer] | ReportAnswer:
        """Send several requests at once, and return the answers."""
        read = partial(codec.read_answers, count=len(requests))
        return _exchange(self._client, self._headers, codec.encode_batch(requests), read)

    def close(self) -> None:
        """Close its connections."""
        with sending():
            self._client.close()


class HttpRequestWait:
    """Asks one server for the requests of readers, by a connection that another thread can interrupt."""

    def __init__(self, address: Address) -> None:
        """Begin without a connection, which the first request opens."""
        self._headers = authorization(address.token)
        self._client = _client(address.url)
        self._socket: socket.socket | None = None
        self._is_interrupted = False

    def ask(self, session_ids: Sequence[str], wait_s: int) -> Asked | ReportAnswer:
        """Return the open requests of these sessions, once there is one or after so many seconds."""
        message = codec.encode_wait(session_ids, wait_s)
        extensions = {"trace": self._note_connection}
        return _exchange(self._client, self._headers, message, codec.read_asked, wait_s, extensions)

    def _note_connection(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._is_interrupted:
                self.interrupt()

    def interrupt(self) -> None:
        """End the request under way, and all later ones at once."""
        self._is_interrupted = True
        if self._socket is not None:
            with suppress(OSError):  # It is closed.
                # Not the method of a TLS socket, whose state the other thread uses.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        with sending():
            self._client.close()
