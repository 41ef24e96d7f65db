"""The values of commands: those that no session can hold are refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from progress_sse.core.commands import Advance, Command, Complete, Create, Start, StepCommand
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.model import StepDefinition
from progress_sse.core.state_machine import apply
from tests.core.test_state_machine import DEFINITIONS, T2, session_with


class TestValues:
    """Values that no session can hold are refused from every caller: those in the process have types only."""

    @pytest.mark.parametrize("value", [-1, 2**53, 10**30, True, 1.0, "1", float("nan")])
    @pytest.mark.parametrize("name", ["timeout_ms", "current", "total"])
    def test_are_refused_where_they_are_no_counts(self, name: str, value: Any) -> None:
        """They are whole numbers from 0 to the largest that every JSON reader keeps exact."""
        command: Command = Start(1, DEFINITIONS) if name == "timeout_ms" else Advance(1, 1)
        refuse(command._replace(**{name: value}), f"{name} must be an integer from 0 to 9007199254740991")

    @pytest.mark.parametrize("value", [True, 1.0, "1", None])
    @pytest.mark.parametrize("command", [Start(1, DEFINITIONS), Complete(1), Advance(1, 1)])
    def test_are_refused_where_they_are_no_step_numbers(self, command: StepCommand, value: Any) -> None:
        """Even values that equal 1."""
        refuse(command._replace(step=value), "step must be an integer")

    def test_are_refused_where_they_are_missing(self) -> None:
        """Only a time limit and a total may be left open."""
        missing: Any = None
        refuse(Advance(1, missing), "current must be an integer")

    @pytest.mark.parametrize("value", ["a\0b", "\ud800", "😀\udfff", b"text", None, 1])
    @pytest.mark.parametrize(("name", "kind"), [("message", Complete), ("error", Complete), ("message", Advance)])
    def test_are_refused_where_they_are_no_text(
        self, name: str, kind: type[Complete] | type[Advance], value: Any
    ) -> None:
        """A lone surrogate would kill every stream that it reaches."""
        command = Complete(1) if kind is Complete else Advance(1, 1)
        refuse(command._replace(**{name: value}), f"{name} must be text")

    @pytest.mark.parametrize("command", [Create(()), Start(1, ())])
    def test_are_refused_where_there_is_no_step(self, command: Command) -> None:
        """A session of nothing could never be completed."""
        with pytest.raises(InvalidRequestError, match="at least one step"):
            apply("s", None, command, T2)

    @pytest.mark.parametrize(
        "definition",
        [
            StepDefinition("\ud800"),
            StepDefinition("a\0b"),
            StepDefinition("a", timeout_ms=-1),
            StepDefinition("a", estimated_ms=2**53),
            "a",
        ],
    )
    @pytest.mark.parametrize("kind", [Create, partial(Start, 1)])
    def test_are_refused_where_a_step_could_not_be_shown(
        self, kind: Callable[[tuple[StepDefinition, ...]], Command], definition: Any
    ) -> None:
        """From the session's own steps, or from a workflow of the application that embeds the server."""
        command = kind((StepDefinition("first"), definition))
        with pytest.raises(InvalidRequestError, match="each definition must have a name"):
            apply("s", None, command, T2)


def refuse(command: Command, reason: str) -> None:
    """Make sure that the command is refused, whether or not there is a session."""
    for session in (None, session_with("running")):
        with pytest.raises(InvalidRequestError, match=reason):
            apply("s", session, command, T2)
