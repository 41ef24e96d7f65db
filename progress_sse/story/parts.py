"""The parts of a step that several workers do at once."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import Step

Part: TypeAlias = dict[str, Any]


def parts_done(step: Step) -> str:
    """Return how many parts of a step are done, and how many have failed; empty if it has none."""
    if "parts" not in step:
        return ""
    parts = step["parts"]
    reported = parts["running"] + parts["success"] + parts["error"]
    total, so_far = (reported, " so far") if parts["total"] is None else (parts["total"], "")
    failed = f", {parts['error']:,} failed" if parts["error"] else ""
    return f"{parts['success']:,} of {total:,} done{so_far}{failed}"


def failed_parts(step: Step | None) -> list[str]:
    """Return a line for each failed part of a step that is listed, in plain text."""
    listed = step.get("parts", {}).get("listed", ()) if step else ()
    return [_line(part) for part in listed if part["status"] == "error"]


def all_failed_parts(state: SessionState, room: int) -> Iterator[str]:
    """Yield a line for each failed part, and for those that find no room."""
    lines = [f"{one_line(step['name'])}, {line}" for step in state["steps"] for line in failed_parts(step)]
    known = sum(step.get("parts", {}).get("error", 0) for step in state["steps"])
    shown = lines if known <= room else lines[: room - 1]
    yield from shown
    if known > len(shown):
        yield f"and {known - len(shown):,} more"


def _line(part: Part) -> str:
    error = part.get("error", "") or part.get("message", "")
    return one_line(f"{part['part']}: failed{', ' + error if error else ''}")
