"""Sessions as polls show them, in every state that a page draws."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cli.sessions import steps_done

AGO_S = 300
"""How long ago each step began that is not pending."""

LONG_WORD = "Averyverylongwordwithoutanybreaksinitwhichmustnotoverflow"


def step(number: int, status: str = "pending", took_ms: int = 1500, **more: Any) -> dict[str, Any]:
    """A step with this status, of the name `Part <number>` unless another one is given."""
    begun: dict[str, Any] = {"step": number, "name": f"Part {number}", "status": status}
    if status == "pending":
        return begun | {"elapsed_ms": 0, "timeout_ms": 120_000} | more
    started = datetime.now(UTC) - timedelta(seconds=AGO_S)
    ended = None if status == "running" else (started + timedelta(milliseconds=took_ms)).isoformat()
    times = {"started_at": started.isoformat(), "completed_at": ended, "elapsed_ms": 0 if ended is None else took_ms}
    return begun | times | {"timeout_ms": 9_000_000, "message": "", "error": ""} | more


def session(session_id: str, status: str, steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    done = sum(each["status"] in ("success", "error") for each in steps)
    conclusions = [each.get("conclusion") for each in steps if each["status"] == "error"]
    current = max((each["step"] for each in steps if each["status"] != "pending"), default=0)
    return {
        "session_id": session_id,
        "current_step": current,
        "total_steps": len(steps),
        "status": status,
        "steps": steps,
        "percentage": 100 * done // len(steps) if steps else 0,
        "estimated_remaining_ms": 0,
        **({"conclusion": conclusions[-1]} if status == "error" and all(conclusions) else {}),
        **steps_done(steps),
    } | more


def long_list(session_id: str, statuses: str, **more: Any) -> dict[str, Any]:
    """A session of as many steps as there are letters: done, error, cancelled, running, waiting."""
    words = {"d": "success", "e": "error", "c": "error", "r": "running", "w": "pending"}
    conclusions: dict[str, Any] = {"c": {"conclusion": "cancelled"}}
    steps = [step(number, words[letter], **conclusions.get(letter, {})) for number, letter in enumerate(statuses, 1)]
    begun = set(statuses)
    status = "error" if begun & {"e", "c"} else "running" if begun & {"r", "w"} else "completed"
    return session(session_id, status, steps, **more)


def every_state(session_id: str) -> dict[str, dict[str, Any]]:
    """One session in each state, by the state's name."""
    details: dict[str, Any] = {
        "title": "Nightly import",
        "labels": {"customer": "acme", "branch": "main"},
        "links": [{"label": "Result", "url": "/result"}, {"label": "Log", "url": "/log"}],
    }
    begun = [step(1, "success", message="8,000 photos"), step(2, "success", took_ms=145_000, attempt=2)]
    running = step(3, "running", message="IMG_4711.jpg", progress={"current": 3120, "total": 8000})
    failed = step(3, "error", error="Traceback:\n  no space left")
    listed = [{"part": "a", "status": "error", "error": "disk full", "elapsed_ms": 9}]
    parts = {"total": 4, "running": 1, "success": 1, "error": 1, "listed": listed}
    asked = {"id": "r", "kind": "cancel", "step": None, "state": "asked", "asked_at": "2026-01-01T00:00:00+00:00"}
    stalled = {"state": "stalled", "since": running["started_at"]}
    live = {"state": "live", "since": running["started_at"]}

    def time(p50_min: int, p90_min: int, basis: str) -> dict[str, Any]:
        """Half of such jobs have ended so many minutes from now, and nine of ten."""
        minutes = {"p50": p50_min, "p90": p90_min}
        ends = {each: (datetime.now(UTC) + timedelta(minutes=left)).isoformat() for each, left in minutes.items()}
        return {"percentage": 61, "finish_at": ends, "basis": basis, "runs": 7}

    def request(state: str, **more: Any) -> dict[str, Any]:
        return {"accepts": ["cancel"], "requests": [asked | {"state": state} | more]}

    def of(status: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
        return session(session_id, status, [*begun, *steps, step(4)], **details, **more)

    return {
        "not_found": session(session_id, "not_found", []),
        "pending": session(session_id, "pending", [step(1), step(2)], **details),
        "running": of("running", running, accepts=["cancel"]),
        "stalled": of("running", running | {"liveness": stalled}),
        "failed": of("error", failed, accepts=["retry"]),
        "cancelled": of("error", failed | {"conclusion": "cancelled"}),
        "lost": of("error", failed | {"conclusion": "lost"}),
        "skipped": of("running", step(3, "success", took_ms=0, conclusion="skipped", message="nothing to do")),
        "completed": session(session_id, "completed", begun, **details),
        "parts": of("running", running | {"parts": parts}),
        "quiet": of("running", step(3, "running", liveness=live)),
        "usual time": of("running", running, time=time(2, 5, "history")),
        "late": of("running", running, time=time(-9, -8, "history")),
        "requests": of("running", running, **request("asked", reason="wrong file")),
        "request seen": of("running", running, **request("seen")),
        "request declined": of("running", running, **request("declined", message="It is nearly done.")),
        "request unheard": of("running", running | {"liveness": stalled}, **request("asked")),
        "open-ended": session(session_id, "running", [*begun, running], open_ended=True),
        "open-ended, no step": session(session_id, "pending", [], open_ended=True, title="Agent"),
        "sixty steps": long_list(session_id, "d" * 22 + "r" + "w" * 37),
        "sixty steps, cancelled": long_list(session_id, "d" * 22 + "c" + "w" * 37),
        "long texts": session(
            session_id,
            "running",
            [step(1, "running", name=LONG_WORD * 3, message="a message " * 40, timeout_ms=1000, attempt=3), step(2)],
            title=LONG_WORD * 3,
            labels={"l" * 60: "v" * 200},
        ),
    }
