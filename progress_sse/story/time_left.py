"""How far a session is, when it will end, and what its steps usually take, as far as its server knows."""

import math
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from fractions import Fraction
from typing import Any, Final, NamedTuple, TypeAlias

from progress_sse.core.durations import in_words
from progress_sse.core.model import MAX_SAFE_INTEGER, is_text
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import Step, began_s, is_stalled, steps_in
from progress_sse.story.times import seconds_of, span

UsualTimes: TypeAlias = Mapping[str, int]
"""Milliseconds that steps usually take, by their names."""


def usual_times(answer: Any) -> UsualTimes:
    """Return what was learned of the steps of a session, from what a server answers about them.

    Raises:
        KeyError: The answer lacks a key.
        TypeError: A part of it has another type.
        ValueError: A name in it is no text, or a time is no number of milliseconds.
    """
    usual = {each["name"]: each["learned"]["p50_ms"] for each in answer["steps"] if "learned" in each}
    if not all(is_text(name) and type(ms) is int and 0 <= ms <= MAX_SAFE_INTEGER for name, ms in usual.items()):
        raise ValueError("not the steps of a session")
    return usual


def with_usual(state: SessionState, usual: UsualTimes) -> SessionState:
    """Return the state with `usual_ms` in each step: what it usually takes; `None` where that is not known."""
    return {**state, "steps": [{**step, "usual_ms": usual.get(step["name"])} for step in state["steps"]]}


def expected_times(steps: Iterable[Step], state: SessionState) -> list[int | None]:
    """Return what each of some steps of a timed session usually takes, or is declared to; `None` where it is not known.

    A server counts what it learned more than what was declared. Unless that is known here, nothing is.
    """
    if state["time"]["basis"] == "history" and all(step.get("usual_ms") is None for step in state["steps"]):
        return [None for _ in steps]
    usual = ((step.get("usual_ms"), step.get("estimated_ms")) for step in steps)
    return [declared if learned is None else learned for learned, declared in usual]


LONGER_THAN_USUAL: Final = "taking longer than usual"
LONGER_THAN_EXPECTED: Final = "taking longer than expected"
LATE: Final = frozenset({LONGER_THAN_USUAL, LONGER_THAN_EXPECTED})
"""The words past the end of nine of ten runs, and past an end that was only declared."""

_MIN_GRACE_S: Final = 2
_GRACE_PART: Final = 20
"""By how much an end is exceeded before that is shown: one in so many parts of the whole, and these seconds at least.
So the words do not change back with the next report."""

_MAX_APART: Final = 0.2  # How far apart two durations are that are shown as one, as a part of the shorter.

_MOMENTS_S: Final = 10
_MOST_SECONDS: Final = 50
_MINUTE_S: Final = 60

_LONG_S: Final = 59 * 60  # Seconds from which on a time of day is shown, not a duration.
_TOO_LONG_S: Final = 300 * 86_400  # Seconds from which on nothing is shown, as a day without its year would mislead.
_CLOCK_GRAIN_S: Final = 600  # Seconds to which a time of day is rounded.


class Ends(NamedTuple):
    """When a session ends, by the server's time: in half of all cases before `p50`, in nine of ten before `p90`."""

    p50: float
    p90: float


def time_left(state: SessionState, now_s: float, zone: tzinfo | None = None) -> str:
    """Return when a running session usually ends, in words; empty if that is not known.

    Of a long job it is a time of day, in a `zone` or else that of this machine.
    """
    end = ends(state)
    if end is None:
        return ""
    waiting = waiting_s(state)
    grace_s = max(_MIN_GRACE_S, (end.p90 - began_s(state)) / _GRACE_PART)
    if end.p90 + grace_s - now_s < (waiting if steps_in(state, "running") else 0):
        return LONGER_THAN_USUAL if state["time"]["basis"] == "history" else LONGER_THAN_EXPECTED
    # A step that takes too long does not shorten those that follow.
    p50, p90 = (max(each - now_s, waiting) for each in end)
    if p90 >= _TOO_LONG_S:
        return ""
    return _duration(p50, p90) if p90 < _LONG_S else f"done about {_moments(p50, p90, now_s, zone)}"


def _duration(p50: float, p90: float) -> str:
    grain = 10 if p90 <= _MOST_SECONDS else _MINUTE_S
    low = _rounded(p50 / grain)
    high = math.ceil(p90 / grain)
    are_near = p90 <= (1 + _MAX_APART) * p50 or low in (high, _rounded(p90 / grain))
    if are_near or p90 < grain:
        return f"{_roughly(p90)} left"
    longest = in_words(high * grain)
    if low == 0:
        return f"usually less than {longest} left"
    return f"usually {low * grain if grain < _MINUTE_S else low}–{longest} left"


def _roughly(seconds: float) -> str:
    if seconds < _MOMENTS_S:
        return "a few seconds"
    if seconds <= _MOST_SECONDS:
        return f"about {in_words(_rounded(seconds / 10) * 10)}"
    return f"about {in_words(max(1, _rounded(seconds / _MINUTE_S)) * _MINUTE_S)}"


def _moments(p50: float, p90: float, now_s: float, zone: tzinfo | None) -> str:
    first = _rounded((now_s + p50) / _CLOCK_GRAIN_S)
    last = first if p50 == p90 else math.ceil((now_s + p90) / _CLOCK_GRAIN_S)
    return span(first * _CLOCK_GRAIN_S, last * _CLOCK_GRAIN_S, now_s, zone)


def _rounded(number: float) -> int:
    return math.floor(number + 0.5)


def ends(state: SessionState) -> Ends | None:
    """Return when a session ends; `None` if that is not known, also where a worker gives no signs of life."""
    end = state.get("time", {}).get("finish_at") if state["status"] == "running" else None
    if end is None or any(map(is_stalled, steps_in(state, "running"))):
        return None
    return Ends(seconds_of(end["p50"]), seconds_of(end["p90"]))


def waiting_s(state: SessionState) -> float:
    """Return what the steps take that have not begun, as far as it is known."""
    return sum(ms or 0 for ms in expected_times(steps_in(state, "pending"), state)) / 1000


MOST_BEFORE_THE_END: Final = 99
"""More may follow the last step."""


def has_percentage(state: SessionState) -> bool:
    """Whether a session is drawn with a number. One that may get more steps is not, unless its time is known."""
    return state["status"] == "completed" or "time" in state or not state.get("open_ended")


def percentage(state: SessionState) -> int:
    """Return the percentage of a session, or of an entry of a list, when it is received."""
    if state["status"] == "completed":
        return 100
    known: int = state["time"]["percentage"] if "time" in state else _by_steps(state)
    return min(MOST_BEFORE_THE_END, known)


def moved(known: int, state: SessionState, reported_s: float, now_s: float) -> int:
    """Return the percentage that was `known` at `reported_s`, as it is by now.

    It moves evenly, so that it would be full when half of all runs have ended. It waits for a step that takes longer,
    so that those that follow keep their share.
    """
    end = ends(state)
    passed_s = min(now_s, end.p50 - waiting_s(state)) - reported_s if end else 0
    if end is None or passed_s <= 0:
        return known
    by_now = math.floor(known + (100 - known) * passed_s / (end.p50 - reported_s))
    return max(known, min(MOST_BEFORE_THE_END, by_now))


def _by_steps(state: SessionState) -> int:
    """Return the share of successes and of what running steps report; in the server's percentage failed steps count.

    Entries of lists have no steps: they bear what a step in error leaves done, in hundredths.
    """
    percentage: int = state["percentage"]
    total_steps: int = state["total_steps"]
    if "steps_done" in state:
        hundredths: int = round(100 * state["steps_done"])
        return hundredths // total_steps
    if not steps_in(state, "error"):
        return percentage
    running = [step["progress"] for step in steps_in(state, "running") if step.get("progress")]
    shares = sum(Fraction(each["current"], each["total"]) for each in running if each["total"])
    return int(100 * (len(steps_in(state, "success")) + shares) // total_steps)
