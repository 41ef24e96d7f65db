"""The values of commands: those that no session can hold are refused, also from a caller in the process."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from progress_sse.core.commands import Ask, Command, Create, check_command
from progress_sse.core.details import Link
from progress_sse.core.errors import InvalidRequestError
from progress_sse.core.model import StepDefinition
from progress_sse.core.state_machine import apply
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
    Update,
)
from tests.core.samples import DEFINITIONS, T2, sent, session_with

A_PART = ReportPart(1, "a", "running")
LEASED = sent(Start(1), attempt_id="a", lease_ms=1000)
UPDATES: list[Command] = [
    Start(1),
    Complete(1),
    Advance(1, 1),
    Skip(1),
    Beat(1),
    A_PART,
    Finish(),
    Plan(DEFINITIONS),
    Describe(),
    Acknowledge("c", "seen"),
]
ON_STEPS = UPDATES[:6]
WITH_DETAILS: list[Command] = [Create(DEFINITIONS), Describe()]
FAILURES: list[Command] = [Complete(1, success=False), Finish(success=False)]

NO_COUNTS = [-1, 2**53, 10**30, True, 1.0, "1", float("nan")]
NO_TEXTS = ["a\0b", "\ud800", "😀\udfff", b"text", None, 1]
COUNT = "an integer from 0 to 9007199254740991"

REFUSED: list[tuple[Sequence[Command], str, Sequence[Any], str]] = [
    ([Start(1)], "timeout_ms", NO_COUNTS, COUNT),
    ([Advance(1, 1)], "current", [*NO_COUNTS, None], COUNT),
    ([Advance(1, 1)], "total", NO_COUNTS, COUNT),
    (ON_STEPS, "step", [True, 1.0, b"1", None, "", "a\0", "\ud800", ("one",)], "an integer, or a StepName"),
    ([Complete(1), Advance(1, 1)], "message", NO_TEXTS, "text"),
    ([Complete(1)], "error", NO_TEXTS, "text"),
    (UPDATES, "ago_ms", [-1, 86_400_001, True, 1.0, "1", None], "an integer from 0 to 86400000"),
    (
        [Create(DEFINITIONS), *UPDATES],
        "attempt_id",
        ["", "x" * 65, "a\0", "\ud800", b"a", 1],
        "text of 1 to 64 characters",
    ),
    ([LEASED], "lease_ms", [999, 3_600_001, 0, True, 1000.0, "1000"], "an integer from 1000 to 3600000"),
    (FAILURES, "conclusion", ["skipped", "lost", "", 1, True], "cancelled, or None"),
    (WITH_DETAILS, "title", ["", "x" * 201, "a\0", 1, b"t"], "text of 1 to 200 characters"),
    (
        WITH_DETAILS,
        "labels",
        [
            *({"": "a"}, {"a:b": "c"}, {"x" * 65: "a"}, {"a": "x" * 257}, {"a\0": "b"}, {"a": "\ud800"}, {"a": 1}),
            *({1: "a"}, {str(number): "" for number in range(17)}, [("a", "b")], "ab"),
        ],
        "short texts",
    ),
    (
        [*WITH_DETAILS, Complete(1), Finish()],
        "links",
        [
            *([Link("a", "/")], (("a", "/"),), (Link("", "/"),), (Link("x" * 101, "/"),), (Link("a\0", "/"),)),
            *((Link("a", ""),), (Link("a", "/" + "x" * 2048),), (Link("a", "javascript:alert(1)"),)),
            *((Link("a", "//example.org"),), (Link("a", "/"),) * 21),
        ],
        "links that pages may open",
    ),
    (WITH_DETAILS, "accepts", [["cancel"], ("cancel", "stop"), "cancel", (1,)], "some of cancel, retry"),
    ([A_PART], "part", ["", "x" * 101, "a\0", "\ud800", b"a", 1, None], "text of 1 to 100 characters"),
    ([A_PART], "status", ["pending", "", "Success", 1, None], "one of running, success, error"),
    ([A_PART], "current", [-1, 2**53, True, 1.0, "1"], COUNT),
    ([A_PART], "total", [-1, 2**53, True, 1.0, "1"], COUNT),
    ([A_PART], "message", ["x" * 201, "a\0", None], "text of at most 200 characters"),
    ([A_PART], "error", ["x" * 201, "\ud800", 1], "text of at most 200 characters"),
    ([Start(1)], "parts_total", [0, 201, -1, True, 1.0, "1"], "an integer from 1 to 200"),
    ([Ask("cancel", "c")], "kind", ["stop", None], "one of cancel, retry"),
    ([Ask("cancel", "c")], "ask_id", ["", "x" * 65], "text of 1 to 64 characters"),
    ([Ask("cancel", "c")], "step", [True, "a"], "an integer, or None"),
    ([Ask("cancel", "c")], "reason", ["x" * 501, "a\0"], "text of at most 500 characters"),
    ([Acknowledge("c", "seen")], "request", [""], "text of 1 to 64 characters"),
    ([Acknowledge("c", "seen")], "state", ["asked", "too_late"], "one of seen, honoured, declined"),
    ([Acknowledge("c", "seen")], "message", ["x" * 501, "\ud800"], "text of at most 500 characters"),
]
"""Commands, one of their fields, values that it cannot have, and what it must be."""


@pytest.mark.parametrize(("commands", "name", "values", "reason"), REFUSED)
def test_a_value_out_of_its_bound_is_refused(
    commands: Sequence[Command], name: str, values: Sequence[Any], reason: str
) -> None:
    """Even one that equals a valid one; a lone surrogate would end every stream that it reaches."""
    for command, value in product(commands, values):
        refuse(_with_value(command, name, value), f"^{name} must be {reason}")


def _with_value(command: Any, name: str, value: Any) -> Command:
    is_content = isinstance(command, Update) and name not in ("ago_ms", "attempt_id", "lease_ms")
    changed: Command = replace(command, **{name: value}) if is_content else sent(command, **{name: value})
    return changed


def refuse(command: Command, reason: str) -> None:
    """Make sure that the command is refused."""
    with pytest.raises(InvalidRequestError, match=reason):
        check_command(command)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (sent(Start(1), lease_ms=1000), "lease_ms: needs an attempt_id"),
        (sent(Start(1), lost_after_ms=1000), "lease_ms: needs an attempt_id"),
        (sent(Start(1), attempt_id="a", lost_after_ms=1000), "lost_after_ms: needs a lease_ms"),
        (sent(Start(1), attempt_id="a", lease_ms=1001, lost_after_ms=1000), "must not be less than lease"),
        (Complete(1, conclusion="cancelled"), "a success is not cancelled"),
        (Finish(conclusion="cancelled"), "a success is not cancelled"),
    ],
)
def test_values_that_contradict_each_other_are_refused(command: Command, reason: str) -> None:
    """One needs, or excludes, the other."""
    refuse(command, reason)


@pytest.mark.parametrize("command", [Create(()), Start(1)])
def test_a_session_without_a_step_is_refused(command: Command) -> None:
    """It could never be completed."""
    with pytest.raises(InvalidRequestError, match="at least one step"):
        apply("s", None, command, T2)


@pytest.mark.parametrize(
    "definition",
    [
        *(StepDefinition("\ud800"), StepDefinition("a\0b"), StepDefinition("a", timeout_ms=-1)),
        *(StepDefinition("a", estimated_ms=2**53), "a"),
    ],
)
@pytest.mark.parametrize("kind", [Create, lambda definitions: sent(Start(1), definitions=definitions)])
def test_a_step_that_could_not_be_shown_is_refused(
    kind: Callable[[tuple[StepDefinition, ...]], Command], definition: Any
) -> None:
    """From the session's own steps, or from a workflow of the application that embeds the server."""
    command = kind((StepDefinition("first"), definition))
    with pytest.raises(InvalidRequestError, match="each definition must have a name"):
        apply("s", None, command, T2)


def test_values_are_accepted_at_their_bounds() -> None:
    """The largest ones, too."""
    longest = sent(Start(1), definitions=DEFINITIONS, attempt_id="x" * 64, lease_ms=3_600_000, lost_after_ms=2**53 - 1)
    part = ReportPart(1, "x" * 100, "error", 2**53 - 1, 2**53 - 1, "m" * 200, "e" * 200)
    lost = sent(LEASED, lost_after_ms=1000)
    for command in (longest, part, Start(1, parts_total=200), lost, sent(Complete(1), ago_ms=86_400_000)):
        assert apply("s", session_with("running"), command, T2).event == "step"
