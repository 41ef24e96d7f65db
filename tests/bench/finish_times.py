"""Measure how right `finish_at` is, beside simpler guesses: `python -m tests.bench.finish_times`.

Each job runs on weekday after weekday, and each run teaches the next ones, by the rules of the server. A run is looked
at when 10, 50 and 90 % of it have passed: what its newest `time` said then is held against its end. On an idle machine
100 jobs of each kind take half a minute.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from statistics import fmean, median
from typing import NamedTuple

import click

from progress_sse.core import state_machine
from progress_sse.core.commands import Command, Create
from progress_sse.core.details import Time
from progress_sse.core.history import NOTHING_LEARNED, Cell, Learned, Lesson, surplus_of
from progress_sse.core.model import Session, StepDefinition
from progress_sse.core.updates import Advance, Complete, Start
from tests.bench.durations import KINDS, Draw, Run, runs_of
from tests.core.timed import learned_from

SHARES = (10, 50, 90)
"""Percentages of a run at which it is looked at."""

EARLIER = (5, 10, 30)
LOOKED_AT = (5, 7, 10, 14, 20, 30, 42, 60)
"""How many earlier runs a run has that is looked at."""

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
GUESSES = ("p50", "last run", "mean", "linear")


class Told(NamedTuple):
    """What a run tells, from so many milliseconds after its beginning on."""

    at_ms: int
    p50_ms: int
    p90_ms: int
    done_steps: float


class Look(NamedTuple):
    """A look at a run: whether it ended before p90, and from p50 on; and the error of each guess, over what was left.

    A guess that cannot be made has no error.
    """

    kind: str
    earlier: int
    share: int
    is_before_p90: bool
    is_between: bool
    errors: Mapping[str, float | None]


def begin_of(number: int) -> datetime:
    """Return when a run begins: one on each weekday."""
    return BEGIN + timedelta(days=number + number // 5 * 2)


def looks_at(kind: str, draw: Draw, seed: int) -> Iterator[Look]:
    """Yield the looks at one job."""
    history = Counter[Cell]()
    totals = list[int]()
    for earlier, run in enumerate(islice(runs_of(draw, Random(f"{kind} {seed}")), max(LOOKED_AT) + 1)):
        began = begin_of(earlier)
        if earlier in LOOKED_AT:
            learned = learned_from(history, began)
            told, lesson = replay(run, began, learned)
            yield from _looks(kind, run, told, totals)
        else:
            _, lesson = replay(run, began)
        totals.append(sum(step.ms for step in run))
        history.update(lesson.cells)
        for cell in surplus_of(history, began):
            del history[cell]


def replay(run: Run, began: datetime, learned: Learned | None = None) -> tuple[Sequence[Told], Lesson]:
    """Return what a run tells, and what it teaches; nothing is told if it is not given what was `learned`."""
    session: Session | None = None
    told = list[Told]()
    lesson: Lesson | None = None
    for at_ms, done_steps, command in _commands(run, has_advances=learned is not None):
        now = began + timedelta(milliseconds=at_ms)
        outcome = state_machine.apply("run", session, command, now, learned or NOTHING_LEARNED)
        session, lesson = outcome.session, outcome.lesson
        time = session.details.time if session else None
        if time is not None and time.finish_at is not None:
            told.append(Told(at_ms, *_ends_ms(time, began), done_steps))
    assert lesson is not None
    return told, lesson


def _commands(run: Run, *, has_advances: bool) -> Iterator[tuple[int, float, Command]]:
    """Yield each command, when it comes, and the steps that are done then."""
    yield 0, 0, Create(tuple(StepDefinition(step.name) for step in run), is_timed=True, profile="job")
    at_ms = 0
    for number, step in enumerate(run, start=1):
        yield at_ms, number - 1, Start(number)
        for unit, ms in enumerate(step.units, start=1):
            at_ms += ms
            if has_advances and unit < len(step.units):
                yield at_ms, number - 1 + unit / len(step.units), Advance(number, unit, len(step.units))
        yield at_ms, number, Complete(number)


def _ends_ms(time: Time, began: datetime) -> tuple[int, int]:
    assert time.finish_at is not None
    p50, p90 = (datetime.fromisoformat(each) - began for each in time.finish_at)
    return p50 // timedelta(milliseconds=1), p90 // timedelta(milliseconds=1)


def _looks(kind: str, run: Run, told: Sequence[Told], totals: Sequence[int]) -> Iterator[Look]:
    end_ms = sum(step.ms for step in run)
    for share in SHARES:
        now_ms = end_ms * share // 100
        newest = [each for each in told if each.at_ms <= now_ms][-1]
        done = newest.done_steps / len(run)
        guesses = {
            "p50": newest.p50_ms,
            "last run": totals[-1],
            "mean": fmean(totals),
            "linear": now_ms / done if done else None,
        }
        errors = {
            name: None if guess is None else abs(max(guess, now_ms) - end_ms) / (end_ms - now_ms)
            for name, guess in guesses.items()
        }
        is_before = end_ms <= newest.p90_ms
        yield Look(kind, len(totals), share, is_before, is_before and end_ms >= newest.p50_ms, errors)


def table(looks: Iterable[Look], row_of: Callable[[Look], tuple[str, ...]], heads: Sequence[str]) -> str:
    groups = defaultdict[tuple[str, ...], list[Look]](list)
    for look in looks:
        groups[row_of(look)].append(look)
    columns = [*heads, "ends before p90", "from p50 to p90", *(f"error of {name}" for name in GUESSES)]
    rows = [columns, ["---"] * len(heads) + ["---:"] * (len(columns) - len(heads))]
    rows += [[*key, *_figures(group)] for key, group in groups.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _figures(looks: Sequence[Look]) -> Iterator[str]:
    yield f"{fmean(look.is_before_p90 for look in looks):.0%}"
    yield f"{fmean(look.is_between for look in looks):.0%}"
    for name in GUESSES:
        errors = [look.errors[name] for look in looks]
        middle = median(math.inf if error is None else error for error in errors)
        yield "none" if middle == math.inf else f"{middle:.0%}"


@click.command()
@click.option("--jobs", default=100, show_default=True, help="Jobs of each kind.")
def main(jobs: int) -> None:
    looks = [look for kind, draw in KINDS.items() for seed in range(jobs) for look in looks_at(kind, draw, seed)]
    click.echo(table(looks, lambda look: (look.kind, f"{look.share} %"), ["kind", "of the run"]))
    click.echo()
    few = [look for look in looks if look.earlier in EARLIER]
    click.echo(table(few, lambda look: (look.kind, str(look.earlier)), ["kind", "earlier runs"]))


if __name__ == "__main__":
    main()
