"""What a list says of a session, in words. Pure, but for the time zone."""

from typing import Final, NamedTuple

from progress_sse.story.headline import CONCLUSIONS, title
from progress_sse.story.percentage import moved, percentage
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState
from progress_sse.story.time_left import time_left
from progress_sse.story.times import moment, seconds_of

_WORDS: Final = {"pending": "waiting", "running": "running", "completed": "done", "error": "failed"}


class ListedWords(NamedTuple):
    """The words of a row."""

    session: str
    state: str
    percentage: str
    step: str
    created: str
    time: str
    title: str


def listed_words(session: SessionState, now_s: float) -> ListedWords:
    """Return what there is to say of a session at a time of the server, in seconds since 1970."""
    session = {**session, "steps": []}  # An entry has none.
    return ListedWords(
        one_line(session["session_id"]),
        state_word(session),
        f"{moved(percentage(session), session, seconds_of(session['updated_at']), now_s)}%",
        _step(session),
        moment(session["created_at"], now_s),
        _time(session, now_s),
        title(session),
    )


def state_word(session: SessionState) -> str:
    """Return a word for the state of a session, or for what has ended it."""
    conclusion = session.get("conclusion")
    if session["status"] == "error" and conclusion in CONCLUSIONS:
        return str(conclusion)
    return _WORDS[session["status"]]


def _step(session: SessionState) -> str:
    number, total = session["current_step"], session["total_steps"]
    return f"{number} of {total}" if number and total > 1 and session["status"] != "completed" else ""


def _time(session: SessionState, now_s: float) -> str:
    """Return what is left; how long it took is not known, as an entry does not say when its first step was started."""
    return time_left({**session, "steps": []}, now_s) if session["status"] == "running" else ""
