"""The checks of the way, and of a progress server: what is seen of one fault, in words, and what to change."""

from typing import Any

import pytest

from progress_sse.cli.doctor import findings_of
from progress_sse.cli.doctor.findings import Level
from progress_sse.cli.doctor.observations import Network
from tests.cli.doctor.seen import (
    JSON,
    PREFLIGHT,
    PROBLEM,
    SESSION,
    answer,
    departures,
    headers_with,
    healthy,
    session_body,
    stream,
)

HTML = {"content-type": "text/html"}
GOOD = healthy().network
FORBIDDEN, NOT_FOUND = (answer(status, PROBLEM) for status in (403, 404))
FULL = answer(507, PROBLEM, b'{"detail": "The store is full."}')
NO_ETAG = answer(200, headers_with(JSON, etag=None), session_body("running"))
UNCHANGED = answer(200, JSON, session_body("running"))
OLD = answer(200, JSON, session_body())
HIT = answer(200, headers_with(JSON, x_cache_status="HIT"), session_body("running"))
CLOSED = answer(0, error="closed")


def preflight(**changes: str | None) -> dict[str, Any]:
    return {"preflight": answer(200, headers_with(PREFLIGHT, **changes))}


CASES: list[tuple[str, dict[str, Any], Level, str, str]] = [
    ("TLS", {"network": GOOD._replace(certificate_days=3)}, "warning", "expires in 3 days", "renew"),
    ("HTTP version", {"network": GOOD._replace(alpn="")}, "warning", "six connections", "http2"),
    ("session", {"creation": FORBIDDEN}, "warning", "No right to create a session (403)", "may publish"),
    ("session", {"creation": FULL}, "fault", "507. The store is full.", "log"),
    ("session", {"creation": answer(403, HTML)}, "fault", "403", "limit_except"),
    ("session", {"refused_report": answer(405, HTML)}, "fault", "session are refused: 405", "limit_except"),
    ("session", {"refused_report": CLOSED}, "fault", "refused: closed", "log"),
    # An update that never comes is then no sign of a buffering proxy.
    ("session", {"refused_report": NOT_FOUND, "delays_s": [3]}, "fault", "share no store", "Redis"),
    ("session", {"deletion": answer(405, HTML)}, "fault", "could not be removed: 405", "limit_except"),
    ("buffering", {"delays_s": [0.1, 3.1]}, "fault", "did not come within 3 s", "proxy_buffering"),
    ("end", {"returned": stream("3")}, "fault", "gets 200 instead of 204", "without a body"),
    ("polling", {"tagged_poll": NO_ETAG, "repoll": NO_ETAG}, "warning", "no ETag", "proxy_hide_header ETag"),
    ("polling", {"repoll": UNCHANGED}, "warning", "is unchanged", "proxy_set_header If-None-Match"),
    ("polling", {"repoll": OLD}, "skipped", "has changed", ""),
    ("polling", {"repoll": CLOSED}, "skipped", "not answered", ""),
    ("CORS", {"origin": None}, "skipped", "--origin", ""),
    ("CORS", preflight(access_control_allow_origin=None), "fault", "preflight", "limit_except"),
    ("CORS", preflight(access_control_allow_headers="authorization"), "fault", "If-None-Match", "Allow-Headers"),
    ("CORS", preflight(access_control_allow_headers="*"), "fault", "a token", "Allow-Headers"),
    ("tokens", {"ticket": answer(405)}, "fault", "issues no ticket (405)", "limit_except"),
    ("tokens", {"ticket": answer(401, PROBLEM)}, "skipped", "Without a token", ""),
    ("tokens", {"ticket_stream": answer(401, PROBLEM)}, "fault", "it has issued (401)", "$is_args$args"),
    ("tokens", {"ticket_stream": answer(0)}, "fault", "(no answer)", "one store"),
    ("caching", {"tagged_poll": OLD}, "fault", "still brings", "`proxy_cache off`"),
    ("caching", {"tagged_poll": HIT}, "fault", "A cache answers", "`proxy_cache off`"),
]
"""The check that finds it, what departs from a way without a fault, and level, text and remedy of the finding."""


@pytest.mark.parametrize(("name", "changes", "level", "text", "change"), CASES)
def test_one_fault_is_one_finding(name: str, changes: dict[str, Any], level: Level, text: str, change: str) -> None:
    """The other checks are ok, or skipped because of it."""
    found = departures(healthy(**changes))
    assert {name for name, finding in found.items() if finding.level != "skipped"} <= {name}
    finding = found[name]
    assert finding.level == level
    assert text in finding.text
    assert change in finding.remedy


REFUSALS = [
    (CLOSED, "The request fails: closed", "the proxy"),
    (answer(401, PROBLEM), "401: the server gets no token", "proxy_set_header Authorization"),
    (FORBIDDEN, "does not allow to read", "--session"),
    (NOT_FOUND, "nothing is at this path", "mount point"),
    (answer(421, PROBLEM), "does not answer to this host name", "--insecure"),
    (answer(502, HTML), "gets no answer from the server", "address"),
    (answer(301, {"location": "https://x/"}), "(https://x/) is not that", "the path"),
    (answer(200, HTML, b"<html>"), "200: the answer (text/html) is not that", "login page"),
    (answer(200, JSON, b"{}"), "is not that of a progress server", "the path"),
    (answer(200, JSON, session_body()[:-9], error="cut"), "fails: cut", "the proxy"),
]


@pytest.mark.parametrize(("poll", "text", "change"), REFUSALS)
def test_nothing_else_is_checked_where_no_server_answers(poll: Any, text: str, change: str) -> None:
    """Neither a poll nor a stream."""
    [(name, finding)] = departures(healthy(poll=poll, stream=answer(0))).items()
    assert (name, finding.level) == ("server", "fault")
    assert text in finding.text
    assert change in finding.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"network": GOOD._replace(certificate_days=None)},  # The system has verified it, and does not show it.
        {"url": "https://progress.example.com:443", "origin": "https://progress.example.com"},  # The server's own.
        {"resumed": answer(204)},  # The session is over.
        # A cache has stored nothing, and has passed the request on.
        *({"tagged_poll": answer(200, headers_with(JSON, **each))} for each in ({"age": "0"}, {"x_cache": "MISS"})),
    ],
)
def test_what_works_is_no_fault(changes: dict[str, Any]) -> None:
    """Though it differs from the usual."""
    assert not departures(healthy(**changes))


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (Network(error="Name or service not known"), "has no address: Name or service not known"),
        (Network(addresses=("192.0.2.1",), error="Connection refused"), "(192.0.2.1): Connection refused"),
    ],
)
def test_without_a_connection_only_the_address_is_checked(network: Network, text: str) -> None:
    """By the words of the system."""
    [(name, finding)] = findings_of(healthy(network=network, poll=answer(0), stream=answer(0))).items()
    assert (name, finding.level) == ("address", "fault")
    assert text in finding.text


def test_a_certificate_that_does_not_fit_is_a_fault() -> None:
    """The reason is quoted."""
    network = GOOD._replace(tls_version="", alpn="", certificate_days=None, error="Hostname mismatch")
    found = departures(healthy(network=network))["TLS"]
    assert (found.level, "Hostname mismatch" in found.text, "SSL_CERT_FILE" in found.remedy) == ("fault", True, True)


def test_a_proxy_of_the_environment_is_a_warning() -> None:
    """The requests then do not take the way of a browser."""
    found = departures(healthy(network=Network(environment_proxy="proxy.example")))
    assert (found["address"].level, found["TLS"].level) == ("warning", "skipped")
    assert "proxy.example" in found["address"].text


def test_missing_tls_is_a_warning_except_on_this_machine() -> None:
    """Every machine on the way could read the token."""
    network = GOOD._replace(tls_version="", alpn="", certificate_days=None)
    found = departures(healthy(url="http://progress.example.com", network=network))
    assert {name: finding.level for name, finding in found.items()} == {"TLS": "warning", "HTTP version": "warning"}
    assert not departures(healthy(url="http://127.0.0.1:8000", network=network))


@pytest.mark.parametrize(("status", "level"), [("running", "ok"), ("not_found", "warning")])
def test_a_session_that_was_given_is_only_read(status: str, level: Level) -> None:
    """The line says so, and the state of the session; an id that is unknown may be misspelt."""
    read = {"is_given": True, "creation": answer(0), "deletion": answer(0), "delays_s": []}
    found = findings_of(healthy(poll=answer(200, JSON, session_body(status)), **read))["session"]
    assert found.level == level
    assert f"reads the session {SESSION} (`{status}`)" in found.text
    assert ("--session" in found.remedy) == (level == "warning")
