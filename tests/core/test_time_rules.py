"""How far a session is by time, and when it will end."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progress_sse.core.commands import Command, Create
from progress_sse.core.details import Time
from progress_sse.core.errors import ProblemError
from progress_sse.core.history import NOTHING_LEARNED, Learned, LearnedStep
from progress_sse.core.model import MAX_SAFE_INTEGER, Session, StepDefinition
from progress_sse.core.state_machine import apply
from progress_sse.core.time_rules import MAX_LEFT_MS
from progress_sse.core.updates import Advance, Complete, Describe, Finish, Plan, ReportPart, Skip, Start
from tests.core.random_commands import more_updates, plain_updates, requests
from tests.core.samples import T0, sent
from tests.core.timed import Job, at, declared, ends, learned, points
from tests.harness.presence import present
from tests.harness.vectors import CORPUS

A = "a"
C = "c"


class TestDeclared:
    """What a step takes is known from its declaration."""

    def test_a_bar_moves_by_time(self) -> None:
        """Two thirds of the steps may be a tenth of the time."""
        job = Job(*declared(5, 5, 90))
        assert job.time == Time(0, None, "declared", 0)
        assert job.time_after(0, Start(1)) == Time(0, ends(100), "declared", 0)
        for step, seconds in ((1, 5), (2, 10)):
            assert job.time_after(seconds, Complete(step)) == Time(seconds, ends(100), "declared", 0)
            job.start(seconds, step + 1)
        assert job.time_after(40, Complete(3)) == Time(100, None, "declared", 0)

    def test_a_step_is_not_known_to_last_on_once_it_has_taken_longer(self) -> None:
        """It ends now, as far as is known, and the session is nearly at its end."""
        job = Job.started(*declared(5))
        assert job.time_after(7, Advance(1, 1)) == Time(99, ends(7), "declared", 0)

    def test_steps_at_the_same_time_end_with_the_longest(self) -> None:
        """All others run one after the other."""
        job = Job.started(*declared(5, 8, 2))
        assert job.time_after(0, Start(2)) == Time(0, ends(10), "declared", 0)
        assert job.time_after(3, Describe(title="t")) == Time(100 * 6 // 13, ends(10), "declared", 0)

    def test_a_skipped_step_takes_nothing(self) -> None:
        """Neither before nor after."""
        job = Job.started(*declared(4, 90, 4))
        assert job.time_after(1, Skip(2)) == Time(12, ends(8), "declared", 0)

    def test_no_estimate_is_too_long(self) -> None:
        """The furthest end is a hundred years from now."""
        job = Job.started(*[StepDefinition("a", estimated_ms=MAX_SAFE_INTEGER)] * 1000)
        assert job.time == Time(0, ends(MAX_LEFT_MS / 1000), "declared", 0)


class TestUnknown:
    """No number is invented."""

    @pytest.mark.parametrize("seconds", [(None,), (5, None), (None, 5)])
    @pytest.mark.protocol("P-23.3")
    def test_one_step_of_which_nothing_is_known_is_enough(self, seconds: tuple[float | None, ...]) -> None:
        """There is no time while it is left; then there is, for the others."""
        job = Job(*declared(*seconds, 5))
        assert job.time is None
        for step in range(1, len(seconds) + 1):
            job.start(step, step)
            assert (job.time is None) is (None in seconds[step - 1 :])
            job.end(step + 1, step)
            assert (job.time is None) is (None in seconds[step:])

    def test_a_session_that_never_had_a_time_ends_without_one(self) -> None:
        """A hundred percent would be invented, too."""
        job = Job.started(*declared(None))
        job.end(1, 1)
        assert job.time is None

    def test_what_nothing_is_known_of_is_not_written(self) -> None:
        """The details stay the same object, which no store writes again."""
        job = Job(*declared(None, None))
        assert job.session is not None
        before = job.session.details
        job.start(0, 1)
        job.do(1, Advance(1, 1))
        assert job.session.details is before

    @pytest.mark.protocol("P-23.4")
    def test_a_session_that_a_start_created_has_none(self) -> None:
        """Whatever its definitions declare."""
        for command in (sent(Start(1), definitions=declared(5)), Create(declared(5)), Start(A)):
            outcome = apply("s", None, command, T0)
            assert outcome.session is not None
            assert (outcome.session.details.time, outcome.session.details.timing) == (None, None)


class TestRate:
    """A running step that reports how far it is."""

    def test_is_known_from_the_first_unit_on(self) -> None:
        """Before that there is no end, and the bar stays."""
        job = Job.started(*declared(None))
        assert job.time is None
        assert job.time_after(1, Advance(1, 0, 4)) == Time(0, None, "rate", 0)
        assert job.time_after(2, Advance(1, 1, 4)) == Time(25, ends(8), "rate", 0)
        assert job.time_after(12, Advance(1, 3, 4)) == Time(75, ends(16), "rate", 0)

    @pytest.mark.parametrize("total", [None, 0])
    def test_needs_a_total(self, total: int | None) -> None:
        """A count of unknown length is no rate."""
        job = Job.started(*declared(None))
        job.do(1, Advance(1, 0, total))
        assert job.time is None

    def test_is_that_of_the_parts(self) -> None:
        """If it is known how many there are."""
        job = Job(*declared(None))
        assert job.time_after(0, Start(1, parts_total=4)) == Time(0, None, "rate", 0)
        assert job.time_after(3, ReportPart(1, "x", "success")) == Time(25, ends(12), "rate", 0)


class TestHistory:
    """Earlier runs."""

    def test_show_a_range(self) -> None:
        """Before the first start, too, they show how far it is."""
        known = learned(5, a=points(1, 1, 10))
        job = Job(*declared(3), known=known)
        assert job.time == Time(0, None, "history", 5)
        assert job.time_after(0, Start(1)) == Time(0, ends(1, 10), "history", 5)

    def test_show_nothing_before_there_are_five(self) -> None:
        """But how many there were."""
        job = Job(*declared(3), known=learned(4, a=points(1)))
        assert job.time == Time(0, None, "declared", 4)
        assert Job(*declared(None), known=learned(4, a=points(1))).time is None

    def test_stay_the_basis_of_a_step_with_a_rate(self) -> None:
        """The range narrows with it."""
        job = Job.started(*declared(None), known=learned(5, a=points(10, 10, 20)))
        assert job.time_after(2, Advance(1, 2, 4)) == Time(28, ends(7, 12), "history", 5)

    def test_cover_any_number_of_steps(self) -> None:
        """One after the other."""
        job = Job.started(*[StepDefinition("a")] * 1000, known=learned(5, a=points(1, 2, 3)))
        assert job.time is not None
        assert job.time.finish_at is not None
        assert ends(1900).p50 < job.time.finish_at.p50 < job.time.finish_at.p90 < ends(3000).p90

    def test_cover_steps_that_an_open_ended_session_will_have(self) -> None:
        """If at least every second run had them."""
        steps = {name: LearnedStep(runs, points(5)) for name, runs in (("a", 12), ("b", 6), ("c", 5))}
        job = Job(open_ended=True, known=Learned(12, steps))
        assert job.time == Time(0, None, "history", 12)
        assert job.time_after(0, Start(A)) == Time(0, ends(10), "history", 12)
        assert job.time_after(5, Complete(A), Start(C)) == Time(33, ends(15), "history", 12)


RESTS = json.loads((CORPUS / "rests.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", RESTS, ids=lambda vector: vector["name"])
def test_the_rest_of_a_step_is_as_the_vectors_say(vector: dict[str, Any]) -> None:
    """What earlier runs took, the time spent and the rate all count."""
    known = learned(5, a=tuple(vector["earlier_ms"])) if vector["earlier_ms"] else NOTHING_LEARNED
    job = Job.started(StepDefinition("a", estimated_ms=vector["declared_ms"]), known=known)
    spent_s = vector["spent_ms"] / 1000
    time = present(job.time_after(spent_s, Advance(1, vector["current"], vector["total"])))
    for share, end in present(time.finish_at)._asdict().items():
        least, most = vector["left_ms"][share]
        assert least <= (datetime.fromisoformat(end) - at(spent_s)).total_seconds() * 1000 <= most


class TestPercentage:
    """It never falls but with a step that is started again, or added; and it is 100 when completed, and not before."""

    def test_stays_where_a_step_takes_longer_than_it_was_declared(self) -> None:
        """The rate shows that more is left than before."""
        job = Job.started(*declared(4))
        assert job.time_after(3, Advance(1, 0, 100)) == Time(75, ends(4), "declared", 0)
        assert job.time_after(4, Advance(1, 50, 100)) == Time(75, ends(6), "rate", 0)

    def test_stays_though_the_time_was_unknown_in_between(self) -> None:
        """What a reader has seen is not taken back."""
        job = Job(*declared(6, 2, None))
        job.do(0, Start(3), Advance(3, 1, 2), Start(1))
        job.do(6, Complete(1), Advance(3, 1, 2, "m"))
        seen = present(job.time)
        job.do(6, Complete(3, False), Start(2), Skip(3))
        assert present(job.time).percentage >= seen.percentage

    def test_falls_with_a_step_that_is_started_again(self) -> None:
        """What it took is lost."""
        job = Job.started(*declared(5, 5))
        assert job.time_after(5, Complete(1)) == Time(50, ends(10), "declared", 0)
        assert job.time_after(5, Start(1)) == Time(0, ends(15), "declared", 0)

    def test_falls_with_a_step_that_is_added(self) -> None:
        """There is more to do."""
        job = Job.started(*declared(5, 5), open_ended=True)
        job.end(5, 1)
        assert job.time_after(5, Plan(declared(10))) == Time(25, ends(20), "declared", 0)

    def test_stays_in_error(self) -> None:
        """When it will end depends on what comes then."""
        job = Job.started(*declared(5, 5))
        job.end(5, 1)
        assert job.time_after(6, Start(2), Complete(2, False)) == Time(50, None, "declared", 0)
        assert job.time_after(7, Start(2)) == Time(50, ends(12), "declared", 0)

    @pytest.mark.protocol("P-23.7")
    def test_is_no_longer_100_once_the_last_word_is_that_it_failed(self) -> None:
        """Since it is not completed."""
        job = Job.started(*declared(5))
        assert job.time_after(5, Complete(1)) == Time(100, None, "declared", 0)
        assert job.time_after(6, Complete(1, False)) == Time(99, None, "declared", 0)

    def test_stays_while_an_open_ended_session_has_nothing_to_do(self) -> None:
        """It may end now, or have further steps."""
        job = Job.started(*declared(5), open_ended=True)
        job.do(4, Advance(1, 1))
        assert job.time_after(5, Complete(1)) == Time(80, None, "declared", 0)
        assert job.time_after(6, Finish()) == Time(100, None, "declared", 0)


seconds = st.sampled_from([None, None, 0, 0.001, 1, 5, 90, 9e12])
definitions = st.lists(seconds, max_size=4).map(lambda each: declared(*each))
distributions = st.lists(st.sampled_from([0, 0.5, 1, 7, 80]), min_size=1, max_size=9).map(lambda each: points(*each))
learned_steps = st.builds(LearnedStep, st.integers(3, 8), distributions)
anything_learned = st.builds(
    Learned, st.just(8), st.dictionaries(st.sampled_from(["a", "b", "c", "one"]), learned_steps)
)
passed_ms = st.sampled_from([0, 1, 400, 1000, 60_000, -500])
commands = st.lists(st.tuples(plain_updates | more_updates | requests, passed_ms), max_size=12)


class Run:
    """Any commands on a timed session, one after the other; those that are refused change nothing."""

    def __init__(self, steps: tuple[StepDefinition, ...], known: Learned, *, is_timed: bool = True) -> None:
        """Create it, open-ended where there are no steps."""
        self.now = T0
        self.known = known
        creation = Create(steps, open_ended=not steps, accepts=("cancel",), is_timed=is_timed)
        session = present(apply("s", None, creation, T0, known).session)
        self.session: Session = session

    def apply(self, command: Command, passed: int) -> tuple[Session, bool]:
        """Return the session before, and whether the time may fall."""
        before = self.session
        self.now += timedelta(milliseconds=passed)
        try:
            outcome = apply("s", before, command, self.now, self.known)
        except ProblemError:
            return before, False
        self.session = present(outcome.session)
        is_retry = isinstance(command, Start) and outcome.about in before.progress.steps
        return before, is_retry or self.session.progress.total_steps > before.progress.total_steps

    @property
    def time(self) -> Time | None:
        return self.session.details.time

    @property
    def left(self) -> list[int]:
        """The steps that have not succeeded."""
        steps = self.session.progress.steps
        numbers = range(1, self.session.progress.total_steps + 1)
        return [number for number in numbers if number not in steps or steps[number].status != "success"]

    def is_known(self, number: int) -> bool:
        """Whether anything is known of what a step takes."""
        definition = self.session.definitions[number - 1]
        step = self.session.progress.steps.get(number)
        has_rate = step is not None and step.advance is not None and bool(step.advance.total)
        return has_rate or definition.estimated_ms is not None or self.known.of(definition.name) is not None


@pytest.mark.guarantee("M")
@pytest.mark.protocol("P-23.7", "P-23.8")
@given(definitions, anything_learned, commands)
def test_the_time_never_falls_and_is_100_at_the_end_alone(
    steps: tuple[StepDefinition, ...], known: Learned, sent: list[tuple[Command, int]]
) -> None:
    """Whatever comes, though the clock is set back, and the time is unknown in between."""
    run = Run(steps, known)
    least = 0
    for command, passed in sent:
        before, may_fall = run.apply(command, passed)
        status = run.session.progress.status
        time = run.time
        if may_fall:
            least = 0
        elif before.progress.status == "completed" != status:
            least = min(least, 99)
        if time is not None:
            assert least <= time.percentage <= 100
            assert (time.percentage == 100) is (status == "completed")
            least = time.percentage


@pytest.mark.guarantee("M")
@pytest.mark.protocol("P-23.9", "P-23.10")
@given(definitions, anything_learned, commands)
def test_an_end_is_published_while_one_is_ahead(
    steps: tuple[StepDefinition, ...], known: Learned, sent: list[tuple[Command, int]]
) -> None:
    """Not before the first start, nor once it is over; and half of all cases come before nine of ten."""
    run = Run(steps, known)
    for command, passed in [(Describe(), 0), *sent]:
        run.apply(command, passed)
        if run.time is None or run.time.finish_at is None:
            continue
        assert run.session.progress.status == "running"
        finish_at = run.time.finish_at
        assert finish_at.p50 <= finish_at.p90
        assert finish_at.p50 == finish_at.p90 or run.time.basis == "history"


@pytest.mark.guarantee("M")
@pytest.mark.protocol("P-23.3")
@given(definitions, anything_learned, commands)
def test_a_time_is_there_only_while_all_of_it_is_known(
    steps: tuple[StepDefinition, ...], known: Learned, sent: list[tuple[Command, int]]
) -> None:
    """Of each step that has not succeeded; once the session has ended, if there was one before."""
    run = Run(steps, known)
    for command, passed in [(Describe(), 0), *sent]:
        before, _ = run.apply(command, passed)
        if run.session.progress.status in ("pending", "running"):
            is_known = all(run.is_known(number) for number in run.left)
            assert is_known or run.time is None
            assert run.time is not None or not (is_known and run.left)
        elif run.session is not before:
            assert (run.time is None) is (before.details.time is None)


@given(definitions, commands)
def test_a_time_changes_nothing_else(steps: tuple[StepDefinition, ...], sent: list[tuple[Command, int]]) -> None:
    """A session with a time and one without are the same but for it."""
    timed = Run(steps, NOTHING_LEARNED)
    plain = Run(steps, NOTHING_LEARNED, is_timed=False)
    for command, passed in sent:
        timed.apply(command, passed)
        plain.apply(command, passed)
        assert (plain.time, plain.session.details.timing) == (None, None)
        without = timed.session.details._replace(time=None, timing=None)
        progress = timed.session.progress._replace(details=without)
        assert Session(progress, timed.session.definitions) == plain.session
