"""When a session will end, as far as its server knows."""

import math
from datetime import tzinfo
from typing import Final, NamedTuple

from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import began_s, is_stalled, pending_steps, running_steps
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

_MOMENTS_S: Final = 10
_MOST_SECONDS: Final = 50
_MINUTE_S: Final = 60

_LONG_S: Final = 59 * 60
"""Seconds from which on a time of day says more than a duration."""

_TOO_LONG_S: Final = 300 * 86_400
"""Seconds from which on a day of the year says nothing."""

_CLOCK_GRAIN_S: Final = 600
"""Seconds to which a time of day is rounded."""


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
    if end.p90 + _grace_s(state, end) - now_s < (waiting if running_steps(state) else 0):
        return LONGER_THAN_USUAL if state["time"]["basis"] == "history" else LONGER_THAN_EXPECTED
    # A step that takes too long does not shorten those that follow.
    p50, p90 = (max(each - now_s, waiting) for each in end)
    if p90 >= _TOO_LONG_S:
        return ""
    return _duration(p50, p90) if p90 < _LONG_S else f"done about {_moments(p50, p90, now_s, zone)}"


def _grace_s(state: SessionState, end: Ends) -> float:
    return max(_MIN_GRACE_S, (end.p90 - began_s(state)) / _GRACE_PART)


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


def ends(state: SessionState) -> Ends | None:
    """Return when a session ends; `None` if that is not known, also where a worker gives no signs of life."""
    told = state.get("time", {}).get("finish_at") if state["status"] == "running" else None
    if told is None or any(map(is_stalled, running_steps(state))):
        return None
    return Ends(seconds_of(told["p50"]), seconds_of(told["p90"]))


def waiting_s(state: SessionState) -> float:
    """Return what the steps take that have not begun, as far as it is known."""
    return sum(ms or 0 for ms in expected_times(pending_steps(state), state)) / 1000
