"""Observations of a way without a fault, from which each test departs."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from progress_sse.cli.doctor import findings_of
from progress_sse.cli.doctor.findings import Finding
from progress_sse.cli.doctor.observations import Arrival, Exchange, Headers, Network, Observations, Piece, Stream
from progress_sse.wire.sse import StreamEvent

ORIGIN = "https://app.example"
SESSION = "doctor-1"
NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)

JSON: Headers = (("content-type", "application/json"), ("etag", '"e-4"'))
CORS: Headers = (("access-control-allow-origin", ORIGIN), ("access-control-allow-credentials", "true"))
EVENTS: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-store"))
PROBLEM: Headers = (("content-type", "application/problem+json"),)
COOKIE: Headers = (("set-cookie", "progress_sse=t; HttpOnly; SameSite=Strict; Path=/; Secure"),)


def headers_with(headers: Headers, **changes: str | None) -> Headers:
    """The headers with others in place of those of the same name; `None` removes one, `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    kept = tuple((name, value) for name, value in headers if name not in named)
    return kept + tuple((name, value) for name, value in named.items() if value is not None)


def session_body(status: str = "not_found") -> bytes:
    counts = {"current_step": 0, "total_steps": 0, "percentage": 0, "steps": []}
    return json.dumps({"session_id": SESSION, "status": status, **counts}).encode()


def event(at: float, name: str, event_id: str = "", **data: Any) -> Arrival:
    return Arrival(at, StreamEvent(name, json.dumps(data), event_id))


def heartbeat(at: float, interval_ms: int = 15_000) -> Arrival:
    """A heartbeat of a server whose clock is exact."""
    return event(at, "heartbeat", now=NOW.isoformat(), interval_ms=interval_ms)


STEPS = [event(1 + n / 10, "step", f"e-{n}") for n in range(1, 5)]
BEGINNING = [heartbeat(0.1), event(0.1, "snapshot", "e-0", status="pending"), *STEPS]
BEATS = [heartbeat(10), heartbeat(25)]
LAST = [event(26, "step", "e-5"), event(26, "end", "e-5")]
ARRIVALS = [*BEGINNING, *BEATS, *LAST]


def stream(*arrivals: Arrival, headers: Headers = EVENTS, **changes: Any) -> Stream:
    pieces = [Piece(each.at, 100) for each in arrivals]
    return replace(Stream(200, headers, head_at=0.1, arrivals=[*arrivals], pieces=pieces, retry_ms=2000), **changes)


READING: dict[str, Any] = {"creation": None, "deletion": None, "is_moving": False, "reports": []}
"""What is not seen of a session that was given."""

REFUSED_STREAM = Stream(401, PROBLEM, ended_at=1)


def healthy(**changes: Any) -> Observations:
    """Everything as it should be, except for the changes."""
    seen = Observations(
        "https://progress.example.com",
        SESSION,
        ORIGIN,
        has_token=True,
        is_moving=True,
        wall_offset_s=NOW.timestamp() - 0.05,
        network=Network("", ("192.0.2.1",), 0.01, "TLSv1.3", "h2", 60),
        poll=Exchange(200, JSON + CORS, session_body(), ended=0.1),
        creation=Exchange(201),
        stream=stream(*ARRIVALS, headers=EVENTS + CORS, ended_at=26),
        reports=[*(1 + n / 10 for n in range(1, 5)), 26],
        tagged_poll=Exchange(200, JSON, session_body("running")),
        repoll=Exchange(304, JSON),
        last_poll=Exchange(200, JSON, session_body("completed")),
        resumed=stream(*STEPS[1:], *LAST, ended_at=27),
        returned=Stream(status=204, ended_at=28),
        preflight=Exchange(200, (*CORS, ("access-control-allow-headers", "Authorization, If-None-Match"))),
        anonymous_poll=Exchange(401, PROBLEM),
        ticket=Exchange(201),
        ticket_stream=stream(BEGINNING[0]),
        cookie=Exchange(204, COOKIE),
        cookie_poll=Exchange(200, JSON),
        deletion=Exchange(204),
    )
    return replace(seen, **changes)


def through(seen: Observations, **headers: str) -> Observations:
    """The observations with these headers on the first poll."""
    return replace(seen, poll=replace(seen.poll, headers=headers_with(seen.poll.headers, **headers)))


def departures(seen: Observations) -> dict[str, Finding]:
    """The findings that are not `ok`, by the name of their check."""
    return {name: finding for name, finding in findings_of(seen).items() if finding.level != "ok"}


def the_one(seen: Observations) -> tuple[str, Finding]:
    """The only finding that is not `ok`, with the name of its check."""
    [found] = departures(seen).items()
    return found
