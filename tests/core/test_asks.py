"""What readers ask of a worker, how it answers, and what settles a request."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from progress_sse.core.ask_rules import CANCELLED_BEFORE_START
from progress_sse.core.asks import MAX_ASKS, ReaderAsk
from progress_sse.core.commands import Ask, Command, Create, Lose, Stall
from progress_sse.core.errors import (
    AttemptSupersededError,
    OtherRunError,
    ProblemError,
    RequestNotAcceptedError,
    RequestNotFoundError,
    RequestOutOfTimeError,
    RequestSettledError,
    SessionCancelledError,
    SessionNotFoundError,
    StepOutOfRangeError,
)
from progress_sse.core.model import Session, SessionStatus, StepDefinition, is_over
from progress_sse.core.state_machine import apply, timestamp
from progress_sse.core.updates import Acknowledge, Advance, Beat, Complete, Describe, Finish, Plan, Skip, Start
from tests.core.samples import DEFINITIONS, T0, T2, StepState, after, is_refused, published, sent, session_with

CANCEL = Ask("cancel", "c")
RETRY = Ask("retry", "r")


def accepting(*states: StepState, status: SessionStatus = "running") -> Session:
    """A session that takes all requests, with steps in these states."""
    session = session_with(*states, status=status)
    details = session.details._replace(accepts=("cancel", "retry"))
    return session._replace(progress=session.progress._replace(details=details))


def pending() -> Session:
    """A session that takes all requests, of which no step was started."""
    return after(None, Create(DEFINITIONS, accepts=("cancel", "retry")), now=T0)


FAILED = accepting("error", status="error")


def state(session: Session, ask_id: str = "c") -> str:
    return next(each.state for each in session.details.requests if each.id == ask_id)


class TestAsk:
    """A reader asks something of the worker."""

    def test_is_published_as_a_change_of_the_session(self) -> None:
        """No step and no status changes."""
        changed = published(accepting("running"), Ask("cancel", "c", 1, "too slow"), event="session", steps=())
        assert changed.details.requests == (ReaderAsk("c", "cancel", 1, "asked", timestamp(T2), "too slow"),)
        assert changed.progress.updated_at == timestamp(T2)

    @pytest.mark.parametrize("command", [CANCEL, RETRY])
    def test_needs_a_session_that_accepts_it(self, command: Ask) -> None:
        """Whatever state the session is in."""
        assert is_refused(None, command, SessionNotFoundError)
        for session in (session_with(), session_with("running"), session_with("error", status="error")):
            assert is_refused(session, command, RequestNotAcceptedError)

    def test_is_of_its_run(self) -> None:
        """Where it names one."""
        assert is_refused(accepting("running"), CANCEL._replace(run="other"), OtherRunError)

    @pytest.mark.parametrize("step", [-1, 0, 4])
    def test_is_about_a_step_of_the_session(self, step: int) -> None:
        """Or about none."""
        assert is_refused(accepting("running"), CANCEL._replace(step=step), StepOutOfRangeError)

    @pytest.mark.parametrize(
        ("session", "in_time"),
        [
            (pending(), "cancel"),
            (accepting("running"), "cancel"),
            (accepting("success"), "cancel"),
            (accepting("error", "running", status="error"), "cancel"),
            (FAILED, "retry"),
            (accepting("success", "success", "success", status="completed"), None),
        ],
    )
    def test_to_cancel_is_until_the_session_is_over_and_to_retry_once_it_failed(
        self, session: Session, in_time: str | None
    ) -> None:
        """One in error is over once none of its steps runs."""
        for command in (CANCEL, RETRY):
            if command.kind == in_time:
                assert len(after(session, command).details.requests) == 1
            else:
                assert is_refused(session, command, RequestOutOfTimeError)

    @pytest.mark.parametrize("acknowledgements", [(), (Acknowledge("c", "seen"),)])
    def test_again_finds_the_open_one(self, acknowledgements: tuple[Command, ...]) -> None:
        """Which stays as it is."""
        session = after(accepting("running"), CANCEL, *acknowledgements)
        assert apply("s", session, Ask("cancel", "other", 2, "why"), T2).session is session

    def test_of_a_known_id_changes_nothing(self) -> None:
        """Though it is settled, and out of time."""
        session = after(accepting("running"), CANCEL, Acknowledge("c", "declined"), Finish())
        assert apply("s", session, CANCEL, T2).session is session

    def test_is_possible_again_once_settled(self) -> None:
        """The newest request is the first."""
        session = after(accepting("running"), CANCEL, Acknowledge("c", "declined"), CANCEL._replace(ask_id="d"))
        assert [(each.id, each.state) for each in session.details.requests] == [("d", "asked"), ("c", "declined")]

    def test_is_remembered_until_there_are_ten_newer(self) -> None:
        """The oldest is forgotten."""
        session = accepting("running")
        for number in range(MAX_ASKS + 1):
            session = after(session, Ask("cancel", str(number)), Acknowledge(str(number), "declined"))
        assert [each.id for each in session.details.requests] == [str(number) for number in range(10, 0, -1)]

    def test_without_words_has_no_reason(self) -> None:
        """Empty text says nothing."""
        assert after(accepting("running"), CANCEL._replace(reason="")).details.requests[0].reason is None


class TestAcknowledge:
    """The worker answers."""

    @pytest.mark.parametrize("command", [Acknowledge("c", "seen"), Acknowledge("c", "honoured", "stopped at 3")])
    def test_moves_the_request_on(self, command: Acknowledge) -> None:
        """And changes nothing else."""
        before = after(accepting("running"), CANCEL, now=T0)
        changed = published(before, command, event="session")
        expected = before.details.requests[0]._replace(state=command.state, message=command.message or None)
        assert changed.details == before.details._replace(requests=(expected,))

    def test_needs_a_request_that_is_remembered(self) -> None:
        """Of the same session."""
        assert is_refused(None, Acknowledge("c", "seen"), SessionNotFoundError)
        assert is_refused(accepting("running"), Acknowledge("c", "seen"), RequestNotFoundError)

    @pytest.mark.parametrize("first", ["honoured", "declined"])
    @pytest.mark.parametrize("second", ["seen", "honoured", "declined"])
    def test_never_goes_back(self, first: str, second: str) -> None:
        """The first final answer stays; the same one again is a repeat."""
        session = after(accepting("running"), CANCEL, _acknowledge(first))
        if first == second:
            assert apply("s", session, _acknowledge(second), T2).session is session
        else:
            assert is_refused(session, _acknowledge(second), RequestSettledError)

    def test_of_a_settled_request_gets_no_other_words(self) -> None:
        """Its answer is final."""
        session = after(accepting("running"), CANCEL, Acknowledge("c", "honoured", "stopped"))
        assert apply("s", session, Acknowledge("c", "honoured"), T2).event is None
        assert is_refused(session, Acknowledge("c", "honoured", "other"), RequestSettledError)

    def test_comes_too_late_after_the_end(self) -> None:
        """The session ended otherwise."""
        session = after(accepting("running"), CANCEL, Finish())
        assert is_refused(session, Acknowledge("c", "honoured"), RequestSettledError)

    def test_keeps_the_words_so_far(self) -> None:
        """Where it brings none."""
        session = after(accepting("running"), CANCEL, Acknowledge("c", "seen", "after this file"))
        assert after(session, Acknowledge("c", "honoured")).details.requests[0].message == "after this file"
        assert after(session, Acknowledge("c", "seen", "soon")).details.requests[0].message == "soon"

    def test_is_of_an_attempt_that_holds_the_session(self) -> None:
        """As all that workers say of the session."""
        start = sent(Start(1), attempt_id="a")
        session = after(accepting(), start, sent(start, attempt_id="b"), CANCEL)
        assert is_refused(session, sent(Acknowledge("c", "seen"), attempt_id="a"), AttemptSupersededError)
        assert state(after(session, sent(Acknowledge("c", "seen"), attempt_id="b"))) == "seen"


def _acknowledge(state: str) -> Acknowledge:
    return Acknowledge("c", state)  # type: ignore[arg-type]  # one of its states


class TestCancel:
    """What settles a request to cancel."""

    @pytest.mark.parametrize("acknowledgements", [(), (Acknowledge("c", "seen"),)])
    @pytest.mark.parametrize(
        ("command", "settled"),
        [
            (Complete(1, success=False, conclusion="cancelled"), "honoured"),
            (Finish(success=False, conclusion="cancelled"), "honoured"),
            (Complete(1, success=False), "too_late"),
            (Finish(success=False), "too_late"),
            (Finish(), "too_late"),
            (Complete(1), "open"),
            (Advance(1, 2), "open"),
            (Start(2), "open"),
            (Skip(2), "open"),
            (Describe(title="t"), "open"),
        ],
    )
    def test_is_honoured_or_too_late(
        self, acknowledgements: tuple[Command, ...], command: Command, settled: str
    ) -> None:
        """In the same commit as the end of the session, and published by its event."""
        session = after(accepting("running"), CANCEL, *acknowledgements)
        changed = after(session, command)
        assert state(changed) == (state(session) if settled == "open" else settled)

    def test_is_published_with_the_step_that_ended(self) -> None:
        """One change has one event."""
        session = after(accepting("running"), CANCEL)
        published(session, Complete(1, success=False, conclusion="cancelled"), event="step", steps=(1,))

    def test_is_honoured_while_other_steps_run(self) -> None:
        """The worker says that it stopped because it was asked to."""
        session = after(accepting("running", "running"), CANCEL)
        assert state(after(session, Complete(1, success=False, conclusion="cancelled"))) == "honoured"

    def test_stays_open_while_a_step_runs(self) -> None:
        """The session is not over by the failure of another one."""
        session = after(accepting("running", "running"), CANCEL, Complete(1, success=False))
        assert state(session) == "asked"
        assert state(after(session, Complete(2))) == "too_late"

    def test_is_not_honoured_by_a_repeat(self) -> None:
        """Which may be the late copy of an earlier report."""
        end = Complete(1, success=False, conclusion="cancelled")
        session = after(accepting("running", "running"), end, CANCEL)
        assert apply("s", session, end, T2).session is session

    def test_is_too_late_once_the_last_step_is_skipped(self) -> None:
        """That completes the session."""
        session = after(accepting("success", "success"), CANCEL, Skip(3))
        assert (session.progress.status, state(session)) == ("completed", "too_late")

    def test_is_too_late_once_the_worker_is_lost(self) -> None:
        """The session is in error then, and nothing of it runs."""
        start = sent(Start(1), attempt_id="a", lease_ms=1000, lost_after_ms=2000)
        session = after(accepting(), start, CANCEL, Stall(1, timestamp(T2), 1000), Lose(1, 2000))
        assert (session.progress.status, state(session)) == ("error", "too_late")
        assert state(after(session, sent(Advance(1, 1), attempt_id="a"))) == "too_late"

    def test_is_too_late_once_the_worker_of_a_finished_session_is_lost_again(self) -> None:
        """It had come back after the end, so that there was something to cancel."""
        lose = Stall(1, timestamp(T2), 1000), Lose(1, 2000)
        start = sent(Start(1), attempt_id="a", lease_ms=1000, lost_after_ms=2000)
        back = after(accepting(), start, *lose, Finish(success=False), sent(Beat(1), attempt_id="a"))
        assert (back.progress.status, back.progress.steps[1].status) == ("error", "running")
        session = after(back, CANCEL, *lose)
        assert (session.progress.steps[1].conclusion, state(session)) == ("lost", "too_late")


class TestRetry:
    """What settles a request to try again."""

    def test_is_honoured_by_a_start(self) -> None:
        """Of any step."""
        changed = published(after(FAILED, RETRY), Start(2), event="step")
        assert state(changed, "r") == "honoured"

    @pytest.mark.parametrize("command", [Finish(), Complete(1)])
    def test_is_too_late_once_the_session_is_completed(self, command: Command) -> None:
        """There is nothing to try again."""
        failed = accepting("error", "success", "success", status="error")
        assert state(after(failed, RETRY, command), "r") == "too_late"


class TestCancelledBeforeStart:
    """The server itself cancels a session of which no step was started."""

    def test_fails_the_session(self) -> None:
        """No step changes, so a snapshot shows it."""
        session = published(pending(), CANCEL._replace(reason="not needed"), event="snapshot", steps=())
        assert (session.progress.status, session.progress.updated_at) == ("error", timestamp(T2))
        assert (session.details.error, session.details.conclusion) == (CANCELLED_BEFORE_START, "cancelled")
        assert session.details.requests == (ReaderAsk("c", "cancel", None, "honoured", timestamp(T2), "not needed"),)

    def test_also_while_steps_are_only_skipped(self) -> None:
        """None of them was started."""
        assert after(pending(), Skip(1), CANCEL).progress.status == "error"

    def test_does_not_concern_one_that_was_started(self) -> None:
        """Though no step of it runs; its worker is to answer."""
        started = after(pending(), Start(1), Complete(1))
        assert state(after(started, CANCEL)) == "asked"

    @pytest.mark.parametrize(
        "others", [(), (Skip(1),), (RETRY, Acknowledge("r", "declined")), (Finish(success=False),)]
    )
    def test_allows_no_start(self, others: tuple[Command, ...]) -> None:
        """So that a queue can skip the job."""
        session = after(pending(), CANCEL, *others)
        for number in (1, 2):
            assert is_refused(session, Start(number), SessionCancelledError)

    def test_allows_no_further_steps(self) -> None:
        """They would open it again."""
        session = after(None, Create((), open_ended=True, accepts=("cancel", "retry")), CANCEL)
        assert is_refused(session, Plan((StepDefinition("a"),)), SessionCancelledError)
        planned = after(session, RETRY, Plan((StepDefinition("a"),)))
        assert planned.progress.status == "pending"
        assert after(planned, Start(1)).progress.status == "running"

    @pytest.mark.parametrize("answers", [(), (Acknowledge("r", "seen"),), (Acknowledge("r", "honoured"),)])
    def test_may_be_tried_again(self, answers: tuple[Command, ...]) -> None:
        """Where a reader asks for that, and the worker does not decline it."""
        session = after(pending(), CANCEL, RETRY, *answers, Start(1))
        assert (session.progress.status, state(session, "r")) == ("running", "honoured")
        assert (session.details.error, session.details.conclusion, session.details.is_cancelled) == (None, None, False)
        again = after(session, Finish(success=False, conclusion="cancelled"))
        assert after(again, Start(1)).progress.status == "running"

    @pytest.mark.parametrize("command", [Create(DEFINITIONS), Finish()])
    def test_is_no_more_once_the_session_is_created_again_or_completed(self, command: Command) -> None:
        """That is another run, or the last word of a worker."""
        assert after(pending(), CANCEL, command, Start(1)).progress.status == "running"


def _made(command: Callable[..., Command], **given_values: st.SearchStrategy[object]) -> st.SearchStrategy[Command]:
    return st.fixed_dictionaries(given_values).map(lambda values: command(**values))


_steps = st.integers(1, 3)
_ids = st.sampled_from("abcd")
_texts = st.sampled_from([None, "", "m"])
_conclusions = st.sampled_from([None, "cancelled"])
asks = _made(Ask, kind=st.sampled_from(["cancel", "retry"]), ask_id=_ids, step=st.none() | _steps, reason=_texts)
acknowledgements = _made(
    Acknowledge, request=_ids, state=st.sampled_from(["seen", "honoured", "declined"]), message=_texts
)
reports = st.one_of(
    _made(Start, step=_steps),
    _made(Complete, step=_steps, success=st.just(value=True)),
    _made(Complete, step=_steps, success=st.just(value=False), conclusion=_conclusions),
    _made(Finish, success=st.just(value=False), conclusion=_conclusions),
    _made(Finish),
    _made(Skip, step=_steps),
    _made(Plan, steps=st.just(DEFINITIONS[:1])),
)
FORWARD = ["asked", "seen", "settled"]


def _rank(request: ReaderAsk) -> int:
    return FORWARD.index(request.state if request.is_open else "settled")


@given(st.booleans(), st.lists(asks | acknowledgements | reports, max_size=30))
@example(False, [Ask("cancel", "a"), Ask("retry", "b"), Start(1)])
def test_requests_only_move_on(is_open_ended: bool, commands: list[Command]) -> None:
    """Whatever is said: no settled request changes, at most one of a kind is open, and none that came too late."""
    session = after(None, Create(DEFINITIONS[:2], open_ended=is_open_ended, accepts=("cancel", "retry")), now=T0)
    for command in commands:
        before = session
        try:
            session = after(session, command)
        except ProblemError:
            continue
        requests = session.details.requests
        progress = session.progress
        known = {each.id: each for each in requests}
        assert len(known) == len(requests)
        for former in before.details.requests:
            now = known[former.id]
            assert now == former or (former.is_open and _rank(now) >= _rank(former))
        open_kinds = [each.kind for each in requests if each.is_open]
        assert len(set(open_kinds)) == len(open_kinds)
        assert "cancel" not in open_kinds or not is_over(progress.status, progress.steps)
        assert "retry" not in open_kinds or progress.status != "completed"
