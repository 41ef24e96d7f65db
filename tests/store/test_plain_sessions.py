"""Sessions whose workers use none of the optional keys: their bytes stay as recorded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from progress_sse.core.commands import Command, Create
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Advance, Complete, Start
from progress_sse.store.change_builder import ChangeBuilder
from progress_sse.store.types import Record
from tests.core.samples import T0

DEFINITIONS = (StepDefinition("Find <a>", 1000, 10), StepDefinition("日本語"))

COMMANDS: list[Command] = [
    Create(DEFINITIONS),
    Start(1),
    Advance(1, 1, 3, "m"),
    Complete(1, False, "", "e\u2028"),
    Start(1, 7),
    Complete(1, True, "ok"),
    Start(2),
    Complete(2),
]

EVENTS = [
    (
        '{"step":{"step":1,"name":"Find \\u003ca>","status":"running","started_at":"2026-01-02T03:04:0'
        '6.678901+00:00","completed_at":null,"elapsed_ms":0,"timeout_ms":1000,"message":"","error":""'
        '},"session":{"session_id":"s","current_step":1,"total_steps":2,"status":"running","percentag'
        'e":0,"estimated_remaining_ms":30000}}'
    ),
    (
        '{"step":{"step":1,"name":"Find \\u003ca>","status":"running","started_at":"2026-01-02T03:04:0'
        '6.678901+00:00","completed_at":null,"elapsed_ms":0,"timeout_ms":1000,"message":"m","error":"'
        '","progress":{"current":1,"total":3}},"session":{"session_id":"s","current_step":1,"total_st'
        'eps":2,"status":"running","percentage":16,"estimated_remaining_ms":30000}}'
    ),
    (
        '{"step":{"step":1,"name":"Find \\u003ca>","status":"error","started_at":"2026-01-02T03:04:06.'
        '678901+00:00","completed_at":"2026-01-02T03:04:08.678901+00:00","elapsed_ms":2000,"timeout_m'
        's":1000,"message":"","error":"e\\u2028"},"session":{"session_id":"s","current_step":1,"total_'
        'steps":2,"status":"error","percentage":50,"estimated_remaining_ms":30000}}'
    ),
    (
        '{"step":{"step":1,"name":"Find \\u003ca>","status":"running","started_at":"2026-01-02T03:04:0'
        '9.678901+00:00","completed_at":null,"elapsed_ms":0,"timeout_ms":7,"message":"","error":""},"'
        'session":{"session_id":"s","current_step":1,"total_steps":2,"status":"running","percentage":'
        '0,"estimated_remaining_ms":30000}}'
    ),
    (
        '{"step":{"step":1,"name":"Find \\u003ca>","status":"success","started_at":"2026-01-02T03:04:0'
        '9.678901+00:00","completed_at":"2026-01-02T03:04:10.678901+00:00","elapsed_ms":1000,"timeout'
        '_ms":7,"message":"ok","error":""},"session":{"session_id":"s","current_step":1,"total_steps"'
        ':2,"status":"running","percentage":50,"estimated_remaining_ms":30000}}'
    ),
    (
        '{"step":{"step":2,"name":"日本語","status":"running","started_at":"2026-01-02T03:04:11.678901+0'
        '0:00","completed_at":null,"elapsed_ms":0,"timeout_ms":120000,"message":"","error":""},"sessi'
        'on":{"session_id":"s","current_step":2,"total_steps":2,"status":"running","percentage":50,"e'
        'stimated_remaining_ms":0}}'
    ),
    (
        '{"step":{"step":2,"name":"日本語","status":"success","started_at":"2026-01-02T03:04:11.678901+0'
        '0:00","completed_at":"2026-01-02T03:04:12.678901+00:00","elapsed_ms":1000,"timeout_ms":12000'
        '0,"message":"","error":""},"session":{"session_id":"s","current_step":2,"total_steps":2,"sta'
        'tus":"completed","percentage":100,"estimated_remaining_ms":0}}'
    ),
]
"""The data of the events of all but the first command, as recorded."""

POLLS = {
    0: (
        '{"session_id":"s","current_step":0,"total_steps":2,"status":"pending","steps":[{"step":1,"na'
        'me":"Find \\u003ca>","status":"pending","elapsed_ms":0,"timeout_ms":1000},{"step":2,"name":"日'
        '本語","status":"pending","elapsed_ms":0,"timeout_ms":120000}],"percentage":0,"estimated_remain'
        'ing_ms":30010}'
    ),
    2: (
        '{"session_id":"s","current_step":1,"total_steps":2,"status":"running","steps":[{"step":1,"na'
        'me":"Find \\u003ca>","status":"running","started_at":"2026-01-02T03:04:06.678901+00:00","comp'
        'leted_at":null,"elapsed_ms":0,"timeout_ms":1000,"message":"m","error":"","progress":{"curren'
        't":1,"total":3}},{"step":2,"name":"日本語","status":"pending","elapsed_ms":0,"timeout_ms":12000'
        '0}],"percentage":16,"estimated_remaining_ms":30000}'
    ),
    3: (
        '{"session_id":"s","current_step":1,"total_steps":2,"status":"error","steps":[{"step":1,"name'
        '":"Find \\u003ca>","status":"error","started_at":"2026-01-02T03:04:06.678901+00:00","complete'
        'd_at":"2026-01-02T03:04:08.678901+00:00","elapsed_ms":2000,"timeout_ms":1000,"message":"","e'
        'rror":"e\\u2028"},{"step":2,"name":"日本語","status":"pending","elapsed_ms":0,"timeout_ms":12000'
        '0}],"percentage":50,"estimated_remaining_ms":30000}'
    ),
    7: (
        '{"session_id":"s","current_step":2,"total_steps":2,"status":"completed","steps":[{"step":1,"'
        'name":"Find \\u003ca>","status":"success","started_at":"2026-01-02T03:04:09.678901+00:00","co'
        'mpleted_at":"2026-01-02T03:04:10.678901+00:00","elapsed_ms":1000,"timeout_ms":7,"message":"o'
        'k","error":""},{"step":2,"name":"日本語","status":"success","started_at":"2026-01-02T03:04:11.6'
        '78901+00:00","completed_at":"2026-01-02T03:04:12.678901+00:00","elapsed_ms":1000,"timeout_ms'
        '":120000,"message":"","error":""}],"percentage":100,"estimated_remaining_ms":0}'
    ),
}
"""The answers to polls after some of the commands, as recorded."""


@pytest.mark.guarantee("J")
def test_polls_and_events_are_byte_for_byte_as_recorded() -> None:
    """No optional key appears, and no byte moves."""
    record: Record | None = None
    events: list[str] = []
    for number, command in enumerate(COMMANDS):
        builder = ChangeBuilder("s", record)
        builder.apply(command, T0 + timedelta(seconds=number))
        change = builder.build()
        record = change.record
        assert record is not None
        events += [entry.data.decode() for entry in change.entries]
        assert record.body.decode() == POLLS.get(number, record.body.decode())
    assert events == EVENTS
