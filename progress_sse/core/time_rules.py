"""How far a session is by time, and when it will end: worked out once, with the transition that changes it.

What a step takes is known from its declaration; from five earlier runs on, from those; and while it runs and reports
how far it is, from its rate, which counts the more the further it is. The time of a session is there only while all of
that is known of each step that has not succeeded.

* Its percentage is the time spent over that and what is left. It never falls but with a step that is started again, or
  added; and it is 100 once the session is completed, and not before.
* What is left of a step that runs is what is left *given the time already spent*.
* Steps that run at the same time end with the longest of them; all others are taken to run one after the other.
"""

from datetime import datetime
from typing import Final, NamedTuple

from progress_sse.core.commands import Command
from progress_sse.core.details import FinishAt, Time, TimeBasis, Timing
from progress_sse.core.distributions import Points, certain, left_after, longest, mixed, plus, quantile, total
from progress_sse.core.history import Learned
from progress_sse.core.model import Session, StepAdvance, StepProgress
from progress_sse.core.step_rules import MILLISECOND, elapsed_ms, newest_time, timestamp
from progress_sse.core.updates import Skip, Start

MAX_LEFT_MS: Final = 100 * 365 * 86_400_000
"""The longest time left that is reported: 100 years."""

MOST_BEFORE_THE_END: Final = 99
"""The percentage that a session does not exceed before it is completed."""

CUT_MS: Final = 500
"""Milliseconds before its recorded start from which on a step teaches nothing, as its duration is cut."""

_BASES: Final[tuple[TimeBasis, ...]] = ("history", "rate", "declared")
"""What a time rests on, the best first."""


class _Left(NamedTuple):
    """What is left of a step, and how that is known; no points where it runs at a rate that is not known yet."""

    points: Points | None
    basis: TimeBasis


class _Rest(NamedTuple):
    """What is left of the steps that have not succeeded, and what is past.

    Attributes:
        declared_ms: Milliseconds of all steps that do not run and were declared.
        learned: Of each step that does not run and was learned.
        running: Of each step that runs; `None` for one with a rate that is not known yet.
        bases: How all of it is known; none where nothing is left.
        spent_ms: Milliseconds that the steps have taken, but for those that failed.
    """

    declared_ms: int
    learned: tuple[Points, ...]
    running: list[Points | None]
    bases: set[TimeBasis]
    spent_ms: int


def with_time(
    before: Session | None, after: Session, about: int | None, command: Command, now: datetime, learned: Learned
) -> Session:
    """Return the session with its time after a transition; `about` is the number of the step that it was about."""
    details = after.details
    timing = details.timing
    if timing is None:
        return after
    if before is not None and before.details.timing is not None:
        timing = _moved_on(timing, before, after, about, command, now)
    time = _time_of(after, timing, now, learned)
    if time is not None and time.percentage != timing.floor:
        timing = timing._replace(floor=time.percentage)
    if after.progress.status == "completed" and not timing.has_taught:
        timing = timing._replace(has_taught=True)
    if timing is details.timing and time == details.time:
        return after
    return after.with_details(details._replace(time=time, timing=timing))


def _moved_on(
    timing: Timing, before: Session, after: Session, about: int | None, command: Command, now: datetime
) -> Timing:
    if after.progress.total_steps > before.progress.total_steps:
        timing = timing._replace(floor=0)
    if about is None or not isinstance(command, (Start, Skip)):
        return timing
    former = before.progress.steps.get(about)
    if former is not None and isinstance(command, Start):
        timing = timing._replace(floor=0)
    if _is_unfit_to_teach(before, former, command, now):
        timing = timing._replace(untaught=timing.untaught | {about})
    return timing


def _is_unfit_to_teach(before: Session, former: StepProgress | None, command: Start | Skip, now: datetime) -> bool:
    """Return whether the step's duration is not that of one whole run of it: it began before, or was cut short."""
    if former is not None and former.conclusion != "skipped":
        return True
    if not isinstance(command, Start) or not command.ago_ms:
        return False
    began = now - command.ago_ms * MILLISECOND
    return datetime.fromisoformat(newest_time(before, former)) - began >= CUT_MS * MILLISECOND


def _time_of(session: Session, timing: Timing, now: datetime, learned: Learned) -> Time | None:
    status = session.progress.status
    former = session.details.time
    if status == "completed":
        return former and former._replace(percentage=100, finish_at=None)
    if status == "error":
        return former and former._replace(percentage=min(former.percentage, MOST_BEFORE_THE_END), finish_at=None)
    rest = _rest_of(session, now, learned)
    if rest is None:
        return None
    if not rest.bases:  # It is open-ended, and may end now or have further steps.
        return former and former._replace(finish_at=None)
    basis = min(rest.bases, key=_BASES.index)
    running = [points for points in rest.running if points is not None]
    if len(running) < len(rest.running):
        return Time(timing.floor, None, basis, learned.runs)
    left = plus(running[0] if len(running) == 1 else longest(running), certain(rest.declared_ms))
    if rest.learned:
        left = plus(left, total(rest.learned))
    p50_ms = quantile(left, 50)
    percentage = min(MOST_BEFORE_THE_END, 100 * rest.spent_ms // max(1, rest.spent_ms + p50_ms))
    finish_at = None if status == "pending" else _finish_at(now, p50_ms, quantile(left, 90))
    return Time(max(timing.floor, percentage), finish_at, basis, learned.runs)


def _rest_of(session: Session, now: datetime, learned: Learned) -> _Rest | None:
    """Return what is left; `None` if a step has no estimate, no history and, while it runs, no total."""
    steps = session.progress.steps
    declared_ms = 0
    spent_ms = 0
    known: list[Points] = []
    running: list[Points | None] = []
    bases: set[TimeBasis] = set()
    for number, definition in enumerate(session.definitions, start=1):
        step = steps.get(number)
        if step is not None and step.status == "success":
            spent_ms += step.elapsed_ms
            continue
        usual = learned.of(definition.name) if learned.steps else None
        if step is not None and step.status == "running":
            step_spent_ms = elapsed_ms(step.started_at, now)
            left = _left_of_running(step, usual, definition.estimated_ms, step_spent_ms)
            if left is None:
                return None
            spent_ms += step_spent_ms
            running.append(left.points)
            bases.add(left.basis)
        elif usual is not None:
            known.append(usual)
            bases.add("history")
        elif definition.estimated_ms is not None:
            declared_ms += definition.estimated_ms
            bases.add("declared")
        else:
            return None
    if session.details.open_ended and learned.steps:
        names = {definition.name for definition in session.definitions}
        for usual in learned.usual_steps(without=names):
            known.append(usual)
            bases.add("history")
    return _Rest(declared_ms, tuple(known), running, bases, spent_ms)


def _left_of_running(step: StepProgress, usual: Points | None, declared_ms: int | None, spent_ms: int) -> _Left | None:
    left = None
    if usual is not None:
        left = _Left(left_after(usual, spent_ms), "history")
    elif declared_ms is not None:
        left = _Left(certain(max(0, declared_ms - spent_ms)), "declared")
    if step.advance is not None and step.advance.total:
        return _left_at_its_rate(left, step.advance, step.advance.total, spent_ms)
    return left


def _left_at_its_rate(left: _Left | None, advance: StepAdvance, units: int, spent_ms: int) -> _Left:
    """Return what is left of a step that reports how far it is; the further it is, the more its rate counts."""
    if not advance.current or not spent_ms:
        return left or _Left(None, "rate")
    at_its_rate_ms = spent_ms * (units - advance.current) // advance.current
    if left is None or left.points is None:
        return _Left(certain(at_its_rate_ms), "rate")
    points = mixed(left.points, at_its_rate_ms, advance.current, units)
    return _Left(points, "history" if left.basis == "history" else "rate")


def _finish_at(now: datetime, p50_ms: int, p90_ms: int) -> FinishAt:
    p50 = _after(now, p50_ms)
    return FinishAt(p50, p50 if p90_ms == p50_ms else _after(now, p90_ms))


def _after(now: datetime, ms: int) -> str:
    return timestamp(now + min(ms, MAX_LEFT_MS) * MILLISECOND)
