"""What passes between store, backends and hub: sessions at a position, changes to commit, notices of changes."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Final, Literal, NamedTuple, TypeAlias

from progress_sse.core.model import Position, Session, SessionStatus
from progress_sse.wire import session_json

Effect: TypeAlias = Literal["updated", "created", "replaced", "deleted"]
"""What a command came to."""


@dataclass(frozen=True)
class Record:
    """A session at a position, with its bytes, which are made at most once."""

    session: Session
    position: Position

    @cached_property
    def body(self) -> bytes:
        """What polling answers here, and what a snapshot event carries."""
        return session_json.encode_session(self.session)

    @property
    def status(self) -> SessionStatus:
        """The status of the session."""
        return self.session.progress.status


class Applied(NamedTuple):
    """The answer to a command that was applied, or that came with a key used before.

    Attributes:
        effect: What happened; for a remembered key, what happened the first time.
        record: The session just after the command; `None` once it is deleted. For a remembered key, the session that
            was created the first time, and else `None`.
    """

    effect: Effect
    record: Record | None


class LogEntry(NamedTuple):
    """One transition in a session's log.

    Attributes:
        offset: Of its position.
        step: The number of the step that it changed.
        data: Of its event, as `wire.encode_transition` writes it; the store takes the step from there.
    """

    offset: int
    step: int
    data: bytes


KEY_LIFETIME: Final = timedelta(hours=24)
"""How long an idempotency key is remembered [docs/protocol.md]."""


@dataclass(frozen=True, slots=True)
class RememberedKey:
    """An idempotency key that was used on a session id; it outlives the session, and so holds no text of a client's.

    Attributes:
        name: Fingerprint of the session id and the key.
        digest: Fingerprint of the key and the request as parsed; tells whether it is the same request again.
        answer: What the request came to.
        epoch: Of the life of the session in which it came to that; empty where that one was removed.
        used_at: Time stamp, for forgetting it in the end.
        former_use: In a `Change`, the `used_at` that is remembered under the name so far; empty where none is.
    """

    name: str
    digest: str
    answer: Effect
    epoch: str
    used_at: str
    former_use: str = ""


def fingerprint(text: str) -> str:
    """Return what stands for a text, and does not tell it."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def new_epoch() -> str:
    """Return the epoch of a life that begins: enough random bytes that no two lives of a session ever share one."""
    return secrets.token_hex(8)


class Change(NamedTuple):
    """What to commit, all of it or nothing.

    Attributes:
        session_id: Whose change it is.
        expected: Where the session must be for the change to apply; `None`: there must be no such session.
        record: The session afterwards; `None` removes it, with all that is kept of it.
        is_fresh: A new life begins: whatever is kept of the former one is dropped first.
        entries: The transitions, in order, the last one at `record.position`; the steps that they name are the ones
            of `record` that differ from what is stored.
        keys: Idempotency keys to remember of the id, whatever becomes of the session. The change applies only if of
            each the `former_use` is what is remembered: so no key has two effects, whichever processes it came to.
    """

    session_id: str
    expected: Position | None
    record: Record | None
    is_fresh: bool = False
    entries: tuple[LogEntry, ...] = ()
    keys: tuple[RememberedKey, ...] = ()

    @property
    def has_news(self) -> bool:
        """Whether whoever follows the session has anything to see of it."""
        return self.record is None or self.is_fresh or bool(self.entries)


class Notification(NamedTuple):
    """What whoever listens to a session is told after a commit.

    Attributes:
        session_id: Whose change it was.
        record: The session afterwards; `None` once it is gone.
        is_fresh: A new life began; `entries` then count from 1.
        entries: The transitions up to `record.position`. A listener that misses some before them has met a gap and
            goes by `record`.
    """

    session_id: str
    record: Record | None
    is_fresh: bool = False
    entries: tuple[LogEntry, ...] = ()


Listener: TypeAlias = Callable[[Notification], None]
"""Called in the event loop, after the change is durable and before its worker is answered; must not block or raise."""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session as the list shows it; `listed` is its JSON."""

    session_id: str
    status: SessionStatus
    created_at: str
    updated_at: str
    listed: bytes


@dataclass(frozen=True, slots=True)
class PageCursor:
    """Where a page of the list ended: the last session shown."""

    created_at: str
    session_id: str


@dataclass(frozen=True, slots=True)
class StorageLimits:
    """How much a backend keeps.

    Attributes:
        history: Transitions per session, and idempotency keys per session id; the newest stay. Default 1000.
        history_bytes: Bytes of event data per session; the newest transitions stay. Default 262144.
        max_sessions: Sessions in all; one more is refused with `StoreFullError`. Default 100000.
        orphaned_keys: Idempotency keys of removed sessions, in all; those of one stay until the ones that were removed
            after it have left so many. Default 100000.
    """

    history: int = 1000
    history_bytes: int = 262_144
    max_sessions: int = 100_000
    orphaned_keys: int = 100_000
