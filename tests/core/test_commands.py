"""The values of commands: those that no session can hold are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
    StepUpdate,
    Update,
)
from tests.core.samples import DEFINITIONS, T2, sent, session_with


class TestValues:
    """Values that no session can hold are refused from every caller: those in the process have types only."""

    @pytest.mark.parametrize("value", [-1, 2**53, 10**30, True, 1.0, "1", float("nan")])
    @pytest.mark.parametrize("name", ["timeout_ms", "current", "total"])
    def test_are_refused_where_they_are_no_counts(self, name: str, value: Any) -> None:
        """They are whole numbers from 0 to the largest that every JSON reader keeps exact."""
        command: Start | Advance = Start(1) if name == "timeout_ms" else Advance(1, 1)
        refuse(replace(command, **{name: value}), f"{name} must be an integer from 0 to 9007199254740991")

    @pytest.mark.parametrize("value", [True, 1.0, b"1", None])
    @pytest.mark.parametrize("command", [Start(1), Complete(1), Advance(1, 1)])
    def test_are_refused_where_they_are_no_step_numbers(self, command: StepUpdate, value: Any) -> None:
        """Even values that equal 1."""
        refuse(replace(command, step=value), "step must be an integer")

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
        refuse(replace(command, **{name: value}), f"{name} must be text")

    @pytest.mark.parametrize("command", [Create(()), Start(1)])
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
    @pytest.mark.parametrize("kind", [Create, lambda definitions: sent(Start(1), definitions=definitions)])
    def test_are_refused_where_a_step_could_not_be_shown(
        self, kind: Callable[[tuple[StepDefinition, ...]], Command], definition: Any
    ) -> None:
        """From the session's own steps, or from a workflow of the application that embeds the server."""
        command = kind((StepDefinition("first"), definition))
        with pytest.raises(InvalidRequestError, match="each definition must have a name"):
            apply("s", None, command, T2)


def refuse(command: Command, reason: str) -> None:
    """Make sure that the command is refused."""
    with pytest.raises(InvalidRequestError, match=reason):
        check_command(command)


class TestPartTwo:
    """Values of the commands that say more than that a step starts, advances or completes."""

    @pytest.mark.parametrize("value", ["", "a\0", "\ud800", ("one",)])
    def test_are_refused_where_they_are_no_step_names(self, value: Any) -> None:
        """Text that can be shown."""
        for command in (Start(1), Complete(1), Advance(1, 1), Skip(1), Beat(1), A_PART):
            refuse(replace(command, step=value), "step must be an integer, or a StepName")

    @pytest.mark.parametrize("value", [-1, 86_400_001, True, 1.0, "1", None])
    def test_are_refused_where_they_are_no_times_ago(self, value: Any) -> None:
        """From now to a day."""
        for command in UPDATES:
            refuse(sent(command, ago_ms=value), "ago_ms must be an integer from 0 to 86400000")

    @pytest.mark.parametrize("value", ["", "x" * 65, "a\0", "\ud800", b"a", 1])
    def test_are_refused_where_they_are_no_attempts(self, value: Any) -> None:
        """Texts of 1 to 64 characters."""
        commands: list[Command] = [Create(DEFINITIONS), *UPDATES]
        for command in commands:
            refuse(sent(command, attempt_id=value), "attempt_id must be text of 1 to 64 characters")

    @pytest.mark.parametrize("value", [999, 3_600_001, 0, True, 1000.0, "1000"])
    def test_are_refused_where_they_are_no_leases(self, value: Any) -> None:
        """From a second to an hour."""
        refuse(sent(LEASED, lease_ms=value), "lease_ms must be an integer from 1000 to 3600000")

    @pytest.mark.parametrize(
        ("command", "reason"),
        [
            (sent(Start(1), lease_ms=1000), "lease_ms: needs an attempt_id"),
            (sent(Start(1), lost_after_ms=1000), "lease_ms: needs an attempt_id"),
            (
                sent(Start(1), attempt_id="a", lost_after_ms=1000),
                "lost_after_ms: needs a lease_ms",
            ),
            (
                sent(Start(1), attempt_id="a", lease_ms=1001, lost_after_ms=1000),
                "must not be less than lease",
            ),
            (Complete(1, conclusion="cancelled"), "a success is not cancelled"),
            (Finish(conclusion="cancelled"), "a success is not cancelled"),
        ],
    )
    def test_are_refused_where_they_contradict_each_other(self, command: Command, reason: str) -> None:
        """One needs, or excludes, the other."""
        refuse(command, reason)

    def test_are_accepted_at_their_bounds(self) -> None:
        """The largest ones, too."""
        session = session_with("running")
        longest = sent(
            Start(1), definitions=DEFINITIONS, attempt_id="x" * 64, lease_ms=3_600_000, lost_after_ms=2**53 - 1
        )
        part = ReportPart(1, "x" * 100, "error", 2**53 - 1, 2**53 - 1, "m" * 200, "e" * 200)
        parts_total = Start(1, parts_total=200)
        lost = sent(LEASED, lost_after_ms=1000)
        for command in (longest, part, parts_total, lost, sent(Complete(1), ago_ms=86_400_000)):
            assert apply("s", session, command, T2).event == "step"

    @pytest.mark.parametrize("value", ["skipped", "lost", "", 1, True])
    def test_are_refused_where_they_are_no_conclusion_of_a_worker(self, value: Any) -> None:
        """Other conclusions are the server's to draw."""
        for command in (Complete(1, success=False), Finish(success=False)):
            refuse(replace(command, conclusion=value), "conclusion must be cancelled, or None")

    @pytest.mark.parametrize("value", ["", "x" * 201, "a\0", 1, b"t"])
    def test_are_refused_where_they_are_no_title(self, value: Any) -> None:
        """Text of 1 to 200 characters."""
        refuse_of_session("title", value, "title must be text of 1 to 200 characters")

    @pytest.mark.parametrize(
        "value",
        [
            {"": "a"},
            {"a:b": "c"},
            {"x" * 65: "a"},
            {"a": "x" * 257},
            {"a\0": "b"},
            {"a": "\ud800"},
            {"a": 1},
            {1: "a"},
            {str(number): "" for number in range(17)},
            [("a", "b")],
            "ab",
        ],
    )
    def test_are_refused_where_they_are_no_labels(self, value: Any) -> None:
        """At most 16 short texts by short names."""
        refuse_of_session("labels", value, "labels must be short texts")

    @pytest.mark.parametrize(
        "value",
        [
            [Link("a", "/")],
            (("a", "/"),),
            (Link("", "/"),),
            (Link("x" * 101, "/"),),
            (Link("a\0", "/"),),
            (Link("a", ""),),
            (Link("a", "/" + "x" * 2048),),
            (Link("a", "javascript:alert(1)"),),
            (Link("a", "//example.org"),),
            (Link("a", "/"),) * 21,
        ],
    )
    def test_are_refused_where_they_are_no_links(self, value: Any) -> None:
        """At most 20 that pages may open."""
        refuse_of_session("links", value, "links must be links that pages may open")
        for command in (Complete(1), Finish()):
            refuse(replace(command, links=value), "links must be links that pages may open")

    @pytest.mark.parametrize(
        ("name", "values", "reason"),
        [
            ("part", ["", "x" * 101, "a\0", "\ud800", b"a", 1, None], "text of 1 to 100 characters"),
            ("status", ["pending", "", "Success", 1, None], "one of running, success, error"),
            ("current", [-1, 2**53, True, 1.0, "1"], "an integer from 0"),
            ("total", [-1, 2**53, True, 1.0, "1"], "an integer from 0"),
            ("message", ["x" * 201, "a\0", None], "text of at most 200 characters"),
            ("error", ["x" * 201, "\ud800", 1], "text of at most 200 characters"),
        ],
    )
    def test_are_refused_where_they_are_none_of_a_part(self, name: str, values: list[Any], reason: str) -> None:
        """Short texts, and counts."""
        for value in values:
            refuse(replace(A_PART, **{name: value}), f"{name} must be {reason}")

    @pytest.mark.parametrize("value", [0, 201, -1, True, 1.0, "1"])
    def test_are_refused_where_they_are_no_number_of_parts(self, value: Any) -> None:
        """From one to 200."""
        refuse(Start(1, parts_total=value), "parts_total must be an integer from 1 to 200")

    @pytest.mark.parametrize("value", [["cancel"], ("cancel", "stop"), "cancel", (1,)])
    def test_are_refused_where_they_are_no_requests(self, value: Any) -> None:
        """Those that a worker can be asked."""
        refuse_of_session("accepts", value, "accepts must be some of cancel, retry")

    @pytest.mark.parametrize(
        ("name", "value", "reason"),
        [
            ("kind", "stop", "kind must be one of cancel, retry"),
            ("kind", None, "kind must be one of"),
            ("ask_id", "", "ask_id must be text of 1 to 64 characters"),
            ("ask_id", "x" * 65, "ask_id must be text of 1 to 64 characters"),
            ("step", True, "step must be an integer, or None"),
            ("step", "a", "step must be an integer, or None"),
            ("reason", "x" * 501, "reason must be text of at most 500 characters"),
            ("reason", "a\0", "reason must be text of at most 500 characters"),
        ],
    )
    def test_are_refused_where_nothing_can_be_asked(self, name: str, value: Any, reason: str) -> None:
        """In short words, and about the session or a step by its number."""
        refuse(Ask("cancel", "c")._replace(**{name: value}), reason)

    @pytest.mark.parametrize(
        ("name", "value", "reason"),
        [
            ("request", "", "request must be text of 1 to 64 characters"),
            ("state", "asked", "state must be one of seen, honoured, declined"),
            ("state", "too_late", "state must be one of seen, honoured, declined"),
            ("message", "x" * 501, "message must be text of at most 500 characters"),
            ("message", "\ud800", "message must be text of at most 500 characters"),
        ],
    )
    def test_are_refused_where_they_answer_nothing(self, name: str, value: Any, reason: str) -> None:
        """A worker cannot say that a request was not seen, or came too late."""
        refuse(replace(Acknowledge("c", "seen"), **{name: value}), reason)


LEASED = sent(Start(1), attempt_id="a", lease_ms=1000)

A_PART = ReportPart(1, "a", "running")

UPDATES: list[Update] = [
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
"""One update of each kind."""


def refuse_of_session(name: str, value: Any, reason: str) -> None:
    """Make sure that a creation and a description with the value are refused."""
    refuse(Create(DEFINITIONS)._replace(**{name: value}), reason)
    refuse(replace(Describe(), **{name: value}), reason)
