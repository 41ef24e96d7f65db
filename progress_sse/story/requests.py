"""What readers ask of a session's worker, and what becomes of it."""

from typing import Any, Final, TypeAlias

from progress_sse.story.plain_text import one_line
from progress_sse.story.session_state import SessionState
from progress_sse.story.steps import is_stalled, running_steps, started_at
from progress_sse.story.times import seconds_of

Request: TypeAlias = dict[str, Any]

_DEEDS: Final = {"cancel": "stop", "retry": "try again"}


def request_sentence(state: SessionState) -> str:
    """Return what there is to say of the newest request, in plain text; empty where the headline says it."""
    newest = _newest(state)
    if newest is None or newest["kind"] not in _DEEDS:
        return ""
    if newest["state"] == "declined" and (newest["kind"] == "cancel" or state["status"] == "error"):
        return _with_text(f"The worker declined to {_DEEDS[newest['kind']]}", newest.get("message", ""))
    return _of_cancel(newest, state) if newest["kind"] == "cancel" else _of_retry(newest, state)


def has_news(before: SessionState | None, state: SessionState) -> bool:
    """Return whether the newest request was made, or has got another state, since `before`."""
    newest = _newest(state)
    known = {each["id"]: each["state"] for each in before.get("requests", ())} if before else {}
    return newest is not None and newest["state"] != known.get(newest["id"])


def _newest(state: SessionState) -> Request | None:
    return next(iter(state.get("requests", ())), None)


def _of_cancel(request: Request, state: SessionState) -> str:
    running, is_over = running_steps(state), _is_over(state)
    if request["state"] == "asked":
        if running and all(map(is_stalled, running)):
            return "Cancellation requested, but nobody is listening"
        return _with_text("Cancellation requested", request.get("reason", ""))
    if request["state"] == "seen" or _is_stopping(request, state):
        return "The worker is stopping"
    if request["state"] == "too_late" and is_over:
        return f"Too late to cancel, it had {'finished' if state['status'] == 'completed' else 'failed'}"
    if request["state"] == "honoured" and is_over and "message" in request:
        return _with_text("The worker says", request["message"])
    return ""


def _is_over(state: SessionState) -> bool:
    return state["status"] == "completed" or (state["status"] == "error" and not running_steps(state))


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
