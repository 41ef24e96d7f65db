"""Streams of other servers are judged by the standards, not by the contract of this project."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from progress_sse.cli.doctor import examined, findings_of
from progress_sse.cli.doctor.findings import Finding
from progress_sse.cli.doctor.observations import Arrival, Exchange, Headers, Network, Observations, Piece, Stream
from progress_sse.wire.sse import StreamEvent
from tests.cli.doctor.seen import EVENTS, ORIGIN, headers_with
from tests.harness.http1 import HOST

HEAD: Headers = (*EVENTS, ("transfer-encoding", "chunked"), ("incremental", "?1"), ("server", "nginx"))
LATE = [Piece(9, 900)]


def arrivals(*ids: str) -> list[Arrival]:
    """Events with these ids, a second apart."""
    return [Arrival(at, StreamEvent("message", "x", event_id)) for at, event_id in enumerate(ids, 1)]


def at(*times: float) -> list[Arrival]:
    """Three events at each of these times."""
    return [Arrival(time, event) for time in times for _, event in arrivals("1", "2", "3")]


def found(resumed: Stream | None = None, seen: dict[str, Any] | None = None, **changes: Any) -> dict[str, Finding]:
    """The findings that are not ok, of a stream that is as it should be but for the changes."""
    pieces = [Piece(1, 20), Piece(2, 20, 1), Piece(3, 20, 1)]
    whole: dict[str, Any] = {"status": 200, "headers": HEAD, "head_at": 0.1, "pieces": pieces, "closed_at": 4}
    stream = Stream(**(whole | {"arrivals": arrivals("1", "2", "3")} | changes))
    again = resumed or Stream(200, HEAD, arrivals=arrivals("2", "3"))
    network = Network("", ("192.0.2.1",), 0.01, "TLSv1.3", "h2", 60)
    usual: dict[str, Any] = {
        "network": network,
        "poll": Exchange(404),
        "stream": stream,
        "resumed": again,
        "is_foreign": True,
    }
    observed = Observations("https://stream.example/events", "s", **(usual | (seen or {})))
    return {name: finding for name, finding in findings_of(observed).items() if finding.level != "ok"}


def test_a_stream_without_a_fault_is_ok_in_every_check() -> None:
    """Only the origin was not named."""
    assert list(found()) == ["CORS"]
    allowed = (*HEAD, ("access-control-allow-origin", "*"))
    assert found(headers=allowed, seen={"origin": ORIGIN}) == {}


CASES: list[tuple[dict[str, Any], str, str, str, str]] = [
    ({"pieces": [Piece(1, 20)], "arrivals": []}, "content type", "fault", "20 bytes came, but no event", "empty line"),
    ({"head_at": 5}, "first byte", "warning", "after 5.00 s", "flushHeaders"),
    ({"pieces": [Piece(1, 4096, is_torn=True)]}, "buffering", "fault", "4096 bytes ended within", "proxy_buffering"),
    ({"status": 0, "head_at": None, "arrivals": [], "pieces": []}, "buffering", "fault", "not even its head", "head"),
    ({"arrivals": at(9), "pieces": LATE, "ended_at": 9}, "buffering", "fault", "came at once", "proxy_buffering"),
    ({"arrivals": at(1, 8), "closed_at": 20}, "buffering", "warning", "come in bursts", "proxy_buffering"),
    ({"headers": headers_with(HEAD, content_encoding="br")}, "compression", "warning", "(br)", "brotli_types"),
    ({"headers": headers_with(HEAD, content_length="60")}, "chunking", "fault", "ends after 60 bytes", "streams"),
    ({"headers": headers_with(HEAD, incremental="1")}, "incremental", "warning", "ignore `Incremental: 1`", "?1"),
    ({"pieces": [Piece(1, 20, 1), Piece(2, 20)]}, "heartbeats", "warning", "within 4 s: 0", "read_timeout"),
    ({"closed_at": 70}, "heartbeats", "warning", "After 60 s of silence nginx would cut", "every 15 s"),
    ({"error": "incomplete", "ended_at": 63}, "heartbeats", "fault", "the last 1 min without a byte", "comment"),
    ({"arrivals": arrivals("", "")}, "resume", "warning", "No event has an id", "`id`"),
    ({"headers": headers_with(HEAD, cache_control=None)}, "caching", "warning", "storing", "no-store"),
    ({"headers": headers_with(HEAD, age="9")}, "caching", "fault", "A cache answers", "proxy_cache"),
    ({"resumed": Stream(200, HEAD, arrivals=arrivals("1"))}, "resume", "warning", "gets again", "Last-Event-ID"),
    ({"arrivals": arrivals("1"), "resumed": Stream(200, HEAD, arrivals=arrivals("1"))},
     "resume", "warning", "gets again", "Last-Event-ID"),
    ({"resumed": Stream(200, HEAD, arrivals=arrivals("7"))}, "resume", "warning", "does not get", "history"),
    ({"resumed": Stream(500)}, "resume", "fault", "gets no stream (500)", "log"),
    ({"seen": {"poll": Exchange(error="not within 10 s")}}, "server", "fault", "one at a time", "gunicorn"),
    ({"seen": {"origin": ORIGIN}}, "CORS", "fault", "may not read streams", f"Access-Control-Allow-Origin: {ORIGIN}"),
]  # fmt: skip
"""What differs, and the check, level, text and remedy of the one finding behind nginx."""


@pytest.mark.parametrize(("changes", "name", "level", "text", "change"), CASES)
def test_one_fault_of_any_stream(changes: dict[str, Any], name: str, level: str, text: str, change: str) -> None:
    """No other finding is as bad."""
    findings = found(**changes)
    assert [name for name, finding in findings.items() if finding.level in (level, "fault")] == [name]
    assert findings[name].level == level
    assert text in findings[name].text
    assert change in findings[name].remedy


@pytest.mark.parametrize(
    ("status", "error", "text", "change"),
    [
        (501, "incremental_refused", "(501, incremental_refused)", "SecResponseBodyAccess"),
        (429, "connection_limit_reached", "(429, connection_limit_reached)", "limit of concurrent"),
    ],
)
def test_a_proxy_that_refuses_the_stream_is_named(status: int, error: str, text: str, change: str) -> None:
    """By its Proxy-Status [RFC 10036]; nothing else is a fault."""
    refusal = (("proxy-status", f"gate; error={error}"), ("server", "nginx"))
    findings = found(status=status, headers=refusal, arrivals=[], pieces=[])
    assert {name for name, finding in findings.items() if finding.level != "skipped"} == {"incremental"}
    assert text in findings["incremental"].text
    assert change in findings["incremental"].remedy


def test_what_a_standard_allows_is_ok() -> None:
    """Neither a missing length nor a missing chunk, nor an answer of 204 or heartbeats that are events."""
    bare = headers_with(HEAD, transfer_encoding=None, incremental=None, cache_control="private, no-cache")
    beats = [Arrival(2, StreamEvent("ping", "", "1"))] * 2
    assert list(found(Stream(204), headers=bare, arrivals=beats)) == ["CORS"]


def test_a_token_of_the_environment_is_for_progress_servers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of another server gets a token that is named on the command line, and no other."""
    tokens = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"data: x\n\n")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    monkeypatch.setenv("PROGRESS_SSE_TOKEN", "secret")
    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        for token in (None, "named"):
            examined(f"http://{HOST}:{server.server_port}/?all=1", token, None, None, 1)
        server.shutdown()
    assert tokens == [None, None, "Bearer named", "Bearer named"]
