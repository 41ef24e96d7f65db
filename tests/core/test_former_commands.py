"""Commands as the version before knows them."""

from __future__ import annotations

import pytest

from progress_sse.core.commands import Ask, Command, Create, Delete, Lose, Stall
from progress_sse.core.details import Link
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.former_commands import former_command
from progress_sse.core.updates import (
    Acknowledge,
    Advance,
    Beat,
    Complete,
    Describe,
    Finish,
    Plan,
    ReportPart,
    Skip,
    Start,
)
from tests.core.samples import DEFINITIONS, sent

NAME = "x"
LINKS = (Link("x", "/y"),)


@pytest.mark.parametrize(
    ("command", "former"),
    [
        (Create(DEFINITIONS, False, title="x", open_ended=True, attempt_id="a"), Create(DEFINITIONS, False)),
        (Create(DEFINITIONS, is_timed=True, profile="p"), Create(DEFINITIONS)),
        (
            sent(Start(1, 7, parts_total=5), run="r", attempt_id="a", lease_ms=1000),
            sent(Start(1, 7), run="r"),
        ),
        (
            sent(Complete(1, False, "m", "e", conclusion="cancelled", links=LINKS), run="r"),
            sent(Complete(1, False, "m", "e"), run="r"),
        ),
        (sent(Advance(1, 2, 3, "m"), run="r", attempt_id="a", ago_ms=5), sent(Advance(1, 2, 3, "m"), run="r")),
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
        Start("x"),
        Complete("x"),
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
