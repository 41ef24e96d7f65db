"""Reports that are repeated, and how the status of a session follows from its steps."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from progress_sse.core.commands import Command
from progress_sse.core.model import SessionStatus
from progress_sse.core.state_machine import Outcome, apply
from progress_sse.core.updates import Advance, Complete, Start
from tests.core.samples import T2, StepState, after, session_with


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
        "command",
        [
            Complete(1, False, "m", "e"),
            Complete(1, True, "M", "e"),
            Complete(1, True, "m", ""),
            Complete(1, True, "m ", "e"),
            Complete(1, True, "", "e"),
        ],
    )
    def test_is_none_where_a_text_differs(self, command: Command) -> None:
        """Outcome, message or error."""
        assert apply("s", session_with("success"), command, T2).steps == (1,)

    @pytest.mark.parametrize("command", [Advance(1, 2, 2, "m"), Advance(1, 1, None, "m"), Advance(1, 1, 2, "")])
    def test_is_none_where_an_advance_differs(self, command: Command) -> None:
        """Current, total or message."""
        assert apply("s", session_with("running"), command, T2).steps == (1,)

    def test_of_a_first_advance_without_text(self) -> None:
        """No report yet differs from a report of 0 of an unknown total."""
        session = after(None, Start(1))
        assert apply("s", session, Advance(1, 0), T2).steps == (1,)
