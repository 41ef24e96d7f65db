"""Checks of the way to a server, and of any event stream, by the standards. Pure."""

import re
from itertools import pairwise
from typing import Final

from progress_sse.cli.doctor.findings import PROXIES, Finding, fault, ok, proxies_in, skipped, warning
from progress_sse.cli.doctor.observations import (
    Exchange,
    Headers,
    Observations,
    Piece,
    Stream,
    media_type_of,
    origin_of,
    values_of,
)
from progress_sse.core.durations import in_words

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
EXPIRY_DAYS: Final = 14  # Before which a certificate should have been renewed.
SLOW_S: Final = 3.0  # After which a viewer calls the beginning slow.
HELD_S: Final = 3.0  # After which an update has been held back, rather than been under way.
PAUSE_S: Final = 1.0  # For which no server pauses within a line.
LONGEST_WAIT_S: Final = 35.0  # For which the doctor waits for heartbeats.
USUAL_SILENCE_S: Final = 60.0  # After which many proxies and load balancers cut an answer.

POLL_HEADERS: Final = ("Authorization", "If-None-Match")
"""The headers of a page's polls for which a browser asks the server first."""

NO_STREAM: Final = skipped("There is no stream.")
SEVERAL_STORES: Final = skipped("Servers that share no store answer.")
BROKEN_OFF: Final = "the proxy's buffers and temporary files (nginx: rights and room in `proxy_temp_path`)."
ADD_TLS: Final = "put TLS in front, and use an https URL."
SEE_LOGS: Final = "see the log of the proxy and of the server."

_NO_CONNECTION: Final = skipped("There is no connection.")
_THROUGH_ENVIRONMENT: Final = skipped("The requests go through the proxy of the environment.")
_ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"
_HIT_HEADERS: Final = ("x-cache", "x-cache-status", "x-proxy-cache", "cf-cache-status")
_SIGN_OF_LIFE: Final = re.compile(r"ping|heart-?beat|keep-?alive", re.IGNORECASE)


def check_address(seen: Observations) -> Finding:
    """Whether the host name has an address, and a server accepts connections there."""
    network, addresses = seen.network, ", ".join(seen.network.addresses)
    if network.environment_proxy:
        text = f"The environment sends requests through {network.environment_proxy}; browsers may take another way."
        return warning(text, "unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or add the host to NO_PROXY.")
    if not addresses:
        return fault(f"{seen.host} has no address: {network.error}.", "the host name in the URL, or its DNS entry.")
    if network.connect_s is None:
        where = seen.url if addresses == seen.host else f"{seen.url}, whose host is {addresses}"
        change = "the port in the URL, the firewall, or the address that the proxy or server listens on."
        return fault(f"Nothing accepts connections at {where}: {network.error}.", change)
    name = seen.host if addresses == seen.host else f"{seen.host} is {addresses}; it"
    return ok(f"{name} accepts connections within {_ms(network.connect_s)}.")


def check_tls(seen: Observations) -> Finding:
    """Whether TLS protects tokens, by a certificate that stays valid."""
    network = seen.network
    if not seen.has_tls and seen.host in LOOPBACK:
        return ok("Not needed on this machine.")
    if not seen.has_tls:
        read = "the stream" if seen.is_foreign else "tokens, so the pages send none"
        return warning(f"Without TLS every machine on the way reads {read}, and browsers use HTTP/1.1.", ADD_TLS)
    if network.environment_proxy or not seen.has_connection:
        return _THROUGH_ENVIRONMENT if network.environment_proxy else _NO_CONNECTION
    if not network.tls_version:
        change = f"a valid certificate for {seen.host}, with its intermediate certificates."
        own = "If an authority of your own has signed it, set SSL_CERT_FILE to its certificate here and for jobs."
        return fault(f"TLS fails: {network.error}.", f"{change} {own}")
    if network.certificate_days is None:
        return ok(f"{network.tls_version}; the certificate is valid.")
    if network.certificate_days < EXPIRY_DAYS:
        return warning(f"The certificate expires in {network.certificate_days:.0f} days.", "renew the certificate.")
    return ok(f"{network.tls_version}; the certificate is valid for {network.certificate_days:.0f} days more.")


def check_http_version(seen: Observations) -> Finding:
    """Whether browsers get HTTP/2, where any number of streams share one connection."""
    limit = "HTTP/1.1, by which a browser opens six connections to an origin over all its tabs"
    if not seen.has_tls and seen.host in LOOPBACK:
        shared = "" if seen.is_foreign else "; ProgressTracker shares one stream among all tabs"
        return ok(f"{limit}. Browsers use HTTP/2 over TLS only{shared}.")
    if not seen.has_tls:
        alone = "tabs cannot share a stream, so ProgressTracker polls in a tab without a connection"
        return warning(f"{limit}. Without TLS {'a seventh stream waits' if seen.is_foreign else alone}.", ADD_TLS)
    if seen.network.environment_proxy:
        return _THROUGH_ENVIRONMENT
    if not seen.network.tls_version:
        return skipped("There is no TLS connection.")
    if seen.network.alpn == "h2":
        return ok("HTTP/2.")
    return warning(f"{limit}. That is too few for pages with an EventSource of their own.", "<http2>")


def check_server(seen: Observations) -> Finding:
    """Whether a server of streams, or of this project, answers, and can do so while a stream is open."""
    poll, kind = seen.poll, media_type_of(seen.poll.headers) or "no type"
    through = " and ".join(proxies_in(seen.headers))
    way = f"through {through}" if through else "no proxy shows itself"
    if not seen.has_connection:
        return _NO_CONNECTION
    if seen.polled is not None:
        return ok(f"A progress server answers within {_ms(poll.ended - poll.began)}; {way}.")
    if seen.opened is not None and "not within" in poll.error:
        change = "a server with threads or an event loop (gunicorn: `--threads` or `--worker-class`)."
        return fault("While the stream is open, no other request is answered: the server serves one at a time.", change)
    if seen.is_foreign:
        return ok(f"A server of another kind answers; {way}.")
    if poll.status == 0:
        change = "the address, or the proxy: does it reach the server, and does it hold answers back?"
        return fault(f"No answer from {seen.url}: {poll.error.rpartition(f'{seen.url}: ')[2]}.", change)
    if poll.status == 401 and seen.has_token:
        change = "the token; or a proxy removes the header Authorization: <request header Authorization>"
        return fault("401: the server does not accept the token, or does not get it.", change)
    if poll.status in _REFUSALS:
        text, change = _REFUSALS[poll.status]
        return fault(f"{poll.status}: {text}", change)
    if 300 <= poll.status < 400:
        target = ", ".join(values_of(poll.headers, "location"))
        return fault(f"The URL redirects to {target}, which an EventSource and jobs may not follow.", "the URL.")
    if poll.status == 200 and poll.error:
        return fault(f"The answer broke off after {len(poll.body)} bytes: {poll.error}.", BROKEN_OFF)
    change = "the path of the URL. A login page or a fallback of the proxy must not answer for /api/."
    return fault(f"The answer ({poll.status}, {kind}) is not that of a progress server, nor an event stream.", change)


_PATH: Final = "the path of the URL: of a stream, or the application's mount point, as the proxy passes it on."
_REFUSALS: Final = {
    401: ("the server wants a token.", "give one by --token, or in PROGRESS_SSE_TOKEN."),
    403: ("the token does not allow to read the session, or a proxy refuses.", "the token, or --session."),
    404: ("nothing is at this path.", _PATH),
    421: ("without tokens the server does not answer to this host name.", "serve with a token, or with --insecure."),
    429: ("that is more often than the server allows.", "wait, or raise `read_rate`."),
    502: ("the proxy does not reach the server.", "the server's address in the proxy, and whether the server runs."),
    503: ("the server or the proxy is not available.", "see the server's /readyz and log."),
    504: ("the proxy gets no answer from the server.", "the server's address in the proxy, and the server's log."),
}


def check_content_type(seen: Observations) -> Finding:
    """Whether the answer is an event stream, and events come in it [HTML §9.2.5]."""
    stream = seen.stream
    if stream is None or not (stream.status or stream.error):
        return skipped("No head of a stream came.")
    if not stream.status:
        return fault(f"The stream cannot be opened: {stream.error}.", SEE_LOGS)
    if refusal_of(stream.headers):
        return skipped("A proxy refuses the stream.")
    if not stream.is_event_stream and stream.status == 200:
        kind = media_type_of(stream.headers) or "none"
        text = f"The content type of the stream is {kind}; an EventSource gives up."
        return fault(text, "<response header Content-Type>")
    if not stream.is_event_stream:
        text = f"The stream is answered with {stream.status}, although polls work; an EventSource gives up."
        return fault(text, "the rules of the proxy for paths that end in /events.")
    if stream.pieces and not (stream.arrivals or stream.comments or stream.retry_ms):
        change = "the server: an event is lines such as `data: text`, and an empty line at the end."
        return fault(f"{sum(each.size for each in stream.pieces)} bytes came, but no event.", change)
    return ok(f"text/event-stream; events: {len(stream.arrivals)}, comments: {stream.comments}.")


def check_first_byte(seen: Observations) -> Finding:
    """How soon the stream begins."""
    if seen.opened is None or seen.opened.head_at is None:
        return NO_STREAM
    head_s = seen.opened.head_at - seen.opened.began
    text = f"The stream begins after {head_s:.2f} s."
    return warning(text, slowness_remedy(seen)) if head_s > SLOW_S else ok(text)


def slowness_remedy(seen: Observations) -> str:
    """Return what to change where the beginning comes late."""
    if held_back(seen):
        return "see buffering."
    if seen.is_foreign:
        return "a server that sends the head before its first event (Node: `flushHeaders()`; Go: `Flush()`)."
    return "the load of the server and its store."


def check_buffering(seen: Observations) -> Finding:
    """Whether each event comes when it is sent."""
    stream = seen.awaited
    if stream is None or seen.is_lost:
        return NO_STREAM if stream is None else SEVERAL_STORES
    if seen.is_foreign:
        return _foreign_buffering(stream)
    if held_back(seen):
        return fault(f"{held_back(seen)} Something between buffers the stream, so pages poll instead.", "<buffering>")
    delays = _delays_s(seen, stream)
    if not delays and (seen.reports or not stream.arrivals):
        return skipped("The stream ended before an update came.")
    if not delays:
        return ok("The beginning of the stream is not held back; no update was tried.")
    return ok(f"{len(delays)} updates came, the slowest {max(delays) * 1000:.0f} ms after its report.")


def _foreign_buffering(stream: Stream) -> Finding:
    asks = values_of(stream.headers, "incremental") or values_of(stream.headers, "x-accel-buffering")
    asking = "" if asks else " Or `X-Accel-Buffering: no` (nginx) and `Incremental: ?1` of the server."
    held = _torn(stream)
    if stream.head_at is None:
        return fault(held, f"<buffering>{asking} Or a server that sends the head before its first event.")
    if held:
        return fault(f"{held} Something between buffers the stream.", f"<buffering>{asking}")
    if not stream.pieces:
        return skipped("No byte of the stream came.")
    times = [each.at for each in stream.arrivals]
    bursts = [at for at, later in pairwise([*sorted({*times}), stream.over_at]) if later - at > HELD_S]
    if len(bursts) > 1 and all(times.count(at) > 2 for at in bursts):
        text = "Events come in bursts: unless the server sends them so, something holds them back."
        return warning(text, f"<buffering>{asking}")
    return ok(f"Pieces: {len(stream.pieces)}. None shows that it was held back.")


def _torn(stream: Stream) -> str:
    """Return what shows that a stream is held back, where it is unknown when its server sends; empty if nothing."""
    if stream.head_at is None:
        return "Nothing of the stream came, not even its head, although the server answers other requests."
    for piece, later in pairwise([*stream.pieces, Piece(stream.over_at, 0)]):
        if piece.is_torn and later.at - piece.at > PAUSE_S:
            return f"{piece.size} bytes ended within a line, and {span(later.at - piece.at)} without a byte followed."
    is_at_once = len(stream.arrivals) > 1 and stream.arrivals[0].at == stream.arrivals[-1].at
    if is_at_once and stream.ended_at is not None and stream.arrivals[0].at - stream.began > HELD_S:
        return "The whole stream came at once, with its end."
    return ""


def held_back(seen: Observations) -> str:
    """Return in words that events came late, or not before the end of the stream; empty if they did not."""
    stream = seen.awaited
    if stream is None or seen.is_foreign:
        return "" if stream is None else _torn(stream)
    if not stream.arrivals:
        return "Nothing of the stream came." if stream.ended_at is None else ""
    first_s, round_trip_s = stream.arrivals[0].at - stream.began, seen.poll.ended - seen.poll.began
    late = [] if seen.is_lost else [delay for delay in _delays_s(seen, stream) if delay > HELD_S]
    if not late:
        return f"The first event came only after {first_s:.1f} s." if first_s > HELD_S + round_trip_s else ""
    if max(late) == float("inf"):
        return f"{len(late)} of {len(seen.reports)} updates never came."
    if len({each.at for each in stream.arrivals}) == 1:
        return "The whole stream came at once, with its end."
    return f"Updates came late, up to {max(late):.1f} s after their report."


def _delays_s(seen: Observations, stream: Stream) -> list[float]:
    """Return how long after its report each update came; for ever if it did not come while the stream was open."""
    arrivals = [each.at for each in stream.of("step")]
    came = [max(0.0, at - reported_at) for at, reported_at in zip(arrivals, seen.reports, strict=False)]
    until = float("inf") if stream.ended_at is None else stream.ended_at - HELD_S
    return came + [float("inf") for reported_at in seen.reports[len(came) :] if reported_at < until]


def check_compression(seen: Observations) -> Finding:
    """Whether the stream is compressed: that delays events, and costs memory for each stream."""
    encodings = ", ".join(values_of(seen.opened.headers, "content-encoding")) if seen.opened is not None else ""
    if encodings in ("", "identity"):
        return ok("The stream is not compressed.") if seen.opened is not None else NO_STREAM
    text = f"A proxy or the server compresses the stream ({encodings})"
    if held_back(seen):
        return fault(f"{text}, and holds events back for it.", "<compression>")
    return warning(f"{text}: it may hold events back for it.", "<compression>")


def check_chunking(seen: Observations) -> Finding:
    """Whether the stream has no length, and a cut of it can be recognised [RFC 9112 §6.3]."""
    if seen.opened is None:
        return NO_STREAM
    lengths = values_of(seen.opened.headers, "content-length")
    if lengths:
        change = "a server that streams; or a proxy collects the answer: <buffering>"
        return fault(f"The stream ends after {lengths[0]} bytes, by its Content-Length.", change)
    if "chunked" in "".join(values_of(seen.opened.headers, "transfer-encoding")).lower():
        return ok("Chunked: a cut is distinguished from an end.")
    return ok("Not chunked: the stream ends with its connection, so a cut looks like an end.")


def refusal_of(headers: Headers) -> str:
    """Return why a proxy does not forward a stream piece by piece [RFC 10036; RFC 9209 §2.3]; empty if it does."""
    errors = re.findall(r"error=(\w+)", ", ".join(values_of(headers, "proxy-status")))
    return next((each for each in errors if each in ("incremental_refused", "connection_limit_reached")), "")


def check_incremental(seen: Observations) -> Finding:
    """Whether the stream asks proxies to forward each piece at once, and none refuses [RFC 10036]."""
    headers = seen.stream.headers if seen.stream is not None else ()
    refusal, values = refusal_of(headers), values_of(headers, "incremental")
    if seen.stream is None or not (seen.opened or refusal):
        return NO_STREAM
    why = f"({seen.stream.status}, {refusal})"
    if refusal == "incremental_refused":
        text = f"A proxy inspects content as a whole, and so refuses to forward the stream piece by piece {why}."
        return fault(text, "<inspection>")
    if refusal:
        return fault(f"A proxy has no room for one more stream {why}.", "the proxy's limit of concurrent requests.")
    if not values:
        return ok("The stream lacks `Incremental: ?1`, by which a proxy that knows it forwards each piece at once.")
    if len(values) > 1 or not re.fullmatch(r"\?1 *(;.*)?", values[0].strip()):
        return warning(f"Proxies ignore `Incremental: {', '.join(values)}`.", "`Incremental: ?1` of the server, once.")
    return ok("The stream asks proxies to forward each piece at once, and none refuses.")


def check_heartbeats(seen: Observations) -> Finding:
    """Whether comments, or events in their place, keep a silent stream open [HTML §9.2.7]."""
    stream, limit_s = seen.opened, silence_limit_s(seen)
    if stream is None:
        return NO_STREAM
    if stream.ended_at is not None and stream.error:
        return cut(stream, "", "a comment every 15 s from the server.")
    signs = sum(each.comments for each in stream.pieces[1:])  # Many servers greet by a comment.
    signs += sum(bool(_SIGN_OF_LIFE.search(each.event.event)) for each in stream.arrivals)
    times = [stream.head_at or stream.began, *(each.at for each in stream.pieces), stream.over_at]
    longest_s = max(later - earlier for earlier, later in pairwise(times))
    came = f"Comments within {span(stream.over_at - stream.began)}: {signs}; the longest silence: {span(longest_s)}"
    if signs and longest_s < limit_s:
        return ok(f"{came}.")
    who = " and ".join(proxies_in(seen.headers)) or "many proxies"
    change = "a comment (`: ping`) every 15 s from the server. Or: <silence>"
    return warning(f"{came}. After {limit_s:g} s of silence {who} would cut the stream.", change)


def silence_limit_s(seen: Observations) -> float:
    """Return the seconds without a byte after which the proxies on the way, as far as they are known, cut a stream."""
    limits_s = (PROXIES[name].get("silence_s", USUAL_SILENCE_S) for name in proxies_in(seen.headers))
    return min(limits_s, default=USUAL_SILENCE_S)


def cut(stream: Stream, promise: str, change: str) -> Finding:
    """Return the finding of a stream that was cut, with what its server promises, and what else helps."""
    silent_s = stream.over_at - (stream.pieces[-1].at if stream.pieces else stream.began)
    reason = f"; {stream.error}" if stream.error else ""
    lasted = f"{span(stream.over_at - stream.began)}, the last {span(silent_s)} without a byte"
    return fault(f"The stream was cut after {lasted}{promise}{reason}.", f"<silence> Or {change}")


def check_resume(seen: Observations) -> Finding:
    """Whether a client that comes back to a stream of any server gets what it missed."""
    again, ids = seen.resumed, list(dict.fromkeys(seen.opened.ids if seen.opened is not None else ()))
    if seen.opened is None or not seen.opened.arrivals:
        return skipped("No event came to resume from.")
    if not ids:
        return warning("No event has an id, so a client that comes back misses events.", "an `id` in each event.")
    if again is None or (not again.arrivals and again.status in (0, 200) and not again.error):
        return skipped("No event came after the return, or the time was over.")
    if again.status == 204:
        return ok("A client that comes back gets 204, and stops.")
    if not again.is_event_stream:
        return fault(f"A client that comes back gets no stream ({again.outcome}).", SEE_LOGS)
    if ids[0] not in again.ids and ids[1:2] in ([], again.ids[:1]):
        return ok("A client that comes back goes on where it was.")
    got = "gets again what it has" if ids[0] in again.ids else "does not get what it missed"
    change = "a history of the server; or a proxy removes the header: <request header Last-Event-ID>"
    return warning(f"A client that comes back with Last-Event-ID {got}.", change)


def check_caching(seen: Observations) -> Finding:
    """Whether a cache on the way answers with former states, or may [RFC 9111 §3]."""
    last = seen.last_poll.session(seen.session_id) if seen.last_poll is not None else None
    if seen.is_moving and last is not None and last["status"] != "completed":
        why = "a cache answers, or a server that shares no store with the others"
        return fault(f"A poll after the end still brings the state `{last['status']}`: {why}.", "<caching>")
    polls = () if seen.is_foreign else (seen.poll, seen.tagged_poll, seen.last_poll)
    if any(_is_from_cache(each.headers) for each in (*polls, seen.stream) if each is not None):
        return fault("A cache answers in place of the server.", "<caching>")
    control = ", ".join(values_of(seen.opened.headers, "cache-control")).lower() if seen.opened else "no-store"
    if "no-store" in control or (seen.is_foreign and ("no-cache" in control or "private" in control)):
        return ok("No cache answers.")
    if seen.is_foreign:
        return warning("Nothing keeps caches from storing the stream.", "`Cache-Control: no-store` of the server.")
    return warning("A proxy has removed `no-store` from the Cache-Control of the stream.", "<caching>")


def _is_from_cache(headers: Headers) -> bool:
    hits = (value for name in _HIT_HEADERS for value in values_of(headers, name))
    has_age = any(re.fullmatch(r"0*[1-9]\d*", age, re.ASCII) for age in values_of(headers, "age"))
    return has_age or any("hit" in value.lower() for value in hits)


def check_cors(seen: Observations) -> Finding:
    """Whether pages of the given origin may read the answers; those of a progress server with a token."""
    origin, stream = seen.origin, seen.opened
    if origin is None:
        return skipped("Give the origin of a page that is served from elsewhere by --origin.")
    if origin == origin_of(seen.url):
        return ok("Pages of the server's own origin need no permission.")
    refused = None if seen.is_foreign else _cors_refusal(seen, origin, "polls", seen.poll.headers)
    if refused is None and stream is not None:
        refused = _cors_refusal(seen, origin, "streams", stream.headers)
    if refused is not None or seen.is_foreign:
        return refused or (ok(f"Pages of {origin} may read the stream.") if stream is not None else NO_STREAM)
    if not _allows_polls(seen.preflight, origin):
        text = "A browser's preflight request (OPTIONS) is not answered as it must be"
        settings = "By method: <methods> By header: <response header Access-Control-Allow-Headers>"
        change = f"the proxy must pass OPTIONS on, and not answer it. {settings}"
        return fault(f"{text}, so pages of {origin} cannot send {' or '.join(POLL_HEADERS)}.", change)
    has_cookies = values_of(seen.poll.headers, "access-control-allow-credentials") == ["true"]
    return ok(f"Pages of {origin} may read polls and streams{', with cookies too' if has_cookies else ''}.")


def _cors_refusal(seen: Observations, origin: str, name: str, headers: Headers) -> Finding | None:
    allowed = [each.strip() for value in values_of(headers, _ALLOW_ORIGIN.lower()) for each in value.split(",")]
    change = f"<response header {_ALLOW_ORIGIN}>"
    if not allowed:
        setting = f"`{_ALLOW_ORIGIN}: {origin}`" if seen.is_foreign else f"`--allow-origins {origin}`"
        removed = f"{setting} of the server. If it is set, a proxy removes the header Origin or {_ALLOW_ORIGIN}."
        known = f" <request header Origin> {change}" if proxies_in(seen.headers) else ""
        return fault(f"Pages of {origin} may not read {name}: the answer has no {_ALLOW_ORIGIN}.", removed + known)
    if len(allowed) > 1:
        text = f"The answer of {name} has {len(allowed)} values of {_ALLOW_ORIGIN}, and browsers refuse that"
        return fault(f"{text}: a proxy adds one to the server's.", change)
    if allowed[0] not in (origin, "*"):
        return fault(f"The answer of {name} allows pages of {allowed[0]}, not of {origin}.", change)
    return None


def _allows_polls(preflight: Exchange | None, origin: str) -> bool:
    if preflight is None or not 200 <= preflight.status < 300:
        return False
    origins = values_of(preflight.headers, _ALLOW_ORIGIN.lower())
    listed = ",".join(values_of(preflight.headers, "access-control-allow-headers")).lower().split(",")
    # A `*` does not stand for Authorization [Fetch, CORS-preflight fetch].
    return origins in ([origin], ["*"]) and {each.lower() for each in POLL_HEADERS} <= {each.strip() for each in listed}


def span(seconds: float) -> str:
    """Return a duration in words, below a minute with tenths of a second."""
    return in_words(seconds) if seconds >= 60 else f"{round(seconds, 1):g} s"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
