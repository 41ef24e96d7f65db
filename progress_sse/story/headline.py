"""The sentences about a session as a whole: its title, its state, what has failed in it, and its links."""

import unicodedata
from typing import Final, NamedTuple
from urllib.parse import urljoin

from progress_sse.core.details import is_fit_url
from progress_sse.core.durations import in_words
from progress_sse.story.plain_text import one_line, plain
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import Step, steps_in, took_s
from progress_sse.story.times import seconds_of

CONCLUSIONS: Final = ("cancelled", "lost")

MAX_ERROR_LINES: Final = 20

_ENDINGS: Final = {"cancelled": "Cancelled", "lost": "Lost", "": "Failed"}


def title(state: SessionState) -> str:
    """Return the session's own title in a line; empty if it has none."""
    return one_line(state.get("title", ""))


def headline(state: SessionState, *, is_deleted: bool = False) -> str:
    """Return the first sentence about a session."""
    if state["status"] == "not_found":
        return "This job was deleted" if is_deleted or "gone" in state else "Waiting for the job to start"
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
    how, failed = conclusion(state), steps_in(state, "error")
    if state.get("conclusion") in CONCLUSIONS or not failed:
        return _ENDINGS[how]
    named = _last_ended(failed) if how else next(filter(_failed_plainly, failed), failed[0])
    return f"{_ENDINGS[how]} at step {named['step']}"


def conclusion(state: SessionState) -> str:
    """Return what ended a session in `error`, `cancelled` or `lost`; empty if it was a plain failure.

    Without a conclusion of its own, a session has that of the step that ended last, unless a step failed plainly.
    """
    own, failed = state.get("conclusion", ""), steps_in(state, "error")
    if state["status"] != "error":
        return ""
    if own in CONCLUSIONS:
        return str(own)
    return "" if not failed or any(map(_failed_plainly, failed)) else str(_last_ended(failed)["conclusion"])


def _failed_plainly(step: Step) -> bool:
    return step.get("conclusion") not in CONCLUSIONS


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
    failed, error = steps_in(state, "error"), state.get("error", "")
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
    whole, text = urljoin(server_url, url), one_line(label)
    return f"{text}: {whole}" if text and text != url else whole


def _is_fit(url: str) -> bool:
    """Whether the URL is one that the server takes, without characters that a terminal does not show."""
    return is_fit_url(url) and not any(unicodedata.category(char).startswith("C") for char in url)
