"""What a commit tells the other processes, as bytes, and how a listener's last record becomes the next one. No I/O.

A bulletin is a few lines, none of which contains a line end: the revision and the one before it (which the script puts
in front), a header in JSON, and the data of each transition as its `step` event has it. That data says all that is
needed to go on from the session before it, so a process that follows a session need not ask for it again.
"""

import json
from typing import Final, NamedTuple

from progress_sse.core.model import Position
from progress_sse.store.types import Change, LogEntry, Record
from progress_sse.wire import session_json

MAX_BYTES: Final = 65_536
"""Bytes of data that are sent to every listening process; of more than that only the position is told."""


class Bulletin(NamedTuple):
    """What another process, or this one, has committed.

    Attributes:
        revision: Tells what is newer; see ``redis_scripts``.
        previous: The revision that it follows on.
        position: Where the session is now; `None` once it is gone.
        updated_at: Its time stamp.
        is_fresh: A new life began.
        entries: The transitions up to `position`, or none.
    """

    revision: int
    previous: int
    position: Position | None
    updated_at: str
    is_fresh: bool
    entries: tuple[LogEntry, ...]


def bulletin(change: Change) -> bytes:
    """Return what to publish of a change, without the revisions; nothing where there is nothing to see."""
    record = change.record
    if record is None:
        return b'[null,0,"",false]'
    if not change.is_visible:
        return b""
    position, updated_at = record.position, record.session.progress.updated_at
    header = session_json.encode_json([position.epoch, position.offset, updated_at, change.is_fresh])
    data = [entry.data for entry in change.entries]
    return b"\n".join([header, *data] if sum(map(len, data)) <= MAX_BYTES else [header])


def decode_bulletin(payload: bytes) -> Bulletin:
    """Return what was published."""
    revisions, header, *data = payload.split(b"\n")
    revision, previous = map(int, revisions.split(b" "))
    epoch, n, updated_at, is_fresh = json.loads(header)
    if epoch is None:
        return Bulletin(revision, previous, None, updated_at, is_fresh, ())
    first = n - len(data) + 1
    entries = tuple(
        LogEntry(number, session_json.decode_transition(each)[0].step, each) for number, each in enumerate(data, first)
    )
    return Bulletin(revision, previous, Position(epoch, n), updated_at, is_fresh, entries)


def folded(record: Record, news: Bulletin) -> Record | None:
    """Return the session as the bulletin leaves it; `None` if that takes more than is known."""
    if news.position is None or news.is_fresh or news.position.epoch != record.position.epoch:
        return None
    missing = news.position.offset - record.position.offset
    if not 0 < missing <= len(news.entries):
        return None
    progress = record.session.progress
    steps = dict(progress.steps)
    for entry in news.entries[-missing:]:
        step, current_step, status = session_json.decode_transition(entry.data)
        steps[step.step] = step
    progress = progress._replace(steps=steps, current_step=current_step, status=status, updated_at=news.updated_at)
    return Record(record.session._replace(progress=progress), news.position)
