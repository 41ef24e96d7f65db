"""A session as its reader has seen it. A server sends the present state; this also keeps facts about earlier ones."""

from typing import NamedTuple

from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import Step, last_transition_s, started_at, steps_in
from progress_sse.story.time_left import moved, percentage


class ObservedSession(NamedTuple):
    """A state, and what the states before it add to it.

    Attributes:
        state: As polling answers it.
        percentage: As shown when the state came. It falls only when a step is tried again or fails, or when steps are
            added.
        retried: The number of the step that is being tried again; 0: none.
        is_set_back: Whether the bar fell when that step was tried again.
        is_deleted: Whether the session existed, and no longer does.
        begins_afresh: Whether it replaced another run.
        reported_s: When its worker last reported, by the server's time.
    """

    state: SessionState
    percentage: int
    retried: int
    is_set_back: bool
    is_deleted: bool
    begins_afresh: bool
    reported_s: float


def observed(
    before: ObservedSession | None, state: SessionState, now_s: float, verified_s: float | None = None
) -> ObservedSession:
    """Return the session after another state, where the one before was last known to be current at `verified_s`."""
    if before is None or is_another_run(before.state, state):
        return _first(before, state, now_s)
    retried = _retried_step(before.state, state)
    reported = percentage(state)
    former = shown_percentage(before, now_s)
    is_restarted = _is_running(state, retried)  # If not, the retry began and ended between two states.
    is_retrying = is_restarted or _is_running(state, before.retried)
    may_fall = retried or _has_grown(before.state, state) or _has_failed_since(before.state, state)
    was_set_back = is_retrying and before.is_set_back
    return ObservedSession(
        state,
        reported if may_fall else max(reported, former),
        (retried if is_restarted else before.retried) if is_retrying else 0,
        reported < former if is_restarted else was_set_back,
        is_deleted=before.is_deleted or bool(state.get("gone")),
        begins_afresh=False,
        reported_s=_reported_s(before, state, now_s, verified_s or 0),
    )


def shown_percentage(session: ObservedSession, now_s: float) -> int:
    """Return how far the bar is by now: where the time of a session is known, it moves between two states."""
    return moved(session.percentage, session.state, session.reported_s, now_s)


def retry_sentence(session: ObservedSession) -> str:
    """Return that a step is being tried again; empty if none is."""
    set_back = ", so the bar went back" if session.is_set_back else ""
    return f"Step {session.retried} is being tried again{set_back}" if session.retried else ""


def _first(before: ObservedSession | None, state: SessionState, now_s: float) -> ObservedSession:
    is_absent = state["status"] == "not_found"
    was_absent = before is None or before.state["status"] == "not_found"
    is_reporting = any("progress" in step for step in state["steps"])
    return ObservedSession(
        state,
        percentage(state),
        retried=0,
        is_set_back=False,
        is_deleted=is_absent and (not was_absent or bool(state.get("gone"))),
        begins_afresh=not is_absent and not was_absent,
        reported_s=now_s if is_reporting else last_transition_s(state) or now_s,
    )


def _reported_s(before: ObservedSession, state: SessionState, now_s: float, verified_s: float) -> float:
    """Return a time between two states: that of a transition is known, a report of progress has none."""
    last_s = last_transition_s(state)
    return min(now_s, max(verified_s, last_s)) if last_s > last_transition_s(before.state) else now_s


def is_another_run(before: SessionState, state: SessionState) -> bool:
    """Whether the session was replaced or deleted, has just been created, or has begun anew after its end."""
    started = [step for step in before["steps"] if started_at(step)]
    is_gone = any(started_at(_step(state, step["step"])) is None for step in started)
    is_anew = all(started_at(_step(state, step["step"])) != started_at(step) for step in started)
    return (
        (before["status"] == "not_found") != (state["status"] == "not_found")
        or (before["total_steps"] != state["total_steps"] and not _has_grown(before, state))
        or is_gone
        or (before["status"] == "completed" and bool(started) and is_anew)
    )


def _has_grown(before: SessionState, state: SessionState) -> bool:
    are_open = bool(before.get("open_ended") and state.get("open_ended"))
    return are_open and bool(state["total_steps"] > before["total_steps"])


def _retried_step(before: SessionState, state: SessionState) -> int:
    """Return the first step that was started again; 0 if none was."""
    for step in state["steps"]:
        started = started_at(_step(before, step["step"]))
        if started and started != started_at(step):
            return int(step["step"])
    return 0


def _has_failed_since(before: SessionState, state: SessionState) -> bool:
    failed = {step["step"] for step in steps_in(before, "error")}
    return any(step["step"] not in failed for step in steps_in(state, "error"))


def _is_running(state: SessionState, number: int) -> bool:
    step = _step(state, number)
    return bool(step and step["status"] == "running")


def _step(state: SessionState, number: int) -> Step | None:
    return state["steps"][number - 1] if 0 < number <= len(state["steps"]) else None
