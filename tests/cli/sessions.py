"""Sessions as polling answers them, whose names and texts would act on a terminal; and how they are seen in turn."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from progress_sse.story.changes import Pace, changes
from progress_sse.story.observed_session import ObservedSession, observed
from progress_sse.story.session_state import SessionState, checked

T0 = datetime(2025, 11, 25, 10, tzinfo=UTC)
T0_S = T0.timestamp()

SERVER = "https://h.example/base"


def at(seconds: float) -> str:
    """A time, in seconds after `T0`."""
    return (T0 + timedelta(seconds=seconds)).isoformat()


def step(status: str, **more: Any) -> dict[str, Any]:
    """A step whose name would clear the screen."""
    pending = {"step": 1, "name": "Dump\x1b[2J\r\nall", "status": status, "elapsed_ms": 0, "timeout_ms": 120_000}
    if status == "pending":
        return {**pending, **more}
    started = {"started_at": at(0), "completed_at": None, "message": "", "error": ""}
    return {**pending, **started, **more}


def ended(status: str, seconds: float, **more: Any) -> dict[str, Any]:
    """A step that has ended after so many seconds."""
    return step(status, **{"completed_at": at(seconds), "elapsed_ms": round(seconds * 1000), **more})


def leased(state: str, since: float = 0, **more: Any) -> dict[str, Any]:
    """A running step whose worker has promised signs of life."""
    return step("running", liveness={"state": state, "since": at(since)}, **more)


def session(status: str = "pending", *steps: dict[str, Any], **more: Any) -> SessionState:
    """A session of these steps, with their numbers."""
    numbered = [{**each, "step": number} for number, each in enumerate(steps, start=1)]
    state = {
        "session_id": "nightly",
        "current_step": 1 if steps else 0,
        "total_steps": len(steps),
        "status": status,
        "steps": numbered,
        "percentage": 33,
        "estimated_remaining_ms": 0,
        **steps_done(steps),
        **more,
    }
    return checked(state, "nightly")


def steps_done(steps: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The key of that name, where a step failed."""
    counts = [each["progress"] for each in steps if each["status"] == "running" and each.get("progress")]
    done = sum(each["status"] == "success" for each in steps) + sum(
        Fraction(each["current"], each["total"]) for each in counts if each["total"]
    )
    return {"steps_done": int(100 * done) / 100} if any(each["status"] == "error" for each in steps) else {}


ABSENT = session("not_found")
PENDING = session("pending", step("pending"))
RUNNING = session("running", step("running"))


def after(*seen: tuple[float, SessionState]) -> ObservedSession:
    """What is known of a session after these states, each seen so many seconds after `T0`."""
    (first_s, first), *others = seen
    verified_s = T0_S + first_s
    session = observed(None, first, verified_s)
    for seconds, state in others:
        session = observed(session, state, T0_S + seconds, verified_s)
        verified_s = T0_S + seconds
    return session


def lines(*states: SessionState) -> list[str]:
    """The lines of `changes` for the last of these states, each seen a second after the one before."""
    return lines_of_each(1, *states)[-1]


def lines_of_each(seconds: float, *states: SessionState) -> list[list[str]]:
    """The lines of `changes` for each of these states, seen so many seconds apart."""
    known: ObservedSession | None = None
    now_s = T0_S
    pace = Pace()
    said: list[list[str]] = []
    for state in states:
        before = known
        known = observed(before, state, now_s, now_s - seconds)
        now_s += seconds
        said.append(list(changes(before, known, now_s, SERVER, pace)))
    return said
