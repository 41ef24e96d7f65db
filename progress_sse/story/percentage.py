"""How far a session is drawn: by time where that is known, else by its steps. 100 comes only with the end."""

import math
from fractions import Fraction
from typing import Final

from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import Step, failed_steps
from progress_sse.story.time_left import ends, waiting_s

MOST_BEFORE_THE_END: Final = 99
"""More may follow the last step."""


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
    """Return the share of successes and of what running steps report; entries have no steps, and say it themselves."""
    shown: int = state["percentage"]
    if failed_steps(state):  # They count in what the server says.
        shown = math.floor(100 * sum(map(_done, state["steps"]), Fraction(0)) / len(state["steps"]))
    return shown


def _done(step: Step) -> Fraction:
    if step["status"] == "success":
        return Fraction(1)
    progress = step.get("progress") if step["status"] == "running" else None
    return Fraction(progress["current"], progress["total"]) if progress and progress["total"] else Fraction(0)
