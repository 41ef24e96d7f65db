"""What `watch` says of the requests of readers."""

from __future__ import annotations

from typing import Any

from progress_sse.story.changes import changes
from progress_sse.story.requests import request_sentence
from progress_sse.story.session_state import SessionState
from tests.cli.sessions import RUNNING, SERVER, T0_S, after, at, ended, leased, session, step

FAILED = ended("error", 3)


def asked(state: str = "asked", kind: str = "cancel", **more: Any) -> dict[str, Any]:
    """A request that was made a second after the start."""
    return {"id": "r1", "kind": kind, "step": None, "state": state, "asked_at": at(1), **more}


def said(request: dict[str, Any], status: str = "running", *steps: dict[str, Any]) -> str:
    """The sentence about it."""
    return request_sentence(session(status, *(steps or [step("running")]), requests=[request]))


SAID = [
    (said(asked()), "Cancellation requested"),
    (said(asked(reason="wrong\x1b[2J\nfile")), "Cancellation requested: wrong file"),
    (said(asked(), "running", leased("stalled")), "Cancellation requested, but nobody is listening"),
    (said(asked(), "running", leased("stalled"), leased("live")), "Cancellation requested"),
    (said(asked("seen")), "The worker is stopping"),
    (said(asked("declined")), "The worker declined to stop"),
    (said(asked("declined", message="nearly\ndone")), "The worker declined to stop: nearly done"),
    (said(asked("too_late"), "completed", ended("success", 3)), "Too late to cancel, it had finished"),
    (said(asked("too_late"), "error", FAILED), "Too late to cancel, it had failed"),
    (said(asked("too_late"), "error", FAILED, step("running")), ""),
    (said(asked("honoured"), "error", FAILED), ""),
    (said(asked("honoured", message="2 files stay"), "error", FAILED), "The worker says: 2 files stay"),
    (said(asked(kind="retry"), "error", FAILED), "Retry requested"),
    (said(asked("seen", "retry"), "error", FAILED), "The worker is about to try again"),
    (said(asked("declined", "retry"), "error", FAILED), "The worker declined to try again"),
    (said(asked("honoured", "retry")), ""),
    (said(asked(kind="pause")), ""),
    (said(asked("new")), ""),
    (request_sentence(RUNNING), ""),
]


def test_each_state_of_a_request_has_words() -> None:
    """Those of the page, in plain text."""
    assert [found for found, _ in SAID] == [expected for _, expected in SAID]


def lines(*states: SessionState) -> list[str]:
    """The lines for the last of two states."""
    seen = list(enumerate(states))
    before = after(*seen[:-1]) if len(seen) > 1 else None
    return list(changes(before, after(*seen), T0_S + len(seen), SERVER))


def test_each_new_state_of_a_request_is_a_line() -> None:
    """At the end it follows the headline."""
    waiting, seen = (session("running", step("running"), requests=[asked(state)]) for state in ("asked", "seen"))
    late = session("completed", ended("success", 3), requests=[asked("too_late")])
    cancelled = session("error", ended("error", 3, conclusion="cancelled"), requests=[asked("honoured")])
    assert lines(RUNNING, waiting) == ["Cancellation requested"]
    assert lines(waiting, waiting) == []
    assert lines(waiting, seen) == ["The worker is stopping"]
    assert lines(seen, late)[1:] == ["Completed in 3 sec", "Too late to cancel, it had finished"]
    assert lines(seen, cancelled)[1:] == ["Cancelled at step 1"]
    assert lines(waiting)[1:] == ["Cancellation requested"]
