"""The words for a step's state, and for how far it is."""

from typing import Final

from progress_sse.cli.session_state import SessionState
from progress_sse.cli.story.parts import parts_done
from progress_sse.cli.story.steps import Step, is_stalled

_WORDS: Final = {"pending": "waiting", "running": "running", "success": "done", "error": "failed"}
_CONCLUSIONS: Final = ("skipped", "cancelled", "lost")


def state_of(step: Step) -> str:
    """Return the word for a step's state: its status, or what is finer."""
    conclusion = step.get("conclusion", "")
    if is_stalled(step):
        return "stalled"
    return conclusion if conclusion in _CONCLUSIONS else _WORDS[step["status"]]


def counted(step: Step) -> str:
    """Return how far a running step is, in its own units or its parts; empty if it has not reported that."""
    if "progress" not in step or "parts" in step:
        return parts_done(step)
    current, total = step["progress"]["current"], step["progress"]["total"]
    return f"{current:,}" if total is None else f"{current:,} / {total:,}"


def steps_done(state: SessionState) -> str:
    """Return how many of the session's steps have succeeded or were skipped, so far if others may be added."""
    done, total = sum(step["status"] == "success" for step in state["steps"]), state["total_steps"]
    so_far = " so far" if state.get("open_ended") and state["status"] not in ("completed", "error") else ""
    return f"{done} of {total} {'step' if total == 1 else 'steps'} done{so_far}"
