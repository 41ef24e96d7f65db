"""Sessions as Redis keeps them: arguments of the scripts, and what their replies say. No I/O."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from progress_sse.core.model import Position, Session, SessionProgress, SessionStatus
from progress_sse.store.redis.messages import bulletin
from progress_sse.store.redis.scripts import GRAVE_MS
from progress_sse.store.types import (
    KEY_LIFETIME,
    Change,
    Effect,
    LogEntry,
    Record,
    RememberedKey,
    SessionSummary,
    StorageLimits,
)
from progress_sse.wire import session_json

Argument: TypeAlias = str | bytes | int

KEY_LIFETIME_MS: Final = int(KEY_LIFETIME.total_seconds() * 1000)

_STEP: Final = "step:"
SUMMARY_FIELDS: Final = ("status", "created_at", "updated_at", "listed", "epoch", "n")
"""What `decode_summary` wants of a session's state, in this order."""


class Known(NamedTuple):
    """How a session was when this process last learnt of it.

    Attributes:
        record: The session; `None` if there was none.
        revision: Its revision, or that of its removal; 0 where nothing is known.
    """

    record: Record | None
    revision: int


NOTHING: Final = Known(None, 0)


class Reading(NamedTuple):
    """What the script `READ` found.

    Attributes:
        revision: Of the session as it is now, or of its removal; 0 where nothing is known of one.
        position: Where it is; `None` if there is no such session.
        record: The session, if it was asked for; `None` also if there is none.
        entries: Its transitions, as far as they were asked for and are kept.
    """

    revision: int
    position: Position | None
    record: Record | None
    entries: Sequence[LogEntry]


def known_arguments(known: Known, ended_epochs: Iterable[str]) -> list[Argument]:
    """Return how all scripts of a session are told what the caller knows of it, and which of its epochs are over."""
    position = known.record.position if known.record is not None else Position("", 0)
    return [*position, known.revision, f" {' '.join(ended_epochs)} "]


def commit_arguments(change: Change, token: str, limits: StorageLimits, lifetime_ms: int) -> list[Argument]:
    """Return what the script `COMMIT` takes after what all scripts of a session take."""
    expected = change.expected or Position("", 0)
    life = change.record.position.epoch if change.record is not None and change.is_fresh else ""
    return [
        token,
        *expected,
        life,
        limits.history,
        limits.history_bytes,
        lifetime_ms,
        KEY_LIFETIME_MS,
        GRAVE_MS,
        bulletin(change),
        *_counted(_fields(change)),
        *_counted(part for entry in change.entries for part in entry),
        *_counted(part for key in change.keys for part in (key.name, key.former_use, _encode_key(key))),
    ]


def _counted(values: Iterable[Argument]) -> list[Argument]:
    listed = list(values)
    return [len(listed), *listed]


def _fields(change: Change) -> Iterable[Argument]:
    """What changes of a session's state; nothing of one that is removed."""
    record = change.record
    if record is None:
        return
    progress, steps, summary = record.session.progress, dict[str, bytes](), None
    for entry in change.entries:
        steps[f"{_STEP}{entry.step}"], summary = session_json.split_transition(entry.data)
    yield from ("n", record.position.offset, "status", progress.status, "current_step", progress.current_step)
    yield from ("updated_at", progress.updated_at, "listed", session_json.encode_listed(record.session, summary))
    if change.is_fresh:
        yield from ("epoch", record.position.epoch, "created_at", progress.created_at)
        yield from ("definitions", session_json.encode_definitions(record.session.definitions))
    for name, data in steps.items():
        yield from (name, data)


def _encode_key(key: RememberedKey) -> str:
    """Return what is kept of an idempotency key; the script `COMMIT` looks for the time stamp in front."""
    return f"{key.used_at} {key.digest} {key.answer} {key.epoch}"


def decode_key(name: str, data: bytes) -> RememberedKey:
    """Return an idempotency key from what is kept of it."""
    used_at, digest, effect, epoch = data.decode().split(" ")
    answer: Effect = effect  # type: ignore[assignment]  # as it was written
    return RememberedKey(name, digest, answer, epoch, used_at)


def decode_reading(session_id: str, reply: Any, known: Record | None = None) -> Reading:
    """Return what `READ` found; `known` is the record that it was told to leave out."""
    epoch, n, revision, fields, entries = reply
    if not epoch:
        return Reading(int(revision), None, None, ())
    position = Position(epoch.decode(), int(n))
    record = known if known is not None and known.position == position else None
    if fields:
        record = _decode_record(session_id, position, dict(zip(fields[::2], fields[1::2], strict=True)))
    return Reading(int(revision), position, record, [_decode_entry(entry) for entry in entries or ()])


def _decode_record(session_id: str, position: Position, fields: dict[bytes, bytes]) -> Record:
    prefix = _STEP.encode()
    steps = {
        step.step: step
        for step in (session_json.decode_step(fields[name]) for name in fields if name.startswith(prefix))
    }
    definitions = session_json.decode_definitions(fields[b"definitions"])
    status: SessionStatus = fields[b"status"].decode()  # type: ignore[assignment]  # as it was written
    created_at, updated_at = fields[b"created_at"].decode(), fields[b"updated_at"].decode()
    current_step = int(fields[b"current_step"])
    progress = SessionProgress(session_id, current_step, len(definitions), status, steps, created_at, updated_at)
    return Record(Session(progress, definitions), position)


def _decode_entry(entry: Any) -> LogEntry:
    name, (_, step, _, data, *_) = entry
    return LogEntry(int(name.partition(b"-")[0]), int(step), data)


def decode_summary(session_id: str, fields: Sequence[bytes | None]) -> tuple[SessionSummary, Position] | None:
    """Return a session's head and position from its `SUMMARY_FIELDS`; `None` if it is not there."""
    texts = [b"" if field is None else field for field in fields]
    if None in fields:
        return None
    status, created_at, updated_at, listed, epoch, n = texts
    known: SessionStatus = status.decode()  # type: ignore[assignment]  # as it was written
    head = SessionSummary(session_id, known, created_at.decode(), updated_at.decode(), listed)
    return head, Position(epoch.decode(), int(n))
