"""The words for a step's state, and for how far it is."""

from typing import Final

from progress_sse.story.parts import parts_done
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import Step, elapsed_s, is_stalled
from progress_sse.story.times import clock, in_words
from progress_sse.story.usual_times import usual_ms

_WORDS: Final = {"pending": "waiting", "running": "running", "success": "done", "error": "failed"}
SPOKEN: Final = frozenset({"stalled", "skipped", "cancelled", "lost"})
"""The states that are also said in a word, since their sign alone does not tell them."""

_CONCLUSIONS: Final = ("skipped", "cancelled", "lost")


def state_of(step: Step) -> str:
    """Return the word for a step's state: its status, or what is finer."""
    conclusion = step.get("conclusion", "")
    if is_stalled(step):
        return "stalled"
    return conclusion if conclusion in _CONCLUSIONS else _WORDS[step["status"]]


def spent(step: Step, now_s: float) -> str:
    """Return how long a step took, or has been running; empty if it never ran."""
    if step["status"] != "running":
        has_taken = step["status"] != "pending" and step.get("conclusion") != "skipped"
        return clock(step["elapsed_ms"]) if has_taken else ""
    seconds = elapsed_s(step, now_s)
    return clock(seconds * 1000) if seconds >= 60 else f"{int(seconds)}s"  # Tenths would only flicker.


def over_limit(step: Step, now_s: float) -> str:
    """Return that a running step is over its limit; empty if it is not."""
    limit_ms = step["timeout_ms"]
    is_over = step["status"] == "running" and limit_ms is not None and elapsed_s(step, now_s) * 1000 > limit_ms
    return f"over its limit of {clock(limit_ms)}" if is_over else ""


def expectation(step: Step) -> str:
    """Return how long a step that has not ended usually takes, or is declared to; empty if that is not known."""
    usual = usual_ms(step)
    ms = step.get("estimated_ms", 0) if usual is None else usual
    if step["status"] not in ("pending", "running") or ms < 1000:
        return ""
    return f"{'estimated' if usual is None else 'usually'} {in_words(ms / 1000)}"


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
