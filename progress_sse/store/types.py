"""The types that the store, the backends and the hub exchange: sessions at a position, changes and notifications."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from progress_sse.core.history import Lesson
from progress_sse.core.model import Position, Session, SessionStatus
from progress_sse.core.session_filter import STATES, SessionFilter
from progress_sse.store.outbox import Notice
from progress_sse.store.parts_changes import PartsChange
from progress_sse.wire import session_json

Effect: TypeAlias = Literal["updated", "created", "replaced", "deleted"]
"""The effect of a command that was applied."""


@dataclass(slots=True)
class Record:
    """A session at a position, with its JSON, which is encoded at most once; never changed."""

    session: Session
    position: Position
    _body: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def body(self) -> bytes:
        """The session as JSON: the answer to a poll, and the data of a snapshot event."""
        if self._body is None:
            self._body = session_json.encode_session(self.session)
        return self._body

    @property
    def status(self) -> SessionStatus:
        """The status of the session."""
        return self.session.progress.status


class Applied(NamedTuple):
    """The answer to a command that was applied, or that came with a key used before.

    Attributes:
        effect: The effect of the command; for a remembered key, its effect the first time.
        record: The session just after the command; `None` once it is deleted. For a remembered key, the session that
            was created the first time; of other commands, the session as it is now.
    """

    effect: Effect
    record: Record | None


class LogEntry(NamedTuple):
    """One transition in a session's log.

    Attributes:
        offset: The offset of its position.
        step: The number of the step that changed; 0 if the session changed and none of its steps.
        data: The data of its event, as `session_json.encode_transition` or `encode_session_event` writes it.
    """

    offset: int
    step: int
    data: bytes


KEY_LIFETIME: Final = timedelta(hours=24)
"""How long an idempotency key is remembered [docs/protocol.md]."""


ANY_USE: Final = "*"
"""Stands for any former use of a key, or none."""


@dataclass(frozen=True, slots=True)
class RememberedKey:
    """An idempotency key that was used on a session id; it outlives the session, and so holds no text from a client.

    Attributes:
        name: Fingerprint of the session id and the key.
        digest: Fingerprint of the key and the request as parsed, which shows whether a request is the same again.
        answer: The effect of the request.
        epoch: The epoch of the session after the request; empty if the session was removed.
        used_at: Time stamp of the use, by which the key is deleted in the end.
        former_use: In a `Change`, the `used_at` that is stored under the name so far; empty if there is none, `ANY_USE`
            if that does not matter.
    """

    name: str
    digest: str
    answer: Effect
    epoch: str
    used_at: str
    former_use: str = ""


def checked_key(key: RememberedKey) -> RememberedKey:
    """Return a key that was stored.

    Raises:
        ValueError: It is none: another program has changed it.
    """
    are_texts = all(isinstance(each, str) for each in (key.digest, key.epoch, key.used_at))
    if not (are_texts and key.answer in get_args(Effect) and (not key.epoch or key.epoch.isalnum())):
        raise ValueError("an idempotency key is none")
    return key


def fingerprint(text: str) -> str:
    """Return a digest that stands for a text without revealing it."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def new_epoch() -> str:
    """Return a new epoch, with enough random bytes that no two epochs of a session are ever equal."""
    return secrets.token_hex(8)


class Sign(NamedTuple):
    """A sign of life of the worker that holds the lease of a step.

    Attributes:
        step: The number of the step.
        stamp: When it was given, as a time stamp.
        monotonic: The same, in seconds on the monotonic clock of this process.
        lease_ms: Milliseconds within which the next one is due.
        is_first: Whether the step was not live before.
    """

    step: int
    stamp: str
    monotonic: float
    lease_ms: int
    is_first: bool


class SilenceDemand(NamedTuple):
    """That the worker of a step has given no sign for so long, as a commit has to check.

    Attributes:
        step: The number of the step.
        ms: Milliseconds on the lease clock.
        monotonic: Now, in seconds on the monotonic clock of this process.
    """

    step: int
    ms: int
    monotonic: float


class LineKey(NamedTuple):
    """The idempotency key of a request that brings lines, as two fingerprints: of the key, and of the request."""

    name: str
    digest: str


class Change(NamedTuple):
    """A change to commit, completely or not at all.

    Attributes:
        session_id: The session to change.
        expected: The position at which the session must be; `None`: the session must not exist.
        record: The session afterwards; `None` removes it, with its log.
        is_fresh: Whether a new epoch begins, which replaces the log and the steps of the former one.
        entries: The transitions, in order, the last one at `record.position`, unless `resets_log`. The steps that they
            name are steps of `record` that differ from the stored ones.
        keys: Idempotency keys to store for the id; they outlive the session. The change applies only if the last use of
            each is its `former_use`, where it has one. So no key has two effects, even if its requests reach several
            processes.
        resets_log: Whether a transition has no entry, as only a snapshot shows it. The entries are those after it, and
            the log so far is dropped: it cannot be replayed across that transition.
        steps: The numbers of further steps of `record` that differ from the stored ones: those that a snapshot shows.
        has_new_definitions: Whether the definitions differ from the stored ones.
        has_new_details: Whether the details differ from the stored ones.
        signs: Signs of life that come with it.
        silence: What it states is true only after such a silence.
        parts: What the entries make of the parts of their steps, which they contain a few of.
        lesson: What the session teaches about its profile. A store that cannot learn it within the commit does so
            just after: once, or, if it fails in between, not at all.
        lines: Lines to append to the session's log, as `encode_line` wrote them. They come after the transitions.
        line_keys: Those of the requests that brought lines, remembered with the log. The change applies only if none
            of them is known.
        notices: Notices to keep in the outbox, whatever becomes of the session.
    """

    session_id: str
    expected: Position | None
    record: Record | None
    is_fresh: bool = False
    entries: tuple[LogEntry, ...] = ()
    keys: tuple[RememberedKey, ...] = ()
    resets_log: bool = False
    steps: frozenset[int] = frozenset()
    has_new_definitions: bool = False
    has_new_details: bool = False
    signs: tuple[Sign, ...] = ()
    silence: SilenceDemand | None = None
    parts: tuple[PartsChange, ...] = ()
    lesson: Lesson | None = None
    lines: tuple[bytes, ...] = ()
    line_keys: tuple[LineKey, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def has_lines_alone(self) -> bool:
        """Whether it leaves the session as it is, but for its log and signs of life."""
        return bool(self.lines) and not (
            self.is_visible or self.keys or self.has_new_definitions or self.has_new_details
        )

    @property
    def is_visible(self) -> bool:
        """Whether a subscriber of the session can see the change."""
        return self.record is None or self.is_fresh or self.resets_log or bool(self.entries)


class Notification(NamedTuple):
    """The change that a commit made, for the listeners of its session.

    Attributes:
        session_id: The session that changed.
        record: The session afterwards; `None` if it was removed.
        is_fresh: Whether a new epoch began; the offsets of `entries` then start at 1.
        entries: The transitions up to the position of `record`. A listener that misses some before them has met a gap,
            and uses `record` instead.
        is_told_whole: Whether only a snapshot shows the change, so that a missing transition is no gap.
    """

    session_id: str
    record: Record | None
    is_fresh: bool = False
    entries: tuple[LogEntry, ...] = ()
    is_told_whole: bool = False


def to_notification(change: Change) -> Notification:
    """Return the notification of a change that was committed here."""
    return Notification(change.session_id, change.record, change.is_fresh, change.entries, change.resets_log)


class ChangedSession(NamedTuple):
    """That a session has changed, for listeners to all.

    Attributes:
        session_id: The session.
        status: Its status after the change; `None` if it was removed.
    """

    session_id: str
    status: SessionStatus | None


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session as the list shows it.

    Attributes:
        state: One of the `STATES`.
        listed: Its JSON in the list.
    """

    session_id: str
    state: str
    created_at: str
    updated_at: str
    listed: bytes
    _labels: Mapping[str, str] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def status(self) -> SessionStatus:
        """Its status."""
        return STATES[self.state][0]

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels, read from `listed` at most once: each list that is followed may ask."""
        labels = self._labels
        if labels is None:
            labels = session_json.labels_of(self.listed)
            object.__setattr__(self, "_labels", labels)
        return labels

    @property
    def order(self) -> tuple[str, str]:
        """Its place: a list has the greatest first."""
        return self.created_at, self.session_id

    def is_of(self, wanted: SessionFilter) -> bool:
        """Return whether it belongs to a list."""
        return wanted.matches(self.session_id, self.state, self.labels if wanted.labels else {})


@dataclass(frozen=True, slots=True)
class PageCursor:
    """The end of a page of the list: its last session."""

    created_at: str
    session_id: str


@dataclass(frozen=True, slots=True)
class StorageLimits:
    """How much a backend keeps: the newest transitions, keys and lines.

    Attributes:
        history: Transitions per session, and idempotency keys per session id.
        history_bytes: Bytes of event data per session.
        max_sessions: Sessions in total; one more is refused with `StoreFullError`.
        log_lines: Log lines per session.
        log_bytes: Bytes of log lines per session, as JSON.
        orphaned_keys: Idempotency keys of removed sessions, in total. Those of one session are kept until the sessions
            removed after it have left so many.
    """

    history: int = 1000
    history_bytes: int = 262_144
    max_sessions: int = 100_000
    log_lines: int = 5000
    log_bytes: int = 1_048_576
    orphaned_keys: int = 100_000
