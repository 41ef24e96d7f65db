"""Checks of the way to a server, and of any event stream, by the standards; and of a progress server. Pure."""

import re
from itertools import pairwise
from typing import Final

from progress_sse.cli.doctor.findings import PROXIES, Finding, fault, ok, proxies_in, skipped, warning
from progress_sse.cli.doctor.observations import HELD_S, Answer, Observations, Piece, origin_of
from progress_sse.core.durations import in_words

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
EXPIRY_DAYS: Final = 14  # Before which a certificate should have been renewed.
SLOW_S: Final = 3.0  # After which a viewer calls the beginning slow.
PAUSE_S: Final = 1.0  # For which no server pauses within a line.
HEARTBEAT_S: Final = 15.0  # After which the standard advises a comment on a silent stream.
SILENCE_S: Final = 60.0  # After which many proxies and load balancers cut an answer.

POLL_HEADERS: Final = ("authorization", "if-none-match")
"""The headers of a page's polls for which a browser asks the server first."""

_ADD_TLS: Final = "put TLS in front, and use an https URL."
_SEE_LOGS: Final = "see the log of the proxy and of the server."
_ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"
_HIT_HEADERS: Final = ("x-cache", "x-cache-status", "x-proxy-cache", "cf-cache-status")
_SIGN_OF_LIFE: Final = re.compile(r"ping|heart-?beat|keep-?alive", re.IGNORECASE)


def check_address(seen: Observations) -> Finding:
    """Whether the host name has an address, and a server accepts connections there."""
    network = seen.network
    addresses = ", ".join(network.addresses)
    if network.environment_proxy:
        text = f"The environment sends requests through {network.environment_proxy}; browsers may take another way."
        return warning(text, "unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or add the host to NO_PROXY.")
    if not addresses:
        return fault(f"{seen.host} has no address: {network.error}.", "the host name in the URL, or its DNS entry.")
    if network.connect_s is None:
        text = f"Nothing accepts connections at {seen.url} ({addresses}): {network.error}."
        return fault(text, "the port in the URL, the firewall, or the address that the proxy or server listens on.")
    return ok(f"{addresses} accepts connections within {network.connect_s * 1000:.0f} ms.")


def check_tls(seen: Observations) -> Finding:
    """Whether TLS protects tokens, by a certificate that stays valid."""
    network = seen.network
    days = network.certificate_days
    if not seen.has_tls:
        text = "Without TLS every machine on the way can read streams and tokens."
        return ok("Not needed on this machine.") if seen.host in LOOPBACK else warning(text, _ADD_TLS)
    if network.environment_proxy:
        return skipped("The requests go through the proxy of the environment.")
    if not network.tls_version:
        change = f"a certificate for {seen.host} with its intermediate ones; SSL_CERT_FILE for an authority of yours."
        return fault(f"TLS fails: {network.error}.", change)
    if days is not None and days < EXPIRY_DAYS:
        return warning(f"The certificate expires in {days:.0f} days.", "renew the certificate.")
    left = "" if days is None else f" for {days:.0f} days more"
    return ok(f"{network.tls_version}; the certificate is valid{left}.")


def check_http_version(seen: Observations) -> Finding:
    """Whether browsers get HTTP/2, where any number of streams share one connection."""
    text = "HTTP/1.1: a browser opens six connections to an origin over all its tabs, so a seventh stream waits"
    if seen.network.alpn == "h2":
        return ok("HTTP/2.")
    if seen.has_tls and not seen.network.tls_version:
        return skipped("There is no TLS connection.")
    if not seen.has_tls and seen.host in LOOPBACK:
        return ok(f"{text}. Browsers use HTTP/2 over TLS only.")
    return warning(f"{text}.", "<http2>" if seen.has_tls else _ADD_TLS)


def check_server(seen: Observations) -> Finding:
    """Whether a server of streams, or of this project, answers, and can do so while a stream is open."""
    poll = seen.poll
    way = " and ".join(proxies_in(seen.headers)) or "no proxy that shows itself"
    if seen.polled is not None:
        return ok(f"A progress server answers within {poll.over_at - poll.began:.3f} s, through {way}.")
    if seen.stream.is_event_stream and "not within" in poll.error:
        change = "a server with threads or an event loop (gunicorn: `--threads` or `--worker-class`)."
        return fault("While the stream is open, no other request is answered: the server serves one at a time.", change)
    if seen.is_foreign:
        return ok(f"A server of another kind answers, through {way}.")
    if poll.error:
        change = "the address, or the proxy: does it reach the server, and does it hold answers back?"
        return fault(f"The request fails: {poll.error}.", change)
    kind = poll.headers.get("location") or poll.media_type or "no type"
    other = f"the answer ({kind}) is not that of a progress server, nor an event stream."
    text, change = _REFUSALS.get(poll.status, (other, "the path of the URL: no login page or fallback may answer."))
    return fault(f"{poll.status}: {text}", change)


_REFUSALS: Final = {
    401: ("the server gets no token that it accepts.", "--token, or a proxy: <request header Authorization>"),
    403: ("the token does not allow to read the session, or a proxy refuses.", "the token, or --session."),
    404: ("nothing is at this path.", "the path of the URL, as the proxy passes it on, or the mount point."),
    421: ("without tokens the server does not answer to this host name.", "serve with a token, or with --insecure."),
    429: ("that is more often than the server allows.", "wait, or raise `read_rate`."),
    **dict.fromkeys((502, 503, 504), ("the proxy gets no answer from the server.", "its address, and its log.")),
}


def check_content_type(seen: Observations) -> Finding:
    """Whether the answer is an event stream, and events come in it [HTML §9.2.5]."""
    stream = seen.stream
    if not stream.status and stream.error:
        return fault(f"The stream cannot be opened: {stream.error}.", _SEE_LOGS)
    if not stream.status or refusal_of(stream):
        return skipped("No stream came.")
    if not stream.is_event_stream:
        text = f"The stream is answered with {stream.status} and the content type {stream.media_type or 'none'}"
        change = "the rules of the proxy for the path of the stream. By type: <response header Content-Type>"
        return fault(f"{text}; an EventSource gives up.", change)
    is_readable = bool(stream.comments or stream.retry_ms) and not stream.has_ended
    if stream.pieces and not stream.arrivals and not is_readable:
        change = "the server: an event is lines such as `data: text`, and an empty line at the end. Has it room?"
        return fault(f"{sum(each.size for each in stream.pieces)} bytes came, but no event.", change)
    return ok(f"text/event-stream; events: {len(stream.arrivals)}, comments: {stream.comments}.")


def check_buffering(seen: Observations) -> Finding:
    """Whether each event comes when it is sent."""
    stream = seen.stream
    held = held_back(seen)
    asking = "" if "x-accel-buffering" in stream.headers else " Or `X-Accel-Buffering: no` of the server (nginx)."
    if held:
        return fault(f"{held} Something between buffers the stream.", f"<buffering>{asking}")
    times = [each.at for each in stream.arrivals]
    bursts = [at for at, later in pairwise([*sorted({*times}), stream.over_at]) if later - at > HELD_S]
    if len(bursts) > 1 and all(times.count(at) > 2 for at in bursts):
        return warning("Events come in bursts, which the server may not have sent so.", f"<buffering>{asking}")
    if seen.delays_s:
        return ok(f"{len(seen.delays_s)} updates came, the slowest {max(seen.delays_s):.3f} s after its report.")
    return ok(f"Pieces: {len(stream.pieces)}. None shows that it was held back.") if stream.pieces else NO_STREAM


def held_back(seen: Observations) -> str:
    """Return in words what shows that events are held back; empty if nothing does."""
    stream = seen.stream
    times = {each.at for each in stream.arrivals}
    if not stream.status and not stream.error:
        return "Nothing of the stream came, not even its head, although the server answers other requests."
    for piece, later in pairwise([*stream.pieces, Piece(stream.over_at, 0)]):
        if piece.is_torn and later.at - piece.at > PAUSE_S:
            return f"{piece.size} bytes ended within a line, and {span(later.at - piece.at)} without a byte followed."
    if len(times) == 1 < len(stream.arrivals) and stream.has_ended and max(times) - stream.began > HELD_S:
        return "The whole stream came at once, with its end."
    return f"An update did not come within {HELD_S:g} s of its report." if seen.is_late else ""


def refusal_of(answer: Answer) -> str:
    """Return why a proxy does not forward a stream piece by piece [RFC 10036; RFC 9209 §2.3]; empty if it does."""
    found = re.search(r"error=(incremental_refused|connection_limit_reached)\b", answer.headers.get("proxy-status", ""))
    return found[1] if found else ""


def check_incremental(seen: Observations) -> Finding:
    """Whether the stream asks proxies to forward each piece at once, and none refuses [RFC 10036]."""
    refusal = refusal_of(seen.stream)
    value = seen.stream.headers.get("incremental", "")
    if refusal:
        text = f"A proxy refuses to forward the stream piece by piece ({seen.stream.status}, {refusal})."
        return fault(text, "<inspection>" if "refused" in refusal else "the proxy's limit of concurrent requests.")
    if not seen.stream.is_event_stream:
        return NO_STREAM
    if value and not re.fullmatch(r"\?1 *(;.*)?", value):
        return warning(f"Proxies ignore `Incremental: {value}`.", "`Incremental: ?1` of the server, once.")
    return ok(f"The stream {'asks' if value else 'does not ask'} proxies to forward each piece at once; none refuses.")


NO_STREAM: Final = skipped("There is no stream.")


def check_first_byte(seen: Observations) -> Finding:
    """How soon the stream begins."""
    head_s = seen.stream.head_at - seen.stream.began
    text = f"The stream begins after {head_s:.2f} s."
    change = "a server that sends the head before its first event (Node: `flushHeaders()`, Go: `Flush()`)."
    return warning(text, change) if head_s > SLOW_S else ok(text)


def check_compression(seen: Observations) -> Finding:
    """Whether the stream is compressed: that delays events, and costs memory for each stream."""
    encoding = seen.stream.headers.get("content-encoding", "identity")
    if encoding == "identity":
        return ok("The stream is not compressed.")
    grade = fault if held_back(seen) else warning
    return grade(f"Something compresses the stream ({encoding}), which may hold events back.", "<compression>")


def check_chunking(seen: Observations) -> Finding:
    """Whether the stream has no length, and a cut of it can be recognised [RFC 9112 §6.3]."""
    length = seen.stream.headers.get("content-length")
    if length:
        change = "a server that streams; or a proxy collects the answer: <buffering>"
        return fault(f"The stream ends after {length} bytes, by its Content-Length.", change)
    is_chunked = "chunked" in seen.stream.headers.get("transfer-encoding", "").lower()
    return ok(f"A cut {'is distinguished from' if is_chunked else 'looks like'} an end of the stream.")


def check_heartbeats(seen: Observations) -> Finding:
    """Whether comments, or events in their place, keep a silent stream open [HTML §9.2.7]."""
    stream = seen.stream
    proxies = proxies_in(seen.headers)
    times = [stream.head_at, *(each.at for each in stream.pieces), stream.over_at]
    lasted_s = times[-1] - stream.began
    silences_s = [later - earlier for earlier, later in pairwise(times)]
    if stream.has_ended and stream.error:
        text = f"The stream was cut after {span(lasted_s)}, the last {span(silences_s[-1])} without a byte"
        return fault(f"{text}: {stream.error}.", "<silence> Or a comment every 15 s from the server.")
    signs = sum(each.comments for each in stream.pieces[1:])  # Many servers greet by a comment.
    signs += sum(bool(_SIGN_OF_LIFE.search(each.event.event)) for each in stream.arrivals)
    if held_back(seen) or (not signs and stream.has_ended and lasted_s < HEARTBEAT_S):
        return skipped("The stream is held back, or ended before a heartbeat was due.")
    limit_s = min((PROXIES[name].get("silence_s", SILENCE_S) for name in proxies), default=SILENCE_S)
    came = f"Comments within {span(lasted_s)}: {signs}; the longest silence: {span(max(silences_s))}"
    if signs and max(silences_s) < limit_s:
        return ok(f"{came}.")
    text = f"{came}. After {limit_s:g} s of silence {' and '.join(proxies) or 'many proxies'} would cut the stream."
    return warning(text, "a comment (`: ping`) every 15 s from the server. Or: <silence>")


def check_resume(seen: Observations) -> Finding:
    """Whether a client that comes back to a stream gets what it missed, and nothing twice."""
    again = seen.resumed
    ids = seen.stream.ids
    if not seen.stream.arrivals:
        return skipped("No event came to resume from.")
    if not ids:
        return warning("No event has an id, so a client that comes back misses events.", "an `id` in each event.")
    if again.status in (0, 200) and not (again.arrivals or again.error):
        return skipped("No event came after the return, or no time was left.")
    if again.status == 204:
        return ok("A client that comes back gets 204, and stops.")
    if not again.is_event_stream:
        return fault(f"A client that comes back gets no stream ({again.outcome}).", _SEE_LOGS)
    if ids[0] not in again.ids and ids[1:2] in ([], again.ids[:1]):
        return ok("A client that comes back continues where it was.")
    got = "gets again what it has" if ids[0] in again.ids else "does not get what it missed"
    change = "a longer history of the server; or a proxy removes the header: <request header Last-Event-ID>"
    return warning(f"A client that comes back with Last-Event-ID {got}.", change)


def check_caching(seen: Observations) -> Finding:
    """Whether a cache on the way answers with former states, or may [RFC 9111 §3]."""
    polled = seen.tagged_poll.session(seen.session_id)
    if seen.is_moving and polled is not None and polled["status"] == "not_found":
        return fault("A poll after reports still brings the state `not_found`, as from a cache.", "<caching>")
    hits = " ".join(seen.headers.get(name, "") for name in _HIT_HEADERS).lower()
    if "hit" in hits or re.search("[1-9]", seen.headers.get("age", "")):
        return fault("A cache answers in place of the server.", "<caching>")
    if re.search("no-store|no-cache|private", seen.stream.headers.get("cache-control", ""), re.IGNORECASE):
        return ok("No cache answers.")
    return warning("Nothing keeps caches from storing the stream.", "`Cache-Control: no-store`; <caching>")


def check_cors(seen: Observations) -> Finding:
    """Whether pages of the given origin may read the stream; of a progress server also polls with a token."""
    origin = seen.origin
    change = f"<response header {_ALLOW_ORIGIN}>"
    if origin is None:
        return skipped("No origin of other pages was named: see --origin.")
    if origin == origin_of(seen.url):
        return ok("Pages of the server's own origin need no permission.")
    allowed = seen.stream.headers.get_list(_ALLOW_ORIGIN, split_commas=True)
    if not allowed:
        removed = f" Or a proxy removes it: <request header Origin> {change}" if proxies_in(seen.headers) else ""
        own = f"`{_ALLOW_ORIGIN}: {origin}` of the server; of one of this project `--allow-origins {origin}`.{removed}"
        return fault(f"Pages of {origin} may not read the stream: the answer has no {_ALLOW_ORIGIN}.", own)
    if allowed not in ([origin], ["*"]):
        return fault(f"The answer allows pages of {' and '.join(allowed)}, where browsers want {origin} alone.", change)
    names = {*map(str.lower, seen.preflight.headers.get_list("access-control-allow-headers", split_commas=True))}
    # A `*` does not stand for Authorization [Fetch, CORS-preflight fetch].
    is_allowed = {*POLL_HEADERS} <= names and seen.preflight.headers.get(_ALLOW_ORIGIN) in (origin, "*")
    if not seen.is_foreign and not is_allowed:
        text = f"A browser's preflight request (OPTIONS) does not let pages of {origin} send a token or If-None-Match."
        return fault(text, "<methods> By header: <response header Access-Control-Allow-Headers>")
    return ok(f"Pages of {origin} may read the stream.")


def check_session(seen: Observations) -> Finding:
    """Whether the doctor has a session that moves, and has removed it."""
    creation = seen.creation
    refused = seen.refused_report
    if seen.is_given:
        status = seen.polled["status"] if seen.polled is not None else ""
        text = f"The doctor reads the session {seen.session_id} (`{status}`), and changes nothing."
        change = "the id at --session, unless its job has yet to start."
        return warning(text, change) if status == "not_found" else ok(text)
    if creation.status in (401, 403) and creation.is_problem:
        text = f"No right to create a session ({creation.status}), so nothing moves during the examination."
        return warning(text, "give a token that may publish, or name a session that moves by --session.")
    if creation.status != 201:
        return _refused("A session cannot be created", creation)
    if refused is not None and refused.status == 404 and refused.is_problem:
        text = "A report on the session that was just created gets 404: several servers that share no store answer."
        return fault(text, "one store in Redis for all servers, or one server.")
    if refused is not None:
        return _refused("Reports on a session are refused", refused)
    if seen.deletion.status != 204:
        return _refused(f"The session {seen.session_id} could not be removed", seen.deletion)
    return ok(f"Reports on the doctor's own session, {seen.session_id}, arrive. It has been removed.")


def _refused(what: str, answer: Answer) -> Finding:
    is_by_proxy = 400 <= answer.status < 500 and not answer.is_problem
    text = f"{what}: {answer.outcome}. {answer.value('detail')}".rstrip()
    return fault(text, "<methods>" if is_by_proxy else "see the server's log.")


def check_end(seen: Observations) -> Finding:
    """Whether streams of a completed session end for good."""
    if not seen.stream.of("end"):
        return skipped("The end of the session was not seen.")
    if seen.returned.status == 204:
        return ok("The end arrives, and a client that comes back nevertheless gets 204.")
    text = f"After the end a client that comes back gets {seen.returned.outcome} instead of 204, again and again."
    return fault(text, "see resume; or the rules of the proxy for answers without a body.")


def check_polling(seen: Observations) -> Finding:
    """Whether a poll of an unchanged session costs no more than a 304."""
    first = seen.tagged_poll
    again = seen.repoll
    if first.status != 200 or again.status not in (200, 304):
        return skipped("A poll was not answered.")
    if again.status == 304:
        return ok("A poll of an unchanged session gets 304.")
    if "etag" not in first.headers:
        return warning("The answer has no ETag, so each poll carries the whole session.", "<response header ETag>")
    if again.body != first.body:
        return skipped("The session has changed between two polls.")
    text = "A poll with If-None-Match gets the whole session, although it is unchanged."
    return warning(text, "<request header If-None-Match> Or Apache: `DeflateAlterETag NoChange`.")


def check_tokens(seen: Observations) -> Finding:
    """Whether a ticket in the URL opens a stream, for clients that can set no header."""
    if seen.ticket.is_problem:
        return skipped(f"Without a token that it knows, the server issues no ticket ({seen.ticket.status}).")
    if seen.ticket.status != 201:
        return fault(f"The server issues no ticket ({seen.ticket.outcome}).", "<methods>")
    if seen.ticket_stream.status == 200:
        return ok("A ticket in the URL opens a stream.")
    if held_back(seen):
        return skipped("Streams are held back.")
    text = f"The server does not accept the ticket that it has issued ({seen.ticket_stream.outcome})."
    return fault(text, "one store in Redis for all servers; or the query is removed: <query>")


def span(seconds: float) -> str:
    """Return a duration in words, below a minute with tenths of a second."""
    return in_words(seconds) if seconds >= 60 else f"{round(seconds, 1):g} s"
