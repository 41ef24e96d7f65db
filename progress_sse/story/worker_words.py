"""The words for the worker of a session: whether it still lives, and how it answers the requests of readers."""

from datetime import tzinfo
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from progress_sse.core.durations import in_words
from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import elapsed_s, is_stalled, started_at, steps_in
from progress_sse.story.times import moment, seconds_of

SILENT_S: Final = 30
"""Past its limit, a step whose last report is younger than this is only slow."""

QUIET_S: Final = 60
"""A living worker need not report more often."""

Kind: TypeAlias = Literal["stalled", "silent", "quiet"]


class LifeSign(NamedTuple):
    """A sentence about a worker.

    Attributes:
        kind: `stalled`: it promised signs of life, and gives none; `silent`: it promised none, and its step is past its
            limit; `quiet`: it lives, and has had nothing to report.
        text: The sentence.
        silent_s: Seconds since its last report.
    """

    kind: Kind
    text: str
    silent_s: float


def life_sign(state: SessionState, reported_s: float, now_s: float, zone: tzinfo | None = None) -> LifeSign | None:
    """Return the sentence about the worker of a running session; `None` while it reports, or may take its time."""
    if state["status"] != "running":
        return None
    running = steps_in(state, "running")
    silent_s = now_s - reported_s
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
    running = steps_in(state, "running")
    if running:
        return any(_is_past(step["timeout_ms"], elapsed_s(step, now_s)) for step in running)
    pending = next((step for step in state["steps"] if step["status"] == "pending"), None)
    return pending is not None and _is_past(pending["timeout_ms"], silent_s)


def _is_past(limit_ms: int | None, elapsed: float) -> bool:
    return bool(limit_ms) and elapsed * 1000 > (limit_ms or 0)


Request: TypeAlias = dict[str, Any]

_DEEDS: Final = {"cancel": "stop", "retry": "try again"}


def request_sentence(state: SessionState) -> str:
    """Return the sentence about the newest request, in plain text; empty where the headline has it."""
    newest = _newest(state)
    if newest is None or newest["kind"] not in _DEEDS:
        return ""
    if newest["state"] == "declined" and (newest["kind"] == "cancel" or state["status"] == "error"):
        return _with_text(f"The worker declined to {_DEEDS[newest['kind']]}", newest.get("message", ""))
    return _of_cancel(newest, state) if newest["kind"] == "cancel" else _of_retry(newest, state)


def has_changed(before: SessionState | None, state: SessionState) -> bool:
    """Return whether the newest request was made, or has got another state, since `before`."""
    newest = _newest(state)
    known = {each["id"]: each["state"] for each in before.get("requests", ())} if before else {}
    return newest is not None and newest["state"] != known.get(newest["id"])


def _newest(state: SessionState) -> Request | None:
    return next(iter(state.get("requests", ())), None)


def _of_cancel(request: Request, state: SessionState) -> str:
    running = steps_in(state, "running")
    is_over = _is_over(state)
    if request["state"] == "asked":
        if running and all(map(is_stalled, running)):
            return "Cancellation requested, but no worker is listening"
        return _with_text("Cancellation requested", request.get("reason", ""))
    if request["state"] == "seen" or _is_stopping(request, state):
        return "The worker is stopping"
    if request["state"] == "too_late" and is_over:
        return f"Too late to cancel, it had {'finished' if state['status'] == 'completed' else 'failed'}"
    if request["state"] == "honoured" and is_over and "message" in request:
        return _with_text("The worker says", request["message"])
    return ""


def _is_over(state: SessionState) -> bool:
    """Return whether nothing is left to do: it is completed, or has failed and no step runs any more."""
    return state["status"] == "completed" or (state["status"] == "error" and not steps_in(state, "running"))


def _is_stopping(request: Request, state: SessionState) -> bool:
    """Whether the worker has agreed to stop, and no step was started since it was asked."""
    starts = [seconds_of(started) for step in state["steps"] if (started := started_at(step))]
    is_honoured = request["state"] == "honoured" and not _is_over(state)
    return is_honoured and all(each <= seconds_of(request["asked_at"]) for each in starts)


def _of_retry(request: Request, state: SessionState) -> str:
    sentences = {"asked": "Retry requested", "seen": "The worker is about to try again"}
    return sentences.get(request["state"], "") if state["status"] == "error" else ""


def _with_text(sentence: str, text: str) -> str:
    return f"{sentence}: {one_line(text)}" if text else sentence
