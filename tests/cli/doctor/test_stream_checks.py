"""The stream: its kind, when its events come, and whether it stays open."""

from dataclasses import replace
from typing import Any

import pytest

from progress_sse.auth.tokens import CLOCK_SKEW_S
from progress_sse.cli.doctor.observations import Exchange, Stream
from progress_sse.cli.doctor.own_checks import SKEW_S
from tests.cli.doctor.seen import (
    ARRIVALS,
    BEATS,
    BEGINNING,
    EVENTS,
    JSON,
    LAST,
    PROBLEM,
    READING,
    STEPS,
    departures,
    event,
    headers_with,
    healthy,
    heartbeat,
    session_body,
    stream,
    the_one,
    through,
)

AT_ONCE = [each._replace(at=33) for each in (*BEGINNING, *LAST)]
WHOLE = stream(*AT_ONCE, head_at=33, ended_at=33)
LATE = stream(*BEGINNING[:2], *(each._replace(at=30) for each in (*STEPS, *LAST)), ended_at=30)
SLOW = stream(*[each._replace(at=each.at + 4) for each in ARRIVALS[:2]], head_at=4.1)
UNKNOWN = stream(BEGINNING[0], event(0.1, "snapshot", "e-0", status="not_found"), *STEPS, *BEATS, *LAST)
NO_SNAPSHOT = stream(BEGINNING[0], *STEPS, *BEATS, *LAST)
FULL = stream(retry_ms=30_000, ended_at=0.2)
GZIP = headers_with(EVENTS, content_encoding="gzip")
NO_BEATS = stream(*(each for each in ARRIVALS if each.event.event != "heartbeat"), ended_at=26)
CUT = stream(*BEGINNING, ended_at=6.4, error="incomplete chunked read")
READ: dict[str, Any] = READING | {"poll": Exchange(200, JSON, session_body("running"))}
SLOW_READ: dict[str, Any] = READING | {"poll": Exchange(200, JSON, session_body("running"), ended=4)}
UNTIL_CUT = {"reports": healthy().reports[:4]}

KIND, HELD, BEAT = {"content type": "fault"}, {"buffering": "fault"}, {"heartbeats": "fault"}
SLOWLY = {"first byte": "warning", "snapshot": "warning"}

CASES: list[tuple[Stream | None, dict[str, Any], dict[str, str], str, tuple[str, ...]]] = [
    (stream(headers=headers_with(EVENTS, content_type="text/plain")), {}, KIND, "content type", ("is text/plain",)),
    (stream(headers=()), {}, KIND, "content type", ("of the stream is none",)),
    (Stream(404, PROBLEM, ended_at=1), {}, KIND, "content type", ("with 404, although polls work",)),
    (Stream(ended_at=1, error="refused"), {}, KIND, "content type", ("cannot be opened: refused",)),
    (None, {}, {}, "content type", ("No head",)),
    (None, {"poll": Exchange(error="closed")}, {"server": "fault"}, "server", ("closed",)),
    (WHOLE, {}, SLOWLY | HELD, "buffering", ("came at once, with its end.", "proxy_ignore_headers X-Accel-Buffering")),
    (WHOLE, {}, SLOWLY | HELD, "first byte", ("see buffering",)),
    (WHOLE, {}, SLOWLY | HELD, "snapshot", ("see buffering",)),
    (replace(WHOLE, headers=GZIP), {}, SLOWLY | HELD | {"compression": "fault"}, "compression", ("holds", "gzip")),
    (stream(*ARRIVALS, headers=GZIP, ended_at=26), {}, {"compression": "warning"}, "compression", ("may hold",)),
    (Stream(), {}, HELD, "buffering", ("Nothing of the stream came.",)),
    (LATE, {}, HELD, "buffering", ("up to 28.9 s after their report",)),
    (stream(*BEGINNING[:4]), {}, HELD, "buffering", ("3 of 5 updates never came",)),
    # A slow server is not a buffering proxy: its polls are as slow as its streams.
    (SLOW, SLOW_READ, SLOWLY | BEAT, "first byte", ("load of the server",)),
    (NO_SNAPSHOT, {}, {"snapshot": "fault"}, "snapshot", ("No snapshot",)),
    (FULL, {}, {"snapshot": "fault"}, "snapshot", ("has no room for the stream", "max_streams")),
    (FULL, {}, {"snapshot": "fault"}, "buffering", ("before an update came",)),
    (UNKNOWN, {}, {"snapshot": "fault"}, "snapshot", ("share no store",)),
    (NO_BEATS, {}, {"query": "fault"}, "query", ("$is_args$args",)),
    (CUT, UNTIL_CUT, BEAT, "heartbeats", ("cut after 6.4 s, the last 5 s without a byte", "`proxy_read_timeout`")),
    (CUT, UNTIL_CUT, BEAT, "heartbeats", ("every 15 s; incomplete chunked read",)),
    (stream(*BEGINNING[:2]), READ, BEAT, "heartbeats", ("No heartbeat came within 15 s",)),
    (stream(*BEGINNING[:2], heartbeat(14), heartbeat(44)), READ, BEAT, "heartbeats", ("30 s apart instead of 15 s",)),
]  # fmt: skip
"""A stream and what else is seen; all faults and warnings behind an nginx; a check, and words of its finding."""


@pytest.mark.parametrize(("seen_stream", "changes", "levels", "name", "words"), CASES)
def test_a_fault_of_the_stream(
    seen_stream: Stream | None, changes: dict[str, Any], levels: dict[str, str], name: str, words: tuple[str, ...]
) -> None:
    """The checks that depend on it are skipped, or refer to it."""
    found = departures(through(healthy(stream=seen_stream, origin=None, **changes), server="nginx"))
    assert {name: finding.level for name, finding in found.items() if finding.level != "skipped"} == levels
    assert all(each in f"{found[name].text} {found[name].remedy}" for each in words)


@pytest.mark.parametrize(
    ("proxy", "interval_ms", "level"),
    [
        ("nginx", 60_000, "warning"),
        ("cloudflare", 100_000, "warning"),
        ("cloudflare", 99_000, None),
        ("", 60_000, "warning"),
    ],
)
def test_rare_heartbeats_are_compared_with_the_time_limit_of_the_proxy(
    proxy: str, interval_ms: int, level: str | None
) -> None:
    """They are not waited for."""
    rare = stream(heartbeat(0.1, interval_ms), *BEGINNING[1:], *LAST, ended_at=26)
    found = departures(through(healthy(stream=rare, origin=None), server=proxy))["heartbeats"]
    assert found.level == (level or "skipped")
    assert "heartbeat_s" in found.remedy or level is None


def test_clocks_that_differ_are_a_warning() -> None:
    """Tokens expire by the server's clock."""
    seen = healthy()
    name, finding = the_one(replace(seen, wall_offset_s=seen.wall_offset_s - 90))
    assert (name, finding.level) == ("clock", "warning")
    assert "1 min 30 s ahead of this one" in finding.text
    _, finding = the_one(replace(seen, wall_offset_s=seen.wall_offset_s + 90))
    assert "1 min 30 s behind this one" in finding.text
    assert not departures(replace(seen, wall_offset_s=seen.wall_offset_s + 4))
    assert SKEW_S == CLOCK_SKEW_S


@pytest.mark.parametrize("data", ["[]", "{", '{"now": "yesterday", "interval_ms": 15000}', '{"interval_ms": -1}'])
def test_a_heartbeat_that_is_damaged_shows_nothing(data: str) -> None:
    """No check fails of it."""
    damaged = ARRIVALS[0]._replace(event=ARRIVALS[0].event._replace(data=data))
    found = departures(healthy(stream=stream(damaged, *BEGINNING[1:], *LAST, ended_at=26), origin=None))
    assert found["clock"].level == "skipped"
