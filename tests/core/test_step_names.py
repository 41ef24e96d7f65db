"""Updates that name their step, and steps that are appended."""

from dataclasses import replace

import pytest

from progress_sse.core.commands import Create
from progress_sse.core.errors import TooManyStepsError, UnknownStepNameError
from progress_sse.core.model import Session, StepDefinition
from progress_sse.core.state_machine import apply, with_nothing_started
from progress_sse.core.updates import Advance, Beat, Complete, Skip, Start, StepUpdate
from tests.core.samples import T1, T2, after, is_refused, open_ended, published, sent, session_with, statuses

A = "a"
B = "b"


def start(name: str = A, *, append: bool = False) -> Start:
    return Start(name, append=append)


def names(session: Session) -> list[str]:
    return [each.name for each in session.definitions]


class TestStart:
    """`start` takes the first step of a name, or appends one."""

    def test_takes_the_first_step_of_the_name(self) -> None:
        """In any session, also where a later one has the same name."""
        session = after(None, Create((StepDefinition("b"), StepDefinition("a"), StepDefinition("a"))), start())
        assert (session.progress.current_step, session.progress.total_steps) == (2, 3)
        assert statuses(after(session, Complete(2), start())) == {2: "running"}

    def test_appends_one_where_an_open_ended_session_has_none(self) -> None:
        """In one transition, of the new step alone."""
        changed = published(open_ended("b"), start(), event="step", steps=(2,))
        assert names(changed) == ["b", "a"]
        assert (changed.progress.total_steps, changed.progress.current_step) == (2, 2)

    def test_appends_a_second_one_on_demand(self) -> None:
        """Only with `append`."""
        session = after(open_ended("a"), start())
        assert statuses(after(session, start())) == {1: "running"}
        assert statuses(after(session, start(append=True))) == {1: "running", 2: "running"}

    def test_brings_the_times_of_the_new_step(self) -> None:
        """They are ignored where the step exists."""
        given = Start(A, timeout_ms=7, estimated_ms=8)
        session = after(open_ended("b"), given)
        assert session.definitions[1] == StepDefinition("a", 7, 8)
        assert session.progress.steps[2].timeout_ms == 7
        assert after(open_ended("a"), given).definitions == (StepDefinition("a"),)
        assert after(open_ended(), Start(A, timeout_ms=0, estimated_ms=0)).definitions == (
            StepDefinition("a", estimated_ms=0),
        )

    @pytest.mark.parametrize("command", [start(), start(append=True), Start("one", append=True)])
    def test_appends_nothing_to_a_session_of_fixed_steps(self, command: Start) -> None:
        """The name is unknown to it."""
        assert is_refused(session_with(), command, UnknownStepNameError)

    def test_creates_an_open_ended_session(self) -> None:
        """With that step alone, whatever steps the server would give it."""
        outcome = apply("s", None, Start(A), T2)
        assert (outcome.event, outcome.steps, outcome.is_fresh) == ("step", (1,), True)
        assert outcome.session is not None
        assert outcome.session.details.open_ended
        assert names(outcome.session) == ["a"]

    def test_creates_a_session_that_is_shown_without_steps_at_first(self) -> None:
        """Whatever came along with the start."""
        session = after(None, start(), start(B), Complete(B, links=()), now=T1)
        assert with_nothing_started(session) == after(None, Create((), open_ended=True), now=T1)

    def test_appends_no_more_than_the_server_allows(self) -> None:
        """Nothing changes then."""
        assert is_refused(open_ended("b"), sent(start(), max_total_steps=1), TooManyStepsError)


class TestOthers:
    """Other actions take the newest running step of a name, else the newest."""

    @pytest.mark.parametrize("command", [Complete(A), Advance(A, 1), Beat(A)])
    def test_take_the_newest_running_step(self, command: StepUpdate) -> None:
        """Not a newer one that has ended or was not started."""
        session = after(open_ended("a", "a", "a", "a"), Start(1), Start(2), Start(3), Complete(3))
        changed = after(session, command)
        steps = changed.progress.steps
        assert {number for number in steps if steps[number] != session.progress.steps[number]} <= {2}
        assert changed == after(session, replace(command, step=2))

    @pytest.mark.parametrize("command", [Complete(A, message="again"), Skip(A)])
    def test_take_the_newest_step_where_none_runs(self, command: StepUpdate) -> None:
        """Whether it was started or not."""
        session = after(open_ended("a", "a"), Start(1), Complete(1, success=False), Start(2), Complete(2, False))
        assert apply("s", session, command, T2).steps == (2,)
        assert statuses(after(open_ended("a", "a"), Skip(A))) == {2: "skipped"}

    @pytest.mark.parametrize("command", [Complete(A), Advance(A, 1), Beat(A), Skip(A)])
    def test_append_nothing(self, command: StepUpdate) -> None:
        """Also in an open-ended session."""
        assert is_refused(open_ended("b"), command, UnknownStepNameError)
