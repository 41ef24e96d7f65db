"""Checks of what happens after a cut, and while a page polls. Pure."""

from typing import Final

from progress_sse.cli.doctor.findings import Finding, fault, ok, skipped, warning
from progress_sse.cli.doctor.observations import Headers, Observations, Stream, media_type_of, values_of
from progress_sse.cli.doctor.proxies import remedy
from progress_sse.cli.doctor.stream_checks import ADD_ROOM, NO_STREAM, SEVERAL_STORES, is_refused

LAST_EVENT_ID: Final = "Last-Event-ID"

_APACHE_ETAG: Final = "Apache: `DeflateAlterETag NoChange`."

_HIT_HEADERS: Final = ("x-cache", "x-cache-status", "x-proxy-cache", "cf-cache-status")


def check_resume(seen: Observations) -> Finding:
    """Whether a client that comes back gets what it missed, and nothing else."""
    if seen.resumed is None:
        return skipped("No event with an id came to resume from, or the time was over.")
    if _has_resumed(seen.resumed):
        return ok("A client that comes back gets exactly what it missed.")
    if _has_resumed(seen.resumed_by_query):
        return fault(
            f"The header {LAST_EVENT_ID} does not arrive: after each cut a client gets the whole session again.",
            remedy("request header", seen.headers, LAST_EVENT_ID),
        )
    if is_refused(seen.resumed):
        return fault("The server has no room for the stream of a client that comes back.", ADD_ROOM)
    if not seen.resumed.arrivals:
        reason = seen.resumed.status or seen.resumed.error or "no event came"
        return fault(f"A client that comes back gets no stream ({reason}).", "see the log of the proxy and the server.")
    return warning(
        "A client that comes back gets the whole session again.",
        "a larger `history` of the server; one store for all servers; and a proxy that passes on the header "
        f"{LAST_EVENT_ID} and the query.",
    )


def _has_resumed(stream: Stream | None) -> bool:
    if stream is None:
        return False
    return stream.status == 204 or (bool(stream.arrivals) and not stream.of("snapshot"))


def check_end(seen: Observations) -> Finding:
    """Whether streams of a completed session end for good."""
    stream = seen.stream
    if stream is None or not stream.is_event_stream:
        return skipped(NO_STREAM)
    if not seen.is_moving:
        return skipped("It needs a session of the doctor's own.")
    if seen.returned is None:
        return skipped("The end of the session was not seen.")
    if seen.returned.status == 204:
        return ok("The end arrives, and a client that comes back all the same gets 204.")
    if not _has_resumed(seen.resumed):
        return skipped("Clients cannot resume.")
    return fault(
        f"After the end a client that comes back gets {seen.returned.status or seen.returned.error} instead of 204, "
        "and so comes back for ever.",
        "the rules of the proxy for answers without a body; the server's log.",
    )


def check_polling(seen: Observations) -> Finding:
    """Whether a poll of an unchanged session costs no more than a 304."""
    tagged, again = seen.tagged_poll, seen.repoll
    if tagged is None or tagged.status != 200:
        return skipped("A second poll was not answered.")
    if tagged.error:
        return fault(
            f"The answer broke off after {len(tagged.body)} bytes: {tagged.error}.",
            "the proxy's buffers and temporary files (nginx: rights and room in `proxy_temp_path`).",
        )
    kind = media_type_of(tagged.headers)
    if kind != "application/json":
        return fault(
            f"The content type of polls is {kind or 'none'}; `progress-sse watch` refuses it.",
            remedy("response header", seen.headers, "Content-Type"),
        )
    if not values_of(tagged.headers, "etag"):
        return warning(
            "The answer has no ETag, so each poll carries the whole session.",
            remedy("response header", seen.headers, "ETag"),
        )
    if again is None or again.status not in (200, 304):
        return skipped("A poll with If-None-Match was not answered.")
    if again.status == 304:
        return ok("A poll of an unchanged session gets 304.")
    if seen.is_lost:
        return skipped(SEVERAL_STORES)
    if "-gzip" in values_of(tagged.headers, "etag")[0]:
        return warning("Compression changes the ETag, so each poll carries the whole session.", _APACHE_ETAG)
    return warning(
        "A poll with If-None-Match gets the whole session, although it is unchanged.",
        remedy("request header", seen.headers, "If-None-Match"),
    )


def check_caching(seen: Observations) -> Finding:
    """Whether a cache on the way answers with former states."""
    change = remedy("caching", seen.headers)
    last = seen.last_poll.session(seen.session_id) if seen.last_poll is not None else None
    if seen.is_moving and last is not None and last["status"] != "completed":
        return fault(
            f"A poll after the end still brings the state `{last['status']}`: a cache answers, or a server that shares "
            "no store with the others.",
            change,
        )
    if any(map(_is_from_cache, _answers(seen))):
        return fault("A cache answers in place of the server.", change)
    stream = seen.stream
    if stream is not None and stream.is_event_stream and not _forbids_storing(stream.headers):
        return warning("A proxy has removed `no-store` from the Cache-Control of the stream.", change)
    return ok("No cache answers.")


def _answers(seen: Observations) -> list[Headers]:
    answers = (seen.poll, seen.tagged_poll, seen.last_poll, seen.stream)
    return [each.headers for each in answers if each is not None]


def _is_from_cache(headers: Headers) -> bool:
    hits = (value for name in _HIT_HEADERS for value in values_of(headers, name))
    return any("hit" in value.lower() for value in hits) or any(map(_is_positive, values_of(headers, "age")))


def _is_positive(age: str) -> bool:
    return age.isascii() and age.isdigit() and int(age[:15]) > 0


def _forbids_storing(headers: Headers) -> bool:
    return any("no-store" in value.lower() for value in values_of(headers, "cache-control"))
