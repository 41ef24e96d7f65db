"""The message that a commit publishes to other processes, and how it takes a listener's record on. No I/O.

A message has lines of three kinds: the revision and the one before it, which the script puts in front; a header in
JSON; and the data of each transition, as in its `step` event. None of them contains a line end. A transition's data is
enough to derive the next record from the one before, so a process that follows a session need not read it again.
"""

import json
from typing import Final, NamedTuple

from progress_sse.core.model import Position
from progress_sse.store.types import Change, LogEntry, Record
from progress_sse.wire import session_json

MAX_BYTES: Final = 65_536
"""Bytes of event data in one message, which every listening process gets; a longer one contains the position alone."""


class ChangeMessage(NamedTuple):
    """A published commit, of another process or of this one.

    Attributes:
        revision: Tells which of two messages is newer; see ``scripts``.
        previous: The revision before it.
        position: The session's new position; `None` once it is removed.
        updated_at: Its time stamp.
        is_fresh: A new epoch began.
        entries: The transitions up to `position`, or none.
    """

    revision: int
    previous: int
    position: Position | None
    updated_at: str
    is_fresh: bool
    entries: tuple[LogEntry, ...]


def encode_message(change: Change) -> bytes:
    """Return the message to publish about a change, without the revisions; an empty one if the change is invisible."""
    record = change.record
    if record is None:
        return b'[null,0,"",false]'
    if not change.is_visible:
        return b""
    position, updated_at = record.position, record.session.progress.updated_at
    header = session_json.encode_json([position.epoch, position.offset, updated_at, change.is_fresh])
    data = [entry.data for entry in change.entries]
    return b"\n".join([header, *data] if sum(map(len, data)) <= MAX_BYTES else [header])


def decode_message(payload: bytes) -> ChangeMessage:
    """Return the message that was published."""
    revisions, header, *data = payload.split(b"\n")
    revision, previous = map(int, revisions.split(b" "))
    epoch, n, updated_at, is_fresh = json.loads(header)
    if epoch is None:
        return ChangeMessage(revision, previous, None, updated_at, is_fresh, ())
    first = n - len(data) + 1
    # Most messages are echoes of this process's own commits, so the rest of a transition is not decoded yet.
    entries = tuple(
        LogEntry(number, session_json.step_of_transition(each), each) for number, each in enumerate(data, first)
    )
    return ChangeMessage(revision, previous, Position(epoch, n), updated_at, is_fresh, entries)


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
        steps[step.step] = step
    progress = progress._replace(steps=steps, current_step=current_step, status=status, updated_at=message.updated_at)
    return Record(record.session._replace(progress=progress), message.position)
