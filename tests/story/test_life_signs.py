"""What is said of a worker that gives no signs."""

from __future__ import annotations

import re
from typing import Any

from progress_sse.story.life_signs import LifeSign, life_sign
from progress_sse.story.observed_session import ObservedSession
from tests.cli.sessions import RUNNING, T0_S, after, at, ended, leased, session, step

LIMIT = 120
HOUR = 3600


def sign(seen: ObservedSession, seconds: float) -> LifeSign | None:
    return life_sign(seen.state, seen.reported_s, T0_S + seconds)


def text(seen: ObservedSession, seconds: float) -> str:
    found = sign(seen, seconds)
    return found.text if found else ""


def test_without_a_lease_a_step_may_take_its_time_up_to_its_limit() -> None:
    """A step without a limit may take any time."""
    assert text(after((0, RUNNING)), LIMIT) == ""
    assert text(after((0, RUNNING)), LIMIT + 1) == "no update for 2 min, 1 sec"
    assert text(after((0, session("running", step("running", timeout_ms=None)))), 99 * HOUR) == ""
    short = after((0, session("running", step("running", timeout_ms=1000))))
    assert (text(short, 29), text(short, 30)) == ("", "no update for 30 sec")


def test_between_two_steps_the_limit_is_that_of_the_next_one() -> None:
    """Where none is known, there is none."""
    done = ended("success", 0)
    between = after((0, session("running", done, step("pending"))))
    assert (text(between, LIMIT), text(between, LIMIT + 1)) == ("", "no update for 2 min, 1 sec")
    assert text(after((0, session("running", done, open_ended=True))), 99 * HOUR) == ""


def test_only_a_running_session_can_be_silent() -> None:
    """The others have nothing to report."""
    for status in ("pending", "completed", "error"):
        assert text(after((0, session(status, step("running")))), HOUR) == ""


def test_a_living_worker_is_quiet_and_never_silent() -> None:
    """Whole minutes are enough, and no step has a limit then."""
    alive = after((0, session("running", leased("live"))))
    assert text(alive, 59) == ""
    assert text(alive, 5 * 60 + 59) == "worker alive, nothing new for 5 min"
    assert text(alive, 2 * HOUR) == "worker alive, nothing new for 2 hr"
    quiet = sign(alive, HOUR)
    assert quiet
    assert quiet.kind == "quiet"


def test_a_stalled_worker_is_told_at_once_with_its_last_sign() -> None:
    """The moment is that of the reader's time zone. Among several running steps the stalled one is named."""
    one = after((0, session("running", leased("stalled", 0))))
    assert re.fullmatch(r"no sign of life since \d\d:\d\d", text(one, 1))
    assert re.fullmatch(r"no sign of life since Nov 2[56], \d\d:\d\d", text(one, 12 * HOUR))
    two = after((0, session("running", leased("live"), leased("stalled"))))
    assert re.fullmatch(r"step 2: no sign of life since \d\d:\d\d", text(two, 1))


def test_silence_counts_from_the_last_report() -> None:
    """The first state tells the time of the last transition; a report of progress has no time."""
    assert text(after((9 * 60, RUNNING)), 9 * 60) == "no update for 9 min"
    progress: dict[str, Any] = {"progress": {"current": 1, "total": None}}
    reporting = session("running", step("running", **progress))
    assert text(after((9 * 60, reporting)), 9 * 60) == ""
    assert text(after((0, RUNNING), (9 * 60, reporting)), 9 * 60 + 29) == ""
    assert text(after((0, RUNNING), (9 * 60, reporting)), 9 * 60 + 30) == "no update for 30 sec"


def test_a_transition_that_was_missed_has_its_own_time() -> None:
    """A wrong clock of a worker or a server makes it no older than the state before."""
    before = session("running", step("running"), step("pending"))
    missed = session("running", ended("success", 60), step("running", started_at=at(60)))
    assert text(after((0, before), (1000, missed)), 1000) == "no update for 15 min, 40 sec"
    assert text(after((990, before), (1000, missed)), 1000) == ""
