"""Observations of a way without a fault, from which each test departs."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from progress_sse.cli.doctor import findings_of
from progress_sse.cli.doctor.findings import Finding
from progress_sse.cli.doctor.observations import Answer, Arrival, Network, Observations, Piece
from progress_sse.wire.sse import StreamEvent

ORIGIN = "https://app.example"
SESSION = "doctor-1"

JSON = {"content-type": "application/json", "etag": '"e-4"'}
PROBLEM = {"content-type": "application/problem+json"}
PREFLIGHT = {"access-control-allow-origin": ORIGIN, "access-control-allow-headers": "Authorization, If-None-Match"}
EVENTS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "transfer-encoding": "chunked",
    "incremental": "?1",
    "x-accel-buffering": "no",
    "access-control-allow-origin": ORIGIN,
    "server": "nginx",
}


def headers_with(headers: Mapping[str, str], **changes: str | None) -> dict[str, str]:
    """The headers with others in place of those of the same name; `None` removes one, `_` stands for `-`."""
    changed = {**headers, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return {name: value for name, value in changed.items() if value is not None}


def answer(status: int = 200, headers: Mapping[str, str] | None = None, body: bytes = b"", **more: Any) -> Answer:
    return Answer(status, httpx.Headers(headers or {}), body, **more)


def session_body(status: str = "not_found") -> bytes:
    """The body of a poll."""
    counts = {"current_step": 0, "total_steps": 0, "percentage": 0, "steps": []}
    return json.dumps({"session_id": SESSION, "status": status, **counts}).encode()


def arrivals(*ids: str, name: str = "message") -> list[Arrival]:
    """Events with these ids, a second apart."""
    return [Arrival(at, StreamEvent(name, "x", event_id)) for at, event_id in enumerate(ids, 1)]


def stream(*ids: str, headers: Mapping[str, str] = EVENTS, status: int = 200, **changes: Any) -> Answer:
    """A stream of a few seconds, with comments."""
    pieces = [Piece(1, 20), Piece(2, 20, 1), Piece(3, 20, 1)]
    whole: dict[str, Any] = {"head_at": 0.1, "pieces": pieces, "over_at": 4, "arrivals": arrivals(*ids)}
    return answer(status, headers, **(whole | changes))


FOLLOWED = stream("0", "1", "2", "3", arrivals=[*arrivals("0", "1", "2", "3"), *arrivals("3", name="end")])


def healthy(**changes: Any) -> Observations:
    """Everything of a progress server as it should be, except for the changes."""
    usual: dict[str, Any] = {
        "url": "https://progress.example.com",
        "origin": ORIGIN,
        "network": Network("", ("192.0.2.1",), 0.01, "TLSv1.3", "h2", 60),
        "poll": answer(200, JSON, session_body()),
        "creation": answer(201),
        "stream": FOLLOWED,
        "delays_s": [0.1, 0.2],
        "tagged_poll": answer(200, JSON, session_body("running")),
        "repoll": answer(304, JSON),
        "resumed": stream("1", "2", "3"),
        "returned": answer(204),
        "preflight": answer(200, PREFLIGHT),
        "ticket": answer(201),
        "ticket_stream": stream(),
        "deletion": answer(204),
    }
    return Observations(session_id=SESSION, **(usual | changes))


def foreign(**changes: Any) -> Observations:
    """The same of a server of another kind."""
    usual: dict[str, Any] = {
        "url": "https://stream.example/events",
        "origin": ORIGIN,
        "is_foreign": True,
        "network": healthy().network,
        "poll": answer(404),
        "stream": stream("0", "1", "2"),
        "resumed": stream("1"),
    }
    return Observations(session_id=SESSION, **(usual | changes))


def departures(seen: Observations) -> dict[str, Finding]:
    """The findings that are not `ok`, by the name of their check."""
    return {name: finding for name, finding in findings_of(seen).items() if finding.level != "ok"}
