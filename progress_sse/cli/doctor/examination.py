"""The requests of an examination, in order: each fills a part of the observations.

The doctor reports on a session of its own while a stream of it is open, waits for heartbeats, and completes it: the end
brings out what a proxy has held back. It then comes back, as a client after a cut does. A given session is only read.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, urlsplit

from progress_sse._internal.http_library import httpx
from progress_sse.cli.doctor.access_checks import POLL_HEADERS
from progress_sse.cli.doctor.checks import findings_of
from progress_sse.cli.doctor.findings import Finding
from progress_sse.cli.doctor.network import look_at
from progress_sse.cli.doctor.observations import Observations, Stream, origin_of, values_of
from progress_sse.cli.doctor.requests import REQUEST_S, StreamReader, exchange
from progress_sse.cli.doctor.stream_checks import HELD_S, LONGEST_WAIT_S
from progress_sse.cli.responses import client_of
from progress_sse.client.config import Address, address_of, session_of
from progress_sse.core.errors import ConfigurationError
from progress_sse.story.session_state import parsed

LIMIT_S: Final = 90.0
"""Seconds that all requests may take together; what is not done by then is left out."""

REMOVAL_S: Final = 5.0
"""Seconds more for the removal of the doctor's session."""

FIRST_EVENT_S: Final = 5.0
"""Seconds within which the first event of a stream comes, unless it is held back."""

SNAPSHOT_S: Final = 1.0
"""Seconds after the first heartbeat within which a snapshot would come, if there were one."""

END_S: Final = 5.0
"""Seconds within which a completed stream ends."""

STEPS: Final = {"steps": [{"name": "Report"}, {"name": "Complete"}]}

REPORTS: Final[tuple[dict[str, Any], ...]] = (
    {"action": "start", "step": 1},
    {"action": "progress", "step": 1, "current": 1, "total": 2},
    {"action": "complete", "step": 1},
    {"action": "start", "step": 2},
)
"""Four updates that leave the session running."""

COMPLETION: Final[dict[str, Any]] = {"action": "complete", "step": 2}

BROWSER: Final = {"Accept-Encoding": "gzip"}
"""Of the encodings that browsers accept, the one that this client can always decode."""

_EVENT_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)
"""An event id [docs/protocol.md]. It is sent back in a header, so nothing else is accepted."""


def examined(url: str | None, token: str | None, session_id: str | None, origin: str | None) -> dict[str, Finding]:
    """Examine the way to a server, and return the finding of each check."""
    address = address_of(url, token)
    if address is None:
        raise ConfigurationError("Name the server by URL, or by PROGRESS_SSE_URL.")
    given = session_of(session_id) if session_id else None
    session_id = given or f"doctor-{secrets.token_hex(4)}"
    seen = Observations(address.url, session_id, _checked_origin(origin), bool(address.token))
    seen.network = look_at(address.url)
    if seen.has_connection:
        asyncio.run(examine(address, seen, given))
    return findings_of(seen)


def _checked_origin(origin: str | None) -> str | None:
    if not origin:
        return None
    parts = urlsplit(origin)
    bare = f"{parts.scheme}://{parts.netloc}".lower()
    if parts.scheme not in ("http", "https") or origin.lower().removesuffix("/") != bare or not bare.isascii():
        raise ConfigurationError("An origin must be like https://app.example, without a path.")
    return origin_of(bare)


async def examine(address: Address, seen: Observations, given: str | None) -> None:
    """Make all requests, within `LIMIT_S` and `REMOVAL_S`, and fill `seen`; on a `given` session or one of its own."""
    client, anonymous = client_of(address), client_of(Address(address.url, None))
    for each in (client, anonymous):
        each.headers.update(BROWSER)
        each.timeout = httpx.Timeout(REQUEST_S)
    seen.wall_offset_s = time.time() - asyncio.get_running_loop().time()
    async with client, anonymous:
        examination = Examination(client, anonymous, seen)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(LIMIT_S):
                    await examination.run(is_own=given is None)
        finally:
            await examination.clean_up()


class Examination:
    """The requests on one session; see the module."""

    def __init__(self, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, seen: Observations) -> None:
        """Take clients with the token and without, whose `base_url` is the server."""
        self._client = client
        self._anonymous = anonymous
        self._seen = seen
        self._path = f"/api/progress/{quote(seen.session_id, safe='')}"
        self._origin = {"Origin": seen.origin} if seen.origin else {}

    async def run(self, *, is_own: bool) -> None:
        """Make the requests, up to the first that leaves nothing for the others."""
        seen = self._seen
        seen.poll = await exchange(self._client, "GET", self._path, self._origin)
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

    # The stream, and what can be asked while it is silent.

    async def _follow(self) -> None:
        async with self._reader(self._client) as reader:
            self._seen.stream = reader.seen
            await reader.wait_until(lambda stream: bool(stream.of("snapshot")), FIRST_EVENT_S)
            if self._seen.is_moving:
                await self._report(reader, *REPORTS)
            await self._poll_again()
            await self._ask_for_access()
            await self._await_heartbeats(reader)
            if self._seen.is_moving:
                await self._report(reader, COMPLETION)
                await reader.wait_until(lambda _: False, END_S)

    def _reader(
        self, client: httpx.AsyncClient, headers: Mapping[str, str] | None = None, **params: str
    ) -> StreamReader:
        accepted = {"Accept": "text/event-stream", **self._origin, **(headers or {})}
        return StreamReader(client, f"{self._path}/events", {"heartbeat": "event", **params}, accepted)

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
        interval_s = reader.seen.interval_s
        if interval_s is None or interval_s > LONGEST_WAIT_S or len(reader.seen.of("step")) < len(self._seen.reports):
            return
        await reader.wait_until(
            lambda stream: len(stream.of("heartbeat")) >= 3, min(2.5 * interval_s + 1, LONGEST_WAIT_S)
        )

    async def _poll_again(self) -> None:
        seen = self._seen
        seen.tagged_poll = await exchange(self._client, "GET", self._path)
        tag = "".join(values_of(seen.tagged_poll.headers, "etag")[:1])
        if tag and tag.isascii():
            seen.repoll = await exchange(self._client, "GET", self._path, {"If-None-Match": tag})

    # After a cut, and after the end.

    async def _come_back(self) -> None:
        seen = self._seen
        if seen.stream is None:
            return
        if seen.is_moving:
            seen.last_poll = await exchange(self._client, "GET", self._path)
        position = _position_to_resume(seen.stream)
        if position is not None:
            seen.resumed = await self._resume(headers={"Last-Event-ID": position})
            if seen.resumed.of("snapshot"):
                seen.resumed_by_query = await self._resume(last_event_id=position)
        ends = seen.stream.of("end")
        if seen.is_moving and ends and _EVENT_ID.fullmatch(ends[-1].event.event_id):
            seen.returned = await self._resume(headers={"Last-Event-ID": ends[-1].event.event_id})

    async def _resume(self, headers: Mapping[str, str] | None = None, **params: str) -> Stream:
        """Return the beginning of a stream that goes on from a position, up to its end if the session is completed."""
        async with self._reader(self._client, headers, **params) as reader:
            await reader.wait_until(lambda stream: bool(stream.arrivals), FIRST_EVENT_S)
            await reader.wait_until(lambda stream: bool(stream.of("snapshot")), SNAPSHOT_S)
            return reader.seen

    # Access from browsers.

    async def _ask_for_access(self) -> None:
        seen = self._seen
        if seen.origin:
            seen.preflight = await exchange(self._client, "OPTIONS", self._path, _PREFLIGHT | self._origin)
        seen.anonymous_poll = await exchange(self._anonymous, "GET", self._path)
        if seen.has_token and seen.anonymous_poll.status == 401:
            await self._use_ticket()
            await self._use_cookie()

    async def _use_ticket(self) -> None:
        seen = self._seen
        seen.ticket = await exchange(self._client, "POST", "/api/tickets")
        try:
            ticket = str(parsed(seen.ticket.body)["ticket"])
        except (ValueError, LookupError, TypeError):
            return
        async with self._reader(self._anonymous, ticket=ticket) as reader:
            seen.ticket_stream = reader.seen
            await reader.wait_until(lambda stream: bool(stream.status), FIRST_EVENT_S)

    async def _use_cookie(self) -> None:
        seen = self._seen
        seen.cookie = await exchange(self._client, "POST", "/api/cookie")
        cookie = "".join(values_of(seen.cookie.headers, "set-cookie")[:1]).partition(";")[0]
        if cookie and cookie.isascii():
            seen.cookie_poll = await exchange(self._anonymous, "GET", self._path, {"Cookie": cookie})


_PREFLIGHT: Final = {
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": ",".join(POLL_HEADERS).lower(),
}


def _position_to_resume(stream: Stream) -> str | None:
    """Return the id of the first update, or of the last event where there is no update; `None` if there is no id."""
    ids = [each.event.event_id for each in stream.of("step")[:1] or stream.arrivals[-1:]]
    return ids[0] if ids and _EVENT_ID.fullmatch(ids[0]) else None
