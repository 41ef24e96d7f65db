"""The cells of the state machine's table for skipping, for signs of life, and for steps that count as lost."""

from dataclasses import replace
from datetime import timedelta

import pytest

from progress_sse.core.commands import Command, Create, Lose, Stall
from progress_sse.core.errors import (
    ProblemError,
    SessionNotFoundError,
    StepNotRunningError,
    StepNotStartedError,
    StepOutOfRangeError,
    StepStartedError,
)
from progress_sse.core.model import Liveness, Session, StepAdvance, StepDefinition, StepProgress
from progress_sse.core.state_machine import Outcome, apply, timestamp
from progress_sse.core.updates import Advance, Beat, Complete, Finish, Plan, Skip, Start
from tests.core.samples import (
    DEFINITIONS,
    T0,
    T1,
    T2,
    StepState,
    after,
    is_refused,
    lost_session,
    open_ended,
    published,
    sent,
    session_with,
    statuses,
)


class TestSkip:
    """A step counts as done that is not needed."""

    @pytest.mark.parametrize("state", ["not started", "error"])
    def test_counts_a_step_as_done(self, state: StepState) -> None:
        """It began and ended now, and took no time; nothing of a failed attempt remains."""
        changed = published(session_with(state), Skip(1, "cached"), event="step", steps=(1,))
        assert changed.progress.steps[1] == StepProgress(
            1, "one", "success", timestamp(T2), timestamp(T2), 0, 1000, "cached", conclusion="skipped"
        )

    @pytest.mark.parametrize("state", ["running", "success"])
    def test_is_refused_of_a_step_that_runs_or_has_succeeded(self, state: StepState) -> None:
        """The work was done, or is being done."""
        assert is_refused(session_with(state), Skip(1), StepStartedError)

    def test_is_a_repeat_where_the_step_was_skipped_with_the_same_words(self) -> None:
        """With others it is refused."""
        session = after(session_with(), Skip(2, "cached"))
        assert apply("s", session, Skip(2, "cached"), T2) == Outcome(session, about=2)
        assert is_refused(session, Skip(2, "other"), StepStartedError)

    def test_leaves_the_current_step(self) -> None:
        """Nothing was started."""
        session = after(None, Create(DEFINITIONS), Skip(1), now=T0)
        assert (session.progress.current_step, session.progress.status) == (0, "running")
        assert session.percentage == 33

    def test_completes_a_session(self) -> None:
        """It counts like a success, also where it replaces a failure."""
        assert (
            after(session_with("success", "error", "success", status="error"), Skip(2)).progress.status == "completed"
        )
        assert after(session_with("success", "error", status="error"), Skip(2)).progress.status == "running"

    def test_is_no_last_word(self) -> None:
        """A step that was skipped may be started, or completed otherwise."""
        session = after(session_with(), Skip(1))
        assert statuses(after(session, Start(1))) == {1: "running"}
        assert statuses(after(session, Complete(1, success=False))) == {1: "error"}

    @pytest.mark.parametrize("command", [Skip(1), Beat(1)])
    def test_needs_a_session_and_a_step(self, command: Skip | Beat) -> None:
        """So does a sign of life."""
        assert is_refused(None, command, SessionNotFoundError)
        assert is_refused(session_with(), replace(command, step=4), StepOutOfRangeError)


class TestCancelledStep:
    """`complete` may say that a step was cancelled."""

    def test_is_an_error_with_a_conclusion(self) -> None:
        """Both stand in the step."""
        step = after(session_with("running"), Complete(1, success=False, conclusion="cancelled")).progress.steps[1]
        assert (step.status, step.conclusion) == ("error", "cancelled")

    def test_is_another_outcome_than_a_failure(self) -> None:
        """The same words without the conclusion are no repeat."""
        cancelled = Complete(1, success=False, error="e", conclusion="cancelled")
        session = after(session_with("running"), cancelled)
        assert apply("s", session, cancelled, T2) == Outcome(session, about=1)
        assert statuses(after(session, replace(cancelled, conclusion=None))) == {1: "error"}


FAILED = Complete(1, success=False)
CANCELLED = Complete(1, success=False, conclusion="cancelled")


class TestConclusionOfSteps:
    """A session in error bears the conclusion of the step that failed last, if each that failed has one."""

    @pytest.mark.protocol("P-3.22")
    @pytest.mark.parametrize(
        ("commands", "conclusion"),
        [
            ([Start(1), CANCELLED], "cancelled"),
            ([Start(1), FAILED], None),
            ([Start(1), FAILED, CANCELLED], "cancelled"),
            ([Start(1), CANCELLED, FAILED], None),
            ([Start(1), Start(2), CANCELLED, replace(FAILED, step=2)], None),
            ([Start(1), Start(2), FAILED, replace(CANCELLED, step=2)], None),
            ([Start(1), FAILED, Skip(1), Start(2), replace(CANCELLED, step=2)], "cancelled"),
            ([Start(1), CANCELLED, Start(2)], None),
            ([Start(1), CANCELLED, Start(2), Complete(2)], "cancelled"),
            ([Start(1), CANCELLED, Finish()], None),
            ([Start(1), CANCELLED, Finish(success=False)], None),
            ([Start(1), FAILED, Finish(success=False, conclusion="cancelled")], "cancelled"),
            ([Start(1), CANCELLED, Plan((StepDefinition("four"),))], "cancelled"),
            ([Start(1), CANCELLED, Skip(1)], None),
        ],
    )
    def test_follows_from_the_steps(self, commands: list[Command], conclusion: str | None) -> None:
        """Unless the session was finished as a whole."""
        session: Session | None = open_ended("one", "two", "three")
        for seconds, command in enumerate(commands):
            session = after(session, command, now=T0 + timedelta(seconds=seconds))
        assert session is not None
        assert session.details.conclusion == conclusion

    def test_is_that_of_the_step_that_failed_last(self) -> None:
        """One was lost, and then one was cancelled; or the other way round."""
        cancelled = replace(CANCELLED, step=2)
        assert after(after(lost_session(), Start(2)), cancelled).details.conclusion == "cancelled"
        leased = sent(Start(1), attempt_id="a", lease_ms=1000, lost_after_ms=2000)
        session = after(after(after(session_with(), leased, now=T0), Start(2), now=T0), cancelled, now=T0)
        assert session.details.conclusion == "cancelled"
        lost = after(after(session, Stall(1, timestamp(T0), 1000), now=T1), Lose(1, 2000))
        assert (statuses(lost), lost.details.conclusion) == ({1: "lost", 2: "cancelled"}, "lost")


class TestBeat:
    """A sign of life changes nothing that readers see, but for a step that counts as stalled."""

    def test_changes_nothing_of_a_running_step(self) -> None:
        """With a lease or without one."""
        for start in (Start(1), sent(Start(1), attempt_id="a", lease_ms=1000)):
            session = after(None, start, now=T0)
            assert apply("s", session, Beat(1), T2) == Outcome(session, about=1)

    @pytest.mark.parametrize("command", [Beat(1), Advance(1, 1, 2, "m")])
    def test_makes_a_stalled_step_live(self, command: Beat | Advance) -> None:
        """So does a report, even if it repeats what the step holds."""
        session = session_with("running")
        step = session.progress.steps[1]._replace(liveness=Liveness("stalled", timestamp(T0)))
        stalled = session._replace(progress=session.progress._replace(steps={1: step}))
        changed = published(stalled, command, event="step", steps=(1,))
        assert changed.progress.steps[1] == step._replace(liveness=Liveness("live", timestamp(T2)))

    @pytest.mark.parametrize(
        ("state", "expected"),
        [("not started", StepNotStartedError), ("success", StepNotRunningError), ("error", StepNotRunningError)],
    )
    def test_is_refused_of_a_step_that_does_not_run(self, state: StepState, expected: type[ProblemError]) -> None:
        """Like a report of progress."""
        assert is_refused(session_with(state), Beat(1), expected)

    def test_is_shown_while_the_step_runs_under_a_lease(self) -> None:
        """From its start to its end."""
        session = after(None, sent(Start(1), attempt_id="a", lease_ms=1000), now=T0)
        assert session.progress.steps[1].liveness == Liveness("live", timestamp(T0))
        assert after(session, Complete(1)).progress.steps[1].liveness is None


class TestLost:
    """Lost is a statement about reports: a report of the step's attempt applies as if the step still ran."""

    @pytest.mark.protocol("P-19.10")
    def test_a_completion_is_applied(self) -> None:
        """The duration counts from the start."""
        changed = published(lost_session(), sent(Complete(1, message="done"), attempt_id="a"), event="step", steps=(1,))
        step = changed.progress.steps[1]
        assert (step.status, step.conclusion, step.error, step.elapsed_ms) == ("success", None, "", 2500)
        assert (changed.progress.status, changed.details.conclusion) == ("running", None)

    @pytest.mark.parametrize(
        ("command", "advance", "message"),
        [
            (sent(Advance(1, 1, 3, "new"), attempt_id="a"), StepAdvance(1, 3), "new"),
            (sent(Beat(1), attempt_id="a"), None, "m"),
        ],
    )
    def test_the_step_runs_again(self, command: Beat | Advance, advance: StepAdvance | None, message: str) -> None:
        """In the same transition, and live."""
        changed = published(lost_session(), command, event="step", steps=(1,))
        assert changed.progress.steps[1] == StepProgress(
            1,
            "one",
            "running",
            timestamp(T0),
            None,
            0,
            1000,
            message,
            advance=advance,
            attempt=1,
            liveness=Liveness("live", timestamp(T2)),
        )
        assert changed.progress.status == "running"

    def test_it_may_be_skipped_or_started(self) -> None:
        """As any step that failed."""
        assert statuses(after(lost_session(), sent(Skip(1), attempt_id="a"))) == {1: "skipped"}
        assert after(lost_session(), sent(Start(1), attempt_id="b")).progress.steps[1].attempt == 2

    def test_without_an_attempt_it_is_a_failed_step(self) -> None:
        """The report may be any worker's."""
        assert is_refused(lost_session(), Advance(1, 1), StepNotRunningError)
        assert statuses(after(lost_session(), Complete(1))) == {1: "success"}

    def test_a_finished_session_stays_as_it_is(self) -> None:
        """Until the next start."""
        session = after(lost_session(), Finish(success=False, error="given up"), now=T1)
        progress = after(session, sent(Complete(1), attempt_id="a")).progress
        assert (progress.status, progress.details.error, progress.steps[1].status) == ("error", "given up", "success")

    @pytest.mark.parametrize(
        ("finish", "status", "error", "conclusion"),
        [
            (sent(Finish(), attempt_id="a"), "success", "", None),
            (sent(Finish(False, "disk full"), attempt_id="a"), "error", "disk full", None),
            (sent(Finish(False, "stopped", conclusion="cancelled"), attempt_id="a"), "error", "stopped", "cancelled"),
        ],
    )
    def test_ends_with_its_session_if_its_own_attempt_finishes_that(
        self, finish: Finish, status: str, error: str, conclusion: str | None
    ) -> None:
        """As if it still ran, and the same again changes nothing."""
        session = after(lost_session(), finish)
        step = session.progress.steps[1]
        assert (step.status, step.error, step.conclusion) == (status, error, conclusion)
        assert after(session, finish) is session

    def test_stays_lost_if_another_worker_finishes_its_session(self) -> None:
        """That one knows nothing of it."""
        step = after(lost_session(), Finish()).progress.steps[1]
        assert (step.status, step.conclusion) == ("error", "lost")


class TestLostSession:
    """A session is lost only while it is in error for a step whose worker was lost."""

    LEASED = sent(Start(1), attempt_id="A", lease_ms=1000, lost_after_ms=2000)

    @pytest.mark.parametrize(
        ("command", "status"),
        [
            (Complete(1), "completed"),
            (Skip(1), "completed"),
            (sent(Complete(1), attempt_id="A"), "completed"),
            (Start(1), "running"),
            (Complete(1, success=False, error="e"), "error"),
        ],
    )
    def test_is_over_once_its_step_is_not_lost_any_more(self, command: Command, status: str) -> None:
        """By any report."""
        lost = after(None, Create(DEFINITIONS[:1]), self.LEASED, Stall(1, "", 1000), Lose(1, 2000))
        assert (lost.progress.status, lost.details.conclusion) == ("error", "lost")
        session = after(lost, command)
        assert (session.progress.status, session.details.conclusion) == (status, None)

    def test_stays_while_another_step_is_lost(self) -> None:
        """One of two workers reports again."""
        lost = after(
            None,
            self.LEASED,
            sent(replace(self.LEASED, step=2), attempt_id="B"),
            *(Stall(number, "", 1000) for number in (1, 2)),
            *(Lose(number, 2000) for number in (1, 2)),
        )
        session = after(lost, sent(Beat(1), attempt_id="A"))
        assert (session.progress.status, session.details.conclusion) == ("error", "lost")
