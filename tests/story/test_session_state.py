"""The states of a session that `watch` accepts."""

import json
from pathlib import Path
from typing import Any

import pytest

from progress_sse.story.session_state import SessionState, checked, folded
from tests.cli.sessions import PENDING, session, step

PARTS = {"total": None, "running": 0, "success": 0, "error": 1, "listed": [{"part": "a", "status": "error"}]}
ENDS = {"p50": "2026-11-25T10:00:00Z", "p90": "2026-11-25T10:00:00Z"}
TIME: dict[str, Any] = {"percentage": 5, "finish_at": None, "basis": "new", "runs": 0}
FOLDS = json.loads((Path(__file__).parents[1] / "corpus" / "folds.json").read_text("utf-8"))


@pytest.mark.protocol("P-8.5")
@pytest.mark.parametrize("vector", FOLDS, ids=lambda each: each["name"])
def test_transitions_are_folded_as_the_vectors_say(vector: dict[str, Any]) -> None:
    """The keys keep their order, and the state before is not modified."""
    state = checked(vector["snapshot"], vector["snapshot"]["session_id"])
    before = json.dumps(state)
    for transition in vector["steps"]:
        state = folded(state, transition)
    assert json.dumps(state) == json.dumps(vector["folded"])
    assert json.dumps(vector["snapshot"]) == before


def test_a_transition_without_a_state_is_refused() -> None:
    """So is one with invalid data."""
    with pytest.raises(ValueError, match="without a state"):
        folded(None, {"step": {"step": 1}, "session": {}})
    odd: list[Any] = [None, {"step": None, "session": {}}, {"step": step("pending"), "session": []}]
    for transition in odd:
        with pytest.raises(ValueError, match="not a transition"):
            folded(PENDING, transition)


def test_an_invalid_state_is_refused() -> None:
    """Only a valid state may reach, for example, a terminal."""
    started = step("running", progress={"current": 1, "total": None})
    steps: list[Any] = [
        None,
        {**started, "step": "[red]1"},
        {**started, "step": True},
        {**started, "name": 5},
        {**started, "name": "\ud800"},
        {**started, "status": "\x1b[31m"},
        {**started, "status": []},
        {**started, "elapsed_ms": 2**53},
        {**started, "elapsed_ms": -1},
        {**started, "timeout_ms": 1.5},
        {**started, "started_at": None},
        {**started, "started_at": "yesterday"},
        {**started, "completed_at": "2026-11-25T10:00:00"},
        {**started, "message": None},
        {**started, "progress": None},
        {**started, "progress": {"current": "1", "total": 2}},
        {**started, "parts": {"total": 5}},
        {**started, "parts": {**PARTS, "listed": [{"part": 5, "status": "error"}]}},
        {**started, "parts": {**PARTS, "listed": [{"part": "a", "status": "error", "error": None}]}},
        {**started, "started_at": "0001-01-01T00:00:00+00:00"},
        {**started, "started_at": "9999-12-31T23:59:59+00:00"},
        {**started, "liveness": {"state": "stalled"}},
        {**started, "liveness": {"state": "stalled", "since": "12:03"}},
        {**started, "conclusion": None},
        {**started, "attempt": "\x1b[2J"},
        {**started, "estimated_ms": None},
        {**step("pending"), "step": 1, "estimated_ms": "\x1b[2J"},
        {key: value for key, value in started.items() if key != "error"},
    ]
    running = session("running", started)
    sessions: list[SessionState] = [{**running, "steps": [each]} for each in steps]
    others: list[dict[str, Any]] = [
        {"steps": None},
        {"session_id": "other"},
        {"status": "\x1b[31m"},
        {"percentage": "1"},
        {"current_step": 1.0},
        {"title": ["\x1b[2J"]},
        {"links": {"label": "Log", "url": "/log"}},
        {"links": [{"label": "Log"}]},
        {"links": [{"label": "Log", "url": None}]},
        {"open_ended": 1},
        {"error": None},
        {"conclusion": 5},
        {"time": None},
        {"time": {**TIME, "percentage": "\x1b[2J"}},
        {"time": {**TIME, "basis": 5}},
        {"time": {**TIME, "finish_at": {"p50": "2026-11-25T10:00:00Z"}}},
        {"time": {**TIME, "finish_at": {**ENDS, "p90": "soon"}}},
        {"requests": {}},
        {"requests": [{"id": "r1", "kind": "cancel"}]},
        {"requests": [{"id": "r1", "kind": "cancel", "state": "asked", "message": 5}]},
    ]
    sessions += [{**PENDING, **other} for other in others]
    answers: list[Any] = [None, [], "session_id", {}, *sessions]
    for answer in answers:
        with pytest.raises(ValueError, match="not the session"):
            checked(answer, "nightly")
    details = {
        "title": "a",
        "links": [{"label": "b", "url": "c"}],
        "open_ended": True,
        "error": "",
        "conclusion": "new",
        "time": {**TIME, "finish_at": ENDS},
        "requests": [{"id": "r1", "kind": "new", "state": "new", "asked_at": "2026-11-25T10:00:00Z", "message": ""}],
    }
    lively = {
        **started,
        "step": 1,
        "estimated_ms": 0,
        "parts": PARTS,
        "liveness": {"state": "new", "since": "2026-11-25T10:00:00Z"},
        "conclusion": "new",
    }
    assert checked({**running, **details, "steps": [lively]}, "nightly")["status"] == "running"


@pytest.mark.protocol("P-2.5")
def test_unknown_keys_are_ignored() -> None:
    """A later server may send some, in a session, in its steps, and in transitions."""
    started = step("running", priority=1)
    state = checked(session("running", started, owner={}), "nightly")
    transition = {"step": started, "session": {**state, "owner": {}}, "cause": "retry"}
    assert folded(state, transition)["steps"] == [started]
