"""What an idempotency key stands for: the digest of a request, which stores remember over new versions."""

from typing import Any

import pytest

from progress_sse.api.request_body import read_update
from progress_sse.api.request_parts import make_key
from progress_sse.api.session_models import CreateBody
from progress_sse.api.update_models import UpdateBody
from progress_sse.settings import BodyLimits

LIMITS = BodyLimits(max_body_bytes=10_000, max_text_chars=100, max_total_steps=10)

START = {"action": "start", "step": 1}
"""An update of the first part of the protocol."""


def digest(body: dict[str, Any]) -> str:
    kind, model = ("update", UpdateBody) if "action" in body else ("create", CreateBody)
    return make_key("k", kind, model.model_validate(body, context=LIMITS.context).canonical()).digest


@pytest.mark.guarantee("J")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"action": "complete", "step": 1, "message": "8,000 rows", "x": 1},
            "21f38b55ee06107707597fb7dd9ad6c2faccc10c770bf3dbf95b8fbba60f26ed",
        ),
        (
            {"action": "progress", "step": 2, "current": 1, "total": None},
            "5cbe072c5eb3178ec3570203d21276cb93d39be8a70a0eace5b9f25f468a2dd3",
        ),
        (
            {"steps": [{"name": "Find", "estimated_ms": 5}]},
            "48e2012bcc925595b322e98006232b3c0e9fb66552fadf267bacbfe0a5eaeb75",
        ),
        ({}, "b4f64b36e4106ec4e1f24fa1694915921e3523185bcbcb7761f289f8542cb673"),
    ],
)
def test_a_request_without_optional_keys_has_the_recorded_digest(body: dict[str, Any], expected: str) -> None:
    """So a key counts that another server of the same store remembers."""
    assert digest(body) == expected


@pytest.mark.parametrize(
    "more",
    [
        *({"attempt_id": "a"}, {"attempt_id": None}, {"append": False}, {"estimated_ms": 5}),
        *({"lease_ms": 1000, "attempt_id": "a"}, {"links": []}, {"lines": ["a"]}),
        *({"lines": [{"text": "a", "level": "error"}]}, {"parts_total": None}, {"parts_total": 3}),
        *({"labels": {"a": "b"}}, {"labels": {"a": "c"}}, {"name": None}),
    ],
)
def test_keys_of_the_second_part_are_part_of_a_request(more: dict[str, Any]) -> None:
    """Where they are present, whatever their values."""
    others = [START, START | {"attempt_id": "b"}, START | {"labels": {"b": "a"}}]
    assert digest(START | more) not in [digest(each) for each in others]


@pytest.mark.parametrize("ago_ms", [0, 1, 86_400_000])
def test_the_time_that_has_passed_is_no_part_of_a_request(ago_ms: int) -> None:
    """It is another one each time that the request is sent."""
    assert digest(START | {"ago_ms": ago_ms}) == digest(START)
    line = {"action": "log", "lines": [{"text": "a", "ago_ms": ago_ms}], "ago_ms": ago_ms}
    assert digest(line) == digest({"action": "log", "lines": ["a"]})
    attempted = START | {"attempt_id": "a"}
    assert digest(attempted | {"ago_ms": ago_ms}) == digest(attempted)


def test_the_order_of_keys_is_no_part_of_a_request() -> None:
    """Neither that of labels: the bodies are equal when parsed."""
    body = {"action": "describe", "title": "t", "labels": {"a": "1", "b": "2"}}
    other = {"labels": {"b": "2", "a": "1"}, "title": "t", "action": "describe"}
    assert digest(body) == digest(other)


def test_a_creation_says_more_by_the_keys_of_the_second_part() -> None:
    """Each of them, in any order."""
    bodies: list[dict[str, Any]] = [
        {},
        {"title": "t"},
        {"title": "u"},
        {"labels": {"t": "u"}},
        {"open_ended": True},
        {"open_ended": False},
        {"accepts": ["cancel"]},
        {"profile": "t"},
        {"attempt_id": "t"},
    ]
    assert len({digest(body) for body in bodies}) == len(bodies)


@pytest.mark.parametrize("more", [{}, {"attempt_id": "a", "ago_ms": 5}, {"labels": {"a": "b"}}])
def test_an_update_is_the_same_alone_and_among_others(more: dict[str, Any]) -> None:
    """Its address is no part of what it says."""
    address = {"session_id": "s", "idempotency_key": "k", "run": "r"}
    key = read_update(START | more | address, LIMITS).key
    assert key is not None
    assert key.digest == digest(START | more)


def test_a_sign_of_life_takes_no_key() -> None:
    """The newest one counts, so that sending it again does no harm."""
    beat = {"action": "beat", "step": 1, "session_id": "s", "idempotency_key": "k"}
    assert read_update(beat, LIMITS).key is None
