"""What a reader holds of a session, in the shape that polling answers, and what has changed in it. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from progress_sse.shell.plain import plain

Held: TypeAlias = dict[str, Any]
"""What polling answers [contract §3]."""

_KEYS: Final = frozenset({"session_id", "current_step", "total_steps", "status", "steps", "percentage"})


def checked(value: Any) -> Held:
    """Return what a server has answered, if it can be that.

    Raises:
        ValueError: It has not what is needed to show it.
    """
    if not isinstance(value, dict) or not value.keys() >= _KEYS or not isinstance(value["steps"], list):
        raise ValueError("not a session")
    return value


def folded(held: Held | None, transition: dict[str, Any]) -> Held:
    """Return what is held after a `step` event, whose data is `transition`.

    Raises:
        ValueError: Nothing was held before it.
    """
    if held is None:
        raise ValueError("a transition of what is not held")
    number = transition["step"]["step"]
    steps = [transition["step"] if step["step"] == number else step for step in held["steps"]]
    return {**held, **transition["session"], "steps": steps}


def is_over(held: Held) -> bool:
    """Whether nothing more comes, unless somebody tries again."""
    return held["status"] in ("completed", "error")


def changes(before: Held | None, after: Held) -> Iterator[str]:
    """Yield a line for each change between two states, in plain text; `before` is `None` at the beginning."""
    if after["status"] == "not_found":
        yield "waiting for the job to start"
        return
    known = {step["step"]: step for step in before["steps"]} if before else {}
    if _started(known.values()) - _started(after["steps"]):
        yield "begins afresh"
        known = {}
    for step in after["steps"]:
        told = _told(known.get(step["step"]), step)
        if told:
            yield one_line(f"{after['percentage']:3}%  {step['step']}/{after['total_steps']} {step['name']}: {told}")
    if is_over(after) and not (before and is_over(before)):
        yield after["status"]


def _started(steps: Iterable[dict[str, Any]]) -> set[int]:
    return {step["step"] for step in steps if step["status"] != "pending"}


def _told(before: dict[str, Any] | None, step: dict[str, Any]) -> str:
    if step == before or step["status"] == "pending":
        return ""
    if step["status"] == "running":
        is_same_attempt = before is not None and before.get("started_at") == step["started_at"]
        parts = ["" if is_same_attempt else "started", counted(step), step["message"]]
    else:
        outcome = "done" if step["status"] == "success" else "failed"
        parts = [f"{outcome} after {duration(step['elapsed_ms'])}", step["message"], step["error"]]
    return ", ".join(part for part in parts if part)


def counted(step: dict[str, Any]) -> str:
    """Return how far a running step is, in its own units; empty where it has not said so."""
    if "progress" not in step:
        return ""
    current, total = step["progress"]["current"], step["progress"]["total"]
    return f"{current:,}" if total is None else f"{current:,} / {total:,}"


def duration(elapsed_ms: float) -> str:
    """Return a time as people read it: 12.3s, 5:07, 1:05:07."""
    seconds = elapsed_ms / 1000
    if seconds < 60:
        return f"{int(seconds * 10) / 10:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def one_line(text: str) -> str:
    """Return plain text without its line ends."""
    return " ".join(plain(text).split("\n"))
