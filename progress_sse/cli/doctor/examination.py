"""The requests of an examination, in order: each fills a part of the observations.

A stream of another server is listened to, and opened again as a client does after a cut. On a progress server the
doctor reports on a session of its own while a stream of it is open, waits for heartbeats, and completes it: the end
brings out what a proxy has held back. It then comes back, too. A given session is only read.
"""

import asyncio
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from progress_sse._internal.http_library import httpx
from progress_sse.cli.doctor.checks import HELD_S, LONGEST_WAIT_S, POLL_HEADERS, refusal_of
from progress_sse.cli.doctor.observations import (
    Arrival,
    Exchange,
    Headers,
    Network,
    Observations,
    Piece,
    Stream,
    media_type_of,
    value_in,
    values_of,
)
from progress_sse.cli.responses import words_of
from progress_sse.client.http import Content
from progress_sse.wire.sse import StreamDecoder

LIMIT_S: Final = 90.0  # Of all requests together; what is not done by then is left out.
REMOVAL_S: Final = 5.0  # More, for the removal of the doctor's session.
NETWORK_S: Final = 10.0  # Of the way to the address, as a whole.
STEP_S: Final = 4.0  # Of one step of a connection.
REQUEST_S: Final = 10.0  # Of a request and its answer, and of a connection for a stream.
FIRST_EVENT_S: Final = 5.0  # Within which the first event of a stream comes, unless it is held back.
SNAPSHOT_S: Final = 1.0  # After the first heartbeat, within which a snapshot would come, if there were one.
END_S: Final = 5.0  # Within which a completed stream ends.
DAY_S: Final = 86_400

MAX_STREAM_BYTES: Final = 64 * 2**20
"""Bytes that the doctor reads of one stream; any server at the URL might send without end."""

STEPS: Final = {"steps": [{"name": "Report"}, {"name": "Complete"}]}

REPORTS: Final[tuple[dict[str, Any], ...]] = (
    {"action": "start", "step": 1},
    {"action": "progress", "step": 1, "current": 1, "total": 2},
    {"action": "complete", "step": 1},
    {"action": "start", "step": 2},
)
"""Four updates that leave the session running."""

COMPLETION: Final[dict[str, Any]] = {"action": "complete", "step": 2}

_COMMENT: Final = re.compile(rb"[\r\n]:")
_EVENT_ID: Final = re.compile(r"[!-~]{1,1000}")
"""An id that can be sent back in a header."""


def look_at(url: str) -> Network:
    """Return what the way to the URL's address looks like, within `NETWORK_S`."""
    parts = urlsplit(url)
    proxy = environment_proxy(parts)
    if proxy:
        return Network(environment_proxy=proxy)
    seen: queue.SimpleQueue[Network] = queue.SimpleQueue()
    # The look-up of a name cannot be interrupted, and an ordinary thread would delay the end of the process.
    threading.Thread(target=lambda: seen.put(_look_at(parts)), daemon=True).start()
    try:
        return seen.get(timeout=NETWORK_S)
    except queue.Empty:
        return Network(error="the look-up of the name, or the connection, takes too long")


def environment_proxy(parts: SplitResult) -> str:
    """Return the host of the HTTP proxy that the environment names for a URL; empty if it names none."""
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname or "a proxy"  # Without its password.


def _look_at(parts: SplitResult) -> Network:
    """Return it, with the outcome of a handshake that offers the protocols of browsers, with the client's trust."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    seen = Network()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        seen, began = Network(addresses=tuple(dict.fromkeys(str(each[4][0]) for each in found))), time.monotonic()
        with socket.create_connection((host, port), STEP_S) as connection:
            seen = seen._replace(connect_s=time.monotonic() - began)
            if parts.scheme == "http":
                return seen
            context = httpx.create_ssl_context()
            context.set_alpn_protocols(["h2", "http/1.1"])
            with context.wrap_socket(connection, server_hostname=host) as tls:
                days, alpn = days_left(tls.getpeercert() or {}), tls.selected_alpn_protocol() or ""
                return seen._replace(tls_version=tls.version() or "", alpn=alpn, certificate_days=days)
    except ssl.SSLCertVerificationError as error:
        return seen._replace(error=error.verify_message)
    except (OSError, ValueError) as error:
        return seen._replace(error=getattr(error, "strerror", None) or words_of(error))


def days_left(certificate: Mapping[str, object]) -> float | None:
    """Return the days until a certificate expires; unknown where the system itself verified it, as on macOS."""
    if "notAfter" not in certificate:
        return None
    return (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / DAY_S


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
            if media_type_of(answered) != "text/event-stream":  # Which would not end.
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
        self, client: httpx.AsyncClient, url: str, headers: Mapping[str, str], params: Mapping[str, str] | None = None
    ) -> None:
        timeout = httpx.Timeout(None, connect=REQUEST_S)
        self._client = client
        self._request = client.build_request("GET", url, params=params, headers=headers, timeout=timeout)
        self._decoder = StreamDecoder()
        self._now = asyncio.get_running_loop().time
        self._changed = asyncio.Event()
        self.seen = Stream(began=self._now())

    async def __aenter__(self) -> "StreamReader":
        self.seen.began = self._now()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.seen.closed_at = self._now()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def wait_until(self, condition: Callable[[Stream], bool], within_s: float) -> None:
        """Wait until it holds or the stream has ended, for so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0, within_s)):
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
        unread_bytes, last = MAX_STREAM_BYTES, b"\n"
        async for chunk in response.aiter_bytes():
            if not chunk:  # Of compressed bytes that complete no others.
                continue
            comments, last = len(_COMMENT.findall(last + chunk)), chunk[-1:]
            seen.pieces.append(Piece(self._now(), len(chunk), comments, last not in b"\r\n"))
            seen.arrivals += [Arrival(seen.pieces[-1].at, event) for event in self._decoder.feed(chunk)]
            seen.retry_ms = self._decoder.retry_ms
            self._changed.set()
            unread_bytes -= len(chunk)
            if unread_bytes < 0:
                raise ValueError("the stream has too many bytes")


def _headers_of(response: httpx.Response) -> Headers:
    return tuple((name.lower(), value) for name, value in response.headers.multi_items())


class Examination:
    """The requests; see the module."""

    def __init__(self, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, seen: Observations) -> None:
        """Take clients with the token and without, whose `base_url` is the server."""
        self._client = client
        self._anonymous = anonymous
        self._seen = seen
        self._path = f"/api/progress/{quote(seen.session_id, safe='')}"
        self._origin = {"Origin": seen.origin} if seen.origin else {}

    # A stream of any server.

    async def listen(self, client: httpx.AsyncClient, url: str, listen_s: float) -> bool:
        """Listen to the URL, and return whether it is a stream of another server than this project's."""
        seen, accepted = self._seen, {"Accept": "text/event-stream", "Cache-Control": "no-cache", **self._origin}
        async with StreamReader(client, url, accepted) as reader:
            stream = reader.seen
            await reader.wait_until(lambda stream: bool(stream.status), REQUEST_S)
            asker = self._client if stream.status and not stream.is_event_stream else client
            seen.poll = await exchange(asker, "GET", self._path, self._origin)
            is_silent = not stream.status and not stream.error and bool(seen.poll.status)
            if seen.polled is not None or not (stream.is_event_stream or is_silent or refusal_of(stream.headers)):
                return False
            seen.is_foreign, seen.url, seen.stream = True, url, stream
            await reader.wait_until(lambda _: False, min(listen_s, FIRST_EVENT_S))
            await reader.wait_until(lambda stream: stream.comments > 1, listen_s - FIRST_EVENT_S)
        first = _fit([each for each in stream.arrivals if each.event.event_id])
        if first:
            async with StreamReader(client, url, accepted | {"Last-Event-ID": first}) as reader:
                seen.resumed = reader.seen
                await reader.wait_until(lambda stream: bool(stream.arrivals), FIRST_EVENT_S)
        return True

    # A progress server.

    async def follow(self, *, is_own: bool) -> None:
        """Make the requests on one session, up to the first that leaves nothing for the others."""
        seen = self._seen
        if seen.polled is None:
            return
        if is_own:
            seen.creation = await exchange(self._client, "PUT", self._path, json=STEPS)
            seen.is_moving = seen.creation.status == 201
        await self._follow()
        await self._come_back()

    async def clean_up(self) -> None:
        """Remove the doctor's own session."""
        if not self._seen.has_created:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(REMOVAL_S):
                self._seen.deletion = await exchange(self._client, "DELETE", self._path)

    async def _follow(self) -> None:
        async with self._reader(self._client) as reader:
            self._seen.stream = reader.seen
            await reader.wait_until(lambda stream: bool(stream.of("snapshot")), FIRST_EVENT_S)
            if self._seen.is_moving:
                await self._report(reader, *REPORTS)
            await self._ask_more()
            await self._await_heartbeats(reader)
            if self._seen.is_moving:
                await self._report(reader, COMPLETION)
                await reader.wait_until(lambda _: False, END_S)

    def _reader(
        self, client: httpx.AsyncClient, headers: Mapping[str, str] | None = None, **params: str
    ) -> StreamReader:
        accepted = {"Accept": "text/event-stream", **self._origin, **(headers or {})}
        return StreamReader(client, f"{self._path}/events", accepted, {"heartbeat": "event", **params})

    async def _report(self, reader: StreamReader, *bodies: Mapping[str, Any]) -> None:
        """Report, as long as reports are accepted. Wait for each update, unless an earlier one is held back."""
        seen = self._seen
        for body in bodies:
            is_prompt = len(reader.seen.of("step")) >= len(seen.reports)
            answer = await exchange(self._client, "POST", f"{self._path}/update", json=body)
            if answer.status != 200:
                seen.refused_report, seen.is_moving = answer, False
                return
            seen.reports.append(answer.ended)
            if is_prompt:
                await reader.wait_until(lambda stream: len(stream.of("step")) >= len(seen.reports), HELD_S)

    async def _await_heartbeats(self, reader: StreamReader) -> None:
        """Wait for two heartbeats after the first; not where events are held back, or heartbeats are rare."""
        interval_s, is_prompt = reader.seen.interval_s, len(reader.seen.of("step")) >= len(self._seen.reports)
        if 0 < interval_s <= LONGEST_WAIT_S and is_prompt:
            within_s = min(2.5 * interval_s + 1, LONGEST_WAIT_S)
            await reader.wait_until(lambda stream: len(stream.of("heartbeat")) >= 3, within_s)

    async def _come_back(self) -> None:
        seen = self._seen
        if seen.stream is None:
            return
        if seen.is_moving:
            seen.last_poll = await exchange(self._client, "GET", self._path)
        position, end = _fit(seen.stream.of("step") or seen.stream.arrivals[-1:]), _fit(seen.stream.of("end")[-1:])
        if position:
            seen.resumed = await self._resume(headers={"Last-Event-ID": position})
            if seen.resumed.of("snapshot"):
                seen.resumed_by_query = await self._resume(last_event_id=position)
        if seen.is_moving and end:
            seen.returned = await self._resume(headers={"Last-Event-ID": end})

    async def _resume(self, headers: Mapping[str, str] | None = None, **params: str) -> Stream:
        """Return the beginning of a stream that goes on from a position, up to its end if the session is completed."""
        async with self._reader(self._client, headers, **params) as reader:
            await reader.wait_until(lambda stream: bool(stream.arrivals), FIRST_EVENT_S)
            await reader.wait_until(lambda stream: bool(stream.of("snapshot")), SNAPSHOT_S)
            return reader.seen

    async def _ask_more(self) -> None:
        """Poll again, and ask for access from browsers."""
        seen = self._seen
        seen.tagged_poll = await exchange(self._client, "GET", self._path)
        tag = "".join(values_of(seen.tagged_poll.headers, "etag")[:1])
        if tag and tag.isascii():
            seen.repoll = await exchange(self._client, "GET", self._path, {"If-None-Match": tag})
        if seen.origin:
            asked = {"Access-Control-Request-Headers": ",".join(POLL_HEADERS).lower(), **self._origin}
            preflight = {"Access-Control-Request-Method": "GET", **asked}
            seen.preflight = await exchange(self._client, "OPTIONS", self._path, preflight)
        seen.anonymous_poll = await exchange(self._anonymous, "GET", self._path)
        if not seen.has_token or seen.anonymous_poll.status != 401:
            return
        seen.ticket = await exchange(self._client, "POST", "/api/tickets")
        ticket = value_in(seen.ticket.body, "ticket")
        if ticket:
            async with self._reader(self._anonymous, ticket=ticket) as reader:
                seen.ticket_stream = reader.seen
                await reader.wait_until(lambda stream: bool(stream.status), FIRST_EVENT_S)
        seen.cookie = await exchange(self._client, "POST", "/api/cookie")
        cookie = "".join(values_of(seen.cookie.headers, "set-cookie")[:1]).partition(";")[0]
        if cookie and cookie.isascii():
            seen.cookie_poll = await exchange(self._anonymous, "GET", self._path, {"Cookie": cookie})


def _fit(arrivals: Sequence[Arrival]) -> str:
    """Return the id of the first event, if there is one that can be sent back in a header; else nothing."""
    event_id = "".join(each.event.event_id for each in arrivals[:1])
    return event_id if _EVENT_ID.fullmatch(event_id) else ""
