"""Each check: what is seen of one fault, in words, and what to change, where nginx is the proxy."""

from typing import Any

import pytest

from progress_sse.cli.doctor import findings_of
from progress_sse.cli.doctor.findings import Level
from progress_sse.cli.doctor.observations import Exchange, Headers, Network, Stream
from tests.cli.doctor.seen import (
    ARRIVALS,
    BEGINNING,
    COOKIE,
    CORS,
    EVENTS,
    JSON,
    LAST,
    ORIGIN,
    PROBLEM,
    READING,
    REFUSED_STREAM,
    SESSION,
    STEPS,
    departures,
    headers_with,
    healthy,
    heartbeat,
    session_body,
    stream,
    the_one,
    through,
)

ALLOWED = "access-control-allow-origin"
OTHER_PAGE: Headers = ((ALLOWED, "https://other.example"),)
BOTH = "authorization, if-none-match"
HTML: Headers = (("content-type", "text/html"), ("server", "nginx"))
DETAIL = b'{"detail": "The store is full."}'
GOOD = healthy().network
AGAIN = stream(*BEGINNING, *LAST, ended_at=27)
RESUMED = stream(*STEPS[1:], *LAST, ended_at=27)
FULL = Stream(200, EVENTS, retry_ms=30_000, ended_at=1)
OTHER_COOKIE = headers_with(COOKIE, set_cookie="progress_sse=t; Path=/jobs/; Secure")
NO_ETAG, PLAIN = headers_with(JSON, etag=None), headers_with(JSON, content_type="text/plain")
GZIPPED = {"tagged_poll": Exchange(200, headers_with(JSON, etag='"e-4-gzip"')), "repoll": Exchange(200, JSON)}
AGED = Exchange(200, headers_with(JSON, age="7"), session_body("completed"))
HIT = Exchange(200, headers_with(JSON, x_cache_status="HIT"), session_body("running"))
CACHED, PUBLIC = (
    stream(*ARRIVALS, headers=headers_with(EVENTS + CORS, **each), ended_at=26)
    for each in ({"cf_cache_status": "HIT"}, {"cache_control": "public"})
)


def allowed(names: str) -> Headers:
    """The header by which the answer to a preflight allows headers."""
    return (("access-control-allow-headers", names),)


def polled(*values: str) -> Exchange:
    """The first poll, with these values of the header that allows a page."""
    return Exchange(200, JSON + tuple((ALLOWED, value) for value in values), session_body())


CASES: list[tuple[str, dict[str, Any], Level, str, str]] = [
    ("TLS", {"network": GOOD._replace(certificate_days=3)}, "warning", "expires in 3 days", "renew"),
    ("HTTP version", {"network": GOOD._replace(alpn="http/1.1")}, "warning", "six connections", "http2"),
    ("HTTP version", {"network": GOOD._replace(alpn="")}, "warning", "six connections", "http2"),
    ("session", {"creation": Exchange(403, PROBLEM)}, "warning", "No right to create a session (403)", "may publish"),
    ("session", {"creation": Exchange(507, PROBLEM, DETAIL)}, "fault", "507. The store is full.", "log"),
    ("session", {"creation": Exchange(403, HTML)}, "fault", "403", "limit_except"),
    ("session", {"refused_report": Exchange(405, HTML)}, "fault", "session are refused: 405", "limit_except"),
    ("session", {"refused_report": Exchange(error="closed")}, "fault", "refused: closed", "log"),
    ("session", {"deletion": Exchange(405, HTML)}, "warning", "could not be removed: 405", "limit_except"),
    ("session", {"deletion": Exchange(503, PROBLEM)}, "warning", "could not be removed: 503", "delete it"),
    # A header that is removed is distinguished from a history that is gone, by the same id in the query.
    ("resume", {"resumed": AGAIN, "resumed_by_query": RESUMED}, "fault", "Last-Event-ID does", "proxy_set_header"),
    ("resume", {"resumed": AGAIN, "resumed_by_query": AGAIN}, "warning", "the whole session again", "`history`"),
    ("resume", {"resumed": REFUSED_STREAM}, "fault", "gets no stream (401)", "log"),
    ("resume", {"resumed": Stream(error="closed", ended_at=1)}, "fault", "gets no stream (closed)", "log"),
    ("resume", {"resumed": Stream()}, "fault", "gets no stream (no event came)", "log"),
    ("resume", {"resumed": FULL}, "fault", "no room", "`max_streams`"),
    ("resume", {"resumed": None}, "skipped", "No event with an id", ""),
    ("end", {"returned": RESUMED}, "fault", "instead of 204", "without a body"),
    ("polling", {"tagged_poll": Exchange(200, NO_ETAG)}, "warning", "no ETag", "proxy_hide_header ETag"),
    ("polling", {"repoll": Exchange(200, JSON)}, "warning", "is unchanged", "proxy_set_header If-None-Match"),
    ("polling", {"tagged_poll": Exchange(200, JSON, b"{", "x")}, "fault", "broke off after 1 bytes", "proxy_temp_path"),
    ("polling", {"tagged_poll": Exchange(200, PLAIN)}, "fault", "polls is text/plain", "hide_header Content-Type"),
    ("polling", GZIPPED, "warning", "Compression changes the ETag", "DeflateAlterETag"),
    ("polling", {"tagged_poll": None}, "skipped", "not answered", ""),
    ("polling", {"repoll": Exchange(error="closed")}, "skipped", "not answered", ""),
    ("CORS", {"origin": None}, "skipped", "--origin", ""),
    ("CORS", {"poll": polled()}, "fault", "may not read polls", f"`--allow-origins {ORIGIN}`"),
    ("CORS", {"poll": polled()}, "fault", "may not read polls", "`proxy_set_header Origin`"),
    ("CORS", {"poll": polled(ORIGIN, "*")}, "fault", "2 values", "add_header Access-Control-Allow-Origin"),
    ("CORS", {"poll": polled(f"{ORIGIN}, {ORIGIN}")}, "fault", "2 values", "add_header Access-Control-Allow-Origin"),
    ("CORS", {"poll": polled("https://other.example")}, "fault", "allows pages of https://other", "add_header"),
    ("CORS", {"preflight": Exchange(405, CORS)}, "fault", "preflight", "OPTIONS"),
    ("CORS", {"preflight": Exchange(204)}, "fault", "preflight", "OPTIONS"),
    ("CORS", {"preflight": Exchange(204, CORS)}, "fault", "preflight", "OPTIONS"),
    ("CORS", {"preflight": Exchange(200, CORS + allowed("authorization"))}, "fault", "If-None-Match", "Allow-Headers"),
    ("CORS", {"preflight": Exchange(200, CORS + allowed("*"))}, "fault", "Authorization", "Allow-Headers"),
    ("CORS", {"preflight": Exchange(200, OTHER_PAGE + allowed(BOTH))}, "fault", "preflight", "OPTIONS"),
    ("CORS", {"preflight": None}, "fault", "preflight", "OPTIONS"),
    ("CORS", {"stream": stream(*ARRIVALS, ended_at=26)}, "fault", "may not read streams", "--allow-origins"),
    ("tickets", {"ticket": Exchange(405)}, "fault", "issues no ticket (405)", "limit_except"),
    ("tickets", {"ticket": None}, "fault", "issues no ticket (no answer)", "limit_except"),
    ("tickets", {"ticket_stream": REFUSED_STREAM}, "fault", "the ticket that it has issued (401)", "one store"),
    ("tickets", {"ticket_stream": Stream()}, "fault", "(no answer)", "one store"),
    ("tickets", {"ticket_stream": None}, "fault", "(no ticket in the answer)", "one store"),
    ("cookie", {"cookie": Exchange(405)}, "fault", "sets no cookie (405)", "limit_except"),
    ("cookie", {"cookie": Exchange(204)}, "fault", "lacks Set-Cookie", "Set-Cookie"),
    ("cookie", {"cookie_poll": Exchange(401, PROBLEM)}, "fault", "accept its own cookie (401)", "Cookie"),
    ("cookie", {"cookie_poll": None}, "fault", "accept its own cookie (no answer)", "Cookie"),
    ("cookie", {"cookie": Exchange(204, OTHER_COOKIE)}, "fault", "is for /jobs/", "mount point"),
    ("caching", {"last_poll": Exchange(200, JSON, session_body())}, "fault", "still brings", "`proxy_cache off`"),
    ("caching", {"last_poll": AGED}, "fault", "A cache answers", "`proxy_cache off`"),
    ("caching", {"tagged_poll": HIT}, "fault", "A cache answers", "`proxy_cache off`"),
    ("caching", {"stream": CACHED}, "fault", "A cache answers", "`proxy_cache off`"),
    ("caching", {"stream": PUBLIC}, "warning", "removed `no-store`", "`proxy_cache off`"),
    # Nothing else is checked where the server does not answer a poll.
    ("server", {"poll": Exchange(error="closed")}, "fault", "from https://progress.example.com: closed", "the proxy"),
    ("server", {"poll": Exchange(401, PROBLEM)}, "fault", "the token, or does not get it", "Authorization"),
    ("server", {"poll": Exchange(401, PROBLEM), "has_token": False}, "fault", "wants a token", "give one by --token"),
    ("server", {"poll": Exchange(403, PROBLEM)}, "fault", "does not allow to read", "--session"),
    ("server", {"poll": Exchange(404, PROBLEM)}, "fault", "nothing is at this path", "mount point"),
    ("server", {"poll": Exchange(421, PROBLEM)}, "fault", "does not answer to this host name", "--insecure"),
    ("server", {"poll": Exchange(502, HTML)}, "fault", "does not reach the server", "address in the proxy"),
    ("server", {"poll": Exchange(504, HTML)}, "fault", "gets no answer from the server", "address in the proxy"),
    ("server", {"poll": Exchange(301, (("location", "https://x/"),))}, "fault", "redirects to https://x/", "the URL"),
    ("server", {"poll": Exchange(200, HTML, b"<html>")}, "fault", "(200, text/html) is not that of", "login page"),
    ("server", {"poll": Exchange(200, JSON, b"{}")}, "fault", "is not that of a progress server", "the path"),
    ("server", {"poll": Exchange(200, JSON, session_body()[:-9], "x")}, "fault", "broke off after", "proxy_temp_path"),
]
"""The check that finds it, what departs from a way without a fault, and level, text and remedy of the finding."""


@pytest.mark.parametrize(("name", "changes", "level", "text", "change"), CASES)
def test_one_fault_is_one_finding(name: str, changes: dict[str, Any], level: Level, text: str, change: str) -> None:
    """The other checks are ok."""
    found, finding = the_one(through(healthy(**changes), server="nginx"))
    assert (found, finding.level) == (name, level)
    assert text in finding.text
    assert change in finding.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"network": GOOD._replace(certificate_days=None)},  # The system has verified it, and does not show it.
        {"origin": "https://progress.example.com", "poll": polled()},  # The server's own pages need no header.
        {"url": "https://progress.example.com:443", "origin": "https://progress.example.com", "poll": polled()},
        {"poll": polled("*")},
        {"url": "https://progress.example.com/jobs", "cookie": Exchange(204, OTHER_COOKIE)},
        {"resumed": Stream(status=204, ended_at=1)},  # The session is over.
        {"resumed": stream(BEGINNING[0])},  # It has not moved.
        # A cache has stored nothing, and has passed the request on.
        *({"tagged_poll": Exchange(200, headers_with(JSON, **each))} for each in ({"age": "0"}, {"x_cache": "MISS"})),
    ],
)
def test_what_works_is_no_fault(changes: dict[str, Any]) -> None:
    """Though it differs from the usual."""
    assert not departures(healthy(**changes))


def levels(**changes: Any) -> dict[str, str]:
    """The level of each finding that is not ok."""
    return {name: finding.level for name, finding in departures(healthy(**changes)).items()}


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (Network(error="Name or service not known"), "has no address: Name or service not known"),
        (Network(addresses=("192.0.2.1",), error="Connection refused"), "whose host is 192.0.2.1: Connection refused"),
    ],
)
def test_without_a_connection_only_the_address_is_a_fault(network: Network, text: str) -> None:
    """The checks behind it are skipped, and the others not listed."""
    skipped = dict.fromkeys(("TLS", "HTTP version", "server"), "skipped")
    assert levels(network=network, poll=Exchange()) == {"address": "fault", **skipped}
    assert text in departures(healthy(network=network, poll=Exchange()))["address"].text


def test_a_certificate_that_does_not_fit_is_a_fault() -> None:
    """The reason is quoted."""
    network = GOOD._replace(tls_version="", certificate_days=None, error="Hostname mismatch")
    found = departures(healthy(network=network, poll=Exchange(error="no TLS")))["TLS"]
    assert (found.level, "Hostname mismatch" in found.text) == ("fault", True)
    assert "for progress.example.com" in found.remedy
    assert "SSL_CERT_FILE" in found.remedy


def test_a_proxy_of_the_environment_is_a_warning() -> None:
    """The requests then do not take the way of a browser."""
    found = departures(healthy(network=Network(environment_proxy="proxy.example")))
    assert (found["address"].level, found["TLS"].level) == ("warning", "skipped")
    assert "proxy.example" in found["address"].text


def test_missing_tls_is_a_warning_except_on_this_machine() -> None:
    """Every machine on the way could read the token. Tabs share no stream, and browsers do not keep the cookie."""
    network = GOOD._replace(tls_version="", alpn="", certificate_days=None)
    warnings = dict.fromkeys(("TLS", "HTTP version", "cookie"), "warning")
    assert levels(url="http://progress.example.com", network=network) == warnings
    assert levels(url="http://127.0.0.1:8000", network=network, origin="http://127.0.0.1:8000") == {}


def test_servers_that_share_no_store_are_distinguished_from_a_buffering_proxy() -> None:
    """The report has reached another server than the stream, so its update never comes."""
    reported = {"refused_report": Exchange(404, PROBLEM), "is_moving": False, "reports": [1]}
    followed = stream(*BEGINNING[:2], heartbeat(15), ended_at=None)
    seen = healthy(stream=followed, repoll=Exchange(200, JSON), origin=None, **reported)
    found = departures(seen)
    skipped = dict.fromkeys(("buffering", "polling", "end", "CORS"), "skipped")
    assert {name: finding.level for name, finding in found.items()} == skipped | {"session": "fault"}
    assert "share no store" in found["session"].text
    assert "Redis" in found["session"].remedy


def test_a_session_that_was_given_is_only_read() -> None:
    """The line says so, and the state of the session; an id that is unknown may be misspelt."""
    seen = healthy(poll=Exchange(200, JSON + CORS, session_body("running")), **READING)
    assert list(departures(seen)) == ["end"]
    assert f"reads the session {SESSION} (`running`)" in findings_of(seen)["session"].text
    assert levels(**READING) == {"session": "warning", "end": "skipped"}
    unknown = departures(healthy(**READING))["session"]
    assert f"knows no session {SESSION}" in unknown.text
    assert "--session" in unknown.remedy


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"anonymous_poll": Exchange(200, JSON)}, "Reading needs no token"),
        ({"anonymous_poll": None}, "was not seen"),
        ({"has_token": False}, "needs --token"),
    ],
)
def test_tickets_and_cookies_are_for_servers_that_want_a_token(changes: dict[str, Any], text: str) -> None:
    """Otherwise both are skipped."""
    assert levels(**changes) == {"tickets": "skipped", "cookie": "skipped"}
    assert all(text in finding.text for finding in departures(healthy(**changes)).values())


def test_a_header_that_does_not_arrive_at_all_is_named_once() -> None:
    """A return after the end misses it, too."""
    changes = {"returned": AGAIN, "resumed": AGAIN, "resumed_by_query": RESUMED}
    assert levels(**changes) == {"resume": "fault", "end": "skipped"}
