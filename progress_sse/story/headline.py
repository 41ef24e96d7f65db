"""The title of a session, and the sentence about it as a whole."""

from typing import Final

from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import failed_steps, took_s
from progress_sse.story.times import in_words

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
    ending, failed = _ENDINGS[conclusion(state)], failed_steps(state)
    if state.get("conclusion") in _ENDINGS or not failed:
        return ending
    return f"{ending} at step {failed[0]['step']}"


def conclusion(state: SessionState) -> str:
    """Return what ended a session in `error`, `cancelled` or `lost`; empty if it was a plain failure."""
    if state["status"] != "error":
        return ""
    steps = [step.get("conclusion", "") for step in failed_steps(state)[:1]]
    found = state.get("conclusion") or "".join(steps)
    return found if found in _ENDINGS else ""
