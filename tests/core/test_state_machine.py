"""The cells of the state machine's table for the three first actions, repeats, and the status of a session."""

from collections.abc import Sequence

import pytest

from progress_sse.core.commands import Command, Create, Delete
from progress_sse.core.errors import (
    OtherRunError,
    ProblemError,
    SessionExistsError,
    SessionNotFoundError,
    StepNotRunningError,
    StepNotStartedError,
    StepOutOfRangeError,
)
from progress_sse.core.model import Session, SessionProgress, SessionStatus, StepAdvance, StepDefinition, StepProgress
from progress_sse.core.state_machine import (
    Outcome,
    age_limit,
    apply,
    created,
    is_expired,
    timestamp,
    with_nothing_started,
)
from progress_sse.core.updates import Advance, Complete, Start, StepUpdate
from tests.core.samples import (
    DEFINITIONS,
    STATES,
    T0,
    T1,
    T2,
    StepState,
    after,
    is_refused,
    published,
    sent,
    session_with,
)


class TestTable:
    """The table of the module's docstring, cell by cell."""

    @pytest.mark.parametrize("state", STATES)
    def test_start_begins_a_step_in_any_state(self, state: StepState) -> None:
        """Afresh: nothing of an earlier attempt remains."""
        changed = published(session_with(state), Start(1), steps=(1,))
        assert changed.progress.steps == {
            1: StepProgress(1, "one", "running", timestamp(T2), None, 0, 1000, "", "", None)
        }

    @pytest.mark.parametrize("state", ["running", "success", "error"])
    @pytest.mark.parametrize(("success", "status"), [(True, "success"), (False, "error")])
    def test_complete_ends_a_started_step(self, state: StepState, success: bool, status: str) -> None:
        """Also one that has ended: the last word wins."""
        step = published(session_with(state), Complete(1, success, "new", "text"), steps=(1,)).progress.steps[1]
        assert (step.status, step.message, step.error) == (status, "new", "text")
        assert (step.started_at, step.completed_at, step.elapsed_ms) == (timestamp(T0), timestamp(T2), 2500)
        assert (step.name, step.timeout_ms, step.advance) == ("one", 1000, None)

    def test_advance_moves_a_running_step(self) -> None:
        """Only its advance and message change."""
        before = session_with("running")
        changed = published(before, Advance(1, 2, 3, "new"), steps=(1,))
        expected = before.progress.steps[1]._replace(advance=StepAdvance(2, 3), message="new")
        assert changed.progress.steps == {1: expected}

    @pytest.mark.parametrize(
        ("state", "command", "expected"),
        [
            ("not started", Complete(1), StepNotStartedError),
            ("not started", Advance(1, 1), StepNotStartedError),
            ("success", Advance(1, 1), StepNotRunningError),
            ("error", Advance(1, 1), StepNotRunningError),
        ],
    )
    def test_refuses_the_rest(self, state: StepState, command: Command, expected: type[ProblemError]) -> None:
        """A refusal raises an error."""
        assert is_refused(session_with(state), command, expected)

    @pytest.mark.parametrize("command", [Complete(1), Complete(9), Advance(1, 1), Delete()])
    def test_refuses_what_needs_a_session(self, command: Command) -> None:
        """Even if the step number would be wrong as well."""
        assert is_refused(None, command, SessionNotFoundError)

    @pytest.mark.parametrize("step", [0, -1, 4, 10**30])
    @pytest.mark.parametrize("kind", ["start", "complete", "advance"])
    def test_refuses_steps_that_do_not_exist(self, step: int, kind: str) -> None:
        """By the number of the session's own steps."""
        commands: dict[str, StepUpdate] = {
            "start": sent(Start(step), definitions=DEFINITIONS * 9),
            "complete": Complete(step),
            "advance": Advance(step, 1),
        }
        with pytest.raises(StepOutOfRangeError, match="between 1 and 3"):
            apply("s", session_with("running"), commands[kind], T2)


class TestSession:
    """Commands about the session as a whole."""

    def test_start_creates_one(self) -> None:
        """With the definitions that the command brings, and the step already running."""
        outcome = apply("s", None, sent(Start(2, 7), definitions=DEFINITIONS), T2)
        assert (outcome.steps, outcome.is_fresh) == ((2,), True)
        assert outcome.session == Session(
            SessionProgress(
                "s",
                2,
                3,
                "running",
                {2: StepProgress(2, "two", "running", timestamp(T2), None, 0, 7)},
                timestamp(T2),
                timestamp(T2),
            ),
            DEFINITIONS,
        )

    @pytest.mark.parametrize("command", [Start(1), Complete(1), Advance(1, 1)])
    def test_accepts_a_command_for_its_run(self, command: StepUpdate) -> None:
        """Like one that names no run."""
        session = session_with("running")
        assert apply("s", session, sent(command, run=session.run), T2) == apply("s", session, command, T2)

    @pytest.mark.parametrize("command", [Start(1), Complete(1), Advance(1, 1), Start(9)])
    @pytest.mark.parametrize("run", ["", timestamp(T1)])
    def test_refuses_a_command_for_another_run(self, command: StepUpdate, run: str) -> None:
        """Before any other check; a session that does not exist is not created."""
        named = sent(command, run=run)
        assert is_refused(session_with("running"), named, OtherRunError)
        assert is_refused(None, named, SessionNotFoundError)

    def test_start_creates_none_for_a_step_that_does_not_exist(self) -> None:
        """It would have no such step."""
        assert is_refused(None, sent(Start(4), definitions=DEFINITIONS), StepOutOfRangeError)

    @pytest.mark.protocol("P-13.10")
    def test_start_leaves_the_definitions_alone(self) -> None:
        """A session keeps those that it was created with."""
        assert after(session_with(), sent(Start(1), definitions=(StepDefinition("other"),))).definitions == DEFINITIONS

    @pytest.mark.parametrize("before", [None, session_with("running", "error", status="error")])
    def test_create_makes_a_fresh_one(self, before: Session | None) -> None:
        """In place of the existing one, if any."""
        definitions = (StepDefinition("only"),)
        progress = SessionProgress("s", 0, 1, "pending", {}, timestamp(T2), timestamp(T2))
        expected = Outcome(Session(progress, definitions), None, is_fresh=True)
        assert apply("s", before, Create(definitions), T2) == expected

    def test_create_without_replace_refuses_an_existing_one(self) -> None:
        """Only where there is something to replace."""
        assert is_refused(session_with(), Create(DEFINITIONS, replace=False), SessionExistsError)
        assert apply("s", None, Create(DEFINITIONS, replace=False), T2).is_fresh

    def test_delete_removes_it(self) -> None:
        """Without a transition."""
        assert apply("s", session_with("running"), Delete(), T2) == Outcome(None, None, is_fresh=False)

    def test_keeps_the_time_of_its_creation(self) -> None:
        """And records that of each change."""
        progress = after(session_with("running"), Complete(1)).progress
        assert (progress.created_at, progress.updated_at) == (timestamp(T0), timestamp(T2))

    def test_can_be_shown_as_it_was_created(self) -> None:
        """For subscribers of a session that was created by its first start."""
        session = after(None, Start(2), Complete(2), now=T1)
        assert with_nothing_started(session) == created("s", DEFINITIONS, T1)


class TestExpiry:
    """Which sessions may be cleaned up."""

    @pytest.mark.protocol("P-13.13")
    @pytest.mark.parametrize(
        ("status", "created_at", "updated_at", "expected"),
        [
            ("pending", "1", "1", True),
            ("completed", "1", "3", True),
            ("error", "1", "3", True),
            ("running", "1", "1", True),
            ("running", "1", "2", False),
            ("running", "1", "3", False),
            ("pending", "2", "2", False),
            ("pending", "3", "3", False),
        ],
    )
    def test_is_for_old_sessions_that_are_not_live(
        self, status: SessionStatus, created_at: str, updated_at: str, expected: bool
    ) -> None:
        """Created before the limit; a running one is spared if it was updated since."""
        assert is_expired(status, created_at, updated_at, before="2") is expected

    def test_limit_lies_hours_back(self) -> None:
        """In fractions, too."""
        assert age_limit(T0, 24) == "2026-01-01T03:04:05.678901+00:00"
        assert age_limit(T0, 0.5) == "2026-01-02T02:34:05.678901+00:00"
        assert age_limit(T0, 1e9) == "0001-01-01T00:00:00.000000+00:00"


class TestStatus:
    """How the session's status follows from its steps."""

    @pytest.mark.protocol("P-3.9")
    @pytest.mark.parametrize(
        ("others", "success", "status"),
        [
            (("success", "success"), True, "completed"),
            (("success", "success"), False, "error"),
            (("success", "not started"), True, "running"),
            (("success", "running"), True, "running"),
            (("not started", "not started"), True, "running"),
            (("error", "success"), True, "error"),
            (("error", "running"), True, "error"),
            (("running", "not started"), False, "error"),
        ],
    )
    def test_follows_a_completion(self, others: Sequence[StepState], success: bool, status: str) -> None:
        """`completed` if all are success, else `error` if any is error, else `running`."""
        assert after(session_with("running", *others), Complete(1, success)).progress.status == status

    @pytest.mark.parametrize("before", ["pending", "running", "completed", "error"])
    def test_is_running_after_a_start(self, before: SessionStatus) -> None:
        """Also while another step is in error, and after the end."""
        session = session_with("not started", "error", "success", status=before)
        assert after(session, Start(1)).progress.status == "running"

    @pytest.mark.parametrize("before", ["pending", "running", "completed", "error"])
    def test_stays_after_an_advance(self, before: SessionStatus) -> None:
        """So does the current step."""
        session = session_with("running", "error", status=before, current_step=2)
        progress = after(session, Advance(1, 2)).progress
        assert (progress.status, progress.current_step) == (before, 2)

    def test_recovers_by_a_retry(self) -> None:
        """From error over running to completed."""
        session = session_with("error", "success", "success", status="error")
        running = after(session, Start(1))
        assert running.progress.status == "running"
        assert after(running, Complete(1)).progress.status == "completed"

    def test_is_corrected_by_a_later_report(self) -> None:
        """A worker reports that a step of a completed session has failed after all."""
        session = session_with("success", "success", "success", status="completed")
        assert after(session, Complete(2, success=False)).progress.status == "error"

    def test_current_step_is_the_one_started_last(self) -> None:
        """Completions and reports do not move it, in any order."""
        session = after(None, Start(3), Start(1), Advance(3, 1), Complete(3))
        assert session.progress.current_step == 1


class TestRepeat:
    """An identical report changes nothing."""

    @pytest.mark.parametrize(
        ("state", "command"),
        [
            ("success", Complete(1, True, "m", "e")),
            ("error", Complete(1, False, "m", "e")),
            ("running", Advance(1, 1, 2, "m")),
        ],
    )
    def test_is_no_transition(self, state: StepState, command: Command) -> None:
        """Not even a time stamp moves, and a status that a start has changed meanwhile stays."""
        session = session_with(state, "error", status="running")
        outcome = apply("s", session, command, T2)
        assert outcome == Outcome(session, about=1)
        assert outcome.session is session

    @pytest.mark.parametrize(
        ("state", "command"),
        [
            *(("success", Complete(1, *said)) for said in [(False, "m", "e"), (True, "M", "e"), (True, "m", "")]),
            *(("success", Complete(1, *said)) for said in [(True, "m ", "e"), (True, "", "e")]),
            *(("running", Advance(1, *said)) for said in [(2, 2, "m"), (1, None, "m"), (1, 2, "")]),
        ],
    )
    def test_is_none_where_anything_differs(self, state: StepState, command: Command) -> None:
        """Outcome, message or error; current, total or message."""
        assert apply("s", session_with(state), command, T2).steps == (1,)

    def test_of_a_first_advance_without_text(self) -> None:
        """No report yet differs from a report of 0 of an unknown total."""
        session = after(None, Start(1))
        assert apply("s", session, Advance(1, 0), T2).steps == (1,)
