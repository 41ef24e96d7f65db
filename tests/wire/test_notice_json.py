"""The body and the id of a notice."""

import json
from typing import Any

import pytest

from progress_sse.core.details import Details, Link
from progress_sse.core.model import Position, Session, StepDefinition
from progress_sse.core.session_rules import created
from progress_sse.wire.notice_json import MAX_BODY_BYTES, encode_notice, notice_id
from progress_sse.wire.session_json import encode_session_event, split_transition
from tests.core.samples import T0, T1, session_with

AT = Position("4f1c", 7)
FAILED = session_with("success", "error", status="error", current_step=2)
LINKS = tuple(Link("x" * 100, f"https://example.org/{'a' * 2000}") for _ in range(20))
LABELS = {f"{number}": "v" * 256 for number in range(16)}


def with_details(session: Session, **details: Any) -> Session:
    return session._replace(progress=session.progress._replace(details=Details(**details)))


def decoded(session: Session, step: int | None = 2, page: str | None = None) -> Any:
    summary = split_transition(encode_session_event(session))[1]
    body = encode_notice("failed", session, AT, step, page)
    assert encode_notice("failed", session, AT, step, page, summary) == body
    assert len(body) <= MAX_BODY_BYTES
    return json.loads(body)


def test_keys_come_in_their_order() -> None:
    body = decoded(with_details(FAILED, title="Night", error="no"), page="https://example.org/s/s")
    assert list(body) == ["type", "timestamp", "data"]
    assert (body["type"], body["timestamp"]) == ("session.failed", FAILED.progress.updated_at)
    assert list(body["data"]) == ["session", "step", "position", "page"]
    assert (body["data"]["position"], body["data"]["page"]) == ("4f1c-7", "https://example.org/s/s")
    assert {"session_id", "title", "error", "created_at", "updated_at"} <= body["data"]["session"].keys()
    assert "steps" not in body["data"]["session"]
    keys = "step name status started_at completed_at elapsed_ms timeout_ms message error"
    assert list(body["data"]["step"]) == keys.split()


def test_what_it_does_not_have() -> None:
    assert list(decoded(FAILED, step=None)["data"]) == ["session", "position"]


def test_texts_are_cut() -> None:
    steps = {2: FAILED.progress.steps[2]._replace(message="m" * 1001, error="e" * 1000)}
    long = FAILED._replace(progress=FAILED.progress._replace(steps=steps))
    body = decoded(with_details(long, error="é" * 5000))
    assert body["data"]["session"]["error"] == "é" * 1000 + "…"
    assert (body["data"]["step"]["message"], body["data"]["step"]["error"]) == ("m" * 1000 + "…", "e" * 1000)


@pytest.mark.parametrize(
    ("details", "name", "left"),
    [
        ({"links": LINKS[:4], "labels": LABELS}, "n", "labels links step"),
        ({"links": LINKS, "labels": LABELS}, "n", "labels step"),
        ({"links": LINKS, "labels": LABELS}, "\U0001f600" * 3000, "step"),
        ({"links": LINKS, "labels": LABELS}, "\U0001f600" * 8192, ""),
    ],
)
def test_what_is_too_large_is_left_out(details: dict[str, Any], name: str, left: str) -> None:
    """Links first, labels next, and the step last."""
    steps = {2: FAILED.progress.steps[2]._replace(name=name)}
    data = decoded(with_details(FAILED._replace(progress=FAILED.progress._replace(steps=steps)), **details))["data"]
    assert [key for key in ("labels", "links") if key in data["session"]] + ["step"] * ("step" in data) == left.split()


def test_ids() -> None:
    """The same for each try, another one where anything that makes the notice differs."""
    session = created("s", (StepDefinition("one"),), T0)
    at = session.progress.updated_at
    first = notice_id(AT, "failed", "oncall", at)
    assert first == notice_id(AT, "failed", "oncall", at)
    assert first.startswith("msg_")
    assert len(bytes.fromhex(first.removeprefix("msg_"))) == 16
    others = {
        notice_id(AT._replace(offset=8), "failed", "oncall", at),
        notice_id(AT._replace(epoch="4f1d"), "failed", "oncall", at),
        notice_id(AT, "stalled", "oncall", at),
        notice_id(AT, "failed", "team", at),
        notice_id(AT, "failed", "oncall", created("s", (StepDefinition("one"),), T1).progress.updated_at),
    }
    assert len(others - {first}) == 5
