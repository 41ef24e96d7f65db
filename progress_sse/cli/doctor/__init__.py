"""`progress-sse doctor`: what the way from a browser to a server does to streams and polls, in words.

`examination` makes the requests and fills `observations`. Each check is a pure function from these to a finding.
`findings` knows which setting of which proxy mends a fault.
"""

import re
import secrets
from collections.abc import Callable
from typing import Final, TypeAlias
from urllib.parse import unquote

from progress_sse.cli.doctor import checks
from progress_sse.cli.doctor.examination import Examination, look_at
from progress_sse.cli.doctor.findings import Finding, resolved
from progress_sse.cli.doctor.observations import Observations, origin_of
from progress_sse.cli.responses import run
from progress_sse.client.config import Address, address_of, session_of
from progress_sse.core.errors import ConfigurationError

_OWN_PATH: Final = re.compile(r"/(?:(?:s|api/progress)/([^/]+)(?:/events)?|api(?:/progress)?)$")
"""The paths of a session's page, of the API, and of a session there."""

Check: TypeAlias = Callable[[Observations], Finding]

CONNECTION: Final[dict[str, Check]] = {
    "TLS": checks.check_tls, "HTTP version": checks.check_http_version, "server": checks.check_server,
}  # fmt: skip
ANSWER: Final[dict[str, Check]] = {
    "content type": checks.check_content_type, "incremental": checks.check_incremental,
    "buffering": checks.check_buffering,
}  # fmt: skip
STREAM: Final[dict[str, Check]] = {
    "first byte": checks.check_first_byte, "compression": checks.check_compression,
    "chunking": checks.check_chunking, "heartbeats": checks.check_heartbeats, "resume": checks.check_resume,
    "caching": checks.check_caching, "CORS": checks.check_cors,
}  # fmt: skip
PROGRESS_SERVER: Final[dict[str, Check]] = {
    "session": checks.check_session, "end": checks.check_end, "polling": checks.check_polling,
    "tokens": checks.check_tokens,
}  # fmt: skip
"""The checks of any URL, of the answer of any stream, of a stream that is one, and of a progress server."""


def findings_of(seen: Observations) -> dict[str, Finding]:
    """Return the finding of each check that applies to what answers, in the order of the report."""
    made = {"address": checks.check_address} | (CONNECTION if seen.has_connection else {})
    made |= ANSWER if seen.is_foreign or seen.polled is not None else {}
    made |= STREAM if seen.stream.is_event_stream else {}
    made |= PROGRESS_SERVER if seen.polled is not None else {}
    return {name: resolved(check(seen), seen.headers) for name, check in made.items()}


def examined(
    url: str | None, token: str | None, session_id: str | None, origin: str | None, listen_s: float
) -> dict[str, Finding]:
    """Examine the way to a server, and return the finding of each check.

    Args:
        url: A server, a session's page, or any event stream; `None` for the server of the environment.
        token: For the URL; `None` for that of the environment, which progress servers alone get.
        session_id: The session to read; `None` for that of the URL, or for one of the doctor's own.
        origin: The origin of pages that another server serves.
        listen_s: Seconds to listen to the stream.

    Raises:
        ConfigurationError: An argument or the environment cannot be used.
    """
    server = address_of(url.partition("?")[0] if url else None, token)
    if server is None:
        raise ConfigurationError("Name the server by URL, or by PROGRESS_SSE_URL.")
    if origin and not re.fullmatch(r"https?://[\w.:\[\]-]+/?", origin, re.ASCII | re.IGNORECASE):
        raise ConfigurationError("An origin must be like https://app.example, without a path.")
    stream_url = url or server.url
    path = _OWN_PATH.search(server.url)
    if path is not None:
        session_id = session_id or (unquote(path[1]) if path[1] else None)
        server = Address(server.url[: path.start()], server.token)
    given = session_of(session_id) if session_id else None
    own_id = f"doctor-{secrets.token_hex(4)}"
    seen = Observations(server.url, given or own_id, given is not None, origin_of(origin) if origin else None)

    async def examine() -> None:
        seen.network = await look_at(server.url)
        if seen.has_connection:  # The token of the environment is for progress servers alone.
            await Examination(seen, stream_url, token, server.token).examine(listen_s)

    run(examine())
    return findings_of(seen)
