"""What is said of the worker of a session."""

from typing import Any

from progress_sse.story.observed_session import ObservedSession
from progress_sse.story.worker_words import life_sign, request_sentence
from tests.cli.sessions import RUNNING, T0_S, after, at, ended, lines, session, step


def text(seen: ObservedSession, seconds: float) -> str:
    found = life_sign(seen.state, seen.reported_s, T0_S + seconds)
    return found.text if found else ""


def test_silence_counts_from_the_last_report() -> None:
    """The first state has the time of the last transition; a report of progress has no time."""
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


def asked(state: str = "asked", kind: str = "cancel", **more: Any) -> dict[str, Any]:
    """A request that was made a second after the start."""
    return {"id": "r1", "kind": kind, "step": None, "state": state, "asked_at": at(1), **more}


def said(request: dict[str, Any], status: str = "running", *steps: dict[str, Any]) -> str:
    """The sentence about it."""
    return request_sentence(session(status, *(steps or [step("running")]), requests=[request]))


def test_texts_of_others_are_plain_and_in_a_line() -> None:
    """The words are in the vectors."""
    assert said(asked(reason="wrong\x1b[2J\nfile")) == "Cancellation requested: wrong file"
    assert said(asked("declined", message="nearly\ndone")) == "The worker declined to stop: nearly done"
    assert said(asked("new")) == ""


def test_each_new_state_of_a_request_is_a_line() -> None:
    """At the end it follows the headline."""
    waiting, seen = (session("running", step("running"), requests=[asked(state)]) for state in ("asked", "seen"))
    late = session("completed", ended("success", 3), requests=[asked("too_late")])
    step_ended = ended("error", 3, conclusion="cancelled")
    cancelled = session("error", step_ended, conclusion="cancelled", requests=[asked("honoured")])
    assert lines(RUNNING, waiting) == ["Cancellation requested"]
    assert lines(waiting, waiting) == []
    assert lines(waiting, seen) == ["The worker is stopping"]
    assert lines(seen, late)[1:] == ["Completed in 3.0 s · 1 step", "Too late to cancel, it had finished"]
    assert lines(seen, cancelled)[1:] == ["Cancelled at step 1 after 3.0 s · 0 of 1 step done"]
    assert lines(waiting)[1:] == ["Cancellation requested"]
