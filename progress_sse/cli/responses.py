"""The requests of commands that read, and which answers they can use."""

import asyncio
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from progress_sse._internal.http_library import httpx
from progress_sse.client.availability import LONGEST_RETRY_AFTER_S
from progress_sse.client.codec import retry_after_s
from progress_sse.client.config import Address
from progress_sse.client.http import Content, client_options
from progress_sse.core.errors import ConfigurationError, ProgressError
from progress_sse.story.session_state import parsed
from progress_sse.wire.sse import MAX_EVENT_BYTES

HEAD_S: Final = 10.0
"""Seconds that the head of an answer may take."""

TIMEOUT: Final = httpx.Timeout(HEAD_S, connect=5)

Read = TypeVar("Read")

if sys.platform == "win32":
    from asyncio import ProactorEventLoop as SystemEventLoop
else:
    from asyncio import SelectorEventLoop as SystemEventLoop


class _EventLoop(SystemEventLoop):
    """Looks names up in daemon threads: the executor of asyncio would hold up the end for as long as that takes."""

    async def getaddrinfo(self, *arguments: Any, **options: Any) -> Any:
        found: asyncio.Future[Any] = self.create_future()

        def settle(set_outcome: Callable[[Any], None], outcome: object) -> None:
            if not found.done():
                set_outcome(outcome)

        def look_up() -> None:
            settled: tuple[Callable[[Any], None], object]
            try:
                settled = found.set_result, socket.getaddrinfo(*arguments, **options)
            except Exception as error:  # noqa: BLE001  # of any name
                settled = found.set_exception, error
            with suppress(RuntimeError):  # The loop is closed.
                self.call_soon_threadsafe(settle, *settled)

        threading.Thread(target=look_up, daemon=True).start()
        return await found


def run(main: Coroutine[Any, Any, Read]) -> Read:
    """Run what a command does, as `asyncio.run` does, and wait for no name that the system still looks up."""
    with asyncio.Runner(loop_factory=_EventLoop) as runner:
        return runner.run(main)


class NotAllowedError(ProgressError):
    """Raised when the server does not let this client read that; asking again would not change that."""


class UnexpectedResponseError(Exception):
    """The response is of no use; the next one may be, after `retry_after_s` seconds at least."""

    def __init__(self, text: str, retry_after_s: float = 0) -> None:
        super().__init__(text)
        self.retry_after_s = min(retry_after_s, LONGEST_RETRY_AFTER_S)


def words_of(error: Exception) -> str:
    """Return the text of an error, or else its name; for one of a request also the server that was asked."""
    text = str(error) or type(error).__name__
    try:
        url: httpx.URL = error.request.url  # type: ignore[attr-defined]  # of some, once they are raised
    except (AttributeError, RuntimeError):
        return text
    return f"no answer from {url.scheme}://{url.netloc.decode('ascii')}: {text}"


def client_of(address: Address) -> httpx.AsyncClient:
    """Return a client of a server.

    Raises:
        ConfigurationError: The URL, or the environment's proxies or certificates, cannot be used.
    """
    try:
        return httpx.AsyncClient(timeout=TIMEOUT, **client_options(address))
    except (httpx.InvalidURL, ValueError, ImportError, OSError) as error:
        raise ConfigurationError(f"Cannot connect to a server: {error}") from error


async def get(
    client: httpx.AsyncClient, path: str, method: str = "GET", **options: Any
) -> tuple[httpx.Response, bytes]:
    """Return an answer and its content, which has an upper limit: the server may send without end.

    Raises:
        httpx.HTTPError: The server did not answer, or the content is too large or too slow.
    """
    content = Content(MAX_EVENT_BYTES)
    async with client.stream(method, path, **options) as response:
        async for chunk in response.aiter_raw():
            content.add(chunk)
    return response, bytes(content)


def read_json(response: httpx.Response, content: bytes, read: Callable[[Any], Read]) -> Read:
    """Return what a function makes of the JSON of an answer; it may raise a lookup, type or value error.

    Raises:
        NotAllowedError: The server does not let this client read that.
        UnexpectedResponseError: The answer is not of a progress server, or the server refuses the request for now.
    """
    check(response, "application/json")
    try:
        return read(parsed(content))
    except (ValueError, LookupError, TypeError) as error:
        raise UnexpectedResponseError("the answer is not that of a progress server") from error


def check(response: httpx.Response, media_type: str) -> None:
    """Raise an error unless the response is of the kind that was asked for.

    Raises:
        NotAllowedError: The server does not let this client read that.
        UnexpectedResponseError: The status or the media type is another one.
    """
    if response.status_code == httpx.codes.FORBIDDEN:
        raise NotAllowedError("The token does not allow this.")
    if response.status_code == httpx.codes.UNAUTHORIZED:
        has_token = "Authorization" in response.request.headers
        raise NotAllowedError(
            "The token is not valid for this server."
            if has_token
            else "The server wants a token for this: see --token."
        )
    if response.status_code != httpx.codes.OK:
        raise UnexpectedResponseError(
            f"the server answers {response.status_code}", retry_after_s(response.headers) or 0
        )
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() != media_type:
        raise UnexpectedResponseError("the answer is not that of a progress server")
