"""What is said of a worker that gives no signs."""

from __future__ import annotations

from typing import Any

from progress_sse.story.life_signs import life_sign
from progress_sse.story.observed_session import ObservedSession
from tests.cli.sessions import RUNNING, T0_S, after, at, ended, session, step

HOUR = 3600


def text(seen: ObservedSession, seconds: float) -> str:
    found = life_sign(seen.state, seen.reported_s, T0_S + seconds)
    return found.text if found else ""


def test_only_a_running_session_can_be_silent() -> None:
    """The others have nothing to report."""
    for status in ("pending", "completed", "error"):
        assert text(after((0, session(status, step("running")))), HOUR) == ""


def test_silence_counts_from_the_last_report() -> None:
    """The first state tells the time of the last transition; a report of progress has no time."""
    assert text(after((9 * 60, RUNNING)), 9 * 60) == "no update for 9 min"
    progress: dict[str, Any] = {"progress": {"current": 1, "total": None}}
    reporting = session("running", step("running", **progress))
    assert text(after((9 * 60, reporting)), 9 * 60) == ""
    assert text(after((0, RUNNING), (9 * 60, reporting)), 9 * 60 + 29) == ""
    assert text(after((0, RUNNING), (9 * 60, reporting)), 9 * 60 + 30) == "no update for 30 s"


def test_a_transition_that_was_missed_has_its_own_time() -> None:
    """A wrong clock of a worker or a server makes it no older than the state before."""
    before = session("running", step("running"), step("pending"))
    missed = session("running", ended("success", 60), step("running", started_at=at(60)))
    assert text(after((0, before), (1000, missed)), 1000) == "no update for 15 min 40 s"
    assert text(after((990, before), (1000, missed)), 1000) == ""
