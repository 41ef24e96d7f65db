"""Pages of another origin, tickets and cookies."""

from __future__ import annotations

from typing import Any

import pytest

from progress_sse.cli.doctor.findings import Level
from progress_sse.cli.doctor.observations import Exchange, Headers, Stream
from tests.cli.doctor.seen import (
    COOKIE,
    CORS,
    JSON,
    ORIGIN,
    PROBLEM,
    REFUSED_STREAM,
    departures,
    headers_with,
    healthy,
    session_body,
    the_one,
    through,
)

ALLOWED = "access-control-allow-origin"


OTHER_PAGE: Headers = ((ALLOWED, "https://other.example"),)


def allowed(names: str) -> Headers:
    """The header by which the answer to a preflight allows headers."""
    return (("access-control-allow-headers", names),)


def polled(*values: str) -> Exchange:
    """The first poll, with these values of the header that allows a page."""
    return Exchange(200, JSON + tuple((ALLOWED, value) for value in values), session_body())


@pytest.mark.parametrize(
    ("changes", "text", "change"),
    [
        ({"poll": polled()}, "may not read polls", f"`--allow-origins {ORIGIN}`"),
        ({"poll": polled()}, "may not read polls", "`proxy_set_header Origin`"),
        ({"poll": polled(ORIGIN, "*")}, "2 values", "add_header Access-Control-Allow-Origin"),
        ({"poll": polled(f"{ORIGIN}, {ORIGIN}")}, "2 values", "add_header Access-Control-Allow-Origin"),
        ({"poll": polled("https://other.example")}, "allows pages of https://other.example", "add_header"),
        ({"preflight": Exchange(405, CORS)}, "preflight", "OPTIONS"),
        ({"preflight": Exchange(204)}, "preflight", "OPTIONS"),
        ({"preflight": Exchange(204, CORS)}, "preflight", "OPTIONS"),
        ({"preflight": Exchange(200, CORS + allowed("authorization"))}, "If-None-Match", "Allow-Headers"),
        ({"preflight": Exchange(200, CORS + allowed("*"))}, "Authorization", "Allow-Headers"),
        ({"preflight": Exchange(200, OTHER_PAGE + allowed("authorization, if-none-match"))}, "preflight", "OPTIONS"),
        ({"preflight": None}, "preflight", "OPTIONS"),
    ],
)
def test_a_page_that_may_not_read_is_a_fault(changes: dict[str, Any], text: str, change: str) -> None:
    """The server's setting is named, and that of the proxy."""
    name, finding = the_one(through(healthy(**changes), server="nginx"))
    assert (name, finding.level) == ("CORS", "fault")
    assert text in finding.text
    assert change in finding.remedy


def test_the_stream_must_allow_the_page_too() -> None:
    """A proxy may have rules of its own for it."""
    seen = healthy()
    assert seen.stream is not None
    seen.stream.headers = headers_with(seen.stream.headers, access_control_allow_origin=None)
    name, finding = the_one(seen)
    assert (name, finding.level) == ("CORS", "fault")
    assert "may not read streams" in finding.text


def test_the_servers_own_origin_and_every_origin_are_allowed() -> None:
    """The first needs no header."""
    assert not departures(healthy(origin="https://progress.example.com", poll=polled()))
    own = healthy(url="https://progress.example.com:443", origin="https://progress.example.com", poll=polled())
    assert not departures(own)
    assert not departures(healthy(poll=polled("*")))


def test_without_an_origin_it_is_not_checked() -> None:
    """The option is named."""
    name, finding = the_one(healthy(origin=None))
    assert (name, finding.level) == ("CORS", "skipped")
    assert "--origin" in finding.text


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        ({"anonymous_poll": Exchange(200, JSON)}, "skipped", "Reading needs no token"),
        ({"anonymous_poll": None}, "skipped", "was not seen"),
        ({"has_token": False}, "skipped", "needs --token"),
    ],
)
def test_tickets_and_cookies_are_for_servers_that_want_a_token(
    changes: dict[str, Any], level: Level, text: str
) -> None:
    """Otherwise both are skipped."""
    found = departures(healthy(**changes))
    assert {name: finding.level for name, finding in found.items()} == {"tickets": level, "cookie": level}
    assert all(text in finding.text for finding in found.values())


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        ("tickets", {"ticket": Exchange(405)}, "issues no ticket (405)"),
        ("tickets", {"ticket": None}, "issues no ticket (no answer)"),
        ("tickets", {"ticket_stream": REFUSED_STREAM}, "does not accept the ticket that it has issued (401)"),
        ("tickets", {"ticket_stream": Stream()}, "(no answer)"),
        ("tickets", {"ticket_stream": None}, "(no ticket in the answer)"),
        ("cookie", {"cookie": Exchange(405)}, "sets no cookie (405)"),
        ("cookie", {"cookie": Exchange(204)}, "lacks Set-Cookie"),
        ("cookie", {"cookie_poll": Exchange(401, PROBLEM)}, "does not accept its own cookie (401)"),
        ("cookie", {"cookie_poll": None}, "does not accept its own cookie (no answer)"),
        (
            "cookie",
            {"cookie": Exchange(204, headers_with(COOKIE, set_cookie="progress_sse=t; Path=/jobs/; Secure"))},
            "is for /jobs/",
        ),
    ],
)
def test_a_ticket_or_cookie_that_is_of_no_use_is_a_fault(name: str, changes: dict[str, Any], text: str) -> None:
    """Clients that can set no header need them."""
    found, finding = the_one(healthy(**changes))
    assert (found, finding.level) == (name, "fault")
    assert text in finding.text
    assert finding.remedy


def test_a_cookie_for_the_path_of_the_url_is_well() -> None:
    """The application may be mounted below the root."""
    cookie = Exchange(204, (("set-cookie", "progress_sse=t; Path=/jobs/; Secure"),))
    assert not departures(healthy(url="https://progress.example.com/jobs", cookie=cookie))
