"""Whether a session's worker still lives, as far as a reader can tell."""

from datetime import tzinfo
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import elapsed_s, is_stalled, running_steps
from progress_sse.story.times import in_words, moment

SILENT_S: Final = 30
"""Past its limit, a step whose last report is younger than this is only slow."""

QUIET_S: Final = 60
"""A living worker need not report more often."""

Kind: TypeAlias = Literal["stalled", "silent", "quiet"]


class LifeSign(NamedTuple):
    """What is worth saying about a worker.

    Attributes:
        kind: `stalled`: it promised signs of life, and has stopped to give them; `silent`: it promised none, and its
            step is past its limit; `quiet`: it lives, and has had nothing to tell.
        text: The sentence.
        silent_s: Seconds since its last report.
    """

    kind: Kind
    text: str
    silent_s: float


def life_sign(state: SessionState, reported_s: float, now_s: float, zone: tzinfo | None = None) -> LifeSign | None:
    """Return what to say of a running session's worker; `None` while it reports, or may take its time."""
    if state["status"] != "running":
        return None
    running, silent_s = running_steps(state), now_s - reported_s
    stalled = next(filter(is_stalled, running), None)
    if stalled:
        of_step = f"step {stalled['step']}: " if len(running) > 1 else ""
        text = f"{of_step}no sign of life since {moment(stalled['liveness']['since'], now_s, zone)}"
        return LifeSign("stalled", text, silent_s)
    if any("liveness" in step for step in running):
        text = f"worker alive, nothing new for {in_words(silent_s // 60 * 60)}"
        return LifeSign("quiet", text, silent_s) if silent_s >= QUIET_S else None
    if silent_s >= SILENT_S and _is_overdue(state, silent_s, now_s):
        return LifeSign("silent", f"no update for {in_words(silent_s)}", silent_s)
    return None


def _is_overdue(state: SessionState, silent_s: float, now_s: float) -> bool:
    """Whether a running step is past its limit. Between two steps, the limit is that of the next one."""
    running = running_steps(state)
    if running:
        return any(_is_past(step["timeout_ms"], elapsed_s(step, now_s)) for step in running)
    pending = next((step for step in state["steps"] if step["status"] == "pending"), None)
    return pending is not None and _is_past(pending["timeout_ms"], silent_s)


def _is_past(limit_ms: int | None, elapsed: float) -> bool:
    return bool(limit_ms) and elapsed * 1000 > (limit_ms or 0)
