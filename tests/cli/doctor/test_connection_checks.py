"""Address, TLS, HTTP version, the server, and the doctor's own session."""

from __future__ import annotations

from typing import Any

import pytest

from progress_sse.cli.doctor.checks import findings_of
from progress_sse.cli.doctor.findings import Level
from progress_sse.cli.doctor.observations import Exchange, Headers, Network, Report
from tests.cli.doctor.seen import (
    BEGINNING,
    CORS,
    JSON,
    PROBLEM,
    READING,
    SESSION,
    departures,
    healthy,
    heartbeat,
    session_body,
    stream,
    the_one,
    through,
)

GOOD = healthy().network
HTML: Headers = (("content-type", "text/html"), ("server", "nginx"))


@pytest.mark.parametrize(
    ("network", "name", "level", "text"),
    [
        (GOOD._replace(certificate_days=3), "TLS", "warning", "expires in 3 days"),
        (GOOD._replace(alpn="http/1.1"), "HTTP version", "warning", "six connections"),
        (GOOD._replace(alpn=""), "HTTP version", "warning", "six connections"),
    ],
)
def test_a_connection_that_could_be_better_is_a_warning(network: Network, name: str, level: Level, text: str) -> None:
    """It works, but the change is named."""
    found, finding = the_one(healthy(network=network))
    assert (found, finding.level) == (name, level)
    assert text in finding.text
    assert finding.remedy


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (Network(error="Name or service not known"), "has no address: Name or service not known"),
        (Network(addresses=("192.0.2.1",), error="Connection refused"), "which is 192.0.2.1: Connection refused"),
    ],
)
def test_without_a_connection_only_the_address_is_a_fault(network: Network, text: str) -> None:
    """The checks behind it are skipped, and the others not listed."""
    found = departures(healthy(network=network, poll=Exchange()))
    assert {name: finding.level for name, finding in found.items()} == {
        "address": "fault",
        "TLS": "skipped",
        "HTTP version": "skipped",
        "server": "skipped",
    }
    assert text in found["address"].text


def test_a_certificate_that_does_not_fit_is_a_fault() -> None:
    """The reason is quoted."""
    network = GOOD._replace(tls_version="", certificate_days=None, error="Hostname mismatch")
    found = departures(healthy(network=network, poll=Exchange(error="no TLS")))
    assert found["TLS"].level == "fault"
    assert "Hostname mismatch" in found["TLS"].text
    assert "for progress.example.com" in found["TLS"].remedy
    assert "SSL_CERT_FILE" in found["TLS"].remedy


def test_a_certificate_of_unknown_expiry_is_no_fault() -> None:
    """The system has verified it, and does not show it."""
    assert not departures(healthy(network=GOOD._replace(certificate_days=None)))


def test_a_proxy_of_the_environment_is_a_warning() -> None:
    """The requests then do not take the way of a browser."""
    found = departures(healthy(network=Network(environment_proxy="proxy.example")))
    assert (found["address"].level, found["TLS"].level) == ("warning", "skipped")
    assert "proxy.example" in found["address"].text


def test_missing_tls_is_a_warning_except_on_this_machine() -> None:
    """Every machine on the way could read the token."""
    network = GOOD._replace(tls_version="", alpn="", certificate_days=None)
    found = departures(healthy(url="http://progress.example.com", network=network))
    assert {name: finding.level for name, finding in found.items()} == {
        "TLS": "warning",
        "HTTP version": "warning",  # Tabs share a stream in a secure context only.
        "cookie": "warning",  # Browsers do not keep it.
    }
    assert not departures(healthy(url="http://127.0.0.1:8000", network=network, origin="http://127.0.0.1:8000"))


@pytest.mark.parametrize(
    ("poll", "text", "change"),
    [
        (Exchange(error="not within 10 s"), "No answer: not within 10 s", "the proxy"),
        (Exchange(401, PROBLEM), "does not accept the token, or does not get it", "Authorization"),
        (Exchange(403, PROBLEM), "does not allow to read", "--session"),
        (Exchange(404, PROBLEM), "nothing is at this path", "mount point"),
        (Exchange(421, PROBLEM), "does not answer to this host name", "--insecure"),
        (Exchange(502, HTML), "does not reach the server", "address in the proxy"),
        (Exchange(504, HTML), "gets no answer from the server", "address in the proxy"),
        (Exchange(301, (("location", "https://x/"),)), "redirects to https://x/", "the URL"),
        (Exchange(200, HTML, b"<html>"), "(200, text/html) is not that of a progress server", "login page"),
        (Exchange(200, JSON, b"{}"), "is not that of a progress server", "the path"),
        (Exchange(200, JSON, session_body()[:-9], "closed"), "broke off after", "proxy_temp_path"),
    ],
)
def test_an_answer_that_is_no_poll_is_a_fault(poll: Exchange, text: str, change: str) -> None:
    """Nothing else is checked then."""
    name, finding = the_one(healthy(poll=poll))
    assert (name, finding.level) == ("server", "fault")
    assert text in finding.text
    assert change in finding.remedy


def test_a_missing_token_is_asked_for() -> None:
    """Then no proxy is blamed."""
    _, finding = the_one(healthy(poll=Exchange(401, PROBLEM), has_token=False))
    assert "--token" in finding.remedy
    assert "Authorization" not in finding.remedy


DETAIL = b'{"detail": "The store is full."}'


@pytest.mark.parametrize(
    ("changes", "level", "text", "change"),
    [
        ({"creation": Exchange(403, PROBLEM)}, "warning", "No right to create a session (403)", "may publish"),
        ({"creation": Exchange(507, PROBLEM, DETAIL)}, "fault", "507. The store is full.", "log"),
        ({"creation": Exchange(403, HTML)}, "fault", "403", "limit_except"),
        ({"refused_report": Exchange(405, HTML)}, "fault", "Reports on a session are refused: 405", "limit_except"),
        ({"refused_report": Exchange(error="closed")}, "fault", "refused: closed", "log"),
        ({"deletion": Exchange(405, HTML)}, "warning", "could not be removed: 405", "limit_except"),
        ({"deletion": Exchange(503, PROBLEM)}, "warning", "could not be removed: 503", "delete it"),
    ],
)
def test_a_session_that_cannot_be_used_is_told(changes: dict[str, Any], level: Level, text: str, change: str) -> None:
    """A proxy that refuses a method is told from a server that refuses a token."""
    name, finding = the_one(through(healthy(**changes), server="nginx"))
    assert (name, finding.level) == ("session", level)
    assert text in finding.text
    assert change in finding.remedy


def test_servers_that_share_no_store_are_told_from_a_buffering_proxy() -> None:
    """The report has reached another server than the stream, so its update never comes."""
    reported = {"refused_report": Exchange(404, PROBLEM), "is_moving": False, "reports": [Report(1)]}
    followed = stream(*BEGINNING[:2], heartbeat(15), ended_at=None)
    found = departures(healthy(stream=followed, repoll=Exchange(200, JSON), origin=None, **reported))
    levels = {name: finding.level for name, finding in found.items()}
    assert levels == dict.fromkeys(("buffering", "polling", "end", "CORS"), "skipped") | {"session": "fault"}
    assert "share no store" in found["session"].text
    assert "Redis" in found["session"].remedy


def test_a_session_that_was_given_is_only_read() -> None:
    """The line says so, and the state of the session."""
    seen = healthy(poll=Exchange(200, JSON + CORS, session_body("running")), **READING)
    found = departures(seen)
    assert {name: finding.level for name, finding in found.items()} == {"end": "skipped"}
    assert f"reads the session {SESSION} (`running`)" in findings_of(seen)["session"].text


def test_a_session_that_was_given_and_is_unknown_is_a_warning() -> None:
    """Its id may be misspelt."""
    found = departures(healthy(**READING))
    assert {name: finding.level for name, finding in found.items()} == {"session": "warning", "end": "skipped"}
    assert f"knows no session {SESSION}" in found["session"].text
    assert "--session" in found["session"].remedy
