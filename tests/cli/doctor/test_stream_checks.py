"""The checks of any stream, by the standards, and not by the contract of this project."""

from typing import Any

import pytest

from progress_sse.cli.doctor.observations import Answer, Arrival, Piece
from tests.cli.doctor.seen import EVENTS, ORIGIN, answer, arrivals, departures, foreign, headers_with, healthy, stream

LATE = [Piece(9, 900)]
ALLOWED = "access_control_allow_origin"


def at(*times: float) -> list[Arrival]:
    """Three events at each of these times."""
    return [Arrival(time, event) for time in times for _, event in arrivals("0", "1", "2")]


def head(**changes: str | None) -> dict[str, Any]:
    """A change of headers."""
    return {"headers": headers_with(EVENTS, **changes)}


CASES: list[tuple[dict[str, Any], str, str, str, str]] = [
    (head(content_type="text/plain"), "content type", "fault", "content type text/plain", "hide_header Content-Type"),
    ({"status": 404}, "content type", "fault", "answered with 404", "the rules of the proxy"),
    ({"status": 0, "error": "refused"}, "content type", "fault", "cannot be opened: refused", "log"),
    ({"pieces": [Piece(1, 20)], "arrivals": []}, "content type", "fault", "20 bytes came, but no event", "empty line"),
    ({"pieces": [Piece(1, 13)], "arrivals": [], "retry_ms": 30_000, "has_ended": True},
     "content type", "fault", "13 bytes came, but no event", "room"),
    ({"head_at": 5}, "first byte", "warning", "after 5.00 s", "flushHeaders"),
    ({"pieces": [Piece(1, 4096, is_torn=True)]}, "buffering", "fault", "4096 bytes ended within", "proxy_buffering"),
    ({"status": 0, "arrivals": [], "pieces": []}, "buffering", "fault", "not even its head", "proxy_buffering"),
    ({"arrivals": at(9), "pieces": LATE, "has_ended": True}, "buffering", "fault", "came at once", "proxy_buffering"),
    ({"arrivals": at(1, 8), "over_at": 20}, "buffering", "warning", "come in bursts", "proxy_buffering"),
    (head(content_encoding="br"), "compression", "warning", "(br)", "brotli_types"),
    (head(content_length="60"), "chunking", "fault", "ends after 60 bytes", "streams"),
    (head(incremental="1"), "incremental", "warning", "ignore `Incremental: 1`", "?1"),
    ({"pieces": [Piece(1, 20, 1), Piece(2, 20)]}, "heartbeats", "warning", "within 4 s: 0", "read_timeout"),
    ({"over_at": 70}, "heartbeats", "warning", "After 60 s of silence nginx would cut", "every 15 s"),
    ({"error": "incomplete", "has_ended": True, "over_at": 63},
     "heartbeats", "fault", "the last 1 min without a byte: incomplete", "comment"),
    ({"arrivals": arrivals("", "")}, "resume", "warning", "No event has an id", "`id`"),
    (head(cache_control=None), "caching", "warning", "storing", "no-store"),
    (head(age="9"), "caching", "fault", "A cache answers", "proxy_cache"),
    (head(cf_cache_status="HIT"), "caching", "fault", "A cache answers", "proxy_cache"),
    (head(**{ALLOWED: None}), "CORS", "fault", "may not read the stream", f"Access-Control-Allow-Origin: {ORIGIN}"),
    (head(**{ALLOWED: f"{ORIGIN}, *"}), "CORS", "fault", f"{ORIGIN} and *", "add_header Access-Control-Allow-Origin"),
    (head(**{ALLOWED: "https://other.example"}), "CORS", "fault", "pages of https://other", "add_header"),
]  # fmt: skip
"""What differs, and the check, level, text and remedy of the one finding behind nginx."""


@pytest.mark.parametrize(("changes", "name", "level", "text", "change"), CASES)
def test_one_fault_of_any_stream(changes: dict[str, Any], name: str, level: str, text: str, change: str) -> None:
    """No other finding is as bad."""
    findings = departures(foreign(stream=stream("0", "1", "2", **changes)))
    assert [each for each, finding in findings.items() if finding.level in (level, "fault")] == [name]
    assert findings[name].level == level
    assert text in findings[name].text
    assert change in findings[name].remedy


RESUMED: list[tuple[Answer, str, str, str]] = [
    (stream("0"), "warning", "gets again what it has", "proxy_set_header Last-Event-ID"),
    (stream("2"), "warning", "does not get what it missed", "history"),
    (answer(500), "fault", "gets no stream (500)", "log"),
    (answer(0, error="closed"), "fault", "gets no stream (closed)", "log"),
    (answer(0), "skipped", "No event came after the return", ""),
]


@pytest.mark.parametrize(("resumed", "level", "text", "change"), RESUMED)
def test_a_client_that_comes_back_gets_what_it_missed(resumed: Answer, level: str, text: str, change: str) -> None:
    """Nothing twice, on streams of any server."""
    for seen in (foreign(resumed=resumed), healthy(resumed=resumed)):
        [(name, finding)] = departures(seen).items()
        assert (name, finding.level) == ("resume", level)
        assert text in finding.text
        assert change in finding.remedy


def test_a_server_that_serves_one_at_a_time_is_named() -> None:
    """It answers nothing while a stream is open."""
    [(name, finding)] = departures(foreign(poll=answer(0, error="not within 10 s"))).items()
    assert (name, finding.level) == ("server", "fault")
    assert "gunicorn" in finding.remedy


def test_a_stream_that_is_compressed_and_held_back_is_a_fault_of_both() -> None:
    """The heartbeats are then not judged."""
    held = stream("0", "1", pieces=[Piece(1, 4096, is_torn=True)], **head(content_encoding="gzip"))
    levels = {name: finding.level for name, finding in departures(foreign(stream=held)).items()}
    assert levels == {"buffering": "fault", "compression": "fault", "heartbeats": "skipped"}


@pytest.mark.parametrize(
    ("status", "error", "change"),
    [(501, "incremental_refused", "SecResponseBodyAccess"), (429, "connection_limit_reached", "limit of concurrent")],
)
def test_a_proxy_that_refuses_the_stream_is_named(status: int, error: str, change: str) -> None:
    """By its Proxy-Status [RFC 10036]; nothing else is a fault."""
    refused = answer(status, {"proxy-status": f"gate; error={error}", "server": "nginx"}, head_at=1)
    findings = departures(foreign(stream=refused))
    assert {name for name, finding in findings.items() if finding.level != "skipped"} == {"incremental"}
    assert f"({status}, {error})" in findings["incremental"].text
    assert change in findings["incremental"].remedy


def test_what_a_standard_allows_is_ok() -> None:
    """Neither a missing length nor a missing chunk, nor an answer of 204 or heartbeats that are events."""
    bare = head(transfer_encoding=None, incremental=None, cache_control="private, no-cache", **{ALLOWED: "*"})
    beats = arrivals("1", "1", name="ping")
    for seen in (foreign(stream=stream(arrivals=beats, **bare), resumed=answer(204)), foreign(), healthy()):
        assert not departures(seen)
