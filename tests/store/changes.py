"""Changes written by hand, for tests of backends without the store and its rules."""

from collections.abc import Sequence

import pytest

from progress_sse.core.model import Position, Session, SessionProgress, SessionStatus, StepDefinition, StepProgress
from progress_sse.store.backend import FullBackend
from progress_sse.store.types import Change, LogEntry, Record, RememberedKey
from progress_sse.wire import session_json

T0 = "2026-01-02T03:04:05.678901+00:00"

HOSTILE_TEXT = "a\nb\r\nc\u2028\u0085\ufeff\x1b\"\\'; DROP TABLE sessions; -- 日本語 👩‍👩‍👧 e\u0301"


def created(
    session_id: str = "s",
    epoch: str = "first",
    *,
    expected: Position | None = None,
    total_steps: int = 3,
    created_at: str = T0,
    keys: Sequence[RememberedKey] = (),
) -> Change:
    """Begin an epoch of the session, which replaces the one at `expected` if there is one."""
    definitions = tuple(StepDefinition(f"step {number}") for number in range(1, total_steps + 1))
    progress = SessionProgress(session_id, 0, total_steps, "pending", {}, created_at, created_at)
    record = Record(Session(progress, definitions), Position(epoch, 0))
    return Change(session_id, expected, record, is_fresh=True, keys=tuple(keys))


def moved(
    before: Record,
    *steps: int,
    message: str = "",
    status: SessionStatus = "running",
    keys: Sequence[RememberedKey] = (),
) -> Change:
    """Change `steps`, one transition each, on top of `before`; without steps, only store `keys`."""
    session = before.session
    position = before.position
    entries = []
    for number in steps:
        session = _with_step(session, number, message, status)
        position = position._replace(offset=position.offset + 1)
        entries.append(LogEntry(position.offset, number, session_json.encode_transition(session, number)))
    record = Record(session, position)
    return Change(session.progress.session_id, before.position, record, entries=tuple(entries), keys=tuple(keys))


def removed(before: Record) -> Change:
    """Remove the session."""
    return Change(before.session.progress.session_id, before.position, None)


def key(name: str, digest: str = "digest", *, used_at: str = T0, former_use: str = "") -> RememberedKey:
    """A key that was used for an update."""
    return RememberedKey(name, digest, "updated", "first", used_at, former_use)


def after(change: Change) -> Record:
    """The session after the change."""
    assert change.record is not None
    return change.record


async def apply(backend: FullBackend, *changes: Change) -> Record:
    """Commit the changes one after the other, and return the session after the last one."""
    for change in changes:
        await backend.commit(change)
    return after(changes[-1])


async def refuse(backend: FullBackend, change: Change, error: type[Exception]) -> None:
    """Commit a change, which fails with this error."""
    with pytest.raises(error):
        await backend.commit(change)


async def apply_moves(backend: FullBackend, count: int, *, message: str = "") -> tuple[Record, list[LogEntry]]:
    """Create a session and make `count` transitions, each in its own commit."""
    record = await apply(backend, created())
    entries: list[LogEntry] = []
    for number in range(count):
        change = moved(record, number % 3 + 1, message=message)
        record = await apply(backend, change)
        entries += change.entries
    return record, entries


def _with_step(session: Session, number: int, message: str, status: SessionStatus) -> Session:
    name = session.definitions[number - 1].name
    step = StepProgress(number, name, "running", T0, None, 0, 120_000, message)
    progress = session.progress._replace(
        current_step=number, status=status, steps={**session.progress.steps, number: step}
    )
    return session._replace(progress=progress)
