"""A session as plain text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from progress_sse.story.drawing import BAR_WIDTH, drawn

NOW = datetime(2026, 1, 2, 12, 0, 40, tzinfo=UTC)
AT_NOON = "2026-01-02T12:00:00.000000+00:00"
SERVER = "http://server"


def step(number: int, status: str, name: str = "Fetch", **more: Any) -> dict[str, Any]:
    shown = {"step": number, "name": name, "status": status, "elapsed_ms": 0, "timeout_ms": 120_000}
    if status != "pending":
        ended = None if status == "running" else AT_NOON
        shown |= {"started_at": AT_NOON, "completed_at": ended, "message": "", "error": ""}
    return shown | more


def session(status: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    done = sum(each["status"] in ("success", "error") for each in steps)
    return {
        "session_id": "import-42",
        "current_step": next((each["step"] for each in steps if each["status"] == "running"), 0),
        "total_steps": len(steps),
        "status": status,
        "steps": list(steps),
        "percentage": 100 * done // max(1, len(steps)),
        "estimated_remaining_ms": 0,
        **more,
    }


def lines(state: dict[str, Any]) -> list[str]:
    text = drawn(state, NOW.timestamp(), SERVER, UTC)
    assert text.endswith("\n")
    return text.removesuffix("\n").split("\n")


def test_a_running_session_has_title_bar_and_steps() -> None:
    """With signs and times."""
    state = session(
        "running",
        step(1, "success", elapsed_ms=12_345),
        step(2, "success", "Convert", conclusion="skipped"),
        step(3, "running", "Upload", progress={"current": 120, "total": 400}, message="part b"),
        step(4, "running", "Index", timeout_ms=30_000),
        step(5, "pending", "Check"),
        title="Import of the catalogue",
        percentage=46,
    )
    assert lines(state) == [
        "Import of the catalogue",
        "Step 3 of 5: Upload",
        f"[{'#' * 18}{'-' * 22}]  46%  2 of 5 steps done",
        "✓ 1      12.3 s  Fetch",
        "- 2              Convert  skipped",
        "> 3        40 s  Upload  120 / 400, part b",
        "> 4        40 s  Index  over its limit of 30 s",
        "· 5              Check",
    ]


def test_a_failed_session_says_why_and_where_to_look() -> None:
    """The end of a long error, and links as a terminal opens them."""
    error = "\n".join(f"line {number}" for number in range(30))
    state = session(
        "error",
        step(1, "error", error=error, elapsed_ms=61_000),
        step(2, "error", "Send", conclusion="cancelled"),
        step(3, "error", "Wait", conclusion="lost"),
        links=[{"label": "Log", "url": "/log"}],
    )
    shown = lines(state)
    assert shown[1:6] == [
        "Failed at step 1",
        f"[{'-' * BAR_WIDTH}]   0%  0 of 3 steps done",
        "✗ 1   1 min 1 s  Fetch",
        "x 2       0.0 s  Send  cancelled",
        "? 3       0.0 s  Wait  lost",
    ]
    assert shown[6:9] == ["Step 1, Fetch, failed:", "  line 10", "  line 11"]
    assert shown[-3:] == ["Step 2, Send, was cancelled", "Step 3, Wait, was lost", "Log: http://server/log"]


def test_a_stalled_worker_is_named_with_a_time_in_the_zone() -> None:
    """The server does not know where its reader is."""
    stalled = {"state": "stalled", "since": AT_NOON}
    shown = lines(session("running", step(1, "running", liveness=stalled)))
    assert shown[3:] == ["! 1        40 s  Fetch  stalled", "no sign of life since 12:00 UTC"]


def test_a_session_that_does_not_exist_has_no_bar() -> None:
    """Its id, and that it is awaited."""
    assert lines(session("not_found")) == ["import-42", "Waiting for the job to start"]


@pytest.mark.protocol("P-22.12")
def test_texts_of_a_job_cannot_act_on_a_terminal() -> None:
    """No escape, no control character, no change of direction, and no line of their own."""
    evil = "a\x1b]0;owned\x07\x1b[2J\x9b2J\x07\b\r\nfake\u202e\u2066\u200f\u2028z"
    state = session(
        "error",
        step(1, "error", evil, message=evil, error=evil),
        title=evil,
        error=evil,
        links=[{"label": evil, "url": "https://a.example/"}],
    )
    text = drawn(state, NOW.timestamp(), SERVER, UTC)
    assert "fake" in text
    assert not [char for char in text if not (char.isprintable() or char == "\n")]
    # The error is told in lines, each of them indented; all other texts are in one line.
    assert [line for line in text.split("\n") if line.startswith("fake")] == []


def test_parts_that_failed_and_requests_have_lines() -> None:
    """As in `watch`."""
    listed = [{"part": "shard-2", "status": "error", "error": "disk \x1b[2Jfull", "elapsed_ms": 1250}]
    parts = {"total": 4, "running": 1, "success": 2, "error": 1, "listed": listed}
    request = {"id": "a", "kind": "cancel", "step": None, "state": "asked", "asked_at": AT_NOON}
    request["reason"] = "wrong\nyear"
    index = step(1, "running", "Index", progress={"current": 3, "total": 4}, parts=parts)
    shown = lines(session("running", index, requests=[request]))
    assert shown[-3].endswith("Index  2 of 4 done, 1 failed")
    assert shown[-2:] == ["  Index, shard-2: failed, disk full", "Cancellation requested: wrong year"]


def test_a_session_whose_end_is_known_says_when_and_moves_by_time() -> None:
    """Steps that have not ended say what they were declared to take."""
    finish_at = {"p50": "2026-01-02T12:02:00+00:00", "p90": "2026-01-02T12:03:10+00:00"}
    time = {"percentage": 0, "finish_at": finish_at, "basis": "history", "runs": 6}
    steps = [step(1, "running", estimated_ms=90_000), step(2, "pending", "Load", estimated_ms=500)]
    assert lines(session("running", *steps, time=time))[2:] == [
        f"[{'#' * 13}{'-' * 27}]  33%  0 of 2 steps done, usually 1–3 min left",
        "> 1        40 s  Fetch  expected 1 min 30 s",
        "· 2              Load",
    ]
