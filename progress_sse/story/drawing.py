"""A session drawn in plain text, for a terminal that gets it once: bar, steps, and what there is to say of the end."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from progress_sse.story.failures import failures
from progress_sse.story.headline import headline, title
from progress_sse.story.life_signs import life_sign
from progress_sse.story.links import links
from progress_sse.story.observed_session import observed, shown_percentage
from progress_sse.story.parts import all_failed_parts
from progress_sse.story.plain_text import one_line, plain
from progress_sse.story.requests import request_sentence
from progress_sse.story.session_state import SessionState, is_over
from progress_sse.story.step_words import SPOKEN, details, spent, state_of, steps_done
from progress_sse.story.steps import Step
from progress_sse.story.time_left import time_left

SIGNS: Final = {
    "waiting": "·",
    "running": ">",
    "stalled": "!",
    "done": "✓",
    "skipped": "-",
    "failed": "✗",
    "cancelled": "x",
    "lost": "?",
}
BAR_WIDTH: Final = 40
TIME_WIDTH: Final = 11
MAX_ERROR_LINES: Final = 20
MAX_FAILED_PARTS: Final = 20


def drawn(state: SessionState, now_s: float, server_url: str, zone: tzinfo | None = None) -> str:
    """Return the lines of a session; times are those of a `zone`, or else of this machine."""
    return "\n".join(_lines(state, now_s, server_url, zone)) + "\n"


def _lines(state: SessionState, now_s: float, server_url: str, zone: tzinfo | None) -> Iterator[str]:
    yield title(state) or one_line(state["session_id"])
    yield headline(state)
    if state["status"] == "not_found":
        return
    session = observed(None, state, now_s)
    facts = ", ".join(filter(None, (steps_done(state), time_left(state, now_s, zone))))
    percentage = shown_percentage(session, now_s)
    yield f"[{('#' * (BAR_WIDTH * percentage // 100)).ljust(BAR_WIDTH, '-')}] {percentage:3}%  {facts}"
    width = len(str(len(state["steps"])))
    yield from (_step_line(step, width, now_s) for step in state["steps"])
    yield from (f"  {line}" for line in all_failed_parts(state, MAX_FAILED_PARTS))
    sign = life_sign(state, session.reported_s, now_s, zone)
    if sign:
        yield sign.text
    asked = request_sentence(state)
    if asked:
        yield asked
    if is_over(state):
        yield from _end(state, server_url)


def _step_line(step: Step, width: int, now_s: float) -> str:
    word = state_of(step)
    told = (word if word in SPOKEN else "", *details(step, now_s), one_line(step.get("message", "")))
    head = f"{SIGNS[word]} {step['step']:{width}} {spent(step, now_s):>{TIME_WIDTH}}  {one_line(step['name'])}"
    return "  ".join((head, ", ".join(filter(None, told)))).rstrip()


def _end(state: SessionState, server_url: str) -> Iterator[str]:
    for failure in failures(state):
        yield f"{failure.title}{':' if failure.error else ''}"
        if failure.error:
            yield from (f"  {line}" for line in plain(failure.error).split("\n")[-MAX_ERROR_LINES:])
    yield from links(state, server_url)
