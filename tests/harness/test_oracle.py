import json
from typing import Any

import pytest

from tests.harness.event_stream import Block
from tests.harness.oracle import Body, Oracle, Post, Verdict, fold, fold_all

PENDING = [{"step": n, "name": f"STEP{n}", "status": "pending", "elapsed_ms": 0, "timeout_ms": 120000} for n in (1, 2)]


def body(current_step: int, status: str, steps: list[Body], percentage: int = 0) -> Body:
    return {
        "session_id": "s",
        "current_step": current_step,
        "total_steps": 2,
        "status": status,
        "steps": steps,
        "percentage": percentage,
        "estimated_remaining_ms": 0,
    }


EMPTY = body(0, "pending", PENDING)


def block(event: str, data: Body, n: int, epoch: str = "e") -> Block:
    event_id = f"{epoch}-{n}"
    return Block(event, json.dumps(data), event_id, event_id, None, None, b"")


def snapshot(n: int, state: Body = EMPTY, epoch: str = "e") -> Block:
    """A `snapshot` event."""
    return block("snapshot", state, n, epoch)


def step_data(tag: str, step: int = 1) -> Body:
    """The data of a `step` event that carries a tag."""
    is_start = tag.startswith("start-")
    entry: dict[str, Any] = {"step": step, "name": f"STEP{step}", "status": "running" if is_start else "success"}
    entry["timeout_ms"] = int(tag.removeprefix("start-")) if is_start else 5
    entry["message"] = "" if is_start else tag
    summary = body(step, "running", [], 50)
    del summary["steps"]
    return {"step": entry, "session": summary}


def step(tag: str, n: int, epoch: str = "e") -> Block:
    """A `step` event."""
    return block("step", step_data(tag), n, epoch)


def judge(seen: list[Block], ok: list[str], final: Body | None = None, *, maybe: tuple[str, ...] = ()) -> Verdict:
    oracle = Oracle()
    oracle.posts = [Post("s", tag, "ok") for tag in ok] + [Post("s", tag) for tag in maybe]
    view = oracle.view("s", "one")
    for seen_block in seen:
        view.saw(seen_block)
    return oracle.check("s", final if final is not None else fold_all(seen))


def test_folding_replaces_the_step_and_takes_the_summary() -> None:
    """The result has the polling body's keys, in its order."""
    result = fold(EMPTY, step_data("start-5", 2))
    assert list(result) == list(EMPTY)
    assert result["steps"] == [PENDING[0], step_data("start-5", 2)["step"]]
    assert (result["current_step"], result["percentage"], result["status"]) == (2, 50, "running")
    assert EMPTY["steps"] == PENDING


@pytest.mark.parametrize("change", [{"session_id": "t"}, {"total_steps": 3}, {"extra": 1}])
def test_folding_refuses_foreign_events(change: Body) -> None:
    """The cases: an event of another session, of another length, or with a summary of another shape."""
    event = step_data("start-5")
    event["session"] |= change
    with pytest.raises(ValueError, match=r"in the event|no step or session event"):
        fold(EMPTY, event)


def test_a_perfect_run_is_clean() -> None:
    """Each transition shows once, in order."""
    assert judge([snapshot(0), step("start-1", 1), step("a", 2)], ["start-1", "a"]).is_clean()


def test_an_indeterminate_post_may_show_or_not() -> None:
    """A worker without a response cannot know the outcome, and either is right."""
    assert judge([snapshot(0), step("start-1", 1)], ["start-1"], maybe=("a",)).is_clean()
    assert judge([snapshot(0), step("start-1", 1), step("a", 2)], ["start-1"], maybe=("a",)).is_clean()


def test_a_snapshot_may_stand_for_unseen_transitions() -> None:
    """A reader that was away for too long gets one, and loses nothing by it."""
    later = fold(EMPTY, step_data("start-1"))
    assert judge([snapshot(0), snapshot(1, later), step("a", 2)], ["start-1", "a"]).is_clean()


@pytest.mark.parametrize(
    ("problem", "seen", "ok"),
    [
        ("lost", [snapshot(0), step("start-1", 1)], ["start-1", "a"]),
        ("lost", [snapshot(0), step("start-1", 1), step("b", 3)], ["start-1", "b"]),
        ("lost", [snapshot(0), step("b", 2)], ["b"]),
        ("phantom", [snapshot(0), step("start-1", 1), step("a", 2)], ["start-1"]),
        ("duplicate", [snapshot(0), step("start-1", 1), step("start-1", 1)], ["start-1"]),
        ("duplicate", [snapshot(0), step("start-1", 1), step("start-1", 2)], ["start-1"]),
        ("duplicate", [snapshot(1), step("start-1", 1)], ["start-1"]),
        ("reordered", [snapshot(0), step("a", 1), step("b", 2), step("a", 1)], ["a", "b"]),
        ("reordered", [snapshot(5), snapshot(4)], []),
        ("diverged", [snapshot(0), step("start-1", 1, "f")], ["start-1"]),
    ],
)
def test_each_fault_is_named(problem: str, seen: list[Block], ok: list[str]) -> None:
    """The cases: a gap, an invention, a repeat, a swap, a mixed-up epoch."""
    assert getattr(judge(seen, ok), problem), problem


def test_a_view_that_ends_elsewhere_than_the_poll_diverged() -> None:
    """The final poll decides."""
    assert judge([snapshot(0), step("start-1", 1)], ["start-1"], EMPTY).diverged


def test_a_failed_post_that_shows_is_a_phantom() -> None:
    """The response said that it was not applied."""
    oracle = Oracle()
    oracle.posts = [Post("s", "start-1", "fail")]
    view = oracle.view("s", "one")
    view.saw(snapshot(0))
    view.saw(step("start-1", 1))
    assert oracle.check("s", fold(EMPTY, step_data("start-1"))).phantom == ["start-1"]


def test_a_view_without_positions_is_compared_with_one_that_has_them() -> None:
    """A stream of several sessions has ids of its own; the order comes from a reader of the one session."""
    oracle = Oracle()
    oracle.posts = [Post("s", tag, "ok") for tag in ("a", "b", "c")]
    control, several = oracle.view("s", "control"), oracle.view("s", "several")
    for seen in (snapshot(0), step("a", 1), step("b", 2), step("c", 3)):
        control.saw(seen)
    for seen in (snapshot(0), step("a", 1), step("c", 3)):
        several.saw(seen, has_position=False)
    assert control.state is not None
    verdict = oracle.check("s", control.state)
    assert verdict.lost == ["several: 1 transitions before c"]
