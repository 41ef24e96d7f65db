"""Sessions as Redis stores them: the arguments of the scripts, and their replies. No I/O."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from progress_sse.core.details import NO_DETAILS
from progress_sse.core.model import Position, Session, SessionProgress
from progress_sse.core.session_filter import STATES, state_of
from progress_sse.store.encoded_steps import encode_steps
from progress_sse.store.redis.messages import encode_list_message, encode_message
from progress_sse.store.redis.scripts import TOMBSTONE_MS
from progress_sse.store.seals import checked_position, checksum, header, sealed, unsealed
from progress_sse.store.types import (
    KEY_LIFETIME,
    Change,
    Effect,
    LogEntry,
    Record,
    RememberedKey,
    SessionSummary,
    StorageLimits,
    checked_key,
)
from progress_sse.wire import details_json, session_json

Argument: TypeAlias = str | bytes | int

KEY_LIFETIME_MS: Final = int(KEY_LIFETIME.total_seconds() * 1000)

_STEP: Final = "step:"
_SEALED: Final = ("n", "state", "current_step", "created_at", "updated_at")
"""The fields that the seal of `listed` covers, too; see ``seals``."""

SUMMARY_FIELDS: Final = (*_SEALED, "epoch", "listed")
"""The fields of a session's state that `decode_summary` takes, in this order."""


class KnownState(NamedTuple):
    """The newest state of a session that this process has seen; `revision` may be that of its removal, 0 if unknown."""

    record: Record | None
    revision: int


UNKNOWN: Final = KnownState(None, 0)


class ReadResult(NamedTuple):
    """The result of the script `READ`: record and transitions as far as they were asked for and are kept.

    `revision` may be that of the session's removal, 0 if unknown; `position` is `None` if there is no such session.
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
    silence: Sequence[Argument],
    signs: Sequence[Argument],
    list_channel: str,
    notices: Sequence[Argument],
) -> list[Argument]:
    """Return the arguments of the script `COMMIT` that follow those of all scripts of a session.

    `token` names the commit, which may be sent more than once. `list_channel` is empty if the script cannot use it.
    """
    expected = change.expected or Position("", 0)
    is_fresh = change.record is not None and change.is_fresh
    return [
        token,
        *expected,
        "removed" if change.record is None else "lines" if change.has_lines_alone else "fresh" if is_fresh else "",
        int(change.resets_log),
        *silence,
        limits.history,
        limits.history_bytes,
        lifetime_ms,
        KEY_LIFETIME_MS,
        TOMBSTONE_MS,
        encode_message(change),
        list_channel,
        encode_list_message(change),
        *_counted(_fields(change)),
        *_counted(part for entry in change.entries for part in (*entry, _checksum(change.session_id, entry))),
        *_counted(part for key in change.keys for part in (key.name, key.former_use, _encode_key(key))),
        *_counted(signs),
        *notices,
    ]


def _counted(values: Iterable[Argument]) -> list[Argument]:
    listed = list(values)
    return [len(listed), *listed]


def _fields(change: Change) -> Iterable[Argument]:
    """Yield names and values of the state's fields that change; none if the session is removed, or stays as it is."""
    record = change.record
    if record is None or change.has_lines_alone:
        return
    session, progress, offset = record.session, record.session.progress, record.position.offset
    steps, summary = encode_steps(change, record)
    state = state_of(progress)
    place = header(offset, state, progress.current_step, progress.created_at, progress.updated_at)
    listed = sealed(session_json.encode_listed(session, summary), change.session_id, place)
    yield from ("n", offset, "state", state, "current_step", progress.current_step)
    yield from ("updated_at", progress.updated_at, "listed", listed)
    if change.is_fresh:
        yield from ("epoch", record.position.epoch, "created_at", progress.created_at)
    values = {f"{_STEP}{number}": data for number, data in steps.items()}
    if change.is_fresh or change.has_new_definitions:
        values["definitions"] = session_json.encode_definitions(session.definitions)
    if change.has_new_details or (change.is_fresh and session.details is not NO_DETAILS):
        values["details"] = details_json.encode_details(session.details)
    for name, data in values.items():
        yield from (name, sealed(data, change.session_id, name))


def _checksum(session_id: str, entry: LogEntry) -> int:
    return checksum(entry.data, session_id, f"{entry.offset} {entry.step}")


def _encode_key(key: RememberedKey) -> str:
    """Return the stored form of a key; the script `COMMIT` reads the time stamp in front."""
    return f"{key.used_at} {key.digest} {key.answer} {key.epoch}"


def decode_key(session_id: str, name: str, data: bytes) -> RememberedKey:
    """Return an idempotency key that was used on a session from its stored form."""
    used_at, digest, answer, epoch = data.decode().split(" ")
    effect: Effect = answer  # type: ignore[assignment]  # as it was written
    return checked_key(RememberedKey(name, digest, effect, epoch, used_at))


def decode_read(session_id: str, reply: Any, known: Record | None = None) -> ReadResult:
    """Return the result of `READ`, without transitions; `known` is what the caller knows and the reply leaves out."""
    epoch, n, revision, fields, _ = reply
    if not epoch:
        return ReadResult(int(revision), None, None, ())
    position = checked_position(epoch.decode(), int(n))
    record = known if known is not None and known.position == position else None
    if fields:
        record = _decode_record(session_id, position, dict(zip(fields[::2], fields[1::2], strict=True)))
    return ReadResult(int(revision), position, record, ())


def _decode_record(session_id: str, position: Position, fields: dict[bytes, bytes]) -> Record:
    prefix = _STEP.encode()

    def value(name: bytes) -> bytes:
        return unsealed(fields[name], session_id, name.decode())

    (_, state, current_step, created_at, updated_at), _ = _unsealed_listed(
        session_id, [fields[name.encode()] for name in _SEALED], fields[b"listed"]
    )
    started = (session_json.decode_step(value(name)) for name in fields if name.startswith(prefix))
    steps = {step.step: step for step in started}
    definitions = session_json.decode_definitions(value(b"definitions"))
    details = details_json.decode_details(value(b"details")) if b"details" in fields else NO_DETAILS
    progress = SessionProgress(
        session_id, int(current_step), len(definitions), STATES[state][0], steps, created_at, updated_at, details
    )
    return Record(Session(progress, definitions), position)


def _unsealed_listed(session_id: str, fields: Sequence[bytes], listed: bytes) -> tuple[list[str], bytes]:
    texts = [field.decode() for field in fields]
    return texts, unsealed(listed, session_id, header(*texts))


def decode_entries(session_id: str, entries: Iterable[Any]) -> Sequence[LogEntry]:
    """Return transitions that the script `READ` returned."""
    decoded = []
    for name, (_, step, _, data, _, _, _, expected) in entries:
        entry = LogEntry(int(name.partition(b"-")[0]), int(step), data)
        if _checksum(session_id, entry) != int(expected):
            raise ValueError("a transition has another checksum")
        decoded.append(entry)
    return decoded


def decode_summary(session_id: str, fields: Sequence[bytes | None]) -> tuple[SessionSummary, Position] | None:
    """Return a session's summary and position from its `SUMMARY_FIELDS`; `None` if there is no session."""
    present = [field for field in fields if field is not None]
    if not present:
        return None
    *covered, epoch, listed = present
    (n, state, _, created_at, updated_at), data = _unsealed_listed(session_id, covered, listed)
    return SessionSummary(session_id, state, created_at, updated_at, data), checked_position(epoch.decode(), int(n))
