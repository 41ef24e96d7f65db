"""When a session will end, in words, and how far it is by time."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from progress_sse.story.observed_session import shown_percentage
from progress_sse.story.session_state import SessionState
from progress_sse.story.time_left import (
    LONGER_THAN_EXPECTED,
    LONGER_THAN_USUAL,
    percentage_by_time,
    step_ends,
    time_left,
)
from progress_sse.story.usual_times import with_usual
from tests.cli.sessions import PENDING, RUNNING, T0_S, after, at, ended, leased, session, step

MINUTE, HOUR, DAY = 60, 3600, 86_400
ONE = step("running")
"""A step that began at `T0`."""


def timed(
    *steps: dict[str, Any],
    p50: float,
    p90: float | None = None,
    percentage: int = 0,
    basis: str = "history",
    **more: Any,
) -> SessionState:
    """A running session that will end so many seconds after `T0`."""
    finish_at = {"p50": at(p50), "p90": at(p50 if p90 is None else p90)}
    time = {"percentage": percentage, "finish_at": finish_at, "basis": basis, "runs": 7}
    return session("running", *(steps or (ONE,)), time=time, **more)


def words(p50: float, p90: float | None = None) -> str:
    return time_left(timed(p50=p50, p90=p90), T0_S, UTC)


@pytest.mark.parametrize(
    ("p50", "p90", "said"),
    [
        (3, 9, "a few seconds left"),
        (12, 12, "about 10 sec left"),
        (12, 35, "usually 10–40 sec left"),
        (4, 45, "usually less than 50 sec left"),
        (50, 50, "about 50 sec left"),
        (55, 55, "about 1 min left"),
        (25, 110, "usually less than 2 min left"),
        (45, 110, "usually 1–2 min left"),
        (45, 70, "about 1 min left"),
        (11, 14, "about 10 sec left"),
        (12, 18, "usually 10–20 sec left"),
        (24, 28, "about 30 sec left"),
        (600, 720, "about 12 min left"),
        (600, 721, "usually 10–13 min left"),
        (180, 290, "usually 3–5 min left"),
        (240, 240, "about 4 min left"),
        (170, 180, "about 3 min left"),
        (-20, 130, "usually less than 3 min left"),
        (20 * MINUTE, 58 * MINUTE, "usually 20–58 min left"),
        (20 * MINUTE, 59 * MINUTE, "done about 10:20–11:00 UTC"),
        (2 * HOUR, 2 * HOUR, "done about 12:00 UTC"),
        (2 * HOUR, 5 * HOUR - 1, "done about 12:00–15:00 UTC"),
        (11 * HOUR, 15 * HOUR, "done about 21:00–Nov 26, 01:00 UTC"),
        (14 * HOUR, 15 * HOUR, "done about Nov 26, 00:00–01:00 UTC"),
        (9 * DAY, 9 * DAY, "done about Dec 4, 10:00 UTC"),
        (300 * DAY, 300 * DAY, ""),
        (-9, -2, "a few seconds left"),
        (-9, -2.1, LONGER_THAN_USUAL),
    ],
)
def test_the_end_is_told_no_more_precisely_than_it_is_known(p50: float, p90: float, said: str) -> None:
    """A duration where it is short, a time of day where it is long, a range where both ends differ."""
    assert words(p50, p90) == said


def test_without_a_zone_a_time_of_day_is_that_of_this_machine() -> None:
    """And the zone has no name."""
    said = time_left(timed(p50=2 * HOUR), T0_S)
    assert said.startswith("done about ")
    assert said[-3] == ":"


@pytest.mark.parametrize(
    "state",
    [
        RUNNING,
        PENDING,
        timed(p50=60) | {"status": "error"},
        session("running", ONE, time={"percentage": 5, "finish_at": None, "basis": "rate", "runs": 0}),
        timed(leased("stalled"), p50=60),
    ],
)
def test_where_the_end_is_not_known_nothing_is_said(state: SessionState) -> None:
    """Nor of a worker that gives no signs of life."""
    assert time_left(state, T0_S) == ""


def test_a_step_that_takes_too_long_does_not_shorten_those_that_follow() -> None:
    """Their declared time stays; or their usual time, if it is known here."""
    waiting = step("pending", estimated_ms=120_000)
    state = timed(ONE, waiting, p50=180, basis="declared")
    assert time_left(state, T0_S + 30) == "about 3 min left"
    assert time_left(state, T0_S + 69) == "about 2 min left"
    assert time_left(state, T0_S + 70) == LONGER_THAN_EXPECTED
    assert percentage_by_time(state, T0_S + 60) == 33
    assert percentage_by_time(state, T0_S + 600) == 33
    learned = timed(ONE, waiting, p50=180, basis="history")
    assert time_left(learned, T0_S + 150) == "about 30 sec left"
    known = with_usual(learned, {ONE["name"]: 100_000})
    assert time_left(known, T0_S + 89) == "about 2 min left"
    assert time_left(known, T0_S + 90) == LONGER_THAN_USUAL
    assert percentage_by_time(known, T0_S + 600) == 44
    between = timed(ended("success", 50), waiting, p50=180, basis="declared")
    assert time_left(between, T0_S + 61) == "about 2 min left"


def test_the_bar_moves_evenly_to_the_end_and_waits_there() -> None:
    """From what the server has told; the last percent comes with the end."""
    state = timed(p50=200, p90=300, percentage=10)
    moved = [percentage_by_time(state, T0_S + seconds) for seconds in (0, 10, 20, 50, 100, 199, 200, 500)]
    assert moved == [10, 10, 10, 25, 50, 99, 100, 100]
    done = ended("success", 100)
    assert percentage_by_time(timed(done, step("running", started_at=at(100)), p50=200), T0_S + 150) == 75
    shown = [shown_percentage(after((0, state)), T0_S + seconds) for seconds in (0, 100, 500)]
    assert shown == [10, 50, 99]


def test_the_bar_does_not_move_where_no_end_is_known() -> None:
    """What the server has told stays; without it the steps count."""
    stalled = timed(leased("stalled"), p50=200, percentage=10)
    assert percentage_by_time(stalled, T0_S + 100) == 10
    assert percentage_by_time(RUNNING, T0_S) is None
    time = {"percentage": 100, "finish_at": None, "basis": "history", "runs": 7}
    assert after((0, session("completed", ended("success", 9), time=time))).percentage == 100


def test_a_failed_step_is_not_done_by_time_either() -> None:
    """Of declared steps the share of those that succeeded is known; else the bar stays where the server says."""
    time = {"percentage": 60, "finish_at": None, "basis": "declared", "runs": 0}
    failed = ended("error", 30, estimated_ms=60_000)
    declared = session("error", ended("success", 30), failed, step("pending", estimated_ms=60_000), time=time)
    assert percentage_by_time(declared, T0_S) == 20
    learned = {**declared, "time": {**time, "basis": "history"}}
    assert percentage_by_time(learned, T0_S) == 60
    assert percentage_by_time(session("error", ended("error", 30), time=time), T0_S) == 60


def test_the_bar_does_not_fall_where_an_end_moves_away() -> None:
    """It waits for what the server tells; a step that is tried again sets it back."""
    soon, later = timed(p50=100), timed(p50=400)
    assert after((0, soon), (50, later)).percentage == 50
    again = timed(step("running", started_at=at(60)), p50=160)
    seen = after((0, soon), (60, again))
    assert (seen.percentage, seen.retried, seen.is_set_back) == (0, 1, True)


def test_the_ends_of_steps_are_known_by_what_they_took_and_were_declared_to_take() -> None:
    """Or by what they usually take, if that is known here."""
    done, waiting = ended("success", 50), [step("pending", estimated_ms=ms) for ms in (30_000, 20_000)]
    declared = timed(done, step("running", started_at=at(50)), *waiting, p50=200, basis="declared")
    assert step_ends(declared, T0_S + 100) == [0.25, 0.9, 0.75]
    assert step_ends(declared, T0_S + 900) == [0.25, 0.9, 0.75]
    learned = {**declared, "time": {**declared["time"], "basis": "history"}}
    assert step_ends(learned, T0_S + 100) == [0.25]
    assert step_ends(with_usual(learned, {}), T0_S + 100) == [0.25]
    assert step_ends(with_usual(learned, {done["name"]: 40_000}), T0_S + 100) == [0.25, 0.8, 0.6]
    time = {"percentage": 100, "finish_at": None, "basis": "declared", "runs": 0}
    assert step_ends(session("completed", done, done, time=time), T0_S) == [0.5, 1]
    assert step_ends(session("error", done, ended("error", 1), time=time), T0_S) == []
    assert step_ends(RUNNING, T0_S) == []
