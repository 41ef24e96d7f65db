"""The changes of a session as lines: those of its steps, its end, and reminders while nothing changes."""

import math
from collections.abc import Iterator
from datetime import tzinfo
from typing import Final, NamedTuple

from progress_sse.core.durations import to_the_tenth
from progress_sse.story.headline import failure_of_whole, headline, links, status_line, title
from progress_sse.story.observed_session import ObservedSession, shown_percentage
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState, has_ended
from progress_sse.story.step_words import counted, failed_parts, state_of
from progress_sse.story.steps import Step, elapsed_s, is_idle, is_stalled, started_at
from progress_sse.story.time_left import LATE, has_percentage, time_left
from progress_sse.story.times import moment
from progress_sse.story.worker_words import LifeSign, has_changed, request_sentence

_SHARES: Final = 20  # Each 5 %.
_LONGEST_PAUSE_S: Final = 60


class Pace:
    """What lines have said of each step, and how often they say how far it is: at most once a second.

    Where the total is known, a line is due with each 5 %. Otherwise, or with another message, it is due after a pause
    of 5 % of the time that the step has run, but of a minute at most.

    Attributes:
        said: Each step as a line showed it last, by its number.
    """

    def __init__(self) -> None:
        self.said: dict[int, Step] = {}
        self._counted_at_s: dict[int, float] = {}  # When a line said how far it was.

    def is_early(self, step: Step, now_s: float) -> bool:
        """Return whether a line would say only how far a step is, and is not due; else it counts as written."""
        number = step["step"]
        before = self.said.get(number)
        if before is None or step["status"] != "running" or _run(before) != _run(step):
            self._counted_at_s.pop(number, None)
        else:
            waited_s = abs(now_s - self._counted_at_s.get(number, -math.inf))  # A clock may be set back.
            if not _new_failures(before, step) and not _is_due(before, step, waited_s, now_s):
                return True
            self._counted_at_s[number] = now_s
        self.said[number] = step
        return False


def _run(step: Step) -> tuple[object, ...]:
    return step["status"], started_at(step), is_stalled(step)


def _is_due(before: Step, step: Step, waited_s: float, now_s: float) -> bool:
    share = _share(step)
    pause_s = min(_LONGEST_PAUSE_S, elapsed_s(step, now_s) / _SHARES)
    if share != _share(before):
        return waited_s >= 1
    return waited_s >= max(1, pause_s) and (share is None or before["message"] != step["message"])


def _share(step: Step) -> int | None:
    progress = step.get("progress")
    return _SHARES * progress["current"] // progress["total"] if progress and progress["total"] else None


def changes(
    before: ObservedSession | None,
    after: ObservedSession,
    now_s: float,
    server_url: str,
    pace: Pace,
    zone: tzinfo | None = None,
) -> Iterator[str]:
    """Yield a line for each change between two states, in plain text; `before` is `None` at the beginning.

    Times are those of a `zone`, or else of this machine.
    """
    state = after.state
    if before is None or after.begins_afresh or before.state["status"] == "not_found":
        pace.said.clear()
    if title(state) and not (before and title(before.state) == title(state)):
        yield title(state)
    if state["status"] == "not_found":
        yield headline(state, now_s, is_deleted=after.is_deleted)
        return
    if after.begins_afresh:
        yield "The job begins afresh"
    yield from _growth(before, after)
    yield from step_lines(after, now_s, pace, zone)
    yield from _time_line(before, after, now_s, zone)
    if has_ended(state) and not (before and has_ended(before.state) and not after.begins_afresh):
        yield from _end(state, server_url, now_s)
    if has_changed(before.state if before else None, state) and request_sentence(state):
        yield request_sentence(state)


def _growth(before: ObservedSession | None, after: ObservedSession) -> Iterator[str]:
    """Say that steps were planned; a step that is started has a line of its own."""
    if before is None or after.begins_afresh or not after.state.get("open_ended"):
        return
    added = after.state["steps"][len(before.state["steps"]) :]
    if any(step["status"] == "pending" for step in added):
        yield f"{len(after.state['steps'])} steps so far"


def step_lines(after: ObservedSession, now_s: float, pace: Pace, zone: tzinfo | None = None) -> Iterator[str]:
    """Yield the lines that are due of steps; while nothing changes, those that had to wait."""
    state = after.state
    of_total = "" if state.get("open_ended") else f"/{state['total_steps']}"
    for step in state["steps"]:
        known = pace.said.get(step["step"])
        description = _description(known, step, now_s, zone)
        failures = _new_failures(known, step)
        if not (description or failures) or pace.is_early(step, now_s):
            continue
        place = f"{_percent(after, now_s)}{step['step']}{of_total} {step['name']}"
        if description:
            yield one_line(f"{place}: {description}")
        yield from (f"{one_line(place)}, {line}" for line in failures)


def _time_line(
    before: ObservedSession | None, after: ObservedSession, now_s: float, zone: tzinfo | None
) -> Iterator[str]:
    """Say when the session will end: once that is known, and with each step that starts."""
    left = time_left(after.state, now_s, zone)
    is_known = before and not after.begins_afresh and time_left(before.state, now_s, zone)
    if left and not (is_known and before and _starts(before.state) == _starts(after.state)):
        yield f"{_percent(after, now_s)}{left}"


def _percent(session: ObservedSession, now_s: float) -> str:
    """Return what a line begins with; empty where it is not known how far the session is."""
    return f"{shown_percentage(session, now_s):3}%  " if has_percentage(session.state) else ""


def _starts(state: SessionState) -> list[str | None]:
    return [started_at(step) for step in state["steps"]]


def _new_failures(before: Step | None, step: Step) -> list[str]:
    known = failed_parts(before)
    return [line for line in failed_parts(step) if line not in known]


def _description(before: Step | None, step: Step, now_s: float, zone: tzinfo | None) -> str:
    if step["status"] == "pending" or (before is not None and {**before, "usual_ms": 0} == {**step, "usual_ms": 0}):
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


def _end(state: SessionState, server_url: str, now_s: float) -> Iterator[str]:
    yield status_line(state, now_s)
    failure = failure_of_whole(state)
    if failure and failure.error:
        yield one_line(f"{failure.title}: {failure.error}")
    yield from links(state, server_url)


REMINDER: Final = 2
"""By which factor a silence grows until the next reminder."""


class Reminded(NamedTuple):
    """The last reminders.

    Attributes:
        silent_s: How many seconds the worker had been silent at the last one.
        is_late: Whether one said that the job takes too long.
        is_idle: Whether one said that no step runs.
    """

    silent_s: float = 0.0
    is_late: bool = False
    is_idle: bool = False


def reminders(
    reminded: Reminded, session: ObservedSession, sign: LifeSign | None, now_s: float
) -> tuple[list[str], Reminded]:
    """Return the lines that are due, and the state of the reminders after them; a new silence begins anew."""
    lines: list[str] = []
    silent_s = reminded.silent_s
    if sign is None or sign.kind == "stalled":  # A step that stalls is a change, and has a line.
        silent_s = 0
    elif sign.silent_s >= REMINDER * silent_s:
        lines.append(sign.text)
        silent_s = sign.silent_s
    left = time_left(session.state, now_s)
    is_late = left in LATE
    if is_late and not reminded.is_late:
        lines.append(f"{_percent(session, now_s)}{left}")
    idle = is_idle(session.state, now_s)
    if idle and not reminded.is_idle:
        lines.append(f"{_percent(session, now_s)}{headline(session.state, now_s)}")
    return lines, Reminded(silent_s, is_late, idle)
