"""The message that a commit publishes to other processes, and how it takes a listener's record on. No I/O.

A message has lines of three kinds: the revision and the one before it, which the script puts in front; a header in
JSON; and the data of each transition, as in its event. The header has the definitions, details and parts of steps that
changed. So a process that follows a session need not read it again, except after a change that only a snapshot shows.

Lists get a short message of each commit, on one of a few channels.
"""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, get_args

from progress_sse.core.details import Details
from progress_sse.core.model import Position, Session, SessionProgress, SessionStatus, StepDefinition
from progress_sse.core.parts import Part
from progress_sse.store.parts_changes import PartsChange, with_parts
from progress_sse.store.types import Change, ChangedSession, LogEntry, Record
from progress_sse.wire import details_json, json_text, session_json

MAX_BYTES: Final = 65_536
"""Bytes of event data in one message, which every listening process gets; a longer one contains the position alone."""

_STATUSES: Final[dict[str, SessionStatus]] = {each: each for each in get_args(SessionStatus)}


class ChangeMessage(NamedTuple):
    """A published commit, of another process or of this one; its revision and the one before it are of ``scripts``.

    `position` is `None` once the session is removed. `entries` are the transitions up to there, or none. Definitions
    and details are there if they changed. With `is_told_whole`, only a snapshot shows the change.
    """

    revision: int
    previous: int
    position: Position | None
    updated_at: str
    is_fresh: bool
    entries: tuple[LogEntry, ...]
    definitions: tuple[StepDefinition, ...] | None = None
    details: Details | None = None
    is_told_whole: bool = False
    parts: tuple[PartsChange, ...] = ()


def encode_message(change: Change) -> bytes:
    """Return the message to publish about a change, without the revisions; an empty one if the change is invisible."""
    record = change.record
    if record is None:
        return b'[null,0,"",false]'
    if not change.is_visible:
        return b""
    position, updated_at = record.position, record.session.progress.updated_at
    header = json_text.encode_json([position.epoch, position.offset, updated_at, change.is_fresh])
    data = [entry.data for entry in change.entries]
    if not (change.has_new_definitions or change.has_new_details or change.resets_log or change.parts):
        return b"\n".join([header, *data] if sum(map(len, data)) <= MAX_BYTES else [header])
    # Others decide on these, too, so a message without them must not lead to the next record.
    definitions = session_json.encode_definitions(record.session.definitions) if change.has_new_definitions else b"null"
    details = details_json.encode_details(record.session.details) if change.has_new_details else b"null"
    is_told_whole = b"true" if change.resets_log else b"false"
    parts = json_text.encode_json(change.parts)
    if len(definitions) + len(details) + len(parts) + sum(map(len, data)) > MAX_BYTES:
        definitions, details, parts, data = b"null", b"null", b"[]", []
    return b"\n".join([b",".join([header[:-1], definitions, details, is_told_whole, parts]) + b"]", *data])


def decode_message(payload: bytes) -> ChangeMessage:
    """Return the message that was published."""
    revisions, header, *data = payload.split(b"\n")
    revision, previous = map(int, revisions.split(b" "))
    epoch, n, updated_at, is_fresh, *new = json.loads(header)
    if epoch is None:
        return ChangeMessage(revision, previous, None, updated_at, is_fresh, ())
    first = n - len(data) + 1
    # Most messages are echoes of this process's own commits, so the rest of a transition is not decoded yet.
    entries = tuple(
        LogEntry(number, session_json.step_of_transition(each), each) for number, each in enumerate(data, first)
    )
    definitions, details, is_told_whole, parts = new or (None, None, False, ())
    return ChangeMessage(
        revision,
        previous,
        Position(epoch, n),
        updated_at,
        is_fresh,
        entries,
        None if definitions is None else session_json.load_definitions(definitions),
        None if details is None else details_json.load_details(details),
        is_told_whole,
        tuple(_decode_parts(*each) for each in parts),
    )


def _decode_parts(step: int, total: int | None, is_whole: bool, reported: Sequence[Sequence[Any]]) -> PartsChange:
    return PartsChange(step, total, is_whole, tuple(Part(*fields) for fields in reported))


def apply_message(record: Record, message: ChangeMessage) -> Record | None:
    """Return the session after the message; `None` if record and message do not contain enough for that."""
    if message.position is None or message.is_fresh or message.position.epoch != record.position.epoch:
        return None
    missing = message.position.offset - record.position.offset
    if not 0 < missing <= len(message.entries):
        return None
    progress = record.session.progress
    steps = dict(progress.steps)
    for entry in message.entries[-missing:]:
        step, current_step, status = session_json.decode_transition(entry.data)
        if step is not None:
            steps[step.step] = step
    for change in message.parts:
        before = progress.steps.get(change.step)
        steps[change.step] = with_parts(steps[change.step], before.parts if before is not None else None, change)
    definitions = message.definitions or record.session.definitions
    progress = SessionProgress(
        progress.session_id,
        current_step,
        len(definitions),
        status,
        steps,
        progress.created_at,
        message.updated_at,
        message.details or progress.details,
    )
    return Record(Session(progress, definitions), message.position)


def encode_list_message(change: Change) -> str:
    """Return the message for lists: the status of the session, and its id; empty if the change is invisible."""
    if not change.is_visible:
        return ""
    return f"{'removed' if change.record is None else change.record.status} {change.session_id}"


def decode_list_message(payload: bytes) -> ChangedSession:
    """Return the change that the message is about."""
    status, _, session_id = payload.decode().partition(" ")
    return ChangedSession(session_id, _STATUSES.get(status))
