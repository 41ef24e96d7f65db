"""What a command makes of a session as a whole, and which lines its log takes."""

from dataclasses import replace

import pytest

from progress_sse.core.commands import Create, check_command
from progress_sse.core.details import NO_DETAILS, Details, Link
from progress_sse.core.errors import (
    AttemptSupersededError,
    InvalidRequestError,
    OtherRunError,
    SessionNotFoundError,
    StepOutOfRangeError,
    StepsFixedError,
    TooManyStepsError,
    TooMuchError,
    UnknownStepNameError,
)
from progress_sse.core.log_lines import MAX_LINES, MAX_SPLIT_LINES, LogLine, NewLine, split_text
from progress_sse.core.model import Session, StepDefinition
from progress_sse.core.session_rules import dated_lines
from progress_sse.core.state_machine import Outcome, apply, timestamp
from progress_sse.core.updates import AppendLines, Complete, Describe, Finish, Plan, SessionUpdate, Skip, Start
from tests.core.samples import (
    DEFINITIONS,
    T0,
    T1,
    T2,
    after,
    is_refused,
    open_ended,
    published,
    sent,
    session_with,
    statuses,
)

LINKS = (Link("Report", "https://example.org/report"),)
FAILURE = Finish(success=False, error="disk full")
LINE = (NewLine("a"),)


@pytest.mark.parametrize("command", [Finish(), Plan(DEFINITIONS), Describe(title="t"), AppendLines(LINE)])
def test_a_command_needs_its_session(command: SessionUpdate) -> None:
    """And, where it names one, its run."""
    assert is_refused(None, command, SessionNotFoundError)
    assert is_refused(open_ended("a"), sent(command, run="other"), OtherRunError)


class TestCreate:
    """A session may say more of itself than its steps."""

    def test_keeps_what_it_is_given(self) -> None:
        """For readers, and the attempt that created it."""
        command = Create((), True, title="t", labels={"a": "b"}, links=LINKS, open_ended=True, accepts=("cancel",))
        session = after(None, command._replace(attempt_id="me"))
        assert session.details == Details("t", {"a": "b"}, LINKS, True, accepts=("cancel",), creator="me")

    def test_without_any_of_it_has_no_details(self) -> None:
        """As every session had before there were any."""
        assert after(None, Create(DEFINITIONS)).details is NO_DETAILS

    def test_open_ended_may_have_no_steps(self) -> None:
        """Nothing of it is done then, and no other session may."""
        session = after(None, Create((), open_ended=True))
        assert (session.progress.total_steps, session.percentage, session.estimated_remaining_ms) == (0, 0, 0)
        assert is_refused(None, Create((), title="t"), InvalidRequestError)

    def test_says_no_more_than_each_event_can_carry(self) -> None:
        """All of it together."""
        assert is_refused(None, Create(DEFINITIONS, labels={str(n): "x" * 256 for n in range(16)}), TooMuchError)


class TestOpenEnded:
    """Steps are found while the session runs, so that no step is the last one."""

    def test_is_not_completed_by_its_steps(self) -> None:
        """Only by `finish`, though all known steps have succeeded."""
        session = after(open_ended("a"), Start(1), Complete(1))
        assert (session.progress.status, session.percentage) == ("running", 100)
        assert after(session, Finish()).progress.status == "completed"

    def test_is_in_error_with_a_failed_step(self) -> None:
        """As every session."""
        assert after(open_ended("a"), Start(1), Complete(1, success=False)).progress.status == "error"


class TestFinish:
    """`finish` ends the session as a whole."""

    def test_with_success_ends_or_skips_its_steps(self) -> None:
        """Running ones succeed, those not started are skipped, failed ones stay as they are."""
        session = session_with("running", "error")
        changed = published(session, Finish(), event="snapshot", steps=(1, 3))
        assert statuses(changed) == {1: "success", 2: "error", 3: "skipped"}
        progress = changed.progress
        assert (progress.status, progress.current_step, progress.updated_at) == ("completed", 1, timestamp(T2))
        assert (progress.steps[1].elapsed_ms, progress.steps[3].elapsed_ms) == (2500, 0)
        assert progress.steps[2] == session.progress.steps[2]

    def test_with_failure_ends_running_steps(self) -> None:
        """With its text, and all others stay as they are."""
        changed = published(session_with("running", "success"), FAILURE, event="step", steps=(1,))
        assert statuses(changed) == {1: "error", 2: "success"}
        assert changed.progress.steps[1].error == changed.details.error == "disk full"
        assert changed.progress.status == "error"

    def test_bears_its_conclusion(self) -> None:
        """So do the steps that it ends."""
        session = after(session_with("running"), replace(FAILURE, conclusion="cancelled"))
        assert (session.details.conclusion, statuses(session)) == ("cancelled", {1: "cancelled"})

    @pytest.mark.parametrize(
        ("session", "command", "event"),
        [
            (session_with("running", "running"), FAILURE, "snapshot"),
            (session_with("running", "success", "success"), Finish(), "step"),
            (session_with("success", "success"), Finish(), "step"),
            (session_with("success"), FAILURE, "snapshot"),
            (session_with("error", status="error"), FAILURE, "session"),
            (open_ended(), Finish(), "snapshot"),
        ],
    )
    def test_is_published_by_the_least_event_that_says_all(self, session: Session, command: Finish, event: str) -> None:
        """`step` for one step, `session` where nothing but the session's own text changes, else `snapshot`."""
        assert apply("s", session, command, T2).event == event

    @pytest.mark.parametrize("command", [Finish(), FAILURE, replace(FAILURE, conclusion="cancelled", links=LINKS)])
    def test_again_changes_nothing(self, command: Finish) -> None:
        """No time stamp either."""
        session = after(session_with("running", "error"), command, now=T1)
        assert apply("s", session, command, T2) == Outcome(session)

    def test_otherwise_is_another_word(self) -> None:
        """The last one wins."""
        session = after(session_with("running"), FAILURE)
        assert after(session, replace(FAILURE, error="no disk")).details.error == "no disk"
        finished = after(session, Finish())
        assert (finished.progress.status, finished.details.error) == ("completed", None)

    @pytest.mark.guarantee("H")
    @pytest.mark.parametrize(("command", "status"), [(Finish(), "completed"), (FAILURE, "error")])
    def test_is_definite(self, command: Finish, status: str) -> None:
        """What is said of steps later changes the steps alone."""
        session = after(session_with("running", "error", "error"), command)
        for late in (Complete(1, success=False, error="late"), Complete(1), Complete(2), Skip(3)):
            session = after(session, late)
            assert session.progress.status == status

    @pytest.mark.protocol("P-18.7")
    def test_changes_nothing_where_the_steps_had_completed_the_session(self) -> None:
        """All of it was said; the last word on a step still wins. But further links are a change."""
        completed = session_with("success", "success", "success", status="completed")
        assert apply("s", completed, Finish(), T2) == Outcome(completed)
        assert after(completed, Finish(), Complete(1, success=False)).progress.status == "error"
        linked = published(completed, Finish(links=LINKS), event="session")
        assert after(linked, Complete(1, success=False)).progress.status == "completed"

    @pytest.mark.parametrize("command", [Finish(), replace(FAILURE, conclusion="cancelled")])
    def test_a_start_opens_the_session_again(self, command: Finish) -> None:
        """It runs, and why it had ended is gone; its status then follows from its steps."""
        session = after(session_with("running"), command, Start(2))
        assert (session.progress.status, session.details) == ("running", NO_DETAILS)
        assert after(session, Complete(2, success=False)).progress.status == "error"

    def test_may_bring_the_links_of_the_results(self) -> None:
        """They replace those of the session; so do those of a completion."""
        session = after(None, Create(DEFINITIONS, links=(Link("Old", "/old"),)), Start(1))
        assert after(session, Finish(links=LINKS)).details.links == LINKS
        assert after(session, Finish()).details.links == session.details.links
        assert after(session, Finish(links=())).details.links == ()
        assert after(session, Complete(1, links=LINKS)).details.links == LINKS

    def test_a_repeated_completion_may_change_the_links_alone(self) -> None:
        """No step changes then."""
        session = after(session_with("running"), Complete(1))
        published(session, Complete(1, links=LINKS), event="session", steps=())

    @pytest.mark.parametrize("command", [Finish(links=LINKS * 100), Complete(1, links=LINKS * 20)])
    def test_brings_no_more_links_than_there_may_be(self, command: Finish | Complete) -> None:
        """And no more text."""
        session = after(session_with("running"), Describe(labels={"a": "x" * 256}))
        long = tuple(Link(each.label, each.url + "x" * 250) for each in command.links or ())
        with pytest.raises((InvalidRequestError, TooMuchError)):
            apply("s", session, replace(command, links=long), T2)


class TestPlan:
    """`plan` appends steps."""

    def test_appends_steps_in_one_change(self) -> None:
        """Only a snapshot shows steps that were not started."""
        changed = published(
            open_ended("a"), Plan((StepDefinition("b", 7, 8), StepDefinition(""))), event="snapshot", steps=()
        )
        assert changed.definitions == (StepDefinition("a"), StepDefinition("b", 7, 8), StepDefinition("STEP3"))
        assert (changed.progress.total_steps, changed.progress.status) == (3, "pending")
        assert changed.progress.updated_at == timestamp(T2)

    def test_lets_the_percentage_fall(self) -> None:
        """It is exact over the steps that are known."""
        session = after(open_ended("a"), Start(1), Complete(1))
        assert after(session, Plan(DEFINITIONS)).percentage == 25

    def test_refuses_a_session_of_fixed_steps(self) -> None:
        """Its readers know how many there are."""
        assert is_refused(session_with("running"), Plan(DEFINITIONS), StepsFixedError)

    def test_refuses_too_many_steps(self) -> None:
        """And none at all."""
        session = open_ended("a")
        assert after(session, sent(Plan(DEFINITIONS), max_total_steps=4)).progress.total_steps == 4
        assert is_refused(session, sent(Plan(DEFINITIONS), max_total_steps=3), TooManyStepsError)
        assert is_refused(session, Plan(()), InvalidRequestError)

    @pytest.mark.parametrize(("command", "status"), [(Finish(), "running"), (FAILURE, "error")])
    def test_opens_a_finished_session_again(self, command: Finish, status: str) -> None:
        """Its status follows from its steps once more."""
        session = after(open_ended("a"), Start(1), command, Plan(DEFINITIONS))
        assert (session.progress.status, session.details) == (status, Details(open_ended=True))


class TestDescribe:
    """`describe` changes what the session says besides its steps."""

    SAID = Create(DEFINITIONS, title="t", labels={"a": "1", "b": "2"}, links=LINKS, accepts=("cancel",))

    def test_changes_what_it_names(self) -> None:
        """Title, links and accepted requests are replaced, labels are merged."""
        session = after(None, self.SAID)
        changed = after(session, Describe(title="new", labels={"b": None, "c": "3"}))
        assert changed.details == session.details._replace(title="new", labels={"a": "1", "c": "3"})
        other = (Link("Other", "/other"),)
        changed = after(session, Describe(links=other, accepts=("retry",)))
        assert changed.details == session.details._replace(links=other, accepts=("retry",))

    def test_removes_what_is_none(self) -> None:
        """All labels, too."""
        session = after(None, self.SAID, Describe(title=None, labels=None, links=None, accepts=None))
        assert session.details == NO_DETAILS

    def test_is_published_by_an_event_of_the_session(self) -> None:
        """It moves the time of the last update, and nothing else."""
        session = session_with("running")
        changed = published(session, Describe(title="t"), event="session", steps=())
        expected = session.progress._replace(updated_at=timestamp(T2), details=Details("t"))
        assert changed == Session(expected, session.definitions)

    @pytest.mark.parametrize("command", [Describe(), Describe(title="t", labels={"a": "1", "x": None}, links=LINKS)])
    def test_changes_nothing_where_all_of_it_was_said(self, command: Describe) -> None:
        """Neither does one that says nothing."""
        session = after(None, self.SAID, now=T0)
        assert apply("s", session, command, T2) == Outcome(session)

    def test_is_judged_by_its_result(self) -> None:
        """Labels that were said before count, those that it removes do not."""
        session = after(None, Create(DEFINITIONS, labels={str(n): "x" * 200 for n in range(16)}))
        assert is_refused(session, Describe(title="x" * 200, links=(Link("l", "/" + "x" * 1000),)), TooMuchError)
        with pytest.raises(TooMuchError, match="16 labels"):
            apply("s", session, Describe(labels={"one more": ""}), T2)
        assert len(after(session, Describe(labels={"one more": "", "0": None})).details.labels) == 16

    def test_leaves_the_end_of_the_session(self) -> None:
        """It says more of it."""
        session = after(session_with("running"), FAILURE, Describe(title="t"))
        assert (session.progress.status, session.details.error) == ("error", "disk full")


def texts(session: Session, command: AppendLines) -> list[str]:
    return [line.text for line in dated_lines(session, command, T2)]


class TestTheSession:
    """What lines make of it."""

    def test_the_first_line_says_that_there_is_a_log(self) -> None:
        """It is a transition that changes nothing else, save when the session was updated."""
        before = session_with()
        outcome = apply("s", before, AppendLines(LINE), T2)
        assert outcome == Outcome(outcome.session, "session")
        assert outcome.session is not None
        assert outcome.session.details == NO_DETAILS._replace(log=True)
        progress = outcome.session.progress._replace(details=NO_DETAILS, updated_at=before.progress.updated_at)
        assert progress == before.progress
        assert outcome.session.progress.updated_at == timestamp(T2)

    def test_further_lines_change_nothing(self) -> None:
        """Whatever they are about."""
        session = after(session_with(), AppendLines(LINE))
        assert apply("s", session, AppendLines(LINE, 1), T2) == Outcome(session)

    def test_a_new_run_begins_without_a_log(self) -> None:
        """Though a step that is started again keeps it."""
        session = after(session_with(), AppendLines(LINE))
        assert after(session, Start(1)).details.log
        assert not after(session, Create(DEFINITIONS)).details.log


class TestTheStep:
    """Which step lines are about."""

    def test_by_its_number(self) -> None:
        """In any state, as long as there is one."""
        session = session_with()
        assert [dated_lines(session, AppendLines(LINE, step), T2)[0].step for step in (None, 1, 2)] == [None, 1, 2]
        for step in (0, len(session.definitions) + 1):
            assert is_refused(session, AppendLines(LINE, step), StepOutOfRangeError)

    def test_by_its_name(self) -> None:
        """The newest step that runs, else the newest one."""
        session = open_ended("a", "b", "a")
        assert dated_lines(session, AppendLines(LINE, "a"), T2)[0].step == 3
        running = after(session, Start(1))
        assert dated_lines(running, AppendLines(LINE, "a"), T2)[0].step == 1
        assert is_refused(session, AppendLines(LINE, "c"), UnknownStepNameError)

    @pytest.mark.parametrize("step", [1, None])
    def test_an_attempt_that_was_replaced_writes_nothing(self, step: int | None) -> None:
        """Neither about its step nor about the session; its successor does."""
        session = after(session_with(), sent(Start(1), attempt_id="old"))
        assert texts(session, sent(AppendLines(LINE, step), attempt_id="old")) == ["a"]
        session = after(session, sent(Start(1), attempt_id="new"))
        assert is_refused(session, sent(AppendLines(LINE, step), attempt_id="old"), AttemptSupersededError)
        assert texts(session, sent(AppendLines(LINE, step), attempt_id="new")) == ["a"]


class TestTheLines:
    """What they become."""

    @pytest.mark.protocol("P-24.2")
    def test_a_text_with_line_ends_becomes_several(self) -> None:
        """Each with its level and time; the end of the last line begins no further one."""
        line = NewLine("a\r\n\nb\rc\n", "error", 1000)
        shown = [LogLine(timestamp(T1), 1, "error", text) for text in ("a", "", "b", "c")]
        assert list(dated_lines(session_with(), AppendLines((line,), 1), T2)) == shown

    @pytest.mark.parametrize(
        ("text", "lines"), [("", [""]), ("\n", [""]), ("a\x0b\x85\u2028b", ["a\x0b\x85\u2028b"]), ("\n\n", ["", ""])]
    )
    def test_only_what_ends_a_line_in_a_file_splits_it(self, text: str, lines: list[str]) -> None:
        """Nothing else, and an empty line is one."""
        assert list(split_text(text)) == lines

    def test_each_was_written_when_its_worker_says(self) -> None:
        """By itself or with its update, but not before the session was there."""
        lines = (NewLine("a"), NewLine("b", ago_ms=0), NewLine("c", ago_ms=10**7))
        dated = dated_lines(session_with(), sent(AppendLines(lines), ago_ms=1000), T2)
        assert [line.at for line in dated] == [timestamp(T1), timestamp(T2), timestamp(T0)]


@pytest.mark.parametrize(
    "lines",
    [
        (),
        LINE * (MAX_LINES + 1),
        ("a",),
        (NewLine("a\0"),),
        (NewLine("a", "fatal"),),  # type: ignore[arg-type]  # what callers in this process may send
        (NewLine("a", ago_ms=-1),),
        (NewLine("\n" * MAX_SPLIT_LINES),),
        [NewLine("a")],
    ],
)
def test_values_that_are_no_lines_are_refused(lines: tuple[NewLine, ...]) -> None:
    """So many line ends, too, that one update would fill the log."""
    with pytest.raises(InvalidRequestError):
        check_command(AppendLines(lines))


def test_the_most_lines_are_accepted() -> None:
    """A hundred, and as many line ends as they may have."""
    check_command(AppendLines(LINE * MAX_LINES))
    check_command(AppendLines((NewLine("\n" * (MAX_SPLIT_LINES - 1)),)))
