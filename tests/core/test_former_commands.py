"""Commands as the version before knows them."""

from __future__ import annotations

import pytest

from progress_sse.core.commands import (
    Acknowledge,
    Advance,
    Ask,
    Beat,
    Command,
    Complete,
    Create,
    Delete,
    Describe,
    Finish,
    Lose,
    Plan,
    ReportPart,
    Skip,
    Stall,
    Start,
    StepName,
)
from progress_sse.core.details import Link
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.former_commands import former_command
from tests.core.samples import DEFINITIONS

NAME = StepName("x")
LINKS = (Link("x", "/y"),)


@pytest.mark.parametrize(
    ("command", "former"),
    [
        (Create(DEFINITIONS, False, title="x", open_ended=True, attempt_id="a"), Create(DEFINITIONS, False)),
        (Create(DEFINITIONS, is_timed=True, profile="p"), Create(DEFINITIONS)),
        (Start(1, DEFINITIONS, 7, "r", attempt_id="a", lease_ms=1000, parts_total=5), Start(1, DEFINITIONS, 7, "r")),
        (Complete(1, False, "m", "e", "r", conclusion="cancelled", links=LINKS), Complete(1, False, "m", "e", "r")),
        (Advance(1, 2, 3, "m", "r", attempt_id="a", ago_ms=5), Advance(1, 2, 3, "m", "r")),
        (Delete(), Delete()),
        (Stall(1, "", 1000), Stall(1, "", 1000)),
        (Lose(1, 1000), Lose(1, 1000)),
    ],
)
def test_a_command_is_left_without_what_is_new(command: Command, former: Command) -> None:
    """It does what it did before."""
    assert former_command(command) == former


@pytest.mark.parametrize(
    "command",
    [
        Start(StepName("x"), DEFINITIONS),
        Complete(StepName("x")),
        Skip(1),
        Beat(1),
        ReportPart(1, "a", "running"),
        Finish(),
        Plan(DEFINITIONS),
        Describe(),
        Acknowledge("c", "seen"),
        Ask("cancel", "c"),
    ],
)
def test_a_command_of_which_nothing_would_be_left_is_refused(command: Command) -> None:
    """The version before could not read what it writes."""
    with pytest.raises(InvalidRequestError, match="does not have this operation"):
        former_command(command)
