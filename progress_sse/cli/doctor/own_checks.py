"""Checks of a progress server: of its sessions, streams, polls, tickets and cookies. Pure."""

from datetime import datetime
from itertools import pairwise
from typing import Final
from urllib.parse import urlsplit

from progress_sse.cli.doctor import checks
from progress_sse.cli.doctor.checks import HELD_S, LONGEST_WAIT_S, NO_STREAM, SLOW_S, held_back, span
from progress_sse.cli.doctor.findings import Finding, fault, ok, skipped, warning
from progress_sse.cli.doctor.observations import (
    Answer,
    Exchange,
    Observations,
    Stream,
    media_type_of,
    value_in,
    values_of,
)

SKEW_S: Final = 5.0
"""Seconds by which the clocks of a server and of the machine that makes its tokens may differ."""

REFUSED_RETRY_MS: Final = 30_000
"""The `retry` with which a server without room ends a stream at once."""

_SHARE_STORE: Final = "one store in Redis for all servers, or one server."
_ADD_ROOM: Final = (
    "raise `max_streams`, `max_streams_per_caller` or `read_rate` of the server; behind a proxy all readers are one "
    "caller, until `trusted_proxies` names the proxy."
)


def check_session(seen: Observations) -> Finding:
    """Whether the doctor has a session that moves, and has removed it."""
    creation, refused, deletion = seen.creation, seen.refused_report, seen.deletion
    if creation is None:
        return _given_session(seen)
    if seen.is_lost:
        text = "A report on the session that was just created gets 404: several servers that share no store answer."
        return fault(text, _SHARE_STORE)
    if creation.status in (401, 403) and creation.is_problem:
        text = f"No right to create a session ({creation.status}), so nothing moves during the examination."
        return warning(text, "give a token that may publish, or a session that moves by --session.")
    if not seen.has_created:
        return _refused("A session cannot be created", creation)
    if refused is not None:
        return _refused("Reports on a session are refused", refused)
    if deletion is not None and deletion.status != 204:
        change = _if_by_proxy(deletion) or "delete it, or wait until the server removes it."
        return warning(f"The session {seen.session_id} could not be removed: {deletion.outcome}.", change)
    return ok(f"Reports on a session of its own arrive; {seen.session_id} is removed again.")


def _given_session(seen: Observations) -> Finding:
    status = seen.polled["status"] if seen.polled is not None else ""
    if status != "not_found":
        return ok(f"The doctor reads the session {seen.session_id} (`{status}`), and changes nothing.")
    text = f"The server knows no session {seen.session_id}, so nothing moves during the examination."
    return warning(text, "the id at --session, unless its job has yet to start.")


def _refused(what: str, exchange: Exchange) -> Finding:
    text = f"{what}: {exchange.outcome}. {value_in(exchange.body, 'detail')}".rstrip()
    return fault(text, _if_by_proxy(exchange) or "see the server's log.")


def _if_by_proxy(exchange: Exchange) -> str:
    return "<methods>" if 400 <= exchange.status < 500 and not exchange.is_problem else ""


def check_snapshot(seen: Observations) -> Finding:
    """How soon the session's state comes, and whether it is that of the session."""
    stream = seen.opened
    if stream is None:
        return NO_STREAM
    snapshots = stream.of("snapshot")
    if not snapshots and _has_no_room(stream):
        return fault("The server has no room for the stream, and asks to come back later.", _ADD_ROOM)
    if not snapshots:
        return fault("No snapshot came.", checks.slowness_remedy(seen))
    if seen.is_moving and value_in(snapshots[0].event.data, "status") == "not_found":
        text = "The stream does not know the session that was just created: several servers that share no store answer."
        return fault(text, _SHARE_STORE)
    after_s = snapshots[0].at - stream.began
    text = f"The snapshot comes after {after_s:.2f} s."
    return warning(text, checks.slowness_remedy(seen)) if after_s > SLOW_S else ok(text)


def _has_no_room(stream: Stream) -> bool:
    return stream.ended_at is not None and (stream.retry_ms or 0) >= REFUSED_RETRY_MS


def check_query(seen: Observations) -> Finding:
    """Whether the query of a URL arrives: heartbeats as events, tickets and positions need it."""
    if seen.opened is None or not seen.opened.arrivals:
        return skipped("No event came.")
    if seen.opened.of("heartbeat"):
        return ok("The query of the URL arrives.")
    text = "The query of the URL does not arrive: the stream brings no heartbeats as events, and takes no ticket."
    return fault(text, "<query>")


def check_heartbeats(seen: Observations) -> Finding:
    """Whether a silent stream stays open, by heartbeats that come in time."""
    stream = seen.opened
    if stream is None or not stream.interval_s:
        return skipped("No heartbeat came as an event.")
    interval_s, limit_s = stream.interval_s, checks.silence_limit_s(seen)
    every, times = f"a heartbeat every {span(interval_s)}", [each.at for each in stream.of("heartbeat")]
    if stream.ended_at is not None and not stream.of("end"):
        return checks.cut(stream, f"; the server sends {every}", "a lower `heartbeat_s` of the server.")
    if held_back(seen):
        return skipped("Events are held back.")
    if interval_s >= limit_s:
        text = f"The server sends {every}, and proxies cut streams that are silent for {span(limit_s)}."
        return warning(text, f"a `heartbeat_s` of the server well below {limit_s:g}.")
    if interval_s > LONGEST_WAIT_S:
        return skipped(f"The server sends {every}, and the doctor does not wait so long.")
    if len(times) == 1 and stream.of("end"):
        return skipped("The session was completed before a heartbeat was due.")
    if len(times) == 1:
        return fault(f"No heartbeat came within {span(interval_s)}.", "<buffering>")
    longest_s = max(later - earlier for earlier, later in pairwise(times))
    if longest_s > 1.5 * interval_s + HELD_S:
        return fault(f"Heartbeats come {span(longest_s)} apart instead of {span(interval_s)}.", "<buffering>")
    return ok(f"A heartbeat comes every {span(interval_s)}; the stream stays open between them.")


def check_resume(seen: Observations) -> Finding:
    """Whether a client that comes back gets what it missed, and nothing else."""
    if seen.resumed is None:
        return skipped("No event with an id came to resume from, or the time was over.")
    if _has_resumed(seen.resumed):
        return ok("A client that comes back gets exactly what it missed.")
    if _has_resumed(seen.resumed_by_query):
        text = "The header Last-Event-ID does not arrive: after each cut a client gets the whole session again."
        return fault(text, "<request header Last-Event-ID>")
    if _has_no_room(seen.resumed):
        return fault("The server has no room for the stream of a client that comes back.", _ADD_ROOM)
    if not seen.resumed.arrivals:
        reason = seen.resumed.status or seen.resumed.error or "no event came"
        return fault(f"A client that comes back gets no stream ({reason}).", checks.SEE_LOGS)
    history = "a larger `history` of the server; one store for all servers"
    change = f"{history}; and a proxy that passes on the header Last-Event-ID and the query."
    return warning("A client that comes back gets the whole session again.", change)


def _has_resumed(stream: Stream | None) -> bool:
    return stream is not None and (stream.status == 204 or (bool(stream.arrivals) and not stream.of("snapshot")))


def check_end(seen: Observations) -> Finding:
    """Whether streams of a completed session end for good."""
    if seen.opened is None:
        return NO_STREAM
    if not seen.is_moving:
        return skipped("It needs a session of the doctor's own.")
    if seen.returned is None:
        return skipped("The end of the session was not seen.")
    if seen.returned.status == 204:
        return ok("The end arrives, and a client that comes back all the same gets 204.")
    if not _has_resumed(seen.resumed):
        return skipped("Clients cannot resume.")
    text = (
        f"After the end a client that comes back gets {seen.returned.outcome} instead of 204, and so again and again."
    )
    return fault(text, "the rules of the proxy for answers without a body; the server's log.")


def check_polling(seen: Observations) -> Finding:
    """Whether a poll of an unchanged session costs no more than a 304."""
    tagged, again = seen.tagged_poll, seen.repoll
    if tagged is None or tagged.status != 200:
        return skipped("A second poll was not answered.")
    kind, tags = media_type_of(tagged.headers) or "none", values_of(tagged.headers, "etag")
    if tagged.error:
        return fault(f"The answer broke off after {len(tagged.body)} bytes: {tagged.error}.", checks.BROKEN_OFF)
    if kind != "application/json":
        text = f"The content type of polls is {kind}; `progress-sse watch` refuses it."
        return fault(text, "<response header Content-Type>")
    if not tags:
        return warning("The answer has no ETag, so each poll carries the whole session.", "<response header ETag>")
    if again is None or again.status not in (200, 304):
        return skipped("A poll with If-None-Match was not answered.")
    if again.status == 304:
        return ok("A poll of an unchanged session gets 304.")
    if seen.is_lost:
        return checks.SEVERAL_STORES
    if "-gzip" in tags[0]:
        text = "Compression changes the ETag, so each poll carries the whole session."
        return warning(text, "Apache: `DeflateAlterETag NoChange`.")
    text = "A poll with If-None-Match gets the whole session, although it is unchanged."
    return warning(text, "<request header If-None-Match>")


def check_clock(seen: Observations) -> Finding:
    """Whether both clocks agree. Pages correct running times by the server's clock; tokens expire by it."""
    stream = seen.stream
    if stream is None or not stream.of("heartbeat") or held_back(seen):
        return skipped("No heartbeat came in time as an event.")
    at, event = stream.of("heartbeat")[0]
    try:
        server = datetime.fromisoformat(value_in(event.data, "now")).timestamp()
    except (ValueError, OverflowError):
        return skipped("The heartbeat lacks the server's time.")
    ahead_s, uncertain_s = server - ((stream.began + at) / 2 + seen.wall_offset_s), (at - stream.began) / 2
    if abs(ahead_s) <= max(SKEW_S, uncertain_s):
        return ok(f"The server's clock agrees with this one within {span(max(abs(ahead_s), uncertain_s, 0.1))}.")
    text = f"The server's clock is {span(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} this one"
    return warning(
        f"{text}: it may refuse valid tokens, or accept expired ones.", "synchronise both clocks, as by NTP."
    )


def check_tickets(seen: Observations) -> Finding:
    """Whether a ticket in the URL opens a stream, for clients that can set no header."""
    if _why_unneeded(seen):
        return skipped(_why_unneeded(seen))
    if seen.ticket is None or seen.ticket.status != 201:
        return fault(f"The server issues no ticket ({_outcome(seen.ticket)}).", "<methods>")
    if seen.ticket_stream is not None and seen.ticket_stream.status == 200:
        return ok("A ticket opens a stream.")
    if held_back(seen):
        return skipped("Streams are held back.")
    got = "no ticket in the answer" if seen.ticket_stream is None else seen.ticket_stream.outcome
    change = "one store in Redis for all servers; or the query is removed: <query>"
    return fault(f"The server does not accept the ticket that it has issued ({got}).", change)


def check_cookie(seen: Observations) -> Finding:
    """Whether a browser can keep the token in a cookie, and the cookie arrives."""
    if _why_unneeded(seen):
        return skipped(_why_unneeded(seen))
    if seen.cookie is None or seen.cookie.status != 204:
        return fault(f"The server sets no cookie ({_outcome(seen.cookie)}).", "<methods>")
    cookies = values_of(seen.cookie.headers, "set-cookie")
    if not cookies:
        return fault("The answer lacks Set-Cookie.", "<response header Set-Cookie>")
    pairs = (each.partition("=") for each in cookies[0].split(";")[1:])
    attributes = {name.strip().lower(): value.strip() for name, _, value in pairs}
    path = attributes.get("path", "/")
    if not f"{urlsplit(seen.url).path}/".startswith(path):
        text = f"The cookie is for {path}, which the URL is not below: browsers will not send it."
        return fault(text, "the mount point (root_path) of the server, as the proxy's public path.")
    if "secure" in attributes and not seen.has_tls and seen.host not in checks.LOOPBACK:
        return warning("Without TLS browsers do not keep the cookie.", checks.ADD_TLS)
    if seen.cookie_poll is None or seen.cookie_poll.status != 200:
        text = f"The server does not accept its own cookie ({_outcome(seen.cookie_poll)})."
        return fault(text, "<request header Cookie>")
    return ok("A browser can keep the token in a cookie, and the server accepts it.")


def _why_unneeded(seen: Observations) -> str:
    if seen.anonymous_poll is None:
        return "Whether reading needs a token was not seen."
    if seen.anonymous_poll.status == 200:
        return "Reading needs no token."
    return "" if seen.has_token else "It needs --token."


def _outcome(answer: Answer | None) -> str:
    return "no answer" if answer is None else answer.outcome
