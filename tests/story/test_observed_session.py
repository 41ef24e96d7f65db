"""What a reader knows beyond the present state of a session."""

import pytest

from progress_sse.story.observed_session import ObservedSession
from tests.cli.sessions import ABSENT, PENDING, RUNNING, after, at, ended, session, step

DONE, FAILED, WAITING = ended("success", 1), ended("error", 2), step("pending")


def retry(seen: ObservedSession) -> tuple[int, int, bool]:
    return seen.percentage, seen.retried, seen.is_set_back


@pytest.mark.protocol("P-3.13")
def test_only_the_end_shows_100_percent() -> None:
    """More may follow the last step."""
    for status, expected in [("running", 99), ("error", 99), ("completed", 100)]:
        assert after((0, session(status, step("running"), percentage=100))).percentage == expected
    assert after((0, session("completed", FAILED, percentage=0))).percentage == 100


def test_a_retried_step_is_known_until_it_ends() -> None:
    """Also while others change, and whether the bar fell for it."""
    before = session("running", DONE, ended("success", 2), WAITING, percentage=66)
    again = session("running", DONE, step("running", started_at=at(3)), WAITING, percentage=33)
    seen = [(0.0, before), (3.0, again), (4.0, {**again, "percentage": 40})]
    assert retry(after(*seen)) == (40, 2, True)
    done = session("running", DONE, ended("success", 5, started_at=at(3)), WAITING, percentage=66)
    assert retry(after(*seen, (5, done))) == (66, 0, False)
    failed = session("error", DONE, FAILED, WAITING, percentage=66)
    assert retry(after((2, failed), (5, done))) == (66, 0, False), "it began and ended between two states"


def test_another_run_begins_afresh() -> None:
    """It has fewer steps that were started, other ones, or more of them though no more can be added."""
    done = session("completed", DONE, DONE)
    anew = session("running", *[step("running", started_at=at(9))] * 2, percentage=0)
    for other in (session("pending", WAITING, WAITING), anew, session("pending", *[WAITING] * 3)):
        seen = after((0, done), (9, other))
        assert (seen.begins_afresh, seen.retried, seen.is_deleted) == (True, 0, False)
        assert seen.percentage == other["percentage"]
    assert after((0, RUNNING), (1, PENDING)).begins_afresh
    reopened = session("running", DONE, step("running", started_at=at(9)))
    assert not after((0, done), (9, reopened)).begins_afresh
    assert not after((0, ABSENT), (9, anew)).begins_afresh
    again = after((0, PENDING), (1, ABSENT), (2, PENDING))
    assert (again.is_deleted, again.begins_afresh) == (False, False)
