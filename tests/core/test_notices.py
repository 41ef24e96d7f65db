"""Which events the transitions of a session are."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from progress_sse.core import state_machine
from progress_sse.core.commands import Ask, Command, Create, Delete, Lose, Stall
from progress_sse.core.model import Session
from progress_sse.core.notices import events_of
from progress_sse.core.state_machine import timestamp
from progress_sse.core.updates import Advance, Beat, Complete, Describe, Finish, Plan, Skip, Start
from tests.core.samples import DEFINITIONS, T0, sent

CREATE = Create(DEFINITIONS[:2], accepts=("cancel",))


def start(step: int, attempt_id: str = "a") -> Start:
    return sent(Start(step), attempt_id=attempt_id, lease_ms=1000, lost_after_ms=2000)


def of(command: Command, attempt_id: str = "a") -> Command:
    return sent(command, attempt_id=attempt_id)


STALL = Stall(1, timestamp(T0), 1000)
LOSE = Lose(1, 2000)
FAIL = Complete(1, success=False, error="disk full")
END_BADLY = Finish(success=False, error="no")

BEGUN: Sequence[tuple[Command, str]] = [(CREATE, ""), (Start(1), "started")]
SILENT: Sequence[tuple[Command, str]] = [(CREATE, ""), (start(1), "started"), (STALL, "stalled")]

STORIES: dict[str, Sequence[tuple[Command, str]]] = {
    "a job that ends well": [
        *BEGUN,
        (Advance(1, 1, 2), ""),
        (Complete(1), ""),
        (Start(2), ""),
        (Complete(2), "completed"),
        (Complete(2), ""),
        (Describe(title="x"), ""),
    ],
    "a session of one step": [(Create(DEFINITIONS[:1]), ""), (Start(1), "started"), (Complete(1), "completed")],
    "a skip is no start": [(CREATE, ""), (Skip(1), ""), (Start(2), "started"), (Complete(2), "completed")],
    "all steps are skipped": [(CREATE, ""), (Skip(1), ""), (Skip(2), "completed")],
    "a step fails, with other words, and again after a restart": [
        *BEGUN,
        (FAIL, "failed"),
        (replace(FAIL, error="no disk"), ""),
        (Start(1), ""),
        (FAIL, "failed"),
    ],
    "another step fails": [*BEGUN, (Start(2), ""), (FAIL, "failed"), (Complete(2, success=False), "failed")],
    "a retry ends well": [
        (Create(DEFINITIONS[:1]), ""),
        (Start(1), "started"),
        (FAIL, "failed"),
        (Start(1), ""),
        (Complete(1), "completed"),
        (Start(1), ""),
        (Complete(1), "completed"),
    ],
    "a finish": [*BEGUN, (Finish(), "completed"), (Finish(), "")],
    "a finish that fails": [(CREATE, ""), (END_BADLY, "failed")],
    "a finish that fails a session that has failed": [*BEGUN, (FAIL, "failed"), (END_BADLY, "")],
    "a finish that fails a running step beside a failed one": [
        *BEGUN,
        (FAIL, "failed"),
        (Start(2), ""),
        (END_BADLY, "failed"),
    ],
    "a cancelled step": [*BEGUN, (Complete(1, success=False, conclusion="cancelled"), "cancelled")],
    "a cancelled session": [*BEGUN, (Finish(success=False, conclusion="cancelled"), "cancelled")],
    "a cancel that the server honours": [(CREATE, ""), (Ask("cancel", "c"), "cancelled")],
    "a cancel that waits for the worker": [*BEGUN, (Ask("cancel", "c"), "")],
    "a replacement": [*BEGUN, *BEGUN, (Delete(), "")],
    "a plan that shows an old failure": [
        (Create((), open_ended=True), ""),
        (Plan(DEFINITIONS[:1]), ""),
        (Start(1), "started"),
        (FAIL, "failed"),
        (Finish(), "completed"),
        (Plan(DEFINITIONS[1:2]), ""),
    ],
    "a silent worker comes back, and is silent again": [
        *SILENT,
        (of(Beat(1)), "recovered"),
        (STALL, ""),
        (of(Advance(1, 1, 2)), "recovered"),
    ],
    "its step is restarted in the same attempt": [*SILENT, (start(1), "recovered"), (STALL, "")],
    "another attempt takes over": [*SILENT, (start(1, "b"), ""), (STALL, "stalled")],
    "a lost worker comes back": [*SILENT, (LOSE, "failed"), (of(Beat(1)), "recovered"), (STALL, ""), (LOSE, "failed")],
    "a lost worker has done it": [
        (Create(DEFINITIONS[:1]), ""),
        (start(1), "started"),
        (STALL, "stalled"),
        (LOSE, "failed"),
        (of(Complete(1)), "recovered completed"),
    ],
    "a lost step is done anew, or skipped": [*SILENT, (LOSE, "failed"), (Skip(1), "")],
    "a stalled session is finished": [*SILENT, (of(Finish()), "completed")],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_events(story: Sequence[tuple[Command, str]]) -> None:
    """Each transition is the events beside it."""
    session: Session | None = None
    seen = []
    for number, (command, _) in enumerate(story):
        outcome = state_machine.apply("s", session, command, T0 + timedelta(seconds=number))
        seen.append((command, " ".join(events_of(session, outcome)) if outcome.session is not session else ""))
        session = outcome.session
    assert seen == list(story)


def test_a_start_that_creates_a_session() -> None:
    outcome = state_machine.apply("s", None, sent(Start(1), definitions=DEFINITIONS), T0)
    assert list(events_of(None, outcome)) == ["started"]
