"""The words for the state of a step, for how far it is, and for its parts."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from progress_sse.core.durations import in_words, to_the_tenth
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState, has_ended
from progress_sse.story.steps import Step, elapsed_s, is_between_steps, is_stalled, steps_in

Part: TypeAlias = dict[str, Any]


def parts_done(step: Step) -> str:
    """Return how many parts of a step are done, and how many have failed; empty if it has none."""
    if "parts" not in step:
        return ""
    parts = step["parts"]
    reported = parts["running"] + parts["success"] + parts["error"]
    total = reported if parts["total"] is None else parts["total"]
    so_far = " so far" if parts["total"] is None and step["status"] == "running" else ""
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


_WORDS: Final = {"pending": "waiting", "running": "running", "success": "done", "error": "failed"}


def state_of(step: Step) -> str:
    """Return the word for a step's state: its status, or what is finer."""
    conclusion = step.get("conclusion", "")
    if is_stalled(step):
        return "stalled"
    return conclusion if conclusion in ("skipped", "cancelled", "lost") else _WORDS[step["status"]]


def spent(step: Step, now_s: float) -> str:
    """Return how long a step took, or has been running; empty if it never ran."""
    if step["status"] == "running":
        return in_words(elapsed_s(step, now_s))  # Tenths would only flicker.
    has_run = step["status"] != "pending" and step.get("conclusion") != "skipped"
    return to_the_tenth(step["elapsed_ms"]) if has_run else ""


def details(step: Step, now_s: float) -> list[str]:
    """Return the facts on a step beside its state and its message."""
    facts = (attempt(step), over_limit(step, now_s), counted(step), expectation(step))
    return [each for each in facts if each]


def attempt(step: Step) -> str:
    """Return which attempt it is, from the second one on; else empty."""
    return f"attempt {step['attempt']}" if step.get("attempt", 1) > 1 else ""


def over_limit(step: Step, now_s: float) -> str:
    """Return that a running step is over its limit, unless its worker lives and it may take its time; else empty."""
    limit_ms = step["timeout_ms"]
    if step["status"] != "running" or not limit_ms or elapsed_s(step, now_s) * 1000 <= limit_ms:
        return ""
    is_alive = step.get("liveness", {}).get("state") == "live"
    is_tight = is_alive and limit_ms < 2 * _expected_ms(step)
    return "" if is_tight else f"over its limit of {in_words(limit_ms / 1000)}"


def expectation(step: Step) -> str:
    """Return how long a step that has not ended usually takes, or is expected to; empty if that is not known."""
    ms = _expected_ms(step)
    if step["status"] not in ("pending", "running") or ms < 1000:
        return ""
    return f"{'expected' if step.get('usual_ms') is None else 'usually'} {in_words(ms / 1000)}"


def _expected_ms(step: Step) -> int:
    """Return how long it usually takes, else what its definition declares, else 0."""
    usual: int | None = step.get("usual_ms")
    declared: int = step.get("estimated_ms", 0)
    return declared if usual is None else usual


def counted(step: Step) -> str:
    """Return how far a running step is, in its own units and in parts; empty if it has not reported that."""
    progress = step.get("progress")
    parts = step.get("parts")
    # The parts count what the progress would count; a worker that reports messages alone has counted nothing.
    if progress is None or (parts and parts["total"] is not None) or progress == {"current": 0, "total": None}:
        return parts_done(step)
    current = progress["current"]
    total = progress["total"]
    own = f"{current:,}" if total is None else f"{current:,} / {total:,}"
    return ", ".join(filter(None, (own, parts_done(step))))


SEPARATOR: Final = " · "
"""Between the facts about a session."""


def steps_done(state: SessionState) -> str:
    """Return how many of the session's steps are done, and what was special; empty where the headline says it."""
    if state["total_steps"] == 0 or is_between_steps(state):
        return ""
    again = sum(step.get("attempt", 1) > 1 for step in state["steps"])
    skipped = sum(step.get("conclusion") == "skipped" for step in state["steps"])
    special = (f"{again} retried" if again else "", f"{skipped} skipped" if skipped else "")
    return SEPARATOR.join(filter(None, (counted_steps(state), *(special if has_ended(state) else ()))))


def counted_steps(state: SessionState) -> str:
    """Return how many steps have succeeded or were skipped; of a session that may get more, how many it has so far."""
    done = len(steps_in(state, "success"))
    total = state["total_steps"]
    steps = f"{total} {'step' if total == 1 else 'steps'}"
    if state.get("open_ended") and not has_ended(state):
        return f"{steps} so far"
    is_clear = state["status"] == "pending" or (state["status"] == "completed" and done == total)
    return steps if is_clear else f"{done} of {steps} done"
