"""The stream: its kind, when its events come, and whether it stays open."""

from dataclasses import replace

import pytest

from progress_sse.auth.tokens import CLOCK_SKEW_S
from progress_sse.cli.doctor.observations import Arrival, Exchange, Stream
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

NO_CORS = {"origin": None}


def levels(seen_stream: Stream | None, **changes: object) -> dict[str, str]:
    """The levels that are neither ok nor skipped, behind an nginx."""
    seen = through(healthy(stream=seen_stream, **NO_CORS, **changes), server="nginx")
    return {name: finding.level for name, finding in departures(seen).items() if finding.level != "skipped"}


def text_of(name: str, seen_stream: Stream | None, **changes: object) -> str:
    """The finding of a check, behind an nginx, in words."""
    finding = departures(through(healthy(stream=seen_stream, **NO_CORS, **changes), server="nginx"))[name]
    return f"{finding.text} {finding.remedy}"


@pytest.mark.parametrize(
    ("seen_stream", "text"),
    [
        (stream(headers=headers_with(EVENTS, content_type="text/plain")), "content type of the stream is text/plain"),
        (stream(headers=headers_with(EVENTS, content_type=None)), "content type of the stream is none"),
        (Stream(404, PROBLEM, ended_at=1), "answered with 404, although polls work"),
        (Stream(ended_at=1, error="refused"), "cannot be opened: refused"),
    ],
)
def test_an_answer_that_is_no_stream_is_one_fault(seen_stream: Stream, text: str) -> None:
    """The checks of its events are skipped."""
    assert levels(seen_stream) == {"content type": "fault"}
    assert text in text_of("content type", seen_stream)


def delayed(arrivals: list[Arrival], at: float) -> list[Arrival]:
    """The events, all of which come at once."""
    return [each._replace(at=at) for each in arrivals]


def test_a_stream_that_comes_with_its_end_is_buffered() -> None:
    """The setting of the proxy is named, by the one check."""
    buffered = stream(*delayed([*BEGINNING, *LAST], 33), head_at=33, ended_at=33)
    assert levels(buffered) == {"first byte": "warning", "snapshot": "warning", "buffering": "fault"}
    assert "The whole stream came at once, with its end." in text_of("buffering", buffered)
    assert "proxy_ignore_headers X-Accel-Buffering" in text_of("buffering", buffered)
    assert "see buffering" in text_of("first byte", buffered)
    assert "see buffering" in text_of("snapshot", buffered)


def test_a_stream_of_which_nothing_comes_is_buffered() -> None:
    """Neither a head nor an end has come."""
    assert levels(Stream()) == {"buffering": "fault"}
    assert "Nothing of the stream came." in text_of("buffering", Stream())


def test_updates_that_come_late_are_buffered() -> None:
    """The beginning may come at once, where the buffer is small."""
    piecemeal = stream(*BEGINNING[:2], *delayed([*STEPS, *LAST], 30), ended_at=30)
    assert levels(piecemeal) == {"buffering": "fault"}
    assert "up to 28.9 s after their report" in text_of("buffering", piecemeal)


def test_updates_that_never_come_are_buffered() -> None:
    """The stream is still open."""
    assert "3 of 5 updates never came" in text_of("buffering", stream(*BEGINNING[:4]))


def test_a_slow_server_is_not_called_a_buffering_proxy() -> None:
    """Its polls are as slow as its streams."""
    slow = healthy(stream=stream(*[each._replace(at=each.at + 4) for each in ARRIVALS[:2]], head_at=4.1), reports=[])
    seen = replace(slow, poll=replace(slow.poll, ended=4), origin=None, creation=None, is_moving=False)
    found = {name: finding for name, finding in departures(seen).items() if finding.level != "skipped"}
    assert {"first byte", "snapshot"} <= set(found)
    assert "buffering" not in found
    assert "load of the server" in found["first byte"].remedy


def test_a_stream_without_a_snapshot_is_a_fault() -> None:
    """Unless the server refuses it by a long `retry`, which is named."""
    assert levels(stream(BEGINNING[0], *STEPS, *BEATS, *LAST))["snapshot"] == "fault"
    full = stream(retry_ms=30_000, ended_at=0.2)
    assert "has no room for the stream" in text_of("snapshot", full)
    assert "before an update came" in text_of("buffering", full)


def test_a_snapshot_that_does_not_know_the_session_is_a_fault() -> None:
    """Several servers answer, each with a store of its own."""
    unknown = stream(BEGINNING[0], event(0.1, "snapshot", "e-0", status="not_found"), *STEPS, *BEATS, *LAST)
    assert levels(unknown) == {"snapshot": "fault"}
    assert "share no store" in text_of("snapshot", unknown)


def test_compression_is_a_warning_and_a_fault_where_it_holds_events_back() -> None:
    """The types to compress are named."""
    gzip = headers_with(EVENTS, content_encoding="gzip")
    assert levels(stream(*ARRIVALS, headers=gzip, ended_at=26)) == {"compression": "warning"}
    held = stream(*delayed([*BEGINNING, *LAST], 33), headers=gzip, ended_at=33)
    assert levels(held)["compression"] == "fault"
    assert "`gzip_types`" in text_of("compression", held)


def test_a_query_that_does_not_arrive_is_a_fault() -> None:
    """The heartbeats are then comments."""
    without = stream(*(each for each in ARRIVALS if each.event.event != "heartbeat"), ended_at=26)
    assert levels(without) == {"query": "fault"}
    assert "$is_args$args" in text_of("query", without)


def test_a_stream_that_is_cut_in_silence_is_a_fault() -> None:
    """The time limit of the proxy is named."""
    cut = stream(*BEGINNING, ended_at=6.4, error="incomplete chunked read")
    assert levels(cut, reports=healthy().reports[:4]) == {"heartbeats": "fault"}
    text = text_of("heartbeats", cut, reports=healthy().reports[:4])
    assert "cut after 6.4 s, the last 5 s without a byte" in text
    assert "every 15 s; incomplete chunked read" in text
    assert "`proxy_read_timeout`" in text


def test_heartbeats_that_are_held_back_are_a_fault() -> None:
    """Of a session that does not move, nothing else shows it."""
    reading = READING | {"poll": Exchange(200, JSON, session_body("running"))}
    assert levels(stream(*BEGINNING[:2]), **reading) == {"heartbeats": "fault"}
    assert "No heartbeat came within 15 s" in text_of("heartbeats", stream(*BEGINNING[:2]), **reading)
    late = stream(*BEGINNING[:2], heartbeat(14), heartbeat(44))
    assert "30 s apart instead of 15 s" in text_of("heartbeats", late, **reading)


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


def test_without_a_stream_its_checks_are_skipped() -> None:
    """As when the time was over before."""
    assert levels(None) == {}
    assert levels(None, poll=Exchange(error="closed")) == {"server": "fault"}
