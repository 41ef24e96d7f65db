"""The state of a session as a follower knows it, in the shape that polling answers, and its changes. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Never, TypeAlias, TypeGuard

from progress_sse.cli.plain_text import plain
from progress_sse.core.model import MAX_SAFE_INTEGER, is_text

SessionState: TypeAlias = dict[str, Any]
"""The body that polling answers [docs/protocol.md]."""


def parsed(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("too deep") from error


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")  # [RFC 8259 §6]


def checked(value: Any, session_id: str) -> SessionState:
    """Return a server's answer if it is the state of the session; nothing else may get to a terminal.

    Raises:
        ValueError: It has another shape, or is another session.
    """
    if not _has(value, _SESSION) or value["session_id"] != session_id:
        raise ValueError("not the session")
    return value


def folded(state: SessionState | None, transition: Any) -> SessionState:
    """Return the state after a `step` or `session` event, whose data is `transition`, key for key as a poll has it.

    Raises:
        ValueError: It is not a transition of this state, or there is no state yet.
    """
    if state is None:
        raise ValueError("a transition without a state")
    if not _has(transition, _SESSION_TRANSITION):
        raise ValueError("not a transition")
    steps = _with_step(state["steps"], transition["step"]) if "step" in transition else state["steps"]
    session = transition["session"]
    head = {key: session[key] for key in _BEFORE_STEPS if key in session}
    rest = {key: value for key, value in session.items() if key not in (*_BEFORE_STEPS, "steps")}
    return checked({**head, "steps": steps, **rest}, state["session_id"])


def _with_step(steps: list[dict[str, Any]], changed: Any) -> list[dict[str, Any]]:
    if not _is_step(changed):
        raise ValueError("not a transition")
    if changed["step"] == len(steps) + 1:
        return [*steps, changed]
    return [changed if step["step"] == changed["step"] else step for step in steps]


def _has(value: Any, shape: Mapping[str, Callable[[Any], bool]]) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and all(key in value and fits(value[key]) for key, fits in shape.items())


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_SAFE_INTEGER


def _or_null(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _is_step(value: Any) -> bool:
    return _has(value, _STEP) and (value["status"] == "pending" or _has({"progress": _NONE, **value}, _STARTED))


def _are_steps(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_step, value))


def _is_progress(value: Any) -> bool:
    return _has(value, _PROGRESS)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


_SESSION: Final = {
    "session_id": is_text,
    "current_step": _is_count,
    "total_steps": _is_count,
    "status": ("not_found", "pending", "running", "completed", "error").__contains__,
    "steps": _are_steps,
    "percentage": _is_count,
}
_STEP: Final = {
    "step": _is_count,
    "name": is_text,
    "status": ("pending", "running", "success", "error").__contains__,
    "elapsed_ms": _is_count,
    "timeout_ms": _or_null(_is_count),
}
_STARTED: Final = {
    "started_at": _is_time,
    "completed_at": _or_null(_is_time),
    "message": is_text,
    "error": is_text,
    "progress": _is_progress,
}
_PROGRESS: Final = {"current": _is_count, "total": _or_null(_is_count)}
_SESSION_TRANSITION: Final = {"session": _is_object}
"""The fields that each object must have, and the predicate of each value [docs/protocol.md]."""

_BEFORE_STEPS: Final = ("session_id", "current_step", "total_steps", "status")
"""The keys of a session that come before its steps."""

_NONE: Final = {"current": 0, "total": None}
"""The progress of a step that has reported none."""


def is_over(state: SessionState) -> bool:
    """Whether the session has ended; a retry of a step would still change it."""
    return state["status"] in ("completed", "error")


def changes(before: SessionState | None, after: SessionState) -> Iterator[str]:
    """Yield a line for each change between two states, in plain text; `before` is `None` at the beginning."""
    if after["status"] == "not_found":
        yield "waiting for the job to start"
        return
    known = {step["step"]: step for step in before["steps"]} if before else {}
    if _started(known.values()) - _started(after["steps"]):
        yield "begins afresh"
        known = {}
    for step in after["steps"]:
        description = _description(known.get(step["step"]), step)
        if description:
            yield one_line(
                f"{after['percentage']:3}%  {step['step']}/{after['total_steps']} {step['name']}: {description}"
            )
    if is_over(after) and not (before and is_over(before)):
        yield after["status"]


def _started(steps: Iterable[dict[str, Any]]) -> set[int]:
    return {step["step"] for step in steps if step["status"] != "pending"}


def _description(before: dict[str, Any] | None, step: dict[str, Any]) -> str:
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
    """Return how far a running step is, in its own units; empty if it has not reported that."""
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
