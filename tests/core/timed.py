"""Sessions with a time, and what earlier runs taught, for the tests of both."""

from datetime import datetime, timedelta
from typing import Any, Self

from progress_sse.core.commands import Command, Create
from progress_sse.core.details import FinishAt, Time
from progress_sse.core.distributions import Points
from progress_sse.core.history import NOTHING_LEARNED, History, Learned, LearnedStep, learning_from
from progress_sse.core.model import Session, StepDefinition
from progress_sse.core.state_machine import Outcome, apply
from progress_sse.core.step_rules import timestamp
from progress_sse.core.updates import Complete, Start
from tests.core.samples import T0


def at(seconds: float) -> datetime:
    """So many seconds after the creation."""
    return T0 + timedelta(seconds=seconds)


def declared(*seconds: float | None) -> tuple[StepDefinition, ...]:
    """Steps that take so long, as far as that is declared; they are named a, b, c and so on."""
    each = enumerate(seconds)
    return tuple(
        StepDefinition("abcdefgh"[place], estimated_ms=None if s is None else round(1000 * s)) for place, s in each
    )


def learned(runs: int, **steps: Points) -> Learned:
    """What so many runs taught of steps by their names."""
    return Learned(runs, {name: LearnedStep(runs, points) for name, points in steps.items()})


def learned_from(history: History, now: datetime) -> Learned:
    """Return what a history teaches at this time: the older a week, the less it weighs."""
    runs, steps = learning_from(history, now)
    return Learned(runs, dict(steps))


class Job:
    """A timed session, whose commands come at seconds after its creation."""

    def __init__(
        self,
        *definitions: StepDefinition,
        open_ended: bool = False,
        profile: str | None = None,
        known: Learned = NOTHING_LEARNED,
    ) -> None:
        self.known = known
        self.session: Session | None = None
        self.do(0, Create(definitions, open_ended=open_ended, is_timed=True, profile=profile))

    @classmethod
    def started(cls, *definitions: StepDefinition, **given: Any) -> Self:
        """One whose first step starts at once."""
        job = cls(*definitions, **given)
        job.start(0, 1)
        return job

    def do(self, seconds: float, *commands: Command) -> Outcome:
        """Apply the commands, and return the outcome of the last one."""
        for command in commands:
            outcome = apply("s", self.session, command, at(seconds), self.known)
            self.session = outcome.session
        return outcome

    def start(self, seconds: float, step: int) -> Outcome:
        return self.do(seconds, Start(step))

    def end(self, seconds: float, step: int) -> Outcome:
        return self.do(seconds, Complete(step))

    def time_after(self, seconds: float, *commands: Command) -> Time | None:
        """Apply the commands, and return what the session then says of its time."""
        self.do(seconds, *commands)
        return self.time

    @property
    def time(self) -> Time | None:
        assert self.session is not None
        return self.session.details.time


def ends(p50_s: float, p90_s: float | None = None) -> FinishAt:
    """An end at these seconds after the creation; at one of them, where it is certain."""
    return FinishAt(timestamp(at(p50_s)), timestamp(at(p50_s if p90_s is None else p90_s)))


def points(*seconds: float) -> Points:
    """A distribution of durations that are equally likely."""
    return tuple(round(1000 * each) for each in sorted(seconds))
