"""A session as plain text."""

from datetime import UTC
from typing import Any

import pytest

from progress_sse.story.drawing import BAR_WIDTH, badge, drawn, tab_state
from progress_sse.story.session_state import SessionState
from tests.cli import sessions
from tests.cli.sessions import ABSENT, PENDING, RUNNING, SERVER, T0_S, after, at, ended, leased, session


def step(status: str, name: str = "Fetch", **more: Any) -> dict[str, Any]:
    return sessions.step(status, name=name, **more)


def lines(state: SessionState) -> list[str]:
    """What is drawn 40 seconds after the start."""
    text = drawn(state, T0_S + 40, SERVER, UTC)
    assert text.endswith("\n")
    return text.removesuffix("\n").split("\n")


def test_a_running_session_has_title_bar_and_steps() -> None:
    """With states in words, and times."""
    state = session(
        "running",
        ended("success", 12.345, name="Fetch"),
        step("success", "Convert", conclusion="skipped"),
        step("running", "Upload", progress={"current": 120, "total": 400}, message="part b"),
        step("running", "Index", timeout_ms=30_000),
        step("pending", "Check"),
        title="Import of the catalogue",
        percentage=46,
        current_step=3,
    )
    assert lines(state) == [
        "Import of the catalogue",
        "Step 3 of 5: Upload · running for 40 s · 2 of 5 steps done",
        f"[{'#' * 18}{'-' * 22}]  46%",
        "1  done           12.3 s  Fetch",
        "2  skipped                Convert",
        "3  running          40 s  Upload  120 / 400, part b",
        "4  running          40 s  Index  over its limit of 30 s",
        "5  waiting                Check",
    ]


def test_a_failed_session_says_why_and_where_to_look() -> None:
    """The end of a long error, and links as a terminal opens them."""
    error = "\n".join(f"line {number}" for number in range(30))
    state = session(
        "error",
        ended("error", 61, name="Fetch", error=error),
        step("error", "Send", conclusion="cancelled"),
        step("error", "Wait", conclusion="lost"),
        links=[{"label": "Log", "url": "/log"}],
    )
    shown = lines(state)
    assert shown[1:6] == [
        "Failed at step 1 after 1 min 1 s · 0 of 3 steps done",
        f"[{'-' * BAR_WIDTH}]   0%",
        "1  failed      1 min 1 s  Fetch",
        "2  cancelled       0.0 s  Send",
        "3  lost            0.0 s  Wait",
    ]
    assert shown[6:9] == ["Step 1, Fetch, failed:", "  line 10", "  line 11"]
    assert shown[-3:] == ["Step 2, Send, was cancelled", "Step 3, Wait, was lost", "Log: https://h.example/log"]


def test_a_stalled_worker_is_named_with_a_time_in_the_zone() -> None:
    """The server does not know where its reader is."""
    shown = lines(session("running", step("running", liveness={"state": "stalled", "since": at(0)})))
    assert shown[3:] == ["1  stalled          40 s  Fetch", "no sign of life since 10:00 UTC"]


def test_a_session_whose_end_cannot_be_known_has_no_bar() -> None:
    """One that does not exist is awaited, or was deleted; one that may get more steps counts them."""
    unknown = ["nightly", "Waiting for the job to start", "No job has reported here yet; is the id right?"]
    assert lines(session("not_found")) == unknown
    gone = lines(session("not_found", gone=True))
    assert gone == ["nightly", "This job was deleted", "If it is started again, it is shown here."]
    open_ended = session("running", step("running"), open_ended=True)
    assert lines(open_ended)[1:] == [
        "Step 1: Fetch · running for 40 s · 1 step so far",
        "1  running          40 s  Fetch",
    ]
    assert "1 step so far, stalled" in badge(session("running", leased("stalled"), open_ended=True))


@pytest.mark.protocol("P-22.12")
def test_texts_of_a_job_cannot_act_on_a_terminal() -> None:
    """No escape, no control character, no change of direction, and no line of their own."""
    evil = "a\x1b]0;owned\x07\x1b[2J\x9b2J\x07\b\r\nfake\u202e\u2066\u200f\u2028z"
    state = session(
        "error",
        step("error", evil, message=evil, error=evil),
        title=evil,
        error=evil,
        links=[{"label": evil, "url": "https://a.example/"}],
    )
    text = lines(state)
    assert any("fake" in line for line in text)
    assert all(map(str.isprintable, text))
    assert not [line for line in text if line.startswith("fake")], "the lines of an error are indented"


def test_parts_that_failed_and_requests_have_lines() -> None:
    """As in `watch`."""
    listed = [{"part": "shard-2", "status": "error", "error": "disk \x1b[2Jfull", "elapsed_ms": 1250}]
    parts = {"total": 4, "running": 1, "success": 2, "error": 1, "listed": listed}
    request = {"id": "a", "kind": "cancel", "step": None, "state": "asked", "asked_at": at(0)}
    request["reason"] = "wrong\nyear"
    index = step("running", "Index", progress={"current": 3, "total": 4}, parts=parts)
    shown = lines(session("running", index, requests=[request]))
    assert shown[-3].endswith("Index  2 of 4 done, 1 failed")
    assert shown[-2:] == ["  Index, shard-2: failed, disk full", "Cancellation requested: wrong year"]


def test_a_session_whose_end_is_known_says_when_and_moves_by_time() -> None:
    """Steps that have not ended say what they were declared to take."""
    finish_at = {"p50": at(120), "p90": at(190)}
    time = {"percentage": 0, "finish_at": finish_at, "basis": "history", "runs": 6}
    steps = [step("running", estimated_ms=90_000), step("pending", "Load", estimated_ms=500)]
    assert lines(session("running", *steps, time=time))[1:] == [
        "Step 1 of 2: Fetch · running for 40 s · usually 1–3 min left · 0 of 2 steps done",
        f"[{'#' * 13}{'-' * 27}]  33%",
        "1  running          40 s  Fetch  expected 1 min 30 s",
        "2  waiting                Load",
    ]


DONE = ended("success", 1)


@pytest.mark.parametrize(
    ("state", "seconds", "expected"),
    [
        (ABSENT, 1, (0, None)),
        (PENDING, 1, (1, 33)),
        (RUNNING, 1, (1, 33)),
        (session("running", step("running"), open_ended=True), 1, (3, None)),
        (session("running", leased("live")), 500, (1, 33)),
        (session("running", leased("stalled")), 1, (4, 33)),
        (RUNNING, 121, (4, 33)),
        (session("running", DONE, step("pending")), 61, (4, 33)),
        (session("running", ended("error", 1), step("running", progress={"current": 1, "total": 2})), 1, (2, 25)),
        (session("error", DONE, ended("error", 2)), 3, (2, 50)),
        (session("error", step("error"), open_ended=True), 1, (2, None)),
        (session("completed", DONE), 2, (0, None)),
    ],
)
def test_a_tab_shows_how_a_session_is(state: SessionState, seconds: float, expected: tuple[int, int | None]) -> None:
    """Progress, a failure also while others run, a pause where the worker is silent, and nothing once it is over."""
    assert tab_state(after((0, state)), T0_S + seconds) == expected
