"""The changes of a session as lines: those of its steps, its end, and reminders while nothing changes."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final, NamedTuple

from progress_sse.core.durations import to_the_tenth
from progress_sse.story.headline import failure_of_whole, headline, links, title
from progress_sse.story.observed_session import ObservedSession, shown_percentage
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState, is_over
from progress_sse.story.step_words import counted, failed_parts, state_of
from progress_sse.story.steps import Step, is_stalled, started_at
from progress_sse.story.time_left import LATE, time_left
from progress_sse.story.times import moment
from progress_sse.story.worker_words import LifeSign, has_changed, request_sentence


def changes(
    before: ObservedSession | None, after: ObservedSession, now_s: float, server_url: str, zone: tzinfo | None = None
) -> Iterator[str]:
    """Yield a line for each change between two states, in plain text; `before` is `None` at the beginning.

    Times are those of a `zone`, or else of this machine.
    """
    state = after.state
    if title(state) and not (before and title(before.state) == title(state)):
        yield title(state)
    if state["status"] == "not_found":
        yield headline(state, is_deleted=after.is_deleted)
        return
    if after.begins_afresh:
        yield "The job begins afresh"
    yield from _growth(before, after)
    yield from _step_lines(before, after, now_s, zone)
    yield from _time_line(before, after, now_s, zone)
    if is_over(state) and not (before and is_over(before.state) and not after.begins_afresh):
        yield from _end(state, server_url)
    if has_changed(before.state if before else None, state) and request_sentence(state):
        yield request_sentence(state)


def _growth(before: ObservedSession | None, after: ObservedSession) -> Iterator[str]:
    """Say that steps were planned; a step that is started has a line of its own."""
    if before is None or after.begins_afresh or not after.state.get("open_ended"):
        return
    added = after.state["steps"][len(before.state["steps"]) :]
    if any(step["status"] == "pending" for step in added):
        yield f"{len(after.state['steps'])} steps so far"


def _step_lines(
    before: ObservedSession | None, after: ObservedSession, now_s: float, zone: tzinfo | None
) -> Iterator[str]:
    state = after.state
    known = {step["step"]: step for step in before.state["steps"]} if before and not after.begins_afresh else {}
    of_total = "" if state.get("open_ended") else f"/{state['total_steps']}"
    for step in state["steps"]:
        description = _description(known.get(step["step"]), step, now_s, zone)
        place = f"{shown_percentage(after, now_s):3}%  {step['step']}{of_total} {step['name']}"
        if description:
            yield one_line(f"{place}: {description}")
        yield from (f"{one_line(place)}, {line}" for line in _new_failures(known.get(step["step"]), step))


def _time_line(
    before: ObservedSession | None, after: ObservedSession, now_s: float, zone: tzinfo | None
) -> Iterator[str]:
    """Say when the session will end: once that is known, and with each step that starts."""
    left = time_left(after.state, now_s, zone)
    is_known = before and not after.begins_afresh and time_left(before.state, now_s, zone)
    if left and not (is_known and before and _starts(before.state) == _starts(after.state)):
        yield f"{shown_percentage(after, now_s):3}%  {left}"


def _starts(state: SessionState) -> list[str | None]:
    return [started_at(step) for step in state["steps"]]


def _new_failures(before: Step | None, step: Step) -> list[str]:
    known = failed_parts(before)
    return [line for line in failed_parts(step) if line not in known]


def _description(before: Step | None, step: Step, now_s: float, zone: tzinfo | None) -> str:
    if step == before or step["status"] == "pending":
        return ""
    if step["status"] == "running":
        return _running(before, step, _stalled(step, now_s, zone))
    word = state_of(step)
    outcome = word if word == "skipped" else f"{word} after {to_the_tenth(step['elapsed_ms'])}"
    return _joined(outcome, step["message"], step["error"])


def _running(before: Step | None, step: Step, stalled: str) -> str:
    if before is None or started_at(before) != step["started_at"]:
        start = "started again" if started_at(before) else "started"
        return _joined(start, stalled, counted(step), step["message"])
    if is_stalled(step) and not is_stalled(before):
        return stalled
    alive = "alive again" if before["status"] == "error" or (is_stalled(before) and not is_stalled(step)) else ""
    is_further = (counted(before), before["message"]) != (counted(step), step["message"])
    return _joined(alive, *((counted(step), step["message"]) if is_further else ()))


def _stalled(step: Step, now_s: float, zone: tzinfo | None) -> str:
    return f"no sign of life since {moment(step['liveness']['since'], now_s, zone)}" if is_stalled(step) else ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _end(state: SessionState, server_url: str) -> Iterator[str]:
    yield headline(state)
    failure = failure_of_whole(state)
    if failure and failure.error:
        yield one_line(f"{failure.title}: {failure.error}")
    yield from links(state, server_url)


REMINDER: Final = 2
"""By which factor a silence grows until the next reminder."""


class Reminded(NamedTuple):
    """The last reminders: for how many seconds the worker was silent, and whether the job took too long."""

    silent_s: float = 0.0
    is_late: bool = False


def reminders(
    reminded: Reminded, session: ObservedSession, sign: LifeSign | None, now_s: float
) -> tuple[list[str], Reminded]:
    """Return the lines that are due, and the state of the reminders after them; a new silence begins anew."""
    lines, silent_s = list[str](), reminded.silent_s
    if sign is None or sign.kind == "stalled":  # A step that stalls is a change, and has a line.
        silent_s = 0
    elif sign.silent_s >= REMINDER * silent_s:
        lines.append(sign.text)
        silent_s = sign.silent_s
    left = time_left(session.state, now_s)
    is_late = left in LATE
    if is_late and not reminded.is_late:
        lines.append(f"{shown_percentage(session, now_s):3}%  {left}")
    return lines, Reminded(silent_s, is_late)
