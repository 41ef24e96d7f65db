"""What `watch` says of the parts of a step."""

from typing import Any

from progress_sse.story.step_words import all_failed_parts, parts_done
from tests.cli.sessions import lines, session, step


def with_parts(running: int = 0, success: int = 0, total: int | None = 50, failed: tuple[str, ...] = ()) -> Any:
    """A running step with these parts, of which the failed ones are listed."""
    listed = [{"part": f"{name}\x1b[2J", "status": "error", "error": "disk\nfull", "elapsed_ms": 1} for name in failed]
    more = [{"part": "z", "status": "running", "elapsed_ms": 0}] if running else []
    counts = {"running": running, "success": success, "error": len(failed)}
    return step("running", parts={"total": total, **counts, "listed": [*listed, *more]})


def test_parts_are_counted_in_words() -> None:
    """With those that failed, where there are some."""
    assert parts_done(step("running")) == ""
    assert parts_done(with_parts(1, 37, failed=("a", "b"))) == "37 of 50 done, 2 failed"
    assert parts_done(with_parts(3, 5, total=None)) == "5 of 8 done so far"
    assert parts_done({**with_parts(0, 7, total=None, failed=("a",)), "status": "error"}) == "7 of 8 done, 1 failed"


def test_each_failed_part_is_a_line() -> None:
    """It is said once, and a part that runs is no line."""
    before, then = (session("running", with_parts(1, 3, failed=failed)) for failed in (("a",), ("b", "a")))
    assert lines(before, then) == [
        " 33%  1/1 Dump all: 3 of 50 done, 2 failed",
        " 33%  1/1 Dump all, b: failed, disk full",
    ]
    assert lines(before, then, then) == []


def test_the_failed_parts_of_all_steps_find_room() -> None:
    """The last line counts those that do not."""
    state = session("running", with_parts(failed=("a", "b")), with_parts(failed=("c", "d")))
    first = ["Dump all, a: failed, disk full", "Dump all, b: failed, disk full"]
    assert list(all_failed_parts(state, 3)) == [*first, "and 2 more"]
    assert len(list(all_failed_parts(state, 4))) == 4
    assert list(all_failed_parts(session("running", with_parts()), 3)) == []
