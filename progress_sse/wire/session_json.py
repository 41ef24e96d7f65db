"""Model ⇄ JSON: key order, rounding and names, each in one place.

The response to a poll and the data of a snapshot come from the same function, so they cannot differ by a byte. The
store keeps steps in the same form, which is why they can be decoded here; of a step with parts it keeps all of them,
where readers see a few. Knows only the model.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from progress_sse.core.details import NO_DETAILS
from progress_sse.core.model import (
    Liveness,
    Session,
    SessionProgress,
    SessionStatus,
    StepAdvance,
    StepDefinition,
    StepProgress,
)
from progress_sse.wire.details_json import load_parts, shown_details, shown_parts, stored_parts
from progress_sse.wire.json_text import encode_json

MAX_SHARED_BYTES: Final = 16_384
"""Bytes up to which step definitions are shared by sessions; the cache would keep hundreds of larger ones."""

SUMMARY_KEYS: Final = frozenset(
    {"session_id", "current_step", "total_steps", "status", "percentage", "estimated_remaining_ms"}
)
"""The keys that the session of each transition has; see `shown_details` for further ones."""

_SESSION_EVENT: Final = b'{"session":'


def encode_session(session: Session) -> bytes:
    """Return the session as polling shows it [docs/protocol.md]: an entry per step, started or not, and its details."""
    return encode_json(_summary(session, steps=list(_steps(session))))


def encode_absent(session_id: str, *, is_gone: bool = False) -> bytes:
    """Return a session that does not exist, as polling shows it; one that `is_gone` existed within the last day."""
    shown: dict[str, object] = {
        "session_id": session_id,
        "current_step": 0,
        "total_steps": 0,
        "status": "not_found",
        "steps": [],
        "percentage": 0,
        "estimated_remaining_ms": 0,
    }
    return encode_json(shown | {"gone": True} if is_gone else shown)


def encode_transition(session: Session, step: int) -> bytes:
    """Return the data of a `step` event: the step that changed, and the session as it was just after that."""
    progress = session.progress
    declared_ms = None if progress.details.timing is None else session.definitions[step - 1].estimated_ms
    shown = _step(progress.steps[step], declared_ms)
    return encode_json({"step": shown, "session": _summary(session)})


def encode_session_event(session: Session) -> bytes:
    """Return the data of a `session` event: the session as it was just after a change of no step."""
    return encode_json({"session": _summary(session)})


def encode_step(step: StepProgress) -> bytes:
    """Return a step as it is stored; what `decode_step` takes."""
    fields = _step(step)
    if step.parts is not None:
        fields["parts"] = stored_parts(step.parts)
    return encode_json(fields)


def split_transition(data: bytes) -> tuple[bytes, bytes]:
    """Return the two parts of an encoded transition: the step, empty in a `session` event, and the session."""
    if data.startswith(_SESSION_EVENT):
        return b"", data.removeprefix(_SESSION_EVENT)[:-1]
    # Quotation marks inside strings are escaped, so the separator occurs nowhere else.
    step, session = data.removeprefix(b'{"step":').split(b',"session":{', 1)
    return step, b"{" + session[:-1]


def step_of_transition(data: bytes) -> int:
    """Return the number of the step of an encoded transition, which is its first value; 0 of a `session` event."""
    if data.startswith(_SESSION_EVENT):
        return 0
    return int(data.removeprefix(b'{"step":{"step":').partition(b",")[0])


def session_of_transition(data: bytes) -> dict[str, Any]:
    """Return the session of an encoded transition, as its event shows it."""
    session: dict[str, Any] = json.loads(data)["session"]
    return session


def encode_listed(session: Session, summary: bytes | None = None) -> bytes:
    """Return a session's entry in a list; `summary` is the session part of its last transition.

    The entry does not show what readers asked.
    """
    details = session.progress.details
    if details.requests:
        session = session.with_details(details._replace(requests=()))
        summary = None
    steps_done = session.steps_done
    further = {
        **({} if steps_done is None else {"steps_done": steps_done}),
        "created_at": session.progress.created_at,
        "updated_at": session.progress.updated_at,
        **_liveness(session),
        **_idleness(session.progress),
    }
    return (summary or encode_json(_summary(session)))[:-1] + b"," + encode_json(further)[1:]


def _liveness(session: Session) -> dict[str, object]:
    """Return the liveness of a stalled step, else of a running one that has it."""
    known = [step.liveness for step in session.progress.steps.values() if step.liveness is not None]
    stalled = [liveness for liveness in known if liveness.state == "stalled"]
    return {"liveness": (stalled or known)[0]._asdict()} if known else {}


def _idleness(progress: SessionProgress) -> dict[str, object]:
    """Return since when a running session is between two steps: the end of the last one."""
    if progress.status != "running":
        return {}
    ends = [step.completed_at or "" for step in progress.steps.values()]
    has_begun = any(step.conclusion != "skipped" for step in progress.steps.values())
    return {"idle_since": max(ends)} if has_begun and all(ends) else {}


def decode_step(data: bytes) -> StepProgress:
    """Return the step that `encode_step` wrote."""
    fields: dict[str, Any] = json.loads(data)
    parts = fields.pop("parts", None)
    step = _decoded_step(fields)
    return step if parts is None else step._replace(parts=load_parts(parts["total"], parts["all"]))


def decode_transition(data: bytes) -> tuple[StepProgress | None, int, SessionStatus]:
    """Return the step of an encoded transition, if it has one, and the session's new `current_step` and `status`.

    The step comes without its parts, of which a transition shows a few.
    """
    event = json.loads(data)
    step = event.get("step")
    session = event["session"]
    if step is not None:
        step.pop("parts", None)
    return None if step is None else _decoded_step(step), session["current_step"], session["status"]


def _decoded_step(fields: dict[str, Any]) -> StepProgress:
    advance = fields.pop("progress", None)
    liveness = fields.pop("liveness", None)
    fields.pop("estimated_ms", None)  # It is in the definition.
    return StepProgress(
        **fields,
        advance=StepAdvance(**advance) if advance else None,
        liveness=Liveness(**liveness) if liveness else None,
    )


def encode_definitions(definitions: tuple[StepDefinition, ...]) -> bytes:
    """Return step definitions as they are stored: those that `GET /api/steps` shows, and what was declared."""
    listed = list_definitions(definitions)
    for fields, definition in zip(listed, definitions, strict=True):
        if definition.estimated_ms is not None:
            fields["is_declared"] = True
    return encode_json(listed)


def list_definitions(definitions: tuple[StepDefinition, ...]) -> list[dict[str, object]]:
    """Return step definitions as JSON-ready dictionaries, numbered from 1."""
    return [
        {"step": number, "name": each.name, "timeout_ms": each.timeout_ms, "estimated_ms": each.expected_ms}
        for number, each in enumerate(definitions, start=1)
    ]


def decode_definitions(data: bytes) -> tuple[StepDefinition, ...]:
    """Return the definitions that `encode_definitions` wrote; sessions of one workflow share one tuple."""
    return _shared_definitions(data) if len(data) <= MAX_SHARED_BYTES else _decoded_definitions(data)


def forget_definitions() -> None:
    """Clear the shared definitions, so that step names do not outlive the sessions that they came with."""
    _shared_definitions.cache_clear()


def load_definitions(listed: Iterable[Mapping[str, Any]]) -> tuple[StepDefinition, ...]:
    """Return the definitions from what the JSON of `encode_definitions` contains."""
    return tuple(
        StepDefinition(each["name"], each["timeout_ms"], estimated_ms=each["estimated_ms"])
        if "is_declared" in each
        else StepDefinition(each["name"], each["timeout_ms"], assumed_ms=each["estimated_ms"])
        for each in listed
    )


def _decoded_definitions(data: bytes) -> tuple[StepDefinition, ...]:
    return load_definitions(json.loads(data))


_shared_definitions: Final = lru_cache(maxsize=256)(_decoded_definitions)


def nine_keys(step: StepProgress) -> dict[str, object]:
    """Return the keys that each started step has, JSON-ready."""
    return {
        "step": step.step,
        "name": step.name,
        "status": step.status,
        "started_at": step.started_at,
        "completed_at": step.completed_at,
        "elapsed_ms": step.elapsed_ms,
        "timeout_ms": step.timeout_ms,
        "message": step.message,
        "error": step.error,
    }


def _step(step: StepProgress, declared_ms: int | None = None) -> dict[str, object]:
    shown = nine_keys(step)
    if step.advance is not None:
        shown["progress"] = {"current": step.advance.current, "total": step.advance.total}
    if step.attempt is not None:
        shown["attempt"] = step.attempt
    if declared_ms is not None:
        shown["estimated_ms"] = declared_ms
    if step.liveness is not None:
        shown["liveness"] = step.liveness._asdict()
    if step.conclusion is not None:
        shown["conclusion"] = step.conclusion
    if step.parts is not None:
        shown["parts"] = shown_parts(step.parts)
    return shown


def _steps(session: Session) -> Iterator[dict[str, object]]:
    progress = session.progress
    is_timed = progress.details.timing is not None
    for number, definition in enumerate(session.definitions, start=1):
        step = progress.steps.get(number)
        declared_ms = definition.estimated_ms if is_timed else None
        yield _pending_step(number, definition, declared_ms) if step is None else _step(step, declared_ms)


def _pending_step(number: int, definition: StepDefinition, declared_ms: int | None) -> dict[str, object]:
    shown: dict[str, object] = {
        "step": number,
        "name": definition.name,
        "status": "pending",
        "elapsed_ms": 0,
        "timeout_ms": definition.timeout_ms,
    }
    if declared_ms is not None:
        shown["estimated_ms"] = declared_ms
    return shown


def _summary(session: Session, **steps: object) -> dict[str, object]:
    progress = session.progress
    shown: dict[str, object] = {
        "session_id": progress.session_id,
        "current_step": progress.current_step,
        "total_steps": progress.total_steps,
        "status": progress.status,
        **steps,
        "percentage": session.percentage,
        "estimated_remaining_ms": session.estimated_remaining_ms,
    }
    if progress.details is not NO_DETAILS:  # Most sessions have none.
        shown |= shown_details(progress.details)
    return shown


def encode_page(entries: Sequence[bytes], after: str | None) -> bytes:
    """Return a page of the list, with the cursor of the next one, if there is one."""
    return b'{"sessions":[%b],"next":%b}' % (b",".join(entries), encode_json(after))


def encode_list(entries: Sequence[bytes], *, has_more: bool) -> bytes:
    """Return the data of a `list` event: the newest sessions, and whether there are older ones."""
    return b'{"sessions":[%b],"more":%b}' % (b",".join(entries), encode_json(has_more))


def encode_listed_session(entry: bytes) -> bytes:
    """Return the data of a `session` event on a stream of a list."""
    return b'{"session":%b}' % entry


def encode_removed(session_id: str) -> bytes:
    """Return the data of a `removed` event."""
    return encode_json({"session_id": session_id})


def labels_of(entry: bytes) -> Mapping[str, str]:
    """Return the labels of a session from its entry."""
    if b'"labels":{' not in entry:  # Quotation marks inside strings are escaped, so no text looks like this.
        return {}
    labels: dict[str, str] = json.loads(entry).get("labels", {})
    return labels
