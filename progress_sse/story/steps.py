"""Facts about the steps of a session, and about the time that they took."""

import math
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from progress_sse.story.session_state import SessionState
from progress_sse.story.times import seconds_of

Step: TypeAlias = dict[str, Any]


def started_at(step: Step | None) -> str | None:
    """Return when a step was started; `None` if it was not, or if there is none."""
    return step["started_at"] if step and step["status"] != "pending" else None


def steps_in(state: SessionState, status: str) -> list[Step]:
    """Return the steps of a status; those in `error` have failed, or were cancelled or lost."""
    return [step for step in state["steps"] if step["status"] == status]


def is_stalled(step: Step) -> bool:
    """Whether the step's worker promised signs of life, and has stopped to give them."""
    return bool(step["status"] == "running" and step.get("liveness", {}).get("state") == "stalled")


def elapsed_s(step: Step, now_s: float) -> float:
    """Return for how long a running step has run, by the server's time."""
    return max(0.0, now_s - seconds_of(step["started_at"]))


def began_s(state: SessionState) -> float:
    """Return when the first step was started; for an entry of a list, which has no steps, when it was created."""
    created = seconds_of(state["created_at"]) if "created_at" in state else math.inf
    return min(_times(state, "started_at"), default=created)


def took_ms(state: SessionState) -> int:
    """Return the time from the first start to the last end, both cut to milliseconds, as a browser reads them."""
    starts, ends = ([round(1e6 * s) // 1000 for s in _times(state, key)] for key in ("started_at", "completed_at"))
    return max(0, max(ends) - min(starts)) if starts and ends else 0


def last_transition_s(state: SessionState) -> float:
    """Return when a step was last started or ended; 0 if none was."""
    return max((*_times(state, "started_at"), *_times(state, "completed_at")), default=0.0)


IDLE_S: Final = 60
"""Seconds between two steps from which on nothing is said to run."""


def is_between_steps(state: SessionState) -> bool:
    """Whether no step of a running session runs, and some have ended; one that was skipped never began."""
    has_ended = any(step["status"] != "pending" and step.get("conclusion") != "skipped" for step in state["steps"])
    return has_ended and state["status"] == "running" and not steps_in(state, "running")


def is_idle(state: SessionState, now_s: float) -> bool:
    """Whether it has been so for long, and the session no longer looks alive."""
    return is_between_steps(state) and now_s - last_transition_s(state) >= IDLE_S


def _times(state: SessionState, key: str) -> list[float]:
    times: Iterable[str | None] = (step.get(key) for step in state["steps"])
    return [seconds_of(each) for each in times if each]
