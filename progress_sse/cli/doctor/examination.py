"""The requests of an examination, in order: each fills a part of the observations.

The doctor listens to the URL, and comes back to its stream as a client does after a cut. On a progress server it
reports on a session of its own meanwhile, and completes it: the end brings out what a proxy has held back. A given
session is only read.
"""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any, Final
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from progress_sse._internal.http_library import httpx
from progress_sse.cli.doctor.checks import POLL_HEADERS, refusal_of
from progress_sse.cli.doctor.observations import HELD_S, Answer, Arrival, Network, Observations, Piece
from progress_sse.cli.responses import client_of, words_of
from progress_sse.client.config import Address
from progress_sse.client.http import Content
from progress_sse.wire.sse import StreamDecoder

LIMIT_S: Final = 50.0  # Of all requests but the last, beside the time for listening; the rest is left out.
NETWORK_S: Final = 10.0  # Of the way to the address, as a whole.
REQUEST_S: Final = 10.0  # Of a request and its answer, and of a connection for a stream.
EVENT_S: Final = 5.0  # Within which the first event of a stream comes, and its end, unless they are held back.
MAX_WAIT_S: Final = 3600  # For any stream.

MAX_BYTES: Final = 64 * 2**20
"""Bytes that the doctor reads of one answer; any server at the URL might send without end."""

STEPS: Final = {"steps": [{"name": "Examine"}]}
REPORTS: Final = ({"action": "start", "step": 1}, {"action": "progress", "step": 1, "current": 1, "total": 2})
COMPLETION: Final = {"action": "complete", "step": 1}

_EVENTS: Final = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
_COMMENT: Final = re.compile(rb"[\r\n]:")


def environment_proxy(url: str) -> str:
    """Return the host of the HTTP proxy that the environment names for a URL; empty if it names none."""
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = "" if proxy_bypass(parts.hostname or "") else proxies.get(parts.scheme) or proxies.get("all") or ""
    return urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname or ""  # Without its password.


async def look_at(url: str) -> Network:
    """Return what the way to the URL's address looks like, within `NETWORK_S`, with the client's trust in TLS."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    seen = Network(environment_proxy(url))
    began = time.monotonic()
    if seen.environment_proxy:
        return seen
    try:
        async with asyncio.timeout(NETWORK_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            seen = Network(addresses=tuple(dict.fromkeys(str(each[4][0]) for each in found)))
            _, writer = await asyncio.open_connection(host, port)
            with closing(writer):
                seen = seen._replace(connect_s=time.monotonic() - began)
                return await _secured(seen, writer, host) if parts.scheme == "https" else seen
    except (OSError, ValueError) as error:
        return seen._replace(error=words_of(error))


async def _secured(seen: Network, writer: asyncio.StreamWriter, host: str) -> Network:
    """Return it with the outcome of a handshake that offers the protocols of browsers."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    await writer.start_tls(context, server_hostname=host)
    tls = writer.get_extra_info("ssl_object")
    end = (tls.getpeercert() or {}).get("notAfter")  # Unknown where the system itself verified it, as on macOS.
    days = (ssl.cert_time_to_seconds(end) - time.time()) / 86_400 if end else None
    alpn = tls.selected_alpn_protocol() or ""
    return seen._replace(tls_version=tls.version(), alpn=alpn, certificate_days=days)


class Reader:
    """Reads the answer to a request for as long as its block lasts; `seen` is what has come so far."""

    def __init__(self, client: httpx.AsyncClient, method: str, url: str, **options: Any) -> None:
        self._request = client.stream(method, url, timeout=httpx.Timeout(None, connect=REQUEST_S), **options)
        self._changed = asyncio.Event()
        self.seen = Answer()

    async def __aenter__(self) -> "Reader":
        """Begin to send the request; does not wait for the answer."""
        self.seen.began = time.monotonic()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the answer, even if it has not ended."""
        self.seen.over_at = self.seen.over_at or time.monotonic()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def wait_until(self, condition: Callable[[Answer], bool], within_s: float) -> None:
        """Wait until it holds or the answer has ended, for so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0, within_s)):
                while not condition(self.seen) and not self.seen.has_ended:
                    self._changed.clear()
                    await self._changed.wait()

    async def _run(self) -> None:
        try:
            async with self._request as response:
                await self._read(response)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            self.seen.error = words_of(error)
        self.seen.over_at = time.monotonic()
        self.seen.has_ended = True
        self._changed.set()

    async def _read(self, response: httpx.Response) -> None:
        seen = self.seen
        seen.status = response.status_code
        seen.headers = response.headers
        seen.head_at = time.monotonic()
        content = Content(MAX_BYTES, MAX_WAIT_S)
        decoder = StreamDecoder()
        last = b"\n"
        self._changed.set()
        async for chunk in response.aiter_bytes():
            content.add(chunk)
            if not seen.is_event_stream:
                seen.body = bytes(content)
            elif chunk:  # Compressed bytes may complete no others.
                comments = len(_COMMENT.findall(last + chunk))
                last = chunk[-1:]
                seen.pieces.append(Piece(time.monotonic(), len(chunk), comments, last not in b"\r\n"))
                seen.arrivals += [Arrival(seen.pieces[-1].at, event) for event in decoder.feed(chunk)]
                seen.retry_ms = decoder.retry_ms
                self._changed.set()


async def exchange(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> Answer:
    """Send a request, and return the whole answer, or the head of a stream; errors become part of it."""
    async with Reader(client, method, path, **options) as reader:
        await reader.wait_until(lambda answer: answer.is_event_stream, REQUEST_S)
    if not reader.seen.has_ended and not reader.seen.is_event_stream:
        reader.seen.error = f"not within {REQUEST_S:g} s"
    return reader.seen


class Examination:
    """The requests on one URL; see the module."""

    def __init__(self, seen: Observations, url: str, token: str | None, own_token: str | None) -> None:
        """Prepare to fill `seen`.

        Args:
            seen: The server, the session and the origin; it is filled with what comes.
            url: Where to listen.
            token: For any stream at the URL; `None` for none.
            own_token: For a server of this project.

        Raises:
            ConfigurationError: The URL, or the environment's proxies or certificates, cannot be used.
        """
        clients = [client_of(Address(seen.url, each)) for each in (token, own_token, None)]
        for each in clients:
            each.headers["Accept-Encoding"] = "gzip"  # Of those of browsers, what this client can always decode.
            each.headers.update({"Origin": seen.origin} if seen.origin else {})
        self._any, self._own, self._anonymous = clients
        self._seen = seen
        self._url = url
        self._path = f"/api/progress/{quote(seen.session_id, safe='')}"

    async def examine(self, listen_s: float) -> None:
        """Make all requests, and listen to the stream for so many seconds meanwhile.

        All but the removal of the doctor's own session take at most `LIMIT_S` seconds more.
        """
        async with self._any, self._own, self._anonymous:
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LIMIT_S + listen_s):
                        await self._listen(listen_s)
                        if self._seen.polled is not None:
                            await self._follow(listen_s)
            finally:
                if self._seen.creation.status == 201:
                    self._seen.deletion = await exchange(self._own, "DELETE", self._path)

    async def _listen(self, listen_s: float) -> None:
        """Listen to the URL, unless a progress server is there, or something else that is no stream."""
        seen = self._seen
        client = self._any
        async with Reader(client, "GET", self._url, headers=_EVENTS) as reader:
            stream = reader.seen
            await reader.wait_until(lambda stream: bool(stream.status), REQUEST_S)
            is_stream = not (stream.status or stream.error) or stream.is_event_stream
            seen.poll = await exchange(client if is_stream else self._own, "GET", self._path)
            is_foreign = seen.polled is None and bool(stream.status or seen.poll.status)
            if not is_foreign or not (is_stream or refusal_of(stream)):
                return
            seen.is_foreign = True
            seen.url = self._url
            seen.stream = stream
            await reader.wait_until(lambda _: False, min(listen_s, EVENT_S))
            await reader.wait_until(lambda stream: stream.comments > 1, listen_s - EVENT_S)
        seen.resumed = await self._come_back(client, self._url, *stream.ids[:1])

    async def _follow(self, listen_s: float) -> None:
        """Follow a session of a progress server while reports move it, up to its end, and come back."""
        seen = self._seen
        url = f"{self._path}/events"
        if not seen.is_given:
            seen.creation = await exchange(self._own, "PUT", self._path, json=STEPS)
        async with Reader(self._own, "GET", url, headers=_EVENTS) as reader:
            seen.stream = reader.seen
            await reader.wait_until(lambda stream: bool(stream.arrivals), EVENT_S)
            for body in REPORTS:
                await self._report(reader, body)
            await self._ask_more(url)
            await reader.wait_until(lambda stream: stream.comments > 1, 0 if seen.is_late else listen_s)
            await self._report(reader, COMPLETION)
            await reader.wait_until(lambda _: not seen.is_moving, EVENT_S)
        seen.resumed = await self._come_back(self._own, url, *seen.stream.ids[:1])
        seen.returned = await self._come_back(self._own, url, *(each.event.event_id for each in seen.stream.of("end")))

    async def _report(self, reader: Reader, body: Mapping[str, Any]) -> None:
        """Report, unless a report was refused, and wait for the update, unless an earlier one was late."""
        seen = self._seen
        count = len(reader.seen.of("step")) + 1
        if not seen.is_moving:
            return
        answer = await exchange(self._own, "POST", f"{self._path}/update", json=body)
        if answer.status != 200:
            seen.refused_report = answer
        elif not seen.is_late and (reader.seen.is_event_stream or not reader.seen.status):
            await reader.wait_until(lambda stream: len(stream.of("step")) >= count, HELD_S)
            if len(reader.seen.of("step")) >= count or not reader.seen.has_ended:
                seen.delays_s.append(time.monotonic() - answer.over_at)

    async def _ask_more(self, url: str) -> None:
        """Poll again, ask for access from browsers, and follow by a ticket."""
        seen = self._seen
        seen.tagged_poll = await exchange(self._own, "GET", self._path)
        tag = seen.tagged_poll.headers.get("etag", "").encode()
        seen.repoll = await exchange(self._own, "GET", self._path, headers={"If-None-Match": tag})
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": ",".join(POLL_HEADERS)}
        seen.preflight = await exchange(self._anonymous, "OPTIONS", self._path, headers=asked)
        seen.ticket = await exchange(self._own, "POST", "/api/tickets")
        seen.ticket_stream = await exchange(self._anonymous, "GET", url, params={"ticket": seen.ticket.value("ticket")})

    async def _come_back(self, client: httpx.AsyncClient, url: str, event_id: str = "") -> Answer:
        """Return the beginning of the stream that a client gets after that event."""
        if not event_id:
            return Answer()
        headers = {**_EVENTS, "Last-Event-ID": event_id.encode()}
        async with Reader(client, "GET", url, headers=headers) as reader:
            await reader.wait_until(lambda stream: bool(stream.ids), EVENT_S)
        return reader.seen
