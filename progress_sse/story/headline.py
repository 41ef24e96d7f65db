"""The sentences about a session as a whole: its title, its state, what has failed in it, and its links."""

import unicodedata
from datetime import tzinfo
from typing import Final, NamedTuple
from urllib.parse import urljoin

from progress_sse.core.details import is_fit_url
from progress_sse.core.durations import in_words, to_the_tenth
from progress_sse.story.plain_text import one_line, plain
from progress_sse.story.session_state import SessionState
from progress_sse.story.step_words import SEPARATOR, counted_steps, steps_done
from progress_sse.story.steps import Step, began_s, is_between_steps, is_idle, steps_in, took_ms
from progress_sse.story.time_left import time_left
from progress_sse.story.times import seconds_of

MAX_ERROR_LINES: Final = 20

_ENDINGS: Final = {"cancelled": "Cancelled", "lost": "Lost", "": "Failed"}


def title(state: SessionState) -> str:
    """Return the session's own title in a line; empty if it has none."""
    return one_line(state.get("title", ""))


def status_line(state: SessionState, now_s: float, zone: tzinfo | None = None, *, is_deleted: bool = False) -> str:
    """Return the headline with the time that has passed, the time left, in a `zone` or else here, and the steps."""
    between = " " if state["status"] == "error" else SEPARATOR  # "Failed after 2 min".
    first = between.join(filter(None, (headline(state, now_s, is_deleted=is_deleted), elapsed(state, now_s))))
    return SEPARATOR.join(filter(None, (first, time_left(state, now_s, zone), steps_done(state))))


def headline(state: SessionState, now_s: float, *, is_deleted: bool = False) -> str:
    """Return the first sentence about a session."""
    if state["status"] == "not_found":
        return "This job was deleted" if is_deleted else "Waiting for the job to start"
    if state["status"] == "completed":
        took = took_ms(state)
        return f"Completed in {to_the_tenth(took)}" if took >= 1000 else "Completed"
    if state["status"] == "error":
        return _failure(state)
    return _running(state, now_s) if state["status"] == "running" else "About to start"


def elapsed(state: SessionState, now_s: float) -> str:
    """Return for how long a session has been running, or after what time it failed; empty where that says nothing."""
    running_s = now_s - began_s(state)
    took = took_ms(state)
    if state["status"] == "running" and running_s >= 1 and not is_idle(state, now_s):
        return f"running for {in_words(running_s)}"
    return f"after {to_the_tenth(took)}" if state["status"] == "error" and took >= 1000 else ""


def absence(*, is_deleted: bool) -> str:
    """Return the second sentence about a session that does not exist."""
    again = "If it is started again, it is shown here."
    return again if is_deleted else "No job has reported here yet; is the id right?"


def _running(state: SessionState, now_s: float) -> str:
    """Name the step that was started last, of those that run."""
    running = steps_in(state, "running")
    if running:
        step = next((each for each in running if each["step"] == state["current_step"]), running[-1])
        of_total = "" if state.get("open_ended") else f" of {state['total_steps']}"
        return f"Step {step['step']}{of_total}: {one_line(step['name'])}"
    if not is_between_steps(state):
        return "Running, no step yet"
    return counted_steps(state) + (", nothing runs now" if is_idle(state, now_s) else "")


def _failure(state: SessionState) -> str:
    how = conclusion(state)
    failed = steps_in(state, "error")
    alike = [step for step in failed if conclusion(step) == how]
    at_step = f" at step {(_last_ended(alike) if how else alike[0])['step']}" if alike else ""
    return _ENDINGS[how] + at_step


def conclusion(ended: SessionState | Step) -> str:
    """Return what ended a session or a step in `error`, `cancelled` or `lost`; empty if it was a plain failure."""
    return str(ended["conclusion"]) if ended.get("conclusion") in ("cancelled", "lost") else ""


def _last_ended(steps: list[Step]) -> Step:
    return max(reversed(steps), key=lambda step: seconds_of(step["completed_at"] or step["started_at"]))


_VERBS: Final = {"cancelled": "was cancelled", "lost": "was lost"}


class Failure(NamedTuple):
    """A sentence that names what has failed, and the error of its worker, which has any text."""

    title: str
    error: str

    def lines(self) -> list[str]:
        """Return the sentence, and the end of the error, which is indented, in plain text."""
        if not self.error:
            return [self.title]
        return [f"{self.title}:", *(f"  {line}" for line in plain(self.error).split("\n")[-MAX_ERROR_LINES:])]


def failures(state: SessionState) -> list[Failure]:
    """Return those of the failed steps, after that of the session itself if it failed otherwise than they did."""
    whole = failure_of_whole(state)
    return [*([whole] if whole else []), *map(_of_step, steps_in(state, "error"))]


def failure_of_whole(state: SessionState) -> Failure | None:
    """Return why a session failed as a whole; `None` if its steps show that."""
    failed = steps_in(state, "error")
    error = state.get("error", "")
    is_shown = any(step["error"] == error for step in failed) if error else bool(failed)
    if state["status"] != "error" or is_shown:
        return None
    return Failure(f"The job {_VERBS.get(conclusion(state), 'failed')}", error)


def _of_step(step: Step) -> Failure:
    verb = _VERBS.get(step.get("conclusion", ""), "failed")
    return Failure(f"Step {step['step']}, {one_line(step['name'])}, {verb}", step["error"])


def links(state: SessionState, server_url: str) -> list[str]:
    """Return a line for each link, paths as URLs of the server; the line is plain text."""
    return [
        _link_line(each["label"], each["url"], server_url) for each in state.get("links", ()) if _is_fit(each["url"])
    ]


def _link_line(label: str, url: str, server_url: str) -> str:
    whole = urljoin(server_url, url)
    text = one_line(label)
    return f"{text}: {whole}" if text and text != url else whole


def _is_fit(url: str) -> bool:
    """Whether the URL is one that the server takes, without characters that a terminal does not show."""
    return is_fit_url(url) and not any(unicodedata.category(char).startswith("C") for char in url)
