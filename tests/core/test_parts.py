"""The parts of a step that many workers do at once."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progress_sse.core.commands import Command, Lose, Stall, check_command
from progress_sse.core.errors import (
    AttemptSupersededError,
    InvalidRequestError,
    SessionNotFoundError,
    StepHasPartsError,
    StepNotRunningError,
    StepNotStartedError,
    TooManyPartsError,
)
from progress_sse.core.model import Liveness, Session, StepAdvance, StepDefinition, StepProgress
from progress_sse.core.parts import MAX_PART_TEXT_CHARS, Part, PartCounts, Parts, PartStatus
from progress_sse.core.state_machine import Outcome, apply, timestamp
from progress_sse.core.updates import Advance, Beat, Complete, Finish, ReportPart, Skip, Start
from tests.core.samples import DEFINITIONS, T0, T1, T2, after, is_refused, published, sent, session_with
from tests.harness.presence import present

ONE = DEFINITIONS[:1]


def started(parts_total: int | None = None, definitions: tuple[StepDefinition, ...] = DEFINITIONS) -> Session:
    """A session whose first step was started at T0."""
    return after(None, sent(Start(1, parts_total=parts_total), definitions=definitions), now=T0)


def reported(session: Session, *parts: tuple[str, PartStatus]) -> Session:
    """The session after reports of parts of its first step, at T1."""
    return after(session, *(ReportPart(1, name, status) for name, status in parts), now=T1)


def step_of(session: Session, number: int = 1) -> StepProgress:
    return session.progress.steps[number]


def parts_of(session: Session) -> dict[str, Part]:
    """The parts of its first step, by name."""
    return dict(present(step_of(session).parts).by_name)


class TestReport:
    """The report of one part."""

    def test_adds_a_part_to_a_running_step(self) -> None:
        """The step stays as it is besides, and so does the session."""
        before = session_with("running")
        changed = published(before, ReportPart(1, "a", "running", 1, 3, "m"), event="step", steps=(1,))
        part = Part("a", "running", 1, 3, "m", "", timestamp(T2))
        assert step_of(changed) == step_of(before)._replace(parts=Parts(None, {"a": part}))
        progress = changed.progress
        assert (progress.status, progress.current_step, progress.updated_at) == ("running", 1, timestamp(T2))

    def test_ends_a_part(self) -> None:
        """Its time is that since its first report; the last word wins."""
        session = after(reported(started(), ("a", "running")), ReportPart(1, "a", "error", error="e"), now=T2)
        ended = Part("a", "error", None, None, "", "e", timestamp(T1), timestamp(T2), 1000)
        assert parts_of(session) == {"a": ended}
        assert parts_of(after(session, ReportPart(1, "a", "success"), now=T2))["a"].status == "success"

    def test_takes_no_time_where_it_is_the_first(self) -> None:
        """A worker may report nothing but the end."""
        part = parts_of(reported(started(), ("a", "success")))["a"]
        assert (part.started_at, part.completed_at, part.elapsed_ms) == (timestamp(T1), timestamp(T1), 0)

    def test_begins_a_part_again(self) -> None:
        """Afresh, in its place."""
        session = after(reported(started(), ("a", "error"), ("b", "running")), ReportPart(1, "a", "running"), now=T2)
        assert list(parts_of(session).values()) == [
            Part("a", "running", None, None, "", "", timestamp(T2)),
            Part("b", "running", None, None, "", "", timestamp(T1)),
        ]

    @pytest.mark.parametrize("status", ["running", "success", "error"])
    def test_is_a_repeat_where_it_is_identical(self, status: PartStatus) -> None:
        """Also of a step that has ended with it, and of a session that is completed."""
        report = ReportPart(1, "a", status, 1, 2, "m", "e")
        for session in (after(started(), report), after(started(1, ONE), report), after(started(2), report)):
            assert apply("s", session, report, T2) == Outcome(session, about=1)

    @pytest.mark.parametrize(
        "command",
        [
            ReportPart(1, "a", "success", 1, 2, "m"),
            ReportPart(1, "a", "running", 2, 2, "m"),
            ReportPart(1, "a", "running", 1, None, "m"),
            ReportPart(1, "a", "running", 1, 2, ""),
            ReportPart(1, "a", "running", 1, 2, "m", "e"),
        ],
    )
    def test_is_no_repeat_where_anything_differs(self, command: ReportPart) -> None:
        """Status, amounts or texts."""
        session = after(started(), ReportPart(1, "a", "running", 1, 2, "m"))
        assert apply("s", session, command, T2).steps == (1,)

    @pytest.mark.parametrize(("current", "total"), [(2, 1), (None, 1)])
    def test_is_refused_beyond_its_whole(self, current: int | None, total: int) -> None:
        """As the progress of a step is."""
        with pytest.raises(InvalidRequestError, match=r"more than total|needs a current"):
            check_command(ReportPart(1, "a", "running", current, total))

    def test_needs_a_step_that_was_started(self) -> None:
        """And of one that has ended, one that has parts."""
        report = ReportPart(1, "a", "running")
        assert is_refused(session_with(), report, StepNotStartedError)
        assert is_refused(session_with("success"), report, StepNotRunningError)
        assert is_refused(session_with("error"), report, StepNotRunningError)
        assert is_refused(None, report, SessionNotFoundError)

    def test_names_a_step(self) -> None:
        """The newest running one of the name."""
        session = after(started(), ReportPart("one", "a", "running"))
        assert list(parts_of(session)) == ["a"]

    def test_reports_an_earlier_moment(self) -> None:
        """Not before that part's own newest time, nor before the step's start."""
        session = after(started(), sent(ReportPart(1, "a", "running"), ago_ms=500), now=T2)
        assert parts_of(session)["a"].started_at == timestamp(T2 - timedelta(milliseconds=500))
        ended = after(session, sent(ReportPart(1, "a", "success"), ago_ms=1500), now=T2)
        assert (parts_of(ended)["a"].completed_at, parts_of(ended)["a"].elapsed_ms) == (
            parts_of(session)["a"].started_at,
            0,
        )
        early = after(started(), sent(ReportPart(1, "a", "running"), ago_ms=60_000), now=T2)
        assert parts_of(early)["a"].started_at == timestamp(T0)


class TestTotal:
    """A step of which it is known how many parts it has."""

    def test_is_the_progress_of_the_step(self) -> None:
        """From its start on: the parts that have ended, whatever their outcome."""
        session = started(4)
        assert step_of(session) == StepProgress(
            1, "one", "running", timestamp(T0), None, 0, 1000, advance=StepAdvance(0, 4), parts=Parts(4, {})
        )
        session = reported(session, ("a", "running"), ("b", "success"), ("c", "error"))
        assert step_of(session).advance == StepAdvance(2, 4)
        assert session.percentage == 16
        assert step_of(reported(session, ("c", "running"))).advance == StepAdvance(1, 4)

    def test_refuses_other_progress(self) -> None:
        """Without a total the step's progress is its own."""
        assert is_refused(started(2), Advance(1, 1), StepHasPartsError)
        session = after(reported(started(), ("a", "success")), Advance(1, 1, 5))
        assert (step_of(session).advance, list(parts_of(session))) == (StepAdvance(1, 5), ["a"])

    def test_ends_the_step_with_the_last_part(self) -> None:
        """At the time of the part that ended last."""
        session = after(started(2, ONE), ReportPart(1, "a", "success"), now=T2)
        session = after(session, sent(ReportPart(1, "b", "success"), ago_ms=1000), now=T2)
        step = step_of(session)
        assert (step.status, step.error, step.advance, step.elapsed_ms) == ("success", "", None, 2500)
        assert (step.completed_at, session.progress.status) == (timestamp(T2), "completed")

    def test_ends_the_step_in_error_if_one_part_failed(self) -> None:
        """With a sentence that says how many did."""
        session = reported(started(3), ("a", "error"), ("b", "success"), ("c", "error"))
        assert (step_of(session).status, step_of(session).error) == ("error", "2 of 3 parts failed.")
        assert session.progress.status == "error"

    def test_ends_no_step_of_which_it_is_not_known(self) -> None:
        """`complete` does."""
        session = reported(started(), ("a", "success"), ("b", "success"))
        assert step_of(session).status == "running"
        session = after(session, Complete(1))
        assert (step_of(session).status, list(parts_of(session))) == ("success", ["a", "b"])

    def test_is_never_exceeded(self) -> None:
        """A further part is refused, the known ones are not."""
        session = reported(started(2), ("a", "running"), ("b", "running"))
        assert is_refused(session, ReportPart(1, "c", "running"), TooManyPartsError)
        assert apply("s", session, ReportPart(1, "b", "success"), T2).steps == (1,)


class TestEnd:
    """Parts of a step that has ended."""

    def test_begin_again_before_the_session_is_over(self) -> None:
        """The step runs again with them, from its first start on, and ends with the last of them."""
        session = reported(started(2), ("a", "success"), ("b", "success"))
        session = after(session, ReportPart(1, "b", "running"), now=T2)
        step = step_of(session)
        assert (step.status, step.completed_at, step.elapsed_ms) == ("running", None, 0)
        assert (step.started_at, step.advance, session.progress.status) == (timestamp(T0), StepAdvance(1, 2), "running")
        assert step_of(reported(session, ("b", "error"))).error == "1 of 2 parts failed."

    def test_recover_a_session_in_error_of_which_a_step_runs(self) -> None:
        """It is not over."""
        session = after(reported(started(1), ("a", "error")), Start(2), Advance(2, 1))
        session = after(session, ReportPart(1, "a", "running"))
        assert (step_of(session).status, step_of(session).error) == ("running", "")
        assert session.progress.status == "running"

    @pytest.mark.parametrize("command", [ReportPart(1, "a", "running"), ReportPart(1, "a", "success", 1)])
    @pytest.mark.parametrize("outcome", ["success", "error"])
    def test_are_over_with_the_session(self, command: ReportPart, outcome: PartStatus) -> None:
        """Completed, or in error with no step running; a start opens it again."""
        session = reported(started(1, ONE), ("a", outcome))
        assert is_refused(session, command, StepNotRunningError)
        assert step_of(after(session, sent(Start(1, parts_total=2), definitions=ONE))).parts == Parts(2, {})

    def test_correct_the_outcome_that_they_gave_the_step(self) -> None:
        """The last word of each part wins, before the session is over."""
        session = reported(started(2), ("a", "success"), ("b", "success"))
        session = after(session, ReportPart(1, "b", "error"), now=T2)
        assert (step_of(session).status, step_of(session).elapsed_ms) == ("error", 2500)

    def test_leave_the_outcome_that_a_worker_gave_the_step(self) -> None:
        """`complete` is about the step."""
        cancelled = Complete(1, success=False, error="e", conclusion="cancelled")
        session = after(started(2), Start(2), cancelled)
        session = reported(session, ("a", "success"), ("b", "success"))
        assert (step_of(session).status, step_of(session).error) == ("error", "e")
        assert step_of(session).conclusion == "cancelled"

    @pytest.mark.parametrize(
        ("command", "status", "error"),
        [
            (Complete(1), "success", ""),
            (Complete(1, success=False, error="e"), "error", "e"),
            (Finish(), "success", ""),
            (Finish(success=False, error="e"), "error", "e"),
        ],
    )
    def test_end_with_the_step(self, command: Command, status: str, error: str) -> None:
        """Those that still ran; none runs in a step that does not."""
        session = after(reported(started(3), ("a", "success"), ("b", "running")), command, now=T2)
        assert parts_of(session)["a"].elapsed_ms == 0
        part = parts_of(session)["b"]
        assert (part.status, part.error, part.elapsed_ms) == (status, error, 1000)

    @pytest.mark.parametrize(
        "command", [Complete(1, success=False, error="x" * 8192), Finish(success=False, error="x" * 8192)]
    )
    def test_end_with_no_longer_an_error_than_a_part_may_have(self, command: Command) -> None:
        """That of the step may be long, and each of its parts shows it."""
        session = after(reported(started(3), ("a", "running")), command, now=T2)
        assert parts_of(session)["a"].error == "x" * MAX_PART_TEXT_CHARS
        assert step_of(session).error == "x" * 8192

    def test_are_forgotten_by_a_start(self) -> None:
        """And by a skip."""
        session = reported(started(2), ("a", "running"))
        assert step_of(after(session, Start(1))).parts is None
        failed = after(session, Complete(1, success=False))
        assert step_of(after(failed, Skip(1))).parts is None


class TestLimits:
    """How many parts there may be."""

    def test_are_200_of_a_step(self) -> None:
        """A known one may still be reported."""
        session = reported(started(), *((f"p{n}", "running") for n in range(200)))
        assert is_refused(session, ReportPart(1, "more", "running"), TooManyPartsError)
        assert apply("s", session, ReportPart(1, "p7", "success"), T2).steps == (1,)

    def test_are_1000_of_a_session(self) -> None:
        """Those of a step that is started again are free."""
        definitions = (StepDefinition("x"),) * 6
        session = after(None, *(sent(Start(step), definitions=definitions) for step in range(1, 7)))
        session = after(session, *(ReportPart(step, f"p{n}", "running") for step in range(1, 6) for n in range(200)))
        assert is_refused(session, ReportPart(6, "more", "running"), TooManyPartsError)
        assert apply("s", after(session, Start(5)), ReportPart(6, "more", "running"), T2).steps == (6,)


class TestAttempt:
    """Attempt ids and leases, as of other reports on a step."""

    def test_of_a_superseded_one_is_refused(self) -> None:
        """Without an id it applies."""
        session = after(None, sent(Start(1), attempt_id="a"), sent(Start(1), attempt_id="b"))
        assert is_refused(session, sent(ReportPart(1, "p", "running"), attempt_id="a"), AttemptSupersededError)
        for attempt_id in ("b", None):
            assert list(parts_of(after(session, sent(ReportPart(1, "p", "running"), attempt_id=attempt_id)))) == ["p"]

    def test_makes_a_stalled_step_live(self) -> None:
        """Even if it repeats what the part is."""
        start = sent(Start(1), attempt_id="a", lease_ms=1000)
        report = ReportPart(1, "p", "running")
        stalled = after(None, start, report, Stall(1, timestamp(T0), 1000), now=T0)
        assert step_of(after(stalled, report)).liveness == Liveness("live", timestamp(T2))

    def test_revives_a_lost_step(self) -> None:
        """With all of its parts, as far as they were."""
        start = sent(
            Start(1, parts_total=3), definitions=DEFINITIONS, attempt_id="a", lease_ms=1000, lost_after_ms=1000
        )
        session = after(None, start, ReportPart(1, "p", "running"), ReportPart(1, "q", "success"), now=T0)
        lost = after(session, Stall(1, timestamp(T0), 1000), Lose(1, 1000), now=T0)
        assert (step_of(lost).conclusion, parts_of(lost)["p"].status) == ("lost", "running")
        assert is_refused(lost, ReportPart(1, "p", "success"), StepNotRunningError)
        for command in (sent(ReportPart(1, "p", "running"), attempt_id="a"), sent(Beat(1), attempt_id="a")):
            step = step_of(after(lost, command))
            assert (step.status, step.conclusion, step.advance) == ("running", None, StepAdvance(1, 3))
            assert step.liveness == Liveness("live", timestamp(T2))

    def test_holds_the_lease_of_a_step_that_runs_again(self) -> None:
        """As from a start."""
        start = sent(Start(1, parts_total=1), attempt_id="a", lease_ms=1000)
        session = after(None, start, ReportPart(1, "p", "success"), ReportPart(1, "p", "running"))
        assert step_of(session).liveness == Liveness("live", timestamp(T2))


class TestListing:
    """The parts that polls and events show."""

    def test_has_the_failed_first_then_the_running_then_the_newest(self) -> None:
        """At most 20, and of each kind the newest first."""
        session = started()
        for n in range(30):
            status: PartStatus = "error" if n % 10 == 9 else "running" if n % 10 == 8 else "success"
            session = after(session, ReportPart(1, f"p{n}", status), now=T0 + timedelta(seconds=n))
        parts = present(step_of(session).parts)
        newest = [f"p{n}" for n in range(29, -1, -1) if n % 10 < 8]
        assert [part.part for part in parts.listed()] == ["p29", "p19", "p9", "p28", "p18", "p8", *newest[:14]]

    def test_has_those_of_one_moment_by_their_first_report(self) -> None:
        """So that it is the same in each process."""
        parts = present(step_of(reported(started(), ("a", "success"), ("b", "success"), ("c", "success"))).parts)
        assert [part.part for part in parts.listed()] == ["c", "b", "a"]


names = st.sampled_from("abcde")
statuses = st.sampled_from(["running", "success", "error"])


@pytest.mark.guarantee("L")
@given(st.none() | st.integers(1, 5), st.lists(st.tuples(names, statuses), max_size=30))
def test_every_part_is_counted_once(total: int | None, reports: list[tuple[str, PartStatus]]) -> None:
    """Whatever order the reports of the workers take, the counts are those of the last accepted words."""
    session = started(total)
    words = dict[str, PartStatus]()
    for name, status in reports:
        try:
            session = after(session, ReportPart(1, name, status))
        except TooManyPartsError:
            assert len(words) == total
            continue
        except StepNotRunningError:
            assert session.progress.status == "error"
            continue
        words[name] = status
        step = step_of(session)
        last_words = list(words.values())
        counts = PartCounts(last_words.count("running"), last_words.count("success"), last_words.count("error"))
        assert step.parts is not None
        assert step.parts.counts == counts
        assert [part.part for part in step.parts.by_name.values()] == list(words)
        if counts.ended == total:
            assert step.status == ("error" if "error" in last_words else "success")
        else:
            assert step.status == "running"
            assert step.advance == (None if total is None else StepAdvance(counts.ended, total))
