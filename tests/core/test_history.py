"""What earlier runs teach, and how it is read."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progress_sse.core.commands import Create
from progress_sse.core.history import MAX_CELLS, MAX_NAMES, MAX_WEEKS, MIN_RUNS, RUNS, Cell, Lesson, surplus_of, week_of
from progress_sse.core.model import StepDefinition
from progress_sse.core.state_machine import Outcome, apply
from progress_sse.core.updates import Complete, Finish, Plan, Skip, Start
from tests.core.samples import T0, sent
from tests.core.timed import Job, at, declared, learned_from
from tests.harness.presence import present

WEEK = week_of(T0)
RUN = Cell(WEEK, "", RUNS)


def lessons_of(*seconds: float, name: str = "a") -> list[Lesson]:
    """What runs of one step teach that took so long."""
    known = {each: taught(each, name) for each in seconds}
    return [known[each] for each in seconds]


def taught(seconds: float, name: str = "a") -> Lesson:
    """What one run of one step teaches."""
    job = Job.started(*declared(None), profile="p")
    lesson = present(job.end(seconds, 1).lesson)
    return lesson._replace(
        cells=tuple(cell if cell.bucket == RUNS else cell._replace(name=name) for cell in lesson.cells)
    )


def names_in(outcome: Outcome) -> list[str]:
    """The names in the lesson that it brings."""
    return [cell.name for cell in present(outcome.lesson).cells]


def history_of(lessons: Sequence[Lesson]) -> Counter[Cell]:
    """How often each cell was taught."""
    return Counter(cell for lesson in lessons for cell in lesson.cells)


@pytest.mark.protocol("P-23.30")
class TestLesson:
    """A run teaches once, with the transition that first completes it."""

    def test_comes_with_the_first_completion_alone(self) -> None:
        """However often the session is completed after that."""
        job = Job(*declared(None, None), profile="p")
        outcomes = [job.start(0, 1), job.end(1, 1), job.start(1, 2)]
        assert [outcome.lesson for outcome in outcomes] == [None] * 3
        lesson = present(job.end(3, 2).lesson)
        assert lesson.profile == "p"
        assert [(cell.week, cell.name) for cell in lesson.cells] == [(WEEK, ""), (WEEK, "a"), (WEEK, "b")]
        assert [outcome.lesson for outcome in (job.start(3, 2), job.end(9, 2), job.end(9, 2))] == [None] * 3

    def test_comes_with_a_finish(self) -> None:
        """Of the steps that it ends."""
        job = Job(open_ended=True, profile="p")
        job.do(0, Plan(declared(None, None)), Start(1))
        assert names_in(job.do(2, Finish())) == ["", "a"]

    def test_has_only_steps_that_were_started_once_and_succeeded(self) -> None:
        """Not those that were skipped, failed or tried again."""
        job = Job(*declared(*[None] * 5), open_ended=True, profile="p")
        job.do(0, *[Start(step) for step in (1, 2, 3)])
        job.do(1, Complete(1), Complete(2), Complete(3, False))
        job.do(2, Start(2), Complete(2), Skip(4), Start(4), Complete(4))
        assert names_in(job.do(3, Finish())) == ["", "a", "d"]

    def test_has_no_step_that_was_skipped_between_two_starts(self) -> None:
        """It was started twice."""
        job = Job(*declared(None, None), profile="p")
        job.do(0, Start(1), Complete(1, False), Skip(1), Start(1))
        assert names_in(job.do(1, Complete(1), Start(2), Complete(2))) == ["", "b"]

    @pytest.mark.parametrize(("cut_ms", "names"), [(0, ["", "a", "b"]), (499, ["", "a", "b"]), (500, ["", "b"])])
    def test_has_no_step_whose_duration_is_cut(self, cut_ms: int, names: list[str]) -> None:
        """It began that long before the server knew the session, which was away."""
        job = Job(*declared(None, None), profile="p")
        job.do(1, sent(Start(1), ago_ms=1000 + cut_ms), Complete(1), sent(Start(2), ago_ms=900))
        assert names_in(job.end(2, 2)) == names

    def test_has_no_step_that_began_before_it_was_skipped(self) -> None:
        """No start can be reported to be before that."""
        job = Job(*declared(None, None), profile="p")
        job.do(5, Skip(1))
        job.do(6, sent(Start(1), ago_ms=2000), Complete(1), sent(Start(2), ago_ms=2000))
        assert names_in(job.end(6, 2)) == ["", "b"]

    def test_is_none_where_no_step_teaches(self) -> None:
        """Such a run is not counted among those that were learned from."""
        job = Job(*declared(None, None), profile="p")
        assert job.do(0, Skip(1), sent(Start(2), ago_ms=1000), Complete(2)).lesson is None

    def test_is_that_of_the_run_which_replaces_another_one(self) -> None:
        """A replacement is a new run."""
        job = Job.started(*declared(None), profile="p")
        assert job.end(1, 1).lesson is not None
        job.do(1, Create(declared(None), is_timed=True, profile="p"), Start(1))
        assert job.end(2, 1).lesson is not None

    @pytest.mark.parametrize(
        "create", [Create(declared(1), is_timed=True), Create(declared(1)), Create(declared(1), profile="p")]
    )
    def test_needs_a_profile_of_a_session_with_a_time(self, create: Create) -> None:
        """No other session teaches."""
        outcome = apply("s", None, create, T0)
        for command in (Start(1), Complete(1)):
            outcome = apply("s", outcome.session, command, T0)
        assert present(outcome.session).progress.status == "completed"
        assert outcome.lesson is None

    def test_has_a_bound(self) -> None:
        """The names that come first."""
        job = Job(*[StepDefinition(f"n{number}") for number in range(2 * MAX_NAMES)], profile="p")
        for step in range(1, 2 * MAX_NAMES + 1):
            outcome = job.do(0, Start(step), Complete(step))
        assert names_in(outcome) == ["", *(f"n{number}" for number in range(MAX_NAMES))]


class TestLearned:
    """`learned_from`."""

    @given(st.lists(st.sampled_from([0, 0.001, 0.5, 3, 60, 90_000]), min_size=1, max_size=12), st.data())
    def test_is_the_same_in_any_order_and_however_it_is_added_up(
        self, seconds: list[float], data: st.DataObject
    ) -> None:
        """So that several servers may keep it."""
        lessons = lessons_of(*seconds)
        shuffled = data.draw(st.permutations(lessons))
        half = data.draw(st.integers(0, len(lessons)))
        together = history_of(shuffled[:half]) + history_of(shuffled[half:])
        assert together == history_of(lessons)
        assert learned_from(together, T0) == learned_from(history_of(lessons), T0)

    def test_counts_the_runs(self) -> None:
        """All, and those that taught the step."""
        history = history_of([*lessons_of(1, 2, 3), *lessons_of(4, name="b")])
        learned = learned_from(history, T0)
        assert learned.runs == 4
        assert {name: step.runs for name, step in learned.steps.items()} == {"a": 3, "b": 1}

    @pytest.mark.parametrize("runs", [1, MIN_RUNS - 1, MIN_RUNS])
    def test_is_used_from_five_runs_on(self, runs: int) -> None:
        """Fewer say too little."""
        learned = learned_from(history_of(lessons_of(*[1.0] * runs)), T0)
        assert (learned.of("a") is not None) is (runs >= MIN_RUNS)
        assert learned.of("b") is None

    @pytest.mark.parametrize("runs", [MIN_RUNS - 1, MIN_RUNS])
    def test_counts_a_run_once_whose_steps_have_one_name(self, runs: int) -> None:
        """Each of them teaches how long it took."""
        job = Job(*[StepDefinition("a")] * MIN_RUNS, profile="p")
        for step in range(1, MIN_RUNS + 1):
            lesson = job.do(step, Start(step), Complete(step)).lesson
        assert lesson is not None
        learned = learned_from(history_of([lesson] * runs), T0)
        assert (learned.runs, learned.steps["a"].runs) == (runs, runs)
        assert (learned.of("a") is not None) is (runs == MIN_RUNS)

    @given(st.floats(0.02, 1e6))
    def test_keeps_a_duration_to_a_ninth(self, seconds: float) -> None:
        """The width of a bucket."""
        step = learned_from(history_of(lessons_of(*[seconds] * 50)), T0).steps["a"]
        assert step.p50_ms == pytest.approx(1000 * seconds, rel=1 / 9)

    def test_is_never_without_a_longer_end(self) -> None:
        """The next run may be the longest."""
        step = learned_from(history_of(lessons_of(*[10.0] * 5)), T0).steps["a"]
        assert step.p50_ms < step.p90_ms

    def test_weighs_the_newest_runs_most(self) -> None:
        """A job that has become slower is known to be slow after as many runs as it takes to outweigh the old ones."""
        old = history_of(lessons_of(*[10.0] * 20))
        new = Counter(
            {cell._replace(week=WEEK + 20): count for cell, count in history_of(lessons_of(*[100.0] * 6)).items()}
        )
        assert learned_from(old + new, at(20 * 7 * 86_400)).steps["a"].p50_ms > 90_000
        assert learned_from(old + history_of(lessons_of(*[100.0] * 6)), T0).steps["a"].p50_ms < 11_000

    def test_takes_a_week_ahead_for_this_one(self) -> None:
        """Another server's clock may be ahead."""
        history = history_of(lessons_of(*[10.0] * 5))
        assert learned_from(history, T0 - timedelta(weeks=3)) == learned_from(history, T0)

    def test_of_nothing_is_nothing(self) -> None:
        """No run, and no step."""
        assert learned_from({}, T0) == (0, {})


class TestSurplus:
    """`surplus_of`: what is kept of a profile has a bound."""

    def test_is_what_is_too_old(self) -> None:
        """Half a year is kept."""
        history = {Cell(WEEK - age, "a", 1): 1 for age in range(2 * MAX_WEEKS)}
        assert {cell.week for cell in surplus_of(history, T0)} == set(
            range(WEEK - 2 * MAX_WEEKS + 1, WEEK - MAX_WEEKS + 1)
        )

    def test_is_what_was_taught_the_longest_ago_of_too_many_names(self) -> None:
        """With all of their cells."""
        old = {Cell(WEEK - 1, f"old {number}", bucket): 1 for number in range(MAX_NAMES) for bucket in (1, 2)}
        new = {Cell(WEEK, f"new {number}", 1): 1 for number in range(MAX_NAMES)}
        assert set(surplus_of({**old, **new, RUN: 5}, T0)) == set(old)

    def test_is_what_was_taught_the_least_of_too_many_names_in_a_week(self) -> None:
        """Names that only one run has do not crowd out those of each run, in whatever order they are stored."""
        once = {Cell(WEEK, f"Import {number}", 1): 1 for number in range(MAX_NAMES)}
        always = {Cell(WEEK, "Load", 1): 2}
        for history in ({**once, **always}, {**always, **once}):
            assert set(surplus_of(history, T0)) == {Cell(WEEK, "Import 99", 1)}

    def test_is_the_oldest_of_too_many_cells(self) -> None:
        """However few names they have."""
        history = {Cell(WEEK - age, "a", bucket): 1 for age in range(20) for bucket in range(MAX_CELLS // 10)}
        assert {WEEK - cell.week for cell in surplus_of(history, T0)} == set(range(10, 20))

    def test_is_nothing_of_a_usual_history(self) -> None:
        """Nor of none."""
        assert surplus_of(history_of(lessons_of(1, 2, 3)), T0) == surplus_of({}, T0) == []
