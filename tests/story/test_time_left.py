"""When a session will end, as a time of day."""

from datetime import UTC

import pytest

from progress_sse.story.time_left import time_left
from tests.cli.sessions import T0_S, after, at, session, step

HOUR, DAY = 3600, 86_400


def words(p50: float, p90: float) -> str:
    time = {"percentage": 0, "finish_at": {"p50": at(p50), "p90": at(p90)}, "basis": "history", "runs": 7}
    return time_left(session("running", step("running"), time=time), T0_S, UTC)


@pytest.mark.parametrize(
    ("p50", "p90", "said"),
    [
        (2 * HOUR, 2 * HOUR, "done about 12:00 UTC"),
        (2 * HOUR, 5 * HOUR - 1, "done about 12:00–15:00 UTC"),
        (11 * HOUR, 15 * HOUR, "done about 21:00–Nov 26, 01:00 UTC"),
        (14 * HOUR, 15 * HOUR, "done about Nov 26, 00:00–01:00 UTC"),
        (9 * DAY, 9 * DAY, "done about Dec 4, 10:00 UTC"),
    ],
)
def test_a_time_of_day_names_a_zone_that_may_not_be_the_readers(p50: float, p90: float, said: str) -> None:
    """The day stands once where both are on it."""
    assert words(p50, p90) == said


def test_the_bar_does_not_fall_where_an_end_moves_away() -> None:
    """It waits for what the server reports."""
    soon, later = (
        session(
            "running",
            step("running"),
            time={"percentage": 0, "finish_at": {"p50": at(s), "p90": at(s)}, "basis": "rate", "runs": 0},
        )
        for s in (100, 400)
    )
    assert after((0, soon), (50, later)).percentage == 50
