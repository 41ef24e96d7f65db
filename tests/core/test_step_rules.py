"""Time limits, durations and amounts of a step."""

from datetime import UTC, datetime, timedelta

import pytest

from progress_sse.core.commands import check_command
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.model import StepAdvance
from progress_sse.core.state_machine import timestamp
from progress_sse.core.updates import Advance, Complete, Start
from tests.core.samples import T0, after, session_with


class TestNumbers:
    """Time limits, durations and amounts."""

    @pytest.mark.parametrize(("given", "kept"), [(None, 1000), (0, 1000), (1, 1), (2**53 - 1, 2**53 - 1)])
    def test_time_limit_falls_back_to_the_definition(self, given: int | None, kept: int) -> None:
        """Where none is given, or 0."""
        assert after(None, Start(1, given)).progress.steps[1].timeout_ms == kept

    @pytest.mark.protocol("P-3.5")
    @pytest.mark.parametrize(
        ("passed", "elapsed_ms"),
        [
            (timedelta(0), 0),
            (timedelta(microseconds=999), 0),
            (timedelta(microseconds=1999), 1),
            (timedelta(days=400), 400 * 86_400_000),
            (timedelta(microseconds=-1), 0),
            (timedelta(hours=-1), 0),
        ],
    )
    def test_elapsed_is_whole_milliseconds_and_never_negative(self, passed: timedelta, elapsed_ms: int) -> None:
        """The wall clock may be set back between start and completion."""
        session = after(None, Start(1), now=T0)
        assert after(session, Complete(1), now=T0 + passed).progress.steps[1].elapsed_ms == elapsed_ms

    @pytest.mark.parametrize(("current", "total"), [(0, None), (0, 0), (0, 1), (1, 1), (2**53 - 1, None)])
    def test_advance_takes_any_part_of_the_whole(self, current: int, total: int | None) -> None:
        """0 ≤ current ≤ total; an unknown total bounds nothing."""
        step = after(session_with("running"), Advance(1, current, total)).progress.steps[1]
        assert step.advance == StepAdvance(current, total)

    @pytest.mark.parametrize(("current", "total"), [(2, 1), (1, 0)])
    def test_advance_refuses_more_than_the_whole(self, current: int, total: int | None) -> None:
        """A step beyond its end is the worker's mistake."""
        with pytest.raises(InvalidRequestError, match="more than total"):
            check_command(Advance(1, current, total))

    @pytest.mark.parametrize(
        ("moment", "text"),
        [
            (T0, "2026-01-02T03:04:05.678901+00:00"),
            (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00.000000+00:00"),
            (datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), "2038-01-19T03:14:08.000000+00:00"),
        ],
    )
    def test_time_stamps_have_offset_and_microseconds(self, moment: datetime, text: str) -> None:
        """Always the same length, so that they sort as text."""
        assert timestamp(moment) == text
