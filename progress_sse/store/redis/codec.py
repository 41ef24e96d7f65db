"""Sessions as Redis stores them: the arguments of the scripts, and their replies. No I/O."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from progress_sse.core.details import NO_DETAILS
from progress_sse.core.history import Cell, History
from progress_sse.core.model import Position, Session, SessionProgress, SessionStatus
from progress_sse.store.encoded_steps import encode_steps
from progress_sse.store.redis.list_messages import encode_change
from progress_sse.store.redis.messages import encode_message
from progress_sse.store.redis.scripts import TOMBSTONE_MS
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
from progress_sse.wire import details_json, session_json

Argument: TypeAlias = str | bytes | int

KEY_LIFETIME_MS: Final = int(KEY_LIFETIME.total_seconds() * 1000)

_STEP: Final = "step:"
SUMMARY_FIELDS: Final = ("status", "created_at", "updated_at", "listed", "epoch", "n")
"""The fields of a session's state that `decode_summary` takes, in this order."""


class KnownState(NamedTuple):
    """The newest state of a session that this process has seen.

    Attributes:
        record: The session; `None` if there was none.
        revision: Its revision, or that of its removal; 0 if neither is known.
    """

    record: Record | None
    revision: int


UNKNOWN: Final = KnownState(None, 0)


class ReadResult(NamedTuple):
    """The result of the script `READ`.

    Attributes:
        revision: Of the session as it is now, or of its removal; 0 if neither is known.
        position: Of the session; `None` if there is no such session.
        record: The session, if it was asked for; `None` also if there is none.
        entries: Its transitions, as far as they were asked for and are kept.
    """

    revision: int
    position: Position | None
    record: Record | None
    entries: Sequence[LogEntry]


def known_arguments(known: KnownState, ended_epochs: Iterable[str]) -> list[Argument]:
    """Return the arguments of each script of a session that hold the known state and the ended epochs."""
    position = known.record.position if known.record is not None else Position("", 0)
    return [*position, known.revision, f" {' '.join(ended_epochs)} "]


def commit_arguments(
    change: Change,
    token: str,
    limits: StorageLimits,
    lifetime_ms: int,
    silence: Sequence[Argument] = ("", "", ""),
    signs: Sequence[Argument] = (),
    list_channel: str = "",
) -> list[Argument]:
    """Return the arguments of the script `COMMIT` that follow those of all scripts of a session.

    Args:
        change: The change.
        token: Names the commit, which may be sent more than once.
        limits: How much is kept.
        lifetime_ms: Milliseconds after which the session expires.
        silence: What `change.silence` demands; see `RedisLeases.demand_arguments`.
        signs: The arguments of `change.signs`; see `RedisLeases.sign_arguments`.
        list_channel: Where those who follow lists learn of it; empty if the script cannot publish there.
    """
    expected = change.expected or Position("", 0)
    is_fresh = change.record is not None and change.is_fresh
    return [
        token,
        *expected,
        int(is_fresh),
        int(change.resets_log),
        *silence,
        limits.history,
        limits.history_bytes,
        lifetime_ms,
        KEY_LIFETIME_MS,
        TOMBSTONE_MS,
        encode_message(change),
        list_channel,
        encode_change(change),
        *_counted(_fields(change)),
        *_counted(part for entry in change.entries for part in entry),
        *_counted(part for key in change.keys for part in (key.name, key.former_use, _encode_key(key))),
        *_counted(signs),
    ]


def _counted(values: Iterable[Argument]) -> list[Argument]:
    listed = list(values)
    return [len(listed), *listed]


def _fields(change: Change) -> Iterable[Argument]:
    """Yield names and values of the state's fields that change; none if the session is removed."""
    record = change.record
    if record is None:
        return
    session, progress = record.session, record.session.progress
    steps, summary = encode_steps(change, record)
    yield from ("n", record.position.offset, "status", progress.status, "current_step", progress.current_step)
    yield from ("updated_at", progress.updated_at, "listed", session_json.encode_listed(record.session, summary))
    if change.is_fresh:
        yield from ("epoch", record.position.epoch, "created_at", progress.created_at)
    if change.is_fresh or change.has_new_definitions:
        yield from ("definitions", session_json.encode_definitions(session.definitions))
    if change.has_new_details or (change.is_fresh and session.details is not NO_DETAILS):
        yield from ("details", details_json.encode_details(session.details))
    for number, data in steps.items():
        yield from (f"{_STEP}{number}", data)


def _encode_key(key: RememberedKey) -> str:
    """Return the stored form of an idempotency key; the script `COMMIT` reads the time stamp in front."""
    return f"{key.used_at} {key.digest} {key.answer} {key.epoch}"


def decode_key(name: str, data: bytes) -> RememberedKey:
    """Return an idempotency key from its stored form."""
    used_at, digest, answer, epoch = data.decode().split(" ")
    effect: Effect = answer  # type: ignore[assignment]  # as it was written
    return RememberedKey(name, digest, effect, epoch, used_at)


def encode_cell(cell: Cell) -> str:
    """Return the name of the field in which a history counts the cell."""
    return f"{cell.week} {cell.bucket} {cell.name}"


def decode_history(reply: Sequence[bytes]) -> History:
    """Return a history from the fields of its hash, each followed by its count."""
    return {_decode_cell(field.decode()): int(count) for field, count in zip(reply[::2], reply[1::2], strict=True)}


def _decode_cell(field: str) -> Cell:
    week, bucket, name = field.split(" ", 2)
    return Cell(int(week), name, int(bucket))


def decode_read(session_id: str, reply: Any, known: Record | None = None) -> ReadResult:
    """Return the result of `READ`; `known` is the record that the caller knows, which the reply may leave out."""
    epoch, n, revision, fields, entries = reply
    if not epoch:
        return ReadResult(int(revision), None, None, ())
    position = Position(epoch.decode(), int(n))
    record = known if known is not None and known.position == position else None
    if fields:
        record = _decode_record(session_id, position, dict(zip(fields[::2], fields[1::2], strict=True)))
    return ReadResult(int(revision), position, record, [_decode_entry(entry) for entry in entries or ()])


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
    details = details_json.decode_details(fields[b"details"]) if b"details" in fields else NO_DETAILS
    progress = SessionProgress(
        session_id, current_step, len(definitions), status, steps, created_at, updated_at, details
    )
    return Record(Session(progress, definitions), position)


def _decode_entry(entry: Any) -> LogEntry:
    name, (_, step, _, data, *_) = entry
    return LogEntry(int(name.partition(b"-")[0]), int(step), data)


def decode_summary(session_id: str, fields: Sequence[bytes | None]) -> tuple[SessionSummary, Position] | None:
    """Return a session's summary and position from its `SUMMARY_FIELDS`; `None` if there is no session."""
    texts = [b"" if field is None else field for field in fields]
    if None in fields:
        return None
    status, created_at, updated_at, listed, epoch, n = texts
    known: SessionStatus = status.decode()  # type: ignore[assignment]  # as it was written
    summary = SessionSummary(session_id, known, created_at.decode(), updated_at.decode(), listed)
    return summary, Position(epoch.decode(), int(n))
