"""The lines of a log: which a session takes, what they become, and when they were written."""

from __future__ import annotations

import pytest

from progress_sse.core.commands import Create, check_command
from progress_sse.core.details import NO_DETAILS
from progress_sse.core.errors import (
    AttemptSupersededError,
    InvalidRequestError,
    OtherRunError,
    SessionNotFoundError,
    StepOutOfRangeError,
    UnknownStepNameError,
)
from progress_sse.core.log_lines import MAX_LINES, MAX_SPLIT_LINES, LogLine, NewLine, split_text
from progress_sse.core.log_rules import dated_lines
from progress_sse.core.model import Session
from progress_sse.core.state_machine import Outcome, apply, timestamp
from progress_sse.core.updates import AppendLines, Start
from tests.core.samples import DEFINITIONS, T0, T1, T2, after, open_ended, sent, session_with

LINE = (NewLine("a"),)


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

    def test_lines_need_a_session_and_its_run(self) -> None:
        """They create none."""
        with pytest.raises(SessionNotFoundError):
            apply("s", None, AppendLines(LINE), T2)
        with pytest.raises(OtherRunError):
            apply("s", session_with(), sent(AppendLines(LINE), run="other"), T2)


class TestTheStep:
    """Which step lines are about."""

    def test_by_its_number(self) -> None:
        """In any state, as long as there is one."""
        session = session_with()
        assert [dated_lines(session, AppendLines(LINE, step), T2)[0].step for step in (None, 1, 2)] == [None, 1, 2]
        for step in (0, len(session.definitions) + 1):
            with pytest.raises(StepOutOfRangeError):
                apply("s", session, AppendLines(LINE, step), T2)

    def test_by_its_name(self) -> None:
        """The newest step that runs, else the newest one."""
        session = open_ended("a", "b", "a")
        assert dated_lines(session, AppendLines(LINE, "a"), T2)[0].step == 3
        running = after(session, Start(1))
        assert dated_lines(running, AppendLines(LINE, "a"), T2)[0].step == 1
        with pytest.raises(UnknownStepNameError):
            apply("s", session, AppendLines(LINE, "c"), T2)

    @pytest.mark.parametrize("step", [1, None])
    def test_an_attempt_that_was_replaced_writes_nothing(self, step: int | None) -> None:
        """Neither about its step nor about the session; its successor does."""
        session = after(session_with(), sent(Start(1), attempt_id="old"))
        assert texts(session, sent(AppendLines(LINE, step), attempt_id="old")) == ["a"]
        session = after(session, sent(Start(1), attempt_id="new"))
        with pytest.raises(AttemptSupersededError):
            apply("s", session, sent(AppendLines(LINE, step), attempt_id="old"), T2)
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
