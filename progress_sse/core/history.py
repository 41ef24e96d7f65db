"""What earlier runs of a profile took: what a run teaches, how it is kept, and how it is read.

A run teaches one *cell* for each of its steps: the week, the name of the step, and the bucket that its duration falls
into. A history is how often each cell was taught, so that the histories of several servers add up. No cell holds
anything of a session.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from math import isqrt
from typing import Final, NamedTuple, TypeAlias

from progress_sse.core.distributions import Points, quantile, weighed, with_tail
from progress_sse.core.model import Session

MIN_RUNS: Final = 5
"""How many runs have to have taught a step before its time counts as known."""

MAX_PROFILES: Final = 1000
"""Profiles that are kept; the one that was taught last the longest ago goes."""

MAX_NAMES: Final = 100
"""Step names that are kept of a profile; the one that was taught last the longest ago goes, by weeks, or else the one
that was taught the least."""

MAX_NAME_CHARS: Final = 200
"""Characters of a name beyond which its step is not learned: each cell repeats it."""

MAX_CELLS: Final = 10_000
"""Cells that are kept of a profile; the oldest go."""

MAX_WEEKS: Final = 26
"""Weeks that are kept."""

_MAX_OCTAVES: Final = 32
"""Octaves of milliseconds that the buckets span: the last one begins at 49 days."""

_WEIGHTS: Final = tuple((1 << 20) * 4**weeks // 5**weeks for weeks in range(MAX_WEEKS))
"""How much a run counts by its age in weeks: a fifth less with each, so half after three."""

_PARTS: Final = 4
"""Parts of a bucket, over which what falls into it is spread."""


class Cell(NamedTuple):
    """One duration that was seen; the one that counts the runs has no name, and the bucket `RUNS`."""

    week: int
    name: str
    bucket: int


RUNS: Final = -1

History: TypeAlias = Mapping[Cell, int]
"""How often each cell was taught."""


class Lesson(NamedTuple):
    """What one run teaches: each cell once more."""

    profile: str
    cells: tuple[Cell, ...]


class LearnedStep(NamedTuple):
    """What a step took in earlier runs.

    Attributes:
        runs: How many runs taught it.
        points: What it will take; see ``distributions``.
    """

    runs: int
    points: Points

    @property
    def p50_ms(self) -> int:
        """Milliseconds that half of all runs took at most."""
        return quantile(self.points, 50)

    @property
    def p90_ms(self) -> int:
        """Milliseconds that nine of ten runs took at most."""
        return quantile(self.points, 90)


class Learned(NamedTuple):
    """What is known from the earlier runs of a profile."""

    runs: int
    steps: Mapping[str, LearnedStep]

    def of(self, name: str) -> Points | None:
        """Return what the step of this name takes, if enough runs have taught it."""
        step = self.steps.get(name)
        return None if step is None or step.runs < MIN_RUNS else step.points

    def usual_steps(self, *, without: Collection[str]) -> Iterator[Points]:
        """Yield what each step takes that at least every second run had, but for those of these names."""
        for name, step in self.steps.items():
            if name not in without and step.runs >= MIN_RUNS and 2 * step.runs >= self.runs:
                yield step.points


NOTHING_LEARNED: Final = Learned(0, {})


def week_of(moment: datetime) -> int:
    """Return the number of the week."""
    return moment.date().toordinal() // 7


def lesson_of(before: Session | None, session: Session, now: datetime) -> Lesson | None:
    """Return what a session that has just been completed for the first time teaches, if it has a profile.

    That is what its steps took, as far as they were started once, and not skipped; `None` if no step was.
    """
    timing = session.details.timing
    if timing is None or timing.profile is None or not timing.has_taught:
        return None
    if before is not None and before.details.timing is not None and before.details.timing.has_taught:
        return None
    taught = [
        step
        for number, step in sorted(session.progress.steps.items())
        if step.status == "success"
        and step.conclusion != "skipped"
        and number not in timing.untaught
        and len(step.name) <= MAX_NAME_CHARS
    ]
    if not taught:
        return None
    week = week_of(now)
    names = list(dict.fromkeys(step.name for step in taught))[:MAX_NAMES]
    durations = [
        Cell(week, step.name, bisect_right(_BOUNDS, step.elapsed_ms) - 1) for step in taught if step.name in names
    ]
    return Lesson(timing.profile, (Cell(week, "", RUNS), *durations))


def learning_from(history: History, now: datetime) -> tuple[int, Iterator[tuple[str, LearnedStep]]]:
    """Return how many runs a history has, and its steps by name, each worked out as it is taken."""
    this_week = week_of(now)
    runs_in = Counter[int]()
    taught = defaultdict[str, list[tuple[Cell, int]]](list)
    for cell, count in history.items():
        week, name, bucket = cell
        if week <= this_week - MAX_WEEKS:
            continue
        if bucket == RUNS:
            runs_in[week] += count
        else:
            taught[name].append((cell, count))
    steps = ((name, _learned_step(cells, runs_in, this_week)) for name, cells in taught.items())
    return runs_in.total(), steps


def _learned_step(taught: Sequence[tuple[Cell, int]], runs_in: Mapping[int, int], this_week: int) -> LearnedStep:
    weight_of = defaultdict[int, int](int)
    taught_in = defaultdict[int, int](int)
    squares = 0
    for (week, _, bucket), count in taught:
        weight = _WEIGHTS[this_week - week] if week < this_week else _WEIGHTS[0]
        weight_of[bucket] += count * weight
        squares += count * weight * weight
        taught_in[week] += count
    # A run teaches each of its steps, and several of them may have this name.
    runs = sum(min(count, runs_in.get(week, 0)) for week, count in taught_in.items())
    samples = [(ms, weight) for bucket, weight in sorted(weight_of.items()) for ms in _SPREAD[bucket]]
    return LearnedStep(runs, weighed(with_tail(samples, sum(weight_of.values()) ** 2 // squares)))


def surplus_of(history: History, now: datetime) -> Sequence[Cell]:
    """Return the cells to forget: those that are too old, those of too many names, and those of too many."""
    oldest = week_of(now) - MAX_WEEKS
    by_age = sorted(history, key=lambda cell: -cell.week)
    taught = Counter[str]()
    taught_in: dict[str, int] = {}
    for cell in by_age:
        if cell.bucket != RUNS:
            taught[cell.name] += history[cell]
            taught_in.setdefault(cell.name, cell.week)
    forgotten = set(sorted(taught, key=lambda name: (-taught_in[name], -taught[name], name))[MAX_NAMES:])
    kept = 0
    surplus: list[Cell] = []
    for cell in by_age:
        is_kept = cell.week > oldest and cell.name not in forgotten and kept < MAX_CELLS
        kept += is_kept
        if not is_kept:
            surplus.append(cell)
    return surplus


def _spread_between(first: int, following: int) -> tuple[int, ...]:
    """Return milliseconds that stand for a bucket: the middle of each of its parts."""
    return tuple([first + (following - first) * (2 * part + 1) // (2 * _PARTS) for part in range(_PARTS)])


_BOUNDS: Final = sorted({0, *(isqrt(isqrt(isqrt(isqrt(1 << each)))) for each in range(16 * _MAX_OCTAVES + 1))})
"""Where each bucket begins, in milliseconds: sixteen to an octave, each 4.4 % wider than the one before."""

_SPREAD: Final = tuple(map(_spread_between, _BOUNDS, [*_BOUNDS[1:], _BOUNDS[-1]]))
"""What stands for each bucket: milliseconds, by its number."""

BUCKETS: Final = len(_SPREAD)
"""How many buckets there are, numbered from 0."""
