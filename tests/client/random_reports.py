"""Random reports of all kinds and with all options, the same ones for the same seed on every Python."""

import random
from collections.abc import Iterator
from typing import Any, TypeVar

from progress_sse.client.attempt import Attempt
from progress_sse.client.exchange import ReportRequest
from progress_sse.client.reports import Create, Log, LogLine, Report
from progress_sse.core.bounds import UNCHANGED
from progress_sse.core.details import Link
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import (
    Acknowledge,
    Advance,
    Beat,
    Complete,
    Describe,
    Envelope,
    Finish,
    Plan,
    ReportPart,
    Skip,
    Start,
)

Value = TypeVar("Value")

_STEPS = (1, 2, 1000, "Parse", "原稿 <\u2028>", 'a"b\\')
_TEXTS = ("", "half", "8,000 rows\n\t", "日本 😀 é", '"\\/\x1f\x7f')
_COUNTS = (None, 0, 1, 7, 2**53 - 1)
_LINKS = (Link("log", "https://example.org/a?b=c"), Link("é", "/r"))
_STEP_DEFINITIONS = (StepDefinition("One"), StepDefinition("原稿", 1000, 2000), StepDefinition("", 5, 0))
_KINDS = (Acknowledge, Advance, Beat, Complete, Create, Describe, Finish, Log, Plan, ReportPart, Skip, Start)


class _Choices:
    """Choices by `random.random` alone, whose numbers are the same in every version of Python."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def one(self, *values: Value) -> Value:
        return values[int(self._random() * len(values))]

    def some(self, *values: Value) -> tuple[Value, ...]:
        return tuple(value for value in values if self._random() < 0.5)


def random_requests(seed: int, count: int) -> Iterator[ReportRequest]:
    """Yield so many requests, each of one report."""
    choices = _Choices(seed)
    for _ in range(count):
        lease = choices.one(None, Attempt(), Attempt(30_000, 600_000), Attempt(1000))
        if lease is not None:
            lease = Attempt(lease.lease_ms, lease.lost_after_ms, choices.one("mine", "x" * 64, "é"))
        report = _report(choices, lease)
        key, run = choices.one("", "key"), choices.one("", "2026-01-02T03:04:05+00:00")
        yield ReportRequest(choices.one("a", "日/#"), report, key, run, choices.one(0, 0, 5, 86_399_999, 86_400_000))


def _report(choices: _Choices, lease: Attempt | None) -> Report:
    kind = choices.one(*_KINDS)
    if kind is Create:
        return Create(**_creation(choices), lease=lease)
    if kind is Log:
        return Log(_lines(choices), choices.one(None, *_STEPS), lease=lease)
    report: Report = kind(**_content(kind, choices), envelope=Envelope(lease))
    return report


def _creation(choices: _Choices) -> dict[str, Any]:
    return {
        "steps": choices.one(None, (), choices.some(*_STEP_DEFINITIONS)),
        "workflow": choices.one(None, "report"),
        "replace": choices.one(True, False),
        "title": choices.one(None, *_TEXTS),
        "labels": dict(choices.some(("a", "b"), ("é", ""))),
        "links": choices.some(*_LINKS),
        "open_ended": choices.one(True, False),
        "accepts": choices.some("cancel", "retry"),
        "profile": choices.one(None, "nightly"),
    }


def _lines(choices: _Choices) -> tuple[LogLine, ...]:
    return tuple(
        LogLine(choices.one(*_TEXTS), choices.one("debug", "info", "warning", "error"), choices.one(0, 3, 86_400_000))
        for _ in range(choices.one(1, 2, 3))
    )


def _content(kind: type[Report], choices: _Choices) -> dict[str, Any]:
    one, some = choices.one, choices.some
    values = {
        "step": one(*_STEPS),
        "timeout_ms": one(*_COUNTS),
        "append": one(False, True),
        "estimated_ms": one(*_COUNTS),
        "parts_total": one(None, 1, 200),
        "current": one(*_COUNTS),
        "total": one(*_COUNTS),
        "message": one(*_TEXTS),
        "success": one(True, False),
        "error": one(*_TEXTS),
        "conclusion": one(None, "cancelled"),
        "part": one("shard-7", "é"),
        "status": one("running", "success", "error"),
        "links": one(None, (), some(*_LINKS)),
        "steps": some(*_STEP_DEFINITIONS),
        "title": one(UNCHANGED, None, *_TEXTS),
        "labels": one(UNCHANGED, None, dict(some(("a", None), ("b", "c"), ("é", "")))),
        "accepts": one(UNCHANGED, some("cancel", "retry")),
        "request": one("9f1c", "é"),
        "state": one("seen", "honoured", "declined"),
    }
    if kind is Advance:
        values["current"] = values["current"] or 0
    if kind is Describe:
        values["links"] = one(UNCHANGED, values["links"])
    if kind is Complete:
        del values["links"]
    return {name: value for name, value in values.items() if name in kind.__match_args__}
