"""The sentences about a session as a whole, and about what failed in it."""

from __future__ import annotations

import pytest

from progress_sse.story.failures import failures
from progress_sse.story.headline import headline
from progress_sse.story.links import links
from progress_sse.story.session_state import SessionState
from progress_sse.story.step_words import steps_done
from progress_sse.story.times import clock, in_words
from tests.cli.sessions import ABSENT, PENDING, RUNNING, SERVER, at, ended, session, step

FAILED = ended("error", 1, error="disk full")
CANCELLED = ended("error", 1, error="enough", conclusion="cancelled")
LOST = ended("error", 1, conclusion="lost")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ABSENT, "Waiting for the job to start"),
        (PENDING, "About to start"),
        (RUNNING, "Step 1 of 1: Dump all"),
        ({**RUNNING, "open_ended": True}, "Step 1: Dump all"),
        ({**RUNNING, "current_step": 9}, "Step 9 of 1: "),
        (session("completed", ended("success", 240)), "Completed in 4 min"),
        (session("completed", ended("success", 0.999)), "Completed"),
        (session("completed", open_ended=True), "Completed"),
        (session("error", ended("success", 1), FAILED, FAILED), "Failed at step 2"),
        (session("error", CANCELLED), "Cancelled at step 1"),
        (session("error", LOST), "Lost at step 1"),
        (session("error", FAILED, conclusion="cancelled"), "Cancelled"),
        (session("error", FAILED, conclusion="lost"), "Lost"),
        (session("error", LOST, conclusion="new"), "Failed at step 1"),
        (session("error", step("pending"), error="no disk"), "Failed"),
    ],
)
def test_the_headline_is_that_of_the_page(state: SessionState, expected: str) -> None:
    """It names the step where the session as a whole has not said how it ended."""
    assert headline(state) == expected


def test_a_session_took_the_time_from_its_first_start_to_its_last_end() -> None:
    """Steps may overlap."""
    state = session("completed", ended("success", 100), ended("success", 3660, started_at=at(30)))
    assert headline(state) == "Completed in 1 hr, 1 min"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (RUNNING, []),
        (session("error", FAILED), ["Step 1, Dump all, failed: disk full"]),
        (
            session("error", CANCELLED, LOST),
            ["Step 1, Dump all, was cancelled: enough", "Step 2, Dump all, was lost: "],
        ),
        (session("error", FAILED, error="disk full"), ["Step 1, Dump all, failed: disk full"]),
        (session("error", FAILED, error="y"), ["The job failed: y", "Step 1, Dump all, failed: disk full"]),
        (session("error", step("pending"), error="x", conclusion="cancelled"), ["The job was cancelled: x"]),
        (session("error", step("pending"), conclusion="lost"), ["The job was lost: "]),
        (session("error", step("pending")), ["The job failed: "]),
        (session("completed", FAILED), ["Step 1, Dump all, failed: disk full"]),
    ],
)
def test_all_that_failed_is_named(state: SessionState, expected: list[str]) -> None:
    """The session itself is, where its steps do not say it."""
    assert [f"{each.title}: {each.error}" for each in failures(state)] == expected


def test_only_links_that_a_page_may_offer_are_shown() -> None:
    """A path is one of the server's host, and the rest is plain text."""
    urls = ["/log", "http://a.example/b?c#d", "//evil", "/\\evil", "javascript:x", "http://u:p@h/", "/a\u202eb"]
    urls += ["/a\x1b[2J", "/a b", "/a\u200bb", "file:///etc/passwd", ""]
    shown = links(session("running", links=[{"label": "L\x1b]8;;x\x07\nog", "url": url} for url in urls]), SERVER)
    assert shown == ["L og: https://h.example/log", "L og: http://a.example/b?c#d"]
    bare = [{"label": label, "url": "http://a.example/"} for label in ("", "\x1b[2J", "http://a.example/")]
    assert links(session("running", links=bare), SERVER) == ["http://a.example/"] * 3
    assert links(RUNNING, SERVER) == []


def test_failed_steps_are_not_done() -> None:
    """Skipped ones are; and more may come to an open-ended session, until its end."""
    skipped = ended("success", 0, conclusion="skipped")
    assert steps_done(session("error", FAILED, skipped, step("pending"))) == "1 of 3 steps done"
    assert steps_done(RUNNING) == "0 of 1 step done"
    assert steps_done({**RUNNING, "open_ended": True}) == "0 of 1 step done so far"
    assert steps_done(session("completed", skipped, open_ended=True)) == "1 of 1 step done"


@pytest.mark.parametrize(
    ("elapsed_ms", "shown"), [(0, "0.0s"), (59_999, "59.9s"), (60_000, "1:00"), (3_907_000, "1:05:07")]
)
def test_a_time_is_shown_as_people_read_it(elapsed_ms: int, shown: str) -> None:
    """It is rounded down, so that no limit seems reached too early."""
    assert clock(elapsed_ms) == shown


def test_a_duration_is_said_in_whole_seconds() -> None:
    """Units that are zero are left out."""
    seconds = [0.9, 59.9, 60, 133, 3600, 3907]
    said = ["0 sec", "59 sec", "1 min", "2 min, 13 sec", "1 hr", "1 hr, 5 min, 7 sec"]
    assert list(map(in_words, seconds)) == said
