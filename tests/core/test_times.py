"""Updates that tell how long ago it happened, so that durations survive an outage."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from progress_sse.core.state_machine import timestamp
from progress_sse.core.updates import Complete, Describe, Finish, Skip, Start
from tests.core.samples import T0, T1, T2, after, open_ended, sent, session_with

LATER = T0 + timedelta(hours=1)


def ago(moment: datetime, now: datetime = LATER) -> int:
    """Milliseconds from `moment` to `now`."""
    return (now - moment) // timedelta(milliseconds=1)


class TestAgo:
    """The server takes now less `ago_ms`, within the bounds of what it knows."""

    @pytest.mark.guarantee("I")
    def test_durations_survive_an_outage(self) -> None:
        """The reports of half an hour come at once, and the step lasted as long as it did."""
        session = after(session_with(), sent(Start(1), ago_ms=ago(T1)), now=LATER)
        step = after(session, sent(Complete(1), ago_ms=ago(T2)), now=LATER).progress.steps[1]
        assert (step.started_at, step.completed_at, step.elapsed_ms) == (timestamp(T1), timestamp(T2), 1000)

    def test_a_first_start_is_not_before_the_session(self) -> None:
        """Nothing of it can be older."""
        step = after(session_with(), sent(Start(1), ago_ms=86_400_000), now=LATER).progress.steps[1]
        assert step.started_at == timestamp(T0)

    def test_a_session_that_it_creates_begins_now(self) -> None:
        """The time of its creation is that of no earlier run of the id."""
        session = after(None, sent(Start("a"), ago_ms=5000), now=LATER)
        assert session.progress.created_at == session.progress.steps[1].started_at == timestamp(LATER)

    @pytest.mark.parametrize(("state", "earliest"), [("running", T0), ("success", T1), ("error", T1)])
    def test_a_report_is_not_before_the_newest_time_of_its_step(self, state: str, earliest: datetime) -> None:
        """Neither is its next start."""
        session = session_with(state)  # type: ignore[arg-type]
        restarted = after(session, sent(Start(1), ago_ms=86_400_000), now=LATER).progress.steps[1]
        ended = after(session, sent(Complete(1, message="new"), ago_ms=86_400_000), now=LATER).progress.steps[1]
        assert restarted.started_at == ended.completed_at == timestamp(earliest)

    def test_the_times_of_other_steps_are_no_bound(self) -> None:
        """Steps may run side by side."""
        session = session_with("not started", "success")
        assert after(session, sent(Skip(1), ago_ms=ago(T0)), now=LATER).progress.steps[1].started_at == timestamp(T0)

    def test_nothing_is_later_than_now(self) -> None:
        """Though the clock was set back since the step began."""
        early = T0 - timedelta(hours=1)
        step = after(session_with("running"), sent(Complete(1), ago_ms=1000), now=early).progress.steps[1]
        assert (step.completed_at, step.elapsed_ms) == (timestamp(early), 0)

    @pytest.mark.parametrize(
        "command", [sent(Complete(1), ago_ms=86_400_000), sent(Describe(title="t"), ago_ms=86_400_000)]
    )
    def test_the_time_of_the_last_update_never_goes_back(self, command: Complete | Describe) -> None:
        """It stays, or moves on."""
        assert after(session_with("running"), command, now=LATER).progress.updated_at == timestamp(T1)
        recent = sent(command, ago_ms=ago(T2))
        assert after(session_with("running"), recent, now=LATER).progress.updated_at == timestamp(T2)

    def test_a_finish_ends_each_step_within_its_own_bounds(self) -> None:
        """One that began later ends no earlier than that."""
        session = after(open_ended("a", "b"), Start(1), now=T0)
        session = after(session, Start(2), now=T2)
        steps = after(session, sent(Finish(), ago_ms=ago(T1)), now=LATER).progress.steps
        assert [steps[number].completed_at for number in (1, 2)] == [timestamp(T1), timestamp(T2)]
