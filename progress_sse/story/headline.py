"""The title of a session, and the sentence about it as a whole."""

from typing import Final

from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import Step, failed_steps, took_s
from progress_sse.story.times import in_words, seconds_of

CONCLUSIONS: Final = ("cancelled", "lost")

_ENDINGS: Final = {"cancelled": "Cancelled", "lost": "Lost", "": "Failed"}


def title(state: SessionState) -> str:
    """Return the session's own title in a line; empty if it has none."""
    return one_line(state.get("title", ""))


def headline(state: SessionState, *, is_deleted: bool = False) -> str:
    """Return what there is to say first of a session."""
    if state["status"] == "not_found":
        return "This job was deleted" if is_deleted else "Waiting for the job to start"
    if state["status"] == "completed":
        took = took_s(state)
        return f"Completed in {in_words(took)}" if took >= 1 else "Completed"
    if state["status"] == "error":
        return _failure(state)
    return _running(state) if state["status"] == "running" else "About to start"


def _running(state: SessionState) -> str:
    number = state["current_step"]
    name = next((one_line(step["name"]) for step in state["steps"] if step["step"] == number), "")
    of_total = "" if state.get("open_ended") else f" of {state['total_steps']}"
    return f"Step {number}{of_total}: {name}"


def _failure(state: SessionState) -> str:
    how, failed = conclusion(state), failed_steps(state)
    if state.get("conclusion") in CONCLUSIONS or not failed:
        return _ENDINGS[how]
    named = _last_ended(failed) if how else next(filter(_failed_plainly, failed), failed[0])
    return f"{_ENDINGS[how]} at step {named['step']}"


def conclusion(state: SessionState) -> str:
    """Return what ended a session in `error`, `cancelled` or `lost`; empty if it was a plain failure.

    A session that does not say it ended as the step that ended last, unless one of its steps failed plainly.
    """
    own, failed = state.get("conclusion", ""), failed_steps(state)
    if state["status"] != "error":
        return ""
    if own in CONCLUSIONS:
        return str(own)
    return "" if not failed or any(map(_failed_plainly, failed)) else str(_last_ended(failed)["conclusion"])


def _failed_plainly(step: Step) -> bool:
    return step.get("conclusion") not in CONCLUSIONS


def _last_ended(steps: list[Step]) -> Step:
    return max(reversed(steps), key=lambda step: seconds_of(step["completed_at"] or step["started_at"]))
