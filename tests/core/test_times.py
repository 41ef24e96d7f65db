"""Updates that report how long ago it happened, so that durations survive an outage."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from progress_sse.core.commands import Command, Create, Lose, Stall
from progress_sse.core.errors import ProblemError
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import Session
from progress_sse.core.session_rules import dated_lines
from progress_sse.core.state_machine import apply, timestamp
from progress_sse.core.updates import Advance, AppendLines, Complete, Describe, Finish, ReportPart, Skip, Start, Update
from tests.core.random_commands import any_command
from tests.core.samples import DEFINITIONS, T0, T1, T2, after, open_ended, sent, session_with

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


server_commands = st.builds(Stall, st.integers(1, 4), st.just(timestamp(T2)), st.just(1000)) | st.builds(
    Lose, st.integers(1, 4), st.sampled_from([1000, 2500])
)
PART = ReportPart(1, "a", "running")
LEASED = sent(Start(1), attempt_id="a", lease_ms=1000)
LATE_SIGN = sent(Advance(1, 1), attempt_id="a", ago_ms=1)
timed_commands = st.tuples(any_command | server_commands, st.sampled_from([-3600.0, -0.001, 0.0, 2.5, 3600.0]))


class TestClock:
    """The clock may jump, and servers that share a session may have different ones."""

    @pytest.mark.protocol("P-9.24")
    @pytest.mark.guarantee(55)
    @given(st.lists(timed_commands, min_size=2, max_size=20))
    @example([(Create(DEFINITIONS), 3600.0), (LEASED, -3600.0), (Stall(1, timestamp(T2), 1000), -3600.0)])
    @example(
        [(Create(DEFINITIONS), 0.0), (Start(1), 0.0), (PART, 2.5), (sent(Finish(success=False), ago_ms=2500), 0.0)]
    )
    @example([(Create(DEFINITIONS), 0.0), (LEASED, 0.0), (Stall(1, timestamp(T0), 1000), 2.5), (LATE_SIGN, 2.5)])
    @example([(Create(DEFINITIONS), 0.0), (LEASED, 0.0), (Lose(1, 1000), 2.5), (LATE_SIGN, 2.5)])
    def test_no_time_goes_back(self, timed: list[tuple[Command, float]]) -> None:
        """Whatever is said, and whenever."""
        session: Session | None = None
        now = T0
        for command, seconds in timed:
            before = session
            now += timedelta(seconds=seconds)
            with suppress(ProblemError):
                outcome = apply("s", session, command, now)
                session = outcome.session
                if session is None:
                    continue
                if before is not None and not outcome.is_fresh:
                    assert before.progress.updated_at <= session.progress.updated_at
                for times in _times_of(session):
                    assert list(times) == sorted(times)

    @pytest.mark.parametrize("command", [Complete(1), sent(Complete(1), ago_ms=1000), Finish(), Skip(2)])
    def test_a_clock_that_was_set_back_stands_still(self, command: Command) -> None:
        """Until it is again past the last update."""
        session = after(session_with("running"), command, now=T0 - timedelta(hours=1))
        ended = {step.completed_at for step in session.progress.steps.values()} - {None}
        assert session.progress.updated_at == timestamp(T1)
        assert ended == {timestamp(T1 - timedelta(milliseconds=command.ago_ms if isinstance(command, Update) else 0))}

    @pytest.mark.protocol("P-24.3")
    def test_a_line_is_not_before_the_last_update(self) -> None:
        """Unless it says so by its `ago_ms`."""
        lines = (NewLine("a"), NewLine("b", ago_ms=1000))
        written = dated_lines(session_with("running"), AppendLines(lines), T0 - timedelta(hours=1))
        assert [line.at for line in written] == [timestamp(T1), timestamp(T1 - timedelta(seconds=1))]


def _times_of(session: Session) -> Iterator[list[str]]:
    """Yield time stamps that follow on each other."""
    progress = session.progress
    for step in progress.steps.values():
        parts = step.parts.by_name.values() if step.parts is not None else ()
        liveness = [step.liveness.since] if step.liveness is not None else []
        for each in ([step.started_at, step.completed_at], [step.started_at, *liveness]):
            yield [progress.created_at, *filter(None, each), progress.updated_at]
        for part in parts:
            yield [time for time in (step.started_at, part.started_at, part.completed_at, progress.updated_at) if time]
    asked = [request.asked_at for request in reversed(session.details.requests)]
    yield [progress.created_at, *asked, progress.updated_at]
