"""Coming back after a cut, polling and caches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from progress_sse.cli.doctor.findings import Level
from progress_sse.cli.doctor.observations import Exchange, Stream
from tests.cli.doctor.seen import (
    ARRIVALS,
    BEGINNING,
    EVENTS,
    JSON,
    LAST,
    REFUSED_STREAM,
    STEPS,
    departures,
    headers_with,
    healthy,
    session_body,
    stream,
    the_one,
    through,
)

AGAIN = stream(*BEGINNING, *LAST, ended_at=27)
RESUMED = stream(*STEPS[1:], *LAST, ended_at=27)


@pytest.mark.parametrize(
    ("changes", "level", "text", "change"),
    [
        ({"resumed": AGAIN, "resumed_by_query": RESUMED}, "fault", "Last-Event-ID does not arrive", "proxy_set_header"),
        ({"resumed": AGAIN, "resumed_by_query": AGAIN}, "warning", "the whole session again", "`history`"),
        ({"resumed": REFUSED_STREAM}, "fault", "gets no stream (401)", "log"),
        ({"resumed": Stream(error="closed", ended_at=1)}, "fault", "gets no stream (closed)", "log"),
        ({"resumed": Stream()}, "fault", "gets no stream (no event came)", "log"),
        ({"resumed": Stream(0, 200, EVENTS, retry_ms=30_000, ended_at=1)}, "fault", "no room", "`max_streams`"),
        ({"resumed": None}, "skipped", "No event with an id", ""),
    ],
)
def test_a_return_that_misses_its_place_is_told(changes: dict[str, Any], level: Level, text: str, change: str) -> None:
    """A header that is removed is told from a history that is gone, by the same id in the query."""
    name, finding = the_one(through(healthy(**changes), server="nginx"))
    assert (name, finding.level) == ("resume", level)
    assert text in finding.text
    assert change in finding.remedy


@pytest.mark.parametrize("resumed", [Stream(status=204, ended_at=1), stream(BEGINNING[0])])
def test_a_return_without_a_snapshot_is_well(resumed: Stream) -> None:
    """A session that has not moved brings a heartbeat alone, one that is over 204."""
    assert not departures(healthy(resumed=resumed))


def test_a_return_after_the_end_must_get_204() -> None:
    """Where the header does not arrive at all, that is named once."""
    name, finding = the_one(healthy(returned=RESUMED))
    assert (name, finding.level) == ("end", "fault")
    found = departures(healthy(returned=AGAIN, resumed=AGAIN, resumed_by_query=RESUMED))
    assert {name: finding.level for name, finding in found.items()} == {"resume": "fault", "end": "skipped"}


@pytest.mark.parametrize(
    ("changes", "level", "text", "change"),
    [
        ({"tagged_poll": Exchange(200, headers_with(JSON, etag=None))}, "warning", "no ETag", "proxy_hide_header ETag"),
        ({"repoll": Exchange(200, JSON)}, "warning", "although it is unchanged", "proxy_set_header If-None-Match"),
        ({"tagged_poll": Exchange(200, JSON, b"{", "closed")}, "fault", "broke off after 1 bytes", "proxy_temp_path"),
        (
            {"tagged_poll": Exchange(200, headers_with(JSON, content_type="text/plain"))},
            "fault",
            "type of polls is text/plain",
            "proxy_hide_header Content-Type",
        ),
        (
            {"tagged_poll": Exchange(200, headers_with(JSON, etag='"e-4-gzip"')), "repoll": Exchange(200, JSON)},
            "warning",
            "Compression changes the ETag",
            "DeflateAlterETag",
        ),
        ({"tagged_poll": None}, "skipped", "not answered", ""),
        ({"repoll": Exchange(error="closed")}, "skipped", "not answered", ""),
    ],
)
def test_a_poll_that_costs_more_than_it_must_is_told(
    changes: dict[str, Any], level: Level, text: str, change: str
) -> None:
    """Pages poll every two seconds where there is no stream."""
    name, finding = the_one(through(healthy(**changes), server="nginx"))
    assert (name, finding.level) == ("polling", level)
    assert text in finding.text
    assert change in finding.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"last_poll": Exchange(200, JSON, session_body())},
        {"last_poll": Exchange(200, headers_with(JSON, age="7"), session_body("completed"))},
        {"tagged_poll": Exchange(200, headers_with(JSON, x_cache_status="HIT"), session_body("running"))},
        {"stream": stream(*ARRIVALS, headers=headers_with(EVENTS, cf_cache_status="HIT"), ended_at=26), "origin": None},
    ],
)
def test_an_answer_from_a_cache_is_a_fault(changes: dict[str, Any]) -> None:
    """By a state that is over, or by the cache's own headers."""
    found = departures(through(healthy(**changes), server="nginx"))
    assert found["caching"].level == "fault"
    assert "`proxy_cache off`" in found["caching"].remedy


def test_a_missing_no_store_is_a_warning() -> None:
    """A cache could store the stream."""
    seen = healthy()
    assert seen.stream is not None
    headers = headers_with(seen.stream.headers, cache_control="public")
    name, finding = the_one(replace(seen, stream=replace(seen.stream, headers=headers)))
    assert (name, finding.level) == ("caching", "warning")


@pytest.mark.parametrize("headers", [{"age": "0"}, {"x_cache": "MISS"}, {"age": "x"}])
def test_a_cache_that_has_stored_nothing_is_no_fault(headers: dict[str, str]) -> None:
    """It has passed the request on."""
    assert not departures(through(healthy(), **headers))
