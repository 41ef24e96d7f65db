"""Requests of the doctor: an exchange within a time limit, and a stream with the time of its bytes."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from progress_sse._internal.http_library import httpx
from progress_sse.cli.doctor.observations import Arrival, Exchange, Headers, Stream
from progress_sse.cli.responses import words_of
from progress_sse.client.http import Content
from progress_sse.wire.sse import StreamDecoder

REQUEST_S: Final = 10.0
"""Seconds that a request and its answer may take, and a connection for a stream."""

MAX_STREAM_BYTES: Final = 64 * 2**20
"""Bytes that the doctor reads of one stream; any server at the URL might send without end."""


async def exchange(
    client: httpx.AsyncClient, method: str, path: str, headers: Mapping[str, str] | None = None, json: Any = None
) -> Exchange:
    """Send a request, and return the answer; errors become part of it."""
    now = asyncio.get_running_loop().time
    status, content, error, began = 0, Content(), "", now()
    answered: Headers = ()
    try:
        async with asyncio.timeout(REQUEST_S), client.stream(method, path, headers=headers, json=json) as response:
            status, answered = response.status_code, _headers_of(response)
            async for chunk in response.aiter_bytes():
                content.add(chunk)
    except TimeoutError:
        error = f"not within {REQUEST_S:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as failure:
        error = words_of(failure)
    return Exchange(status, answered, bytes(content), error, began, now())


class StreamReader:
    """Reads one stream for as long as its block lasts; `seen` is what has come so far."""

    def __init__(
        self, client: httpx.AsyncClient, path: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> None:
        timeout = httpx.Timeout(None, connect=REQUEST_S)
        self._client = client
        self._request = client.build_request("GET", path, params=params, headers=headers, timeout=timeout)
        self._decoder = StreamDecoder()
        self._now = asyncio.get_running_loop().time
        self._changed = asyncio.Event()
        self.seen = Stream(began=self._now())

    async def __aenter__(self) -> "StreamReader":
        self.seen.began = self._now()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def wait_until(self, condition: Callable[[Stream], bool], within_s: float) -> None:
        """Wait until it holds or the stream has ended, for so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not condition(self.seen) and self.seen.ended_at is None:
                    self._changed.clear()
                    await self._changed.wait()

    async def _run(self) -> None:
        try:
            response = await self._client.send(self._request, stream=True)
            try:
                await self._read(response)
            finally:
                await response.aclose()
        except (httpx.HTTPError, ValueError, OSError) as error:
            self.seen.error = words_of(error)
        self.seen.ended_at = self._now()
        self._changed.set()

    async def _read(self, response: httpx.Response) -> None:
        seen = self.seen
        seen.status, seen.headers, seen.head_at = response.status_code, _headers_of(response), self._now()
        self._changed.set()
        if not seen.is_event_stream:
            return
        unread_bytes = MAX_STREAM_BYTES
        async for chunk in response.aiter_bytes():
            seen.last_byte_at = self._now()
            seen.arrivals += [Arrival(seen.last_byte_at, event) for event in self._decoder.feed(chunk)]
            seen.retry_ms = self._decoder.retry_ms
            self._changed.set()
            unread_bytes -= len(chunk)
            if unread_bytes < 0:
                raise ValueError("the stream has too many bytes")


def _headers_of(response: httpx.Response) -> Headers:
    return tuple((name.lower(), value) for name, value in response.headers.multi_items())
