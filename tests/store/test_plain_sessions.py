"""Sessions whose workers use none of the optional keys: their bytes stay as recorded."""

from datetime import timedelta
from pathlib import Path

import pytest

from progress_sse.core.commands import Command, Create
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Advance, Complete, Start
from progress_sse.store.change_builder import ChangeBuilder
from progress_sse.store.types import Record
from tests.core.samples import T0

DEFINITIONS = (StepDefinition("Find <a>", 1000, 10), StepDefinition("日本語"))

COMMANDS: list[Command] = [
    Create(DEFINITIONS),
    Start(1),
    Advance(1, 1, 3, "m"),
    Complete(1, False, "", "e\u2028"),
    Start(1, 7),
    Complete(1, True, "ok"),
    Start(2),
    Complete(2),
]

RECORDED = Path(__file__).with_name("plain_session.txt").read_text(encoding="utf-8").splitlines()
"""The data of the events of all but the first command, and the answers to polls after some, by the command's number."""


@pytest.mark.guarantee("J")
def test_polls_and_events_are_byte_for_byte_as_recorded() -> None:
    """No optional key appears, and no byte moves."""
    record: Record | None = None
    found: list[str] = []
    for number, command in enumerate(COMMANDS):
        builder = ChangeBuilder("s", record)
        builder.apply(command, T0 + timedelta(seconds=number))
        change = builder.build()
        record = change.record
        assert record is not None
        found += [f"{number} event {entry.data.decode()}" for entry in change.entries]
        if any(line.startswith(f"{number} poll ") for line in RECORDED):
            found.append(f"{number} poll {record.body.decode()}")
    assert found == RECORDED
