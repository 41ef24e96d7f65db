"""What has failed in a session."""

from typing import Final, NamedTuple

from progress_sse.story.headline import conclusion
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import Step, failed_steps

_VERBS: Final = {"cancelled": "was cancelled", "lost": "was lost"}


class Failure(NamedTuple):
    """A sentence that names what has failed, and the error of its worker, which has any text."""

    title: str
    error: str


def failures(state: SessionState) -> list[Failure]:
    """Return those of the failed steps, after that of the session itself if it failed otherwise than they did."""
    whole = failure_of_whole(state)
    return [*([whole] if whole else []), *map(_of_step, failed_steps(state))]


def failure_of_whole(state: SessionState) -> Failure | None:
    """Return why a session failed as a whole; `None` if its steps say it."""
    failed, error = failed_steps(state), state.get("error", "")
    is_told = any(step["error"] == error for step in failed) if error else bool(failed)
    if state["status"] != "error" or is_told:
        return None
    return Failure(f"The job {_VERBS.get(conclusion(state), 'failed')}", error)


def _of_step(step: Step) -> Failure:
    verb = _VERBS.get(step.get("conclusion", ""), "failed")
    return Failure(f"Step {step['step']}, {one_line(step['name'])}, {verb}", step["error"])
