"""Requests by httpx, whose types stay in here.

The thread that sends may be in the middle of something when the job forks, and the child is left with half of that. So
what httpx imports only when it is used is imported with this module, by the job; and a fork waits while a client is
made, since OpenSSL has locks meanwhile that nobody would ever release in the child.
"""

import encodings.idna  # noqa: F401  # see above
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import certifi  # noqa: F401  # see above
import httpcore  # noqa: F401  # see above
import httpx

from progress_sse.client.config import Address
from progress_sse.client.core import Answer, Request, encode, encode_together, read_answer, read_answers

TIMEOUT: Final = httpx.Timeout(10, connect=5)
"""Seconds that the server may be silent; seconds that a connection may take."""

LIMITS: Final = httpx.Limits(keepalive_expiry=2)
"""Seconds that an idle connection is kept: less than servers do, so that none is used that is just being closed."""

_making: Final = threading.Lock()
os.register_at_fork(before=_making.acquire, after_in_parent=_making.release, after_in_child=_making.release)

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


def headers_for(address: Address) -> dict[str, str]:
    """Return who we are, and what lets us in."""
    authorization = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    return {"User-Agent": "progress-sse", **authorization}


def is_secure(address: Address) -> bool:
    """Whether there is a certificate to verify: loading those to verify it by takes a busy job a third of a second."""
    return address.url.lower().startswith("https:")


_JSON: Final = {"Content-Type": "application/json"}


def _no_answer(error: Exception) -> Answer:
    return Answer(0, detail=f"{type(error).__name__}: {error}".removesuffix(": "))


class HttpTransport:
    """Blocking requests to one server."""

    def __init__(self, address: Address) -> None:
        """Connect when there is something to send."""
        with _making:
            self._client = httpx.Client(
                base_url=address.url,
                headers=headers_for(address),
                timeout=TIMEOUT,
                limits=LIMITS,
                verify=is_secure(address),
            )

    def send(self, request: Request) -> Answer:
        """Send a request and return what comes back; raises nothing for trouble on the network."""
        method, path, body = encode(request)
        try:
            with _quietly():
                response = self._client.request(
                    method, path, content=body, headers={**_JSON, "Idempotency-Key": request.key}
                )
        except httpx.HTTPError as error:
            return _no_answer(error)
        return read_answer(response.status_code, response.headers, response.content)

    def send_together(self, requests: Sequence[Request]) -> list[Answer] | Answer:
        """Send several at once; raises nothing for trouble on the network."""
        method, path, body = encode_together(requests)
        try:
            with _quietly():
                response = self._client.request(method, path, content=body, headers=_JSON)
        except httpx.HTTPError as error:
            return _no_answer(error)
        return read_answers(response.status_code, response.headers, response.content, len(requests))


class AsyncHttpTransport:
    """The same without blocking."""

    def __init__(self, address: Address) -> None:
        """Connect when there is something to send."""
        with _making:
            self._client = httpx.AsyncClient(
                base_url=address.url,
                headers=headers_for(address),
                timeout=TIMEOUT,
                limits=LIMITS,
                verify=is_secure(address),
            )

    async def send(self, request: Request) -> Answer:
        """Send a request and return what comes back; raises nothing for trouble on the network."""
        method, path, body = encode(request)
        try:
            with _quietly():
                response = await self._client.request(
                    method, path, content=body, headers={**_JSON, "Idempotency-Key": request.key}
                )
        except httpx.HTTPError as error:
            return _no_answer(error)
        return read_answer(response.status_code, response.headers, response.content)

    async def send_together(self, requests: Sequence[Request]) -> list[Answer] | Answer:
        """Send several at once; raises nothing for trouble on the network."""
        method, path, body = encode_together(requests)
        try:
            with _quietly():
                response = await self._client.request(method, path, content=body, headers=_JSON)
        except httpx.HTTPError as error:
            return _no_answer(error)
        return read_answers(response.status_code, response.headers, response.content, len(requests))

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()
