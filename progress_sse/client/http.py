"""Requests by httpx, whose types stay in here.

The thread that sends may be in the middle of something when the job forks, and the child is left with half of that. So
what httpx imports only when it is used is imported with this module, by the job; and a fork waits while a client is
made, since OpenSSL has locks meanwhile that the child could never release.
"""

import encodings.idna  # noqa: F401  # see above
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, TypeVar

import certifi  # noqa: F401  # see above
import httpcore  # noqa: F401  # see above
import httpx

from progress_sse.client.codec import EncodedRequest, encode, encode_batch, read_answer, read_answers
from progress_sse.client.config import Address
from progress_sse.client.exchange import Answer, Request
from progress_sse.client.loading import loading

A = TypeVar("A")

TIMEOUT: Final = httpx.Timeout(10, connect=5)
"""Seconds that the server may be silent; seconds that a connection may take."""

LIMITS: Final = httpx.Limits(keepalive_expiry=2)
"""Seconds that an idle connection is kept: less than servers do, so that none is used that is just being closed."""

MAX_ANSWER_BYTES: Final = 4 * 2**20
"""Bytes of an answer that are read; the longest one is that to a creation, a session."""

ANSWER_S: Final = 30.0
"""Seconds that an answer may take, once it has begun."""

_is_reporting: Final = ContextVar("_is_reporting", default=False)


def _is_not_ours(_record: logging.LogRecord) -> bool:
    return not _is_reporting.get()


# httpx logs a line for each request: that would fill the log of a job ten times a second, and go round in circles where
# log records are reported as progress.
logging.getLogger("httpx").addFilter(_is_not_ours)


@contextmanager
def _quietly() -> Iterator[None]:
    token = _is_reporting.set(True)
    try:
        yield
    finally:
        _is_reporting.reset(token)


def client_options(address: Address) -> dict[str, Any]:
    """Return what a client of httpx takes to be one of ours, for one server; blocking or not."""
    authorization = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    return {
        "base_url": address.url,
        # What is compressed has no size before it is unpacked.
        "headers": {"User-Agent": "progress-sse", "Accept-Encoding": "identity", **authorization},
        # Cookies would be kept for as long as the job runs, and sent with each report.
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())),
        # Loading what certificates are verified by takes a busy job a third of a second.
        "verify": address.url.lower().startswith("https:"),
    }


_JSON: Final = {"Content-Type": "application/json"}


def _no_answer(error: Exception) -> Answer:
    return Answer(0, detail=f"{type(error).__name__}: {error}".removesuffix(": "))


class Content:
    """What an answer has brought, as far as we bear with it: who is at our URL may send for ever."""

    def __init__(self, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        """Begin with nothing."""
        self._content = bytearray()
        self._max_bytes = max_bytes
        self._until = time.monotonic() + ANSWER_S

    def add(self, chunk: bytes) -> None:
        """Take in what came next.

        Raises:
            httpx.ReadError: That is too much, or took too long.
        """
        self._content += chunk
        if len(self._content) > self._max_bytes or time.monotonic() > self._until:
            raise httpx.ReadError("the answer does not end")

    def __bytes__(self) -> bytes:
        """Return all of it."""
        return bytes(self._content)


class HttpTransport:
    """Blocking requests to one server; none raises anything for trouble on the network."""

    def __init__(self, address: Address) -> None:
        """Connect when there is something to send."""
        with loading():
            self._client = httpx.Client(timeout=TIMEOUT, limits=LIMITS, **client_options(address))

    def send(self, request: Request) -> Answer:
        """Send a request and return what comes back."""
        return self._exchange(encode(request), read_answer)

    def send_batch(self, requests: Sequence[Request]) -> list[Answer] | Answer:
        """Send several at once and return what comes back."""
        return self._exchange(encode_batch(requests), partial(read_answers, count=len(requests)))

    def _exchange(self, message: EncodedRequest, read: Callable[..., A]) -> A | Answer:
        method, path, body, headers = message
        content = Content()
        try:
            with (
                _quietly(),
                self._client.stream(method, path, content=body, headers={**_JSON, **headers}) as response,
            ):
                for chunk in response.iter_raw():
                    content.add(chunk)
        except (httpx.HTTPError, OSError) as error:
            return _no_answer(error)
        return read(response.status_code, response.headers, bytes(content))

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


class AsyncHttpTransport:
    """The same without blocking."""

    def __init__(self, address: Address) -> None:
        """Connect when there is something to send."""
        with loading():
            self._client = httpx.AsyncClient(timeout=TIMEOUT, limits=LIMITS, **client_options(address))

    async def send(self, request: Request) -> Answer:
        """Send a request and return what comes back."""
        return await self._exchange(encode(request), read_answer)

    async def send_batch(self, requests: Sequence[Request]) -> list[Answer] | Answer:
        """Send several at once and return what comes back."""
        return await self._exchange(encode_batch(requests), partial(read_answers, count=len(requests)))

    async def _exchange(self, message: EncodedRequest, read: Callable[..., A]) -> A | Answer:
        method, path, body, headers = message
        content = Content()
        try:
            with _quietly():
                async with self._client.stream(method, path, content=body, headers={**_JSON, **headers}) as response:
                    async for chunk in response.aiter_raw():
                        content.add(chunk)
        except (httpx.HTTPError, OSError) as error:
            return _no_answer(error)
        return read(response.status_code, response.headers, bytes(content))

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()
