"""The words for a step's state, and for how far it is."""

from typing import Final

from progress_sse.story.parts import parts_done
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import Step, elapsed_s, is_stalled
from progress_sse.story.times import in_words, to_the_tenth
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
    if step["status"] == "running":
        return in_words(elapsed_s(step, now_s))  # Tenths would only flicker.
    has_run = step["status"] != "pending" and step.get("conclusion") != "skipped"
    return to_the_tenth(step["elapsed_ms"]) if has_run else ""


def details(step: Step, now_s: float) -> list[str]:
    """Return what there is to say of a step beside its state and its message."""
    said = (attempt(step), over_limit(step, now_s), counted(step), expectation(step))
    return [each for each in said if each]


def attempt(step: Step) -> str:
    """Return which attempt it is, from the second one on; else empty."""
    return f"attempt {step['attempt']}" if step.get("attempt", 1) > 1 else ""


def over_limit(step: Step, now_s: float) -> str:
    """Return that a running step is over its limit; empty if it is not."""
    limit_ms = step["timeout_ms"]
    is_over = step["status"] == "running" and limit_ms and elapsed_s(step, now_s) * 1000 > limit_ms
    return f"over its limit of {in_words(limit_ms / 1000)}" if is_over else ""


def expectation(step: Step) -> str:
    """Return how long a step that has not ended usually takes, or is expected to; empty if that is not known."""
    usual = usual_ms(step)
    ms = step.get("estimated_ms", 0) if usual is None else usual
    if step["status"] not in ("pending", "running") or ms < 1000:
        return ""
    return f"{'expected' if usual is None else 'usually'} {in_words(ms / 1000)}"


def counted(step: Step) -> str:
    """Return how far a running step is, in its own units and in parts; empty if it has not reported that."""
    progress, parts = step.get("progress"), step.get("parts")
    # The parts count what the progress would count; a worker that reports messages alone has counted nothing.
    if progress is None or (parts and parts["total"] is not None) or progress == {"current": 0, "total": None}:
        return parts_done(step)
    current, total = progress["current"], progress["total"]
    own = f"{current:,}" if total is None else f"{current:,} / {total:,}"
    return ", ".join(filter(None, (own, parts_done(step))))


def steps_done(state: SessionState) -> str:
    """Return how many of the session's steps have succeeded or were skipped, so far if others may be added."""
    done, total = sum(step["status"] == "success" for step in state["steps"]), state["total_steps"]
    if total == 0:
        return "No steps"
    so_far = " so far" if state.get("open_ended") and state["status"] not in ("completed", "error") else ""
    return f"{done} of {total} {'step' if total == 1 else 'steps'} done{so_far}"
