"""Whose attempt a step is: a later attempt fences out the earlier ones."""

import pytest

from progress_sse.core.commands import Command, Create
from progress_sse.core.details import MAX_REPLACED_ATTEMPTS, Claim
from progress_sse.core.errors import AttemptSupersededError, StepNotStartedError, StepRunningError
from progress_sse.core.model import Session, StepDefinition
from progress_sse.core.state_machine import apply
from progress_sse.core.updates import (
    Advance,
    Beat,
    Complete,
    Describe,
    Finish,
    Plan,
    SessionUpdate,
    Skip,
    Start,
    StepUpdate,
)
from tests.core.samples import DEFINITIONS, T2, after, is_refused, open_ended, sent, session_with, statuses


def start(attempt_id: str | None, step: int = 1) -> Start:
    """Start a step as this attempt."""
    return sent(Start(step), attempt_id=attempt_id)


def is_superseded(session: Session, command: Command) -> bool:
    """Whether the command is one of a superseded attempt."""
    return is_refused(session, command, AttemptSupersededError)


def attempt_of(session: Session, step: int = 1) -> int | None:
    """The number of the step's attempt, as readers see it."""
    return session.progress.steps[step].attempt


ON_A_STEP: list[StepUpdate] = [Complete(1), Advance(1, 1), Beat(1), Complete(1, success=False)]
ON_THE_SESSION: list[SessionUpdate] = [Finish(), Finish(success=False), Plan(DEFINITIONS), Describe(title="t")]


class TestStep:
    """Updates of a step."""

    @pytest.mark.guarantee("G")
    @pytest.mark.parametrize("command", [*ON_A_STEP, Skip(1)])
    def test_an_attempt_that_was_replaced_changes_nothing(self, command: StepUpdate) -> None:
        """Whatever it says, and also after the later attempt has ended."""
        session = after(None, start("a"), start("b"))
        for each in (session, after(session, Complete(1)), after(session, Complete(1, success=False))):
            assert is_superseded(each, sent(command, attempt_id="a"))

    @pytest.mark.parametrize("command", ON_A_STEP)
    def test_the_newest_attempt_is_accepted(self, command: StepUpdate) -> None:
        """Like a worker that names none."""
        session = after(None, start("a"), start("b"))
        assert apply("s", session, sent(command, attempt_id="b"), T2) == apply("s", session, command, T2)

    @pytest.mark.parametrize("command", ON_A_STEP)
    def test_an_attempt_that_never_started_it_is_refused(self, command: StepUpdate) -> None:
        """Also where the step was started by a worker that named no attempt."""
        assert is_superseded(after(None, start("a")), sent(command, attempt_id="other"))
        assert is_superseded(after(None, start(None)), sent(command, attempt_id="other"))

    def test_a_start_without_an_attempt_replaces_one(self) -> None:
        """The step is then that of a worker that cannot be distinguished."""
        session = after(None, start("a"), start(None))
        assert is_superseded(session, sent(Complete(1), attempt_id="a"))
        assert is_superseded(session, start("a"))
        assert statuses(after(session, Complete(1))) == {1: "success"}

    def test_a_step_that_was_not_started_may_be_skipped_by_any_attempt(self) -> None:
        """Save one that was replaced; all others need a start."""
        session = after(None, start("a"), start("b"))
        assert statuses(after(session, sent(Skip(2), attempt_id="b"))) == {1: "running", 2: "skipped"}
        assert is_superseded(session, sent(Skip(2), attempt_id="a"))
        assert is_refused(session, sent(Complete(2), attempt_id="b"), StepNotStartedError)


class TestStart:
    """Starts are what replaces an attempt."""

    @pytest.mark.parametrize("step", [1, 2])
    def test_an_attempt_that_was_replaced_starts_nothing(self, step: int) -> None:
        """Neither that step nor another one."""
        assert is_superseded(after(None, start("a"), start("b")), start("a", step))

    def test_the_newest_attempts_that_were_replaced_are_known(self) -> None:
        """Ten of them."""
        attempts = [f"a{number}" for number in range(MAX_REPLACED_ATTEMPTS + 2)]
        session = after(None, *map(start, attempts))
        assert [is_superseded(session, start(each)) for each in attempts] == [False, *[True] * 10, False]

    def test_an_attempt_may_hold_several_steps(self) -> None:
        """Losing one of them does not take the others from it."""
        session = after(None, start("a"), start("a", 2), start("b"))
        assert is_superseded(session, sent(Complete(1), attempt_id="a"))
        assert statuses(after(session, sent(Complete(2), attempt_id="a"))) == {1: "running", 2: "success"}

    def test_the_same_attempt_may_start_a_step_again(self) -> None:
        """That replaces nothing."""
        session = after(None, start("a"), start("a"))
        assert statuses(after(session, sent(Complete(1), attempt_id="a"))) == {1: "success"}
        assert attempt_of(session) == 1


class TestNumber:
    """Readers see which attempt a step is."""

    def test_is_counted_from_the_first_start_that_names_an_attempt(self) -> None:
        """Earlier starts do not count, later ones do, whether they name one or not."""
        session = after(None, start(None), start(None))
        assert attempt_of(session) is None
        numbers = []
        for attempt_id in ("a", "b", None, None, "c", "c"):
            session = after(session, start(attempt_id))
            numbers.append(attempt_of(session))
        assert numbers == [1, 2, 3, 4, 5, 5]

    def test_stays_at_the_end_of_the_step(self) -> None:
        """Completed, skipped or ended with the session."""
        session = after(None, start("a"), start("b"))
        for command in (Complete(1), Complete(1, success=False), Finish(), Finish(success=False)):
            assert attempt_of(after(session, command)) == 2
        assert attempt_of(after(session, Complete(1, success=False), Skip(1))) == 2

    def test_is_that_of_its_own_step(self) -> None:
        """Each step has its own count."""
        session = after(None, start("a"), start("b"), start("b", 2))
        assert (attempt_of(session), attempt_of(session, 2)) == (2, 1)


class TestSession:
    """Updates of the session as a whole."""

    @pytest.mark.guarantee("G")
    @pytest.mark.parametrize("command", ON_THE_SESSION)
    def test_an_attempt_that_was_replaced_changes_nothing(self, command: SessionUpdate) -> None:
        """Neither one that held a step, nor one that created the session."""
        create = Create((StepDefinition("a"),), open_ended=True, attempt_id="a")
        session = after(None, create, start("a"), start("b"), Complete(1))
        assert is_superseded(session, sent(command, attempt_id="a"))

    @pytest.mark.parametrize("command", ON_THE_SESSION)
    @pytest.mark.parametrize("attempt_id", ["creator", "worker", None])
    def test_the_creator_and_each_newest_attempt_are_accepted(
        self, command: SessionUpdate, attempt_id: str | None
    ) -> None:
        """So is a worker that names none."""
        create = Create((StepDefinition("a"),), open_ended=True, attempt_id="creator")
        session = after(None, create, start("worker"), Complete(1))
        assert apply("s", session, sent(command, attempt_id=attempt_id), T2).event is not None

    @pytest.mark.parametrize("command", ON_THE_SESSION)
    def test_an_attempt_that_is_unknown_is_refused(self, command: SessionUpdate) -> None:
        """Also where the session knows of none."""
        assert is_superseded(open_ended("a"), sent(command, attempt_id="other"))

    @pytest.mark.parametrize("success", [True, False])
    def test_no_attempt_ends_the_steps_of_another(self, success: bool) -> None:
        """While one of them runs; later it may finish the session."""
        session = after(None, start("a"), start("b", 2))
        assert is_refused(session, sent(Finish(success=success), attempt_id="a"), StepRunningError)
        ended = after(session, Complete(2))
        assert after(ended, sent(Finish(success=success), attempt_id="a")).details.is_finished

    def test_steps_without_an_attempt_do_not_hinder_it(self) -> None:
        """No other attempt is at work on them; and a finish without an attempt ends all steps."""
        session = after(None, start("a"), start(None, 2))
        assert after(session, sent(Finish(), attempt_id="a")).progress.status == "completed"
        assert after(None, start("a"), start("b", 2), Finish()).progress.status == "completed"


class TestLease:
    """A start may say how often its worker gives a sign of life."""

    def test_is_kept_with_the_attempt(self) -> None:
        """Until the next start."""
        leased = sent(start("a"), lease_ms=1000, lost_after_ms=2000)
        session = after(session_with(), leased)
        assert session.details.claims == {1: Claim("a", 1000, 2000)}
        assert after(session, start("b")).details.claims == {1: Claim("b", None, None)}


class TestReplaced:
    """An attempt that lost a step to a later one."""

    def test_cannot_end_the_session(self) -> None:
        """Though it is still the newest of a step that has ended: the later one goes on."""
        session = after(
            None,
            sent(Start(1), attempt_id="A"),
            sent(Complete(1), attempt_id="A"),
            sent(Start(2), attempt_id="A"),
            sent(Start(2), attempt_id="B"),
            sent(Complete(2), attempt_id="B"),
        )
        for command in (sent(Finish(success=False), attempt_id="A"), sent(Describe("x"), attempt_id="A")):
            assert is_superseded(session, command)
        assert after(session, sent(Finish(), attempt_id="B")).progress.status == "completed"

    def test_may_describe_it_while_it_holds_a_step(self) -> None:
        """Two attempts may share a session."""
        session = after(
            None, sent(Start(1), attempt_id="A"), sent(Start(2), attempt_id="A"), sent(Start(2), attempt_id="B")
        )
        assert after(session, sent(Describe("x"), attempt_id="A")).details.title == "x"

    def test_is_remembered_as_the_creator_no_longer(self) -> None:
        """However many more are replaced."""
        session = after(None, Create(DEFINITIONS, attempt_id="A"))
        for number in range(15):
            session = after(session, sent(Start(1), attempt_id="A" if number == 0 else f"B{number}"))
        assert is_superseded(session, sent(Finish(), attempt_id="A"))

    def test_repeats_its_own_skip(self) -> None:
        """The answer may have been lost."""
        session = after(None, sent(Start(1), attempt_id="A"), sent(Skip(2), attempt_id="A"))
        assert apply("s", session, sent(Skip(2), attempt_id="A"), T2).event is None
