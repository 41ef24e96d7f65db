"""`progress-sse doctor`: what the way from a browser to a server does to streams and polls, in words.

`examination` makes the requests and fills `observations`. Each check is a pure function from these to a finding:
`checks` has those of any event stream, `own_checks` those of a progress server. `findings` knows which setting of which
proxy mends a fault.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

from progress_sse._internal.http_library import httpx
from progress_sse.cli.doctor import checks, own_checks
from progress_sse.cli.doctor.checks import LONGEST_WAIT_S
from progress_sse.cli.doctor.examination import LIMIT_S, REQUEST_S, Examination, look_at
from progress_sse.cli.doctor.findings import Finding, resolved
from progress_sse.cli.doctor.observations import Observations, origin_of
from progress_sse.cli.responses import client_of
from progress_sse.client.config import Address, address_of, session_of
from progress_sse.core.errors import ConfigurationError

_OWN_PATH: Final = re.compile(r"/(?:(?:s|api/progress)/([^/]+)(?:/events)?|api(?:/progress)?)$")
"""The paths of a session's page, of the API, and of a session there."""

Check: TypeAlias = Callable[[Observations], Finding]

CONNECTION: Final[dict[str, Check]] = {
    "address": checks.check_address, "TLS": checks.check_tls, "HTTP version": checks.check_http_version,
    "server": checks.check_server,
}  # fmt: skip
"""The checks of any URL; the others need a stream, or a progress server."""

STREAM: Final[dict[str, Check]] = {
    "content type": checks.check_content_type, "first byte": checks.check_first_byte,
    "buffering": checks.check_buffering, "compression": checks.check_compression, "chunking": checks.check_chunking,
    "incremental": checks.check_incremental, "heartbeats": checks.check_heartbeats, "resume": checks.check_resume,
    "caching": checks.check_caching, "CORS": checks.check_cors,
}  # fmt: skip

PROGRESS_SERVER: Final[dict[str, Check]] = {
    "heartbeats": own_checks.check_heartbeats, "resume": own_checks.check_resume, "session": own_checks.check_session,
    "snapshot": own_checks.check_snapshot, "query": own_checks.check_query, "end": own_checks.check_end,
    "polling": own_checks.check_polling, "clock": own_checks.check_clock, "tickets": own_checks.check_tickets,
    "cookie": own_checks.check_cookie,
}  # fmt: skip
"""The first two take the place of those of any stream."""


def findings_of(seen: Observations) -> dict[str, Finding]:
    """Return the finding of each check, in the order of the report."""
    is_own = seen.polled is not None
    made = CONNECTION | (STREAM if seen.is_foreign or is_own else {}) | (PROGRESS_SERVER if is_own else {})
    return {name: resolved(check(seen), seen.headers) for name, check in made.items()}


def examined(
    url: str | None, token: str | None, session_id: str | None, origin: str | None, listen_s: float
) -> dict[str, Finding]:
    """Examine the way to a server, and return the finding of each check."""
    server = address_of(url.partition("?")[0] if url else None, token)
    if server is None:
        raise ConfigurationError("Name the server by URL, or by PROGRESS_SSE_URL.")
    stream_url, path = url or server.url, _OWN_PATH.search(server.url)
    if path is not None:
        session_id = session_id or (unquote(path[1]) if path[1] else None)
        server = Address(server.url[: path.start()], server.token)
    given, own_id = session_of(session_id) if session_id else None, f"doctor-{secrets.token_hex(4)}"
    seen = Observations(server.url, given or own_id, _checked_origin(origin), bool(server.token))
    seen.network = look_at(server.url)

    async def examine() -> None:
        # The token of the environment is for progress servers alone.
        addresses = (server, Address(server.url, None), Address(server.url, token))
        clients = client, anonymous, listener = [client_of(each) for each in addresses]
        for each in clients:
            each.headers["Accept-Encoding"] = "gzip"  # Of those of browsers, what this client can always decode.
            each.timeout = httpx.Timeout(REQUEST_S)
        seen.wall_offset_s = time.time() - asyncio.get_running_loop().time()
        async with client, anonymous, listener:
            examination = Examination(client, anonymous, seen)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LIMIT_S + max(0, listen_s - LONGEST_WAIT_S)):
                        if not await examination.listen(listener, stream_url, listen_s):
                            await examination.follow(is_own=given is None)
            finally:
                await examination.clean_up()

    if seen.has_connection:
        asyncio.run(examine())
    return findings_of(seen)


def _checked_origin(origin: str | None) -> str | None:
    if not origin:
        return None
    parts = urlsplit(origin)
    bare = f"{parts.scheme}://{parts.netloc}".lower()
    if parts.scheme not in ("http", "https") or origin.lower().removesuffix("/") != bare or not bare.isascii():
        raise ConfigurationError("An origin must be like https://app.example, without a path.")
    return origin_of(bare)
