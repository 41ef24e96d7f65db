"""Checks of access from browsers: pages of another origin, tickets and cookies. Pure."""

from typing import Final
from urllib.parse import urlsplit

from progress_sse.cli.doctor.connection_checks import LOOPBACK
from progress_sse.cli.doctor.findings import Finding, fault, ok, skipped, warning
from progress_sse.cli.doctor.observations import Exchange, Headers, Observations, origin_of, values_of
from progress_sse.cli.doctor.proxies import proxies_in, remedy
from progress_sse.cli.doctor.stream_checks import is_held_back

ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"
ALLOW_HEADERS: Final = "Access-Control-Allow-Headers"
ALLOW_CREDENTIALS: Final = "access-control-allow-credentials"

POLL_HEADERS: Final = ("Authorization", "If-None-Match")
"""The headers of a page's polls for which a browser asks the server first."""


def check_cors(seen: Observations) -> Finding:
    """Whether pages of the given origin may read the answers, with a token."""
    origin = seen.origin
    if origin is None:
        return skipped("Give the origin of a page that is served from elsewhere by --origin.")
    if origin == origin_of(seen.url):
        return ok("Pages of the server's own origin need no permission.")
    for name, headers in _answers(seen):
        problem = _refusal(seen, origin, name, headers)
        if problem is not None:
            return problem
    if not _allows_polls(seen.preflight, origin):
        return fault(
            f"A browser's preflight request (OPTIONS) is not answered as it must be, so pages of {origin} cannot send "
            f"{' or '.join(POLL_HEADERS)}.",
            "the proxy must pass OPTIONS on, and not answer it. By method: "
            f"{remedy('methods', seen.headers)} By header: {remedy('response header', seen.headers, ALLOW_HEADERS)}",
        )
    return ok(f"Pages of {origin} may read polls and streams{_with_cookies(seen)}.")


def _answers(seen: Observations) -> list[tuple[str, Headers]]:
    polls = [("polls", seen.poll.headers)]
    is_streaming = seen.stream is not None and seen.stream.is_event_stream
    return [*polls, ("streams", seen.stream.headers)] if seen.stream is not None and is_streaming else polls


def _refusal(seen: Observations, origin: str, name: str, headers: Headers) -> Finding | None:
    allowed = [each.strip() for value in values_of(headers, ALLOW_ORIGIN.lower()) for each in value.split(",")]
    change = remedy("response header", seen.headers, ALLOW_ORIGIN)
    if not allowed:
        return fault(
            f"Pages of {origin} may not read {name}: the answer has no {ALLOW_ORIGIN}.",
            f"`--allow-origins {origin}` of the server. If it is set, a proxy removes the header Origin or "
            f"{ALLOW_ORIGIN}. {_by_known_proxy(seen)}".rstrip(),
        )
    if len(allowed) > 1:
        return fault(
            f"The answer of {name} has {len(allowed)} values of {ALLOW_ORIGIN}, and browsers refuse that: a proxy adds "
            "one to the server's.",
            change,
        )
    if allowed[0] not in (origin, "*"):
        return fault(f"The answer of {name} allows pages of {allowed[0]}, not of {origin}.", change)
    return None


def _by_known_proxy(seen: Observations) -> str:
    if not proxies_in(seen.headers):
        return ""
    removals = (remedy("request header", seen.headers, "Origin"), remedy("response header", seen.headers, ALLOW_ORIGIN))
    return " ".join(removals)


def _allows_polls(preflight: Exchange | None, origin: str) -> bool:
    if preflight is None or not 200 <= preflight.status < 300:
        return False
    origins = values_of(preflight.headers, ALLOW_ORIGIN.lower())
    listed = ",".join(values_of(preflight.headers, ALLOW_HEADERS.lower())).lower().split(",")
    allowed = {each.strip() for each in listed}
    # A `*` does not stand for Authorization [Fetch, CORS-preflight fetch].
    return origins in ([origin], ["*"]) and all(each.lower() in allowed for each in POLL_HEADERS)


def _with_cookies(seen: Observations) -> str:
    return ", with cookies too" if values_of(seen.poll.headers, ALLOW_CREDENTIALS) == ["true"] else ""


def check_tickets(seen: Observations) -> Finding:
    """Whether a ticket in the URL opens a stream, for clients that can set no header."""
    reason = _why_unneeded(seen)
    if reason:
        return skipped(reason)
    if seen.ticket is None or seen.ticket.status != 201:
        return fault(f"The server issues no ticket ({_status(seen.ticket)}).", remedy("methods", seen.headers))
    stream = seen.ticket_stream
    if stream is not None and stream.status == 200:
        return ok("A ticket opens a stream.")
    if is_held_back(seen):
        return skipped("Streams are held back.")
    got = (stream.status or stream.error or "no answer") if stream is not None else "no ticket in the answer"
    return fault(
        f"The server does not accept the ticket that it has issued ({got}).",
        f"one store in Redis for all servers; or the query is removed: {remedy('query', seen.headers)}",
    )


def check_cookie(seen: Observations) -> Finding:
    """Whether a browser can keep the token in a cookie, and the cookie arrives."""
    reason = _why_unneeded(seen)
    if reason:
        return skipped(reason)
    if seen.cookie is None or seen.cookie.status != 204:
        return fault(f"The server sets no cookie ({_status(seen.cookie)}).", remedy("methods", seen.headers))
    cookies = values_of(seen.cookie.headers, "set-cookie")
    if not cookies:
        return fault("The answer lacks Set-Cookie.", remedy("response header", seen.headers, "Set-Cookie"))
    attributes = _attributes(cookies[0])
    path = attributes.get("path", "/")
    if not f"{urlsplit(seen.url).path}/".startswith(path):
        return fault(
            f"The cookie is for {path}, which the URL is not below: browsers will not send it.",
            "the mount point (root_path) of the server, as the proxy's public path.",
        )
    if "secure" in attributes and not seen.has_tls and seen.host not in LOOPBACK:
        return warning("Without TLS browsers do not keep the cookie.", "put TLS in front, and use an https URL.")
    if seen.cookie_poll is None or seen.cookie_poll.status != 200:
        return fault(
            f"The server does not accept its own cookie ({_status(seen.cookie_poll)}).",
            remedy("request header", seen.headers, "Cookie"),
        )
    return ok("A browser can keep the token in a cookie, and the server accepts it.")


def _why_unneeded(seen: Observations) -> str:
    if seen.anonymous_poll is None:
        return "Whether reading needs a token was not seen."
    if seen.anonymous_poll.status == 200:
        return "Reading needs no token."
    return "" if seen.has_token else "It needs --token."


def _attributes(cookie: str) -> dict[str, str]:
    pairs = (each.partition("=") for each in cookie.split(";")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _status(exchange: Exchange | None) -> str:
    return "no answer" if exchange is None else str(exchange.status or exchange.error)
