"""What steps usually take: what a server has learned of them, beside the state of their session."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from progress_sse.core.model import MAX_SAFE_INTEGER, is_text
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import Step

UsualTimes: TypeAlias = Mapping[str, int]
"""Milliseconds that steps usually take, by their names."""


def usual_times(answer: Any) -> UsualTimes:
    """Return what was learned of the steps of a session, from what a server answers about them.

    Raises:
        ValueError: The answer has another shape.
    """
    try:
        usual = {each["name"]: each["learned"]["p50_ms"] for each in answer["steps"] if "learned" in each}
    except (LookupError, TypeError) as error:
        raise ValueError("not the steps of a session") from error
    if not all(is_text(name) and type(ms) is int and 0 <= ms <= MAX_SAFE_INTEGER for name, ms in usual.items()):
        raise ValueError("not the steps of a session")
    return usual


def with_usual(state: SessionState, usual: UsualTimes) -> SessionState:
    """Return the state with `usual_ms` in each step: what it usually takes; `None` where that is not known."""
    return {**state, "steps": [{**step, "usual_ms": usual.get(step["name"])} for step in state["steps"]]}


def usual_ms(step: Step) -> int | None:
    """Return what a step usually takes; `None` where that is not known."""
    ms: int | None = step.get("usual_ms")
    return ms


def expected_times(steps: Iterable[Step], state: SessionState) -> list[int | None]:
    """Return what each of some steps of a timed session usually takes, or is declared to; `None` where it is not known.

    A server counts what it learned more than what was declared. Unless that is known here, nothing is.
    """
    if state["time"]["basis"] == "history" and all(usual_ms(step) is None for step in state["steps"]):
        return [None for _ in steps]
    return [step.get("estimated_ms") if usual_ms(step) is None else usual_ms(step) for step in steps]
