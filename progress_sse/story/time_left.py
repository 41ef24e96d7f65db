"""When a session will end, as far as its server knows; and how far it is by time, which also moves between reports."""

import math
from datetime import tzinfo
from itertools import accumulate
from typing import Final, NamedTuple

from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import began_s, is_stalled, pending_steps, running_steps, spent_s
from progress_sse.story.times import in_words, seconds_of, span
from progress_sse.story.usual_times import expected_times

LONGER_THAN_USUAL: Final = "taking longer than usual"
LONGER_THAN_EXPECTED: Final = "taking longer than expected"
LATE: Final = frozenset({LONGER_THAN_USUAL, LONGER_THAN_EXPECTED})
"""What is said past the end that nine of ten runs have, and past one that was only declared."""

_MIN_GRACE_S: Final = 2
_GRACE_PART: Final = 20
"""By how much an end is exceeded before that is said: by one in so many parts of the whole, and these seconds at least.
So the words do not change back with the next report."""

_MAX_APART: Final = 0.2
"""How far two durations are apart that are said as one, as a part of the shorter."""

MOST_BEFORE_THE_END: Final = 99
"""The percentage of a bar that comes only with the end: more may follow the last step."""

_MOMENTS_S: Final = 10
_MOST_SECONDS: Final = 50
_MINUTE_S: Final = 60

_LONG_S: Final = 59 * 60
"""Seconds from which on a time of day says more than a duration."""

_TOO_LONG_S: Final = 300 * 86_400
"""Seconds from which on a day of the year says nothing."""

_CLOCK_GRAIN_S: Final = 600
"""Seconds to which a time of day is rounded."""


class _Ends(NamedTuple):
    """When a session ends, by the server's time: in half of all cases before `p50`, in nine of ten before `p90`."""

    p50: float
    p90: float


def time_left(state: SessionState, now_s: float, zone: tzinfo | None = None) -> str:
    """Return when a running session usually ends, in words; empty if that is not known.

    Of a long job it is a time of day, in a `zone` or else that of this machine.
    """
    ends = _ends(state)
    if ends is None:
        return ""
    waiting = _waiting_s(state)
    if ends.p90 + _grace_s(state, ends) - now_s < (waiting if running_steps(state) else 0):
        return LONGER_THAN_USUAL if state["time"]["basis"] == "history" else LONGER_THAN_EXPECTED
    # A step that takes too long does not shorten those that follow.
    p50, p90 = (max(each - now_s, waiting) for each in ends)
    if p90 >= _TOO_LONG_S:
        return ""
    return _duration(p50, p90) if p90 < _LONG_S else f"done about {_moments(p50, p90, now_s, zone)}"


def _grace_s(state: SessionState, ends: _Ends) -> float:
    return max(_MIN_GRACE_S, (ends.p90 - began_s(state)) / _GRACE_PART)


def _duration(p50: float, p90: float) -> str:
    grain = 10 if p90 <= _MOST_SECONDS else _MINUTE_S
    low, high = _rounded(p50 / grain), math.ceil(p90 / grain)
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


def percentage_by_time(state: SessionState, now_s: float) -> int | None:
    """Return how far a session is by time, without failed steps; `None` if that is not known.

    It moves from what the server has told to what half of all runs have done by now, as long as there are signs of
    life. It waits for a step that takes longer, so that those that follow keep their share.
    """
    if "time" not in state:
        return None
    told: int = state["time"]["percentage"]
    if state["status"] == "error":
        return min(told, _successes(state, told))
    spent, whole = _spent_of_whole(state, now_s)
    return max(told, math.floor(100 * spent / whole)) if whole > 0 else told


def step_ends(state: SessionState, now_s: float) -> list[float]:
    """Return where on a bar by time one step ends and the next begins, as far as that is known: parts of the whole."""
    is_over = state["status"] == "completed"
    whole = spent_s(state, now_s) if is_over else _spent_of_whole(state, now_s)[1]
    if "time" not in state or whole <= 0:
        return []
    pending = pending_steps(state)
    done = accumulate(step["elapsed_ms"] / 1000 for step in state["steps"] if step["status"] == "success")
    expected = expected_times(reversed(pending), state)
    known = [each for each in expected if each is not None]
    left = accumulate(each / 1000 for each in known) if len(known) == len(expected) else ()
    return [each / whole for each in done] + [1 - each / whole for each in left]


def _spent_of_whole(state: SessionState, now_s: float) -> tuple[float, float]:
    """Return the seconds that a session has taken by now, and those of the whole; 0 if that is not known."""
    ends = _ends(state)
    if ends is None:
        return 0, 0
    moment = min(now_s, ends.p50 - _waiting_s(state))
    spent = spent_s(state, moment)
    return spent, spent + ends.p50 - moment


def _ends(state: SessionState) -> _Ends | None:
    """Return when a session ends; `None` if that is not known, also where a worker gives no signs of life."""
    told = state.get("time", {}).get("finish_at") if state["status"] == "running" else None
    if told is None or any(map(is_stalled, running_steps(state))):
        return None
    return _Ends(seconds_of(told["p50"]), seconds_of(told["p90"]))


def _waiting_s(state: SessionState) -> float:
    """Return what the steps take that have not begun, as far as it is known."""
    return sum(ms or 0 for ms in expected_times(pending_steps(state), state)) / 1000


def _successes(state: SessionState, unknown: int) -> int:
    """Return the percentage of the steps that have succeeded, by what each takes; or else `unknown`."""
    steps = state["steps"]
    expected = expected_times((step for step in steps if step["status"] != "success"), state)
    known = [each for each in expected if each is not None]
    if len(known) < len(expected):
        return unknown
    done, left = sum(step["elapsed_ms"] for step in steps if step["status"] == "success"), sum(known)
    return math.floor(100 * done / (done + left)) if done + left > 0 else unknown
