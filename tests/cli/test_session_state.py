"""The state of a session in `watch`, its changes as lines, and its display on a terminal."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from progress_sse.cli.session_state import SessionState, changes, checked, duration, folded
from progress_sse.cli.terminal import Terminal

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
        {key: value for key, value in started.items() if key != "error"},
    ]
    sessions: list[SessionState] = [{**session("running", started), "steps": [each]} for each in steps]
    others: list[dict[str, Any]] = [
        {"steps": None},
        {"session_id": "other"},
        {"status": "\x1b[31m"},
        {"percentage": "1"},
        {"current_step": 1.0},
    ]
    sessions += [{**PENDING, **other} for other in others]
    answers: list[Any] = [None, [], "session_id", {}, *sessions]
    for answer in answers:
        with pytest.raises(ValueError, match="not the session"):
            checked(answer, "nightly")
    assert checked(session("running", started), "nightly")["status"] == "running"


@pytest.mark.protocol("P-2.5")
def test_unknown_keys_are_ignored() -> None:
    """A later server may send some, in a session, in its steps, and in transitions."""
    started = step("running", priority=1)
    state = checked(session("running", started, owner={}), "nightly")
    transition = {"step": started, "session": {**state, "owner": {}}, "cause": "retry"}
    assert folded(state, transition)["steps"] == [started]


def step(status: str, **more: Any) -> dict[str, Any]:
    """A step whose name would clear the screen."""
    pending = {"step": 1, "name": "Dump\x1b[2J\r\nall", "status": status, "elapsed_ms": 0, "timeout_ms": 120_000}
    if status == "pending":
        return pending
    ago = datetime.now(UTC) - timedelta(seconds=70)
    started = {"started_at": ago.isoformat(), "completed_at": None, "message": "", "error": ""}
    return {**pending, **started, **more}


def session(status: str = "pending", *steps: dict[str, Any], **more: Any) -> SessionState:
    """A session of these steps, with their numbers."""
    numbered = [{**each, "step": number} for number, each in enumerate(steps, start=1)]
    return {
        "session_id": "nightly",
        "current_step": 1 if steps else 0,
        "total_steps": len(steps),
        "status": status,
        "steps": numbered,
        "percentage": 33,
        "estimated_remaining_ms": 0,
        **more,
    }


ABSENT = session("not_found")
PENDING = session("pending", step("pending"))
RUNNING = session("running", step("running", started_at="2026-11-25T10:00:00+00:00"))
AT_3 = session("running", {**RUNNING["steps"][0], "progress": {"current": 3000, "total": 8000}, "message": "rows"})
AT_4 = session("running", {**RUNNING["steps"][0], "progress": {"current": 4, "total": None}})
FAILED = session("error", step("error", elapsed_ms=12_399, error="disk\nfull", message="rows"))
AGAIN = session("running", step("running", started_at="2026-11-25T11:00:00+00:00"))
DONE = session("completed", step("success", elapsed_ms=307_000))


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (None, ABSENT, ["waiting for the job to start"]),
        (None, PENDING, []),
        (ABSENT, RUNNING, [" 33%  1/1 Dump all: started"]),
        (PENDING, RUNNING, [" 33%  1/1 Dump all: started"]),
        (RUNNING, RUNNING, []),
        (RUNNING, AT_3, [" 33%  1/1 Dump all: 3,000 / 8,000, rows"]),
        (AT_3, AT_4, [" 33%  1/1 Dump all: 4"]),
        (RUNNING, FAILED, [" 33%  1/1 Dump all: failed after 12.3s, rows, disk full", "error"]),
        (FAILED, AGAIN, [" 33%  1/1 Dump all: started"]),
        (AGAIN, DONE, [" 33%  1/1 Dump all: done after 5:07", "completed"]),
        (None, DONE, [" 33%  1/1 Dump all: done after 5:07", "completed"]),
        (DONE, PENDING, ["begins afresh"]),
        (DONE, ABSENT, ["waiting for the job to start"]),
    ],
)
def test_each_change_is_a_line(before: SessionState | None, after: SessionState, lines: list[str]) -> None:
    """The line is plain text, whatever names and messages contain."""
    assert list(changes(before, after)) == lines


@pytest.mark.parametrize(
    ("elapsed_ms", "shown"), [(0, "0.0s"), (59_999, "59.9s"), (60_000, "1:00"), (3_907_000, "1:05:07")]
)
def test_a_time_is_shown_as_people_read_it(elapsed_ms: int, shown: str) -> None:
    """It is rounded down, so that no limit seems reached too early."""
    assert duration(elapsed_ms) == shown


def drawn(state: SessionState | None, *, height: int = 30, ahead_s: float = 0, silent_s: float = 0) -> str:
    """The content of a terminal."""
    file = io.StringIO()
    console = Console(file=file, width=100, height=height, color_system=None)
    terminal = Terminal("nightly", console)
    if state is not None:
        terminal.show(state)
        terminal.set_connection("live")
    terminal.set_clock(ahead_s + silent_s)
    if state is not None and not silent_s:
        terminal.show(state)
    console.print(terminal)
    return file.getvalue()


def test_a_terminal_shows_the_wait_for_the_server_and_the_job() -> None:
    """It waits for the server first, and then for the job."""
    assert drawn(None) == "nightly  connecting\nwaiting for the job to start\n"
    assert drawn(ABSENT) == "nightly  live\nwaiting for the job to start\n"


def test_times_tick_on_a_terminal() -> None:
    """They follow the server's clock, and a step past its time limit is marked."""
    assert "🔄 1 Dump all 1:10" in drawn(session("running", step("running")))
    assert "🔄 1 Dump all 2:10, over its limit of 2:00" in drawn(session("running", step("running")), ahead_s=60)


def test_a_terminal_shows_the_progress_of_a_step() -> None:
    """There is a bar if the total is known."""
    running = session("running", step("running", progress={"current": 3120, "total": 8000}, message="rows"))
    assert re.search(r"1:10 ━━━━━━━╸ +3,120 / 8,000 rows\n", drawn(running))
    running = session("running", step("running", progress={"current": 3120, "total": None}))
    assert re.search(r"1:10 3,120 *\n", drawn(running))


@pytest.mark.protocol("P-3.13")
def test_a_terminal_does_not_look_done_before_it_is() -> None:
    """Nor does it after a failure, though failed steps count."""
    assert "99% running" in drawn(session("running", step("running"), percentage=100))
    failed = drawn(session("error", step("error", error="disk\nfull\x1b[2J"), percentage=100))
    assert "100% error" in failed
    assert failed.endswith("\nfailed at step 1, Dump all:\n  disk\n  full\n")
    assert "100% completed" in drawn(session("completed", step("success"), percentage=100))


def test_a_terminal_shows_a_long_silence() -> None:
    """The bar of a dead worker must not look alive."""
    assert "no update for 1:50" in drawn(session("running", step("running")), silent_s=40)
    assert "no update" not in drawn(session("completed", step("success")), silent_s=40)
    assert "no update" not in drawn(session("running", step("running")))


def test_a_small_terminal_shows_the_steps_around_the_current_one() -> None:
    """The other steps are left out."""
    steps = [step("success")] * 50 + [step("running")] + [step("pending")] * 49
    shown = drawn(session("running", *steps, current_step=51), height=16)
    assert [line.split()[1] for line in shown.splitlines()[2:12]] == [str(n) for n in range(47, 57)]
    assert len(shown.splitlines()) == 12
