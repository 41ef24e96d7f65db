"""The protocols that a backend implements: a core, and five powers, which are objects of their own.

A backend knows no rules: it stores changes, compares positions for equality, and notifies listeners. Each protocol has
a suite of tests, which runs over every backend.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from progress_sse.core.errors import ConflictError
from progress_sse.core.history import Cell, History
from progress_sse.core.model import Position, SessionStatus
from progress_sse.core.session_filter import SessionFilter
from progress_sse.store.leases import Leases
from progress_sse.store.listeners import N, Topic
from progress_sse.store.log_lines import StoredLines
from progress_sse.store.outbox import Outbox
from progress_sse.store.types import Change, LogEntry, PageCursor, Record, RememberedKey, SessionSummary


class Backend(Protocol):
    """Stores sessions, the transitions in their logs, and the idempotency keys that were used on their ids.

    Every method may raise `StoreUnavailableError`. Reads show only committed changes, as durable as the backend can
    make them.
    """

    async def open(self) -> None:
        """Make the backend ready for use; possible again after `aclose`, in any event loop.

        Raises:
            StoreRefusedError: The stored data cannot be used; nothing was changed.
        """

    async def aclose(self) -> None:
        """Release all resources and remove all listeners. A durable backend keeps all committed changes."""

    async def ping(self) -> None:
        """Return if a commit would have a chance to succeed now."""

    async def load(self, session_id: str) -> Record | None:
        """Return the session as last committed, or `None`."""

    def cached_record(self, session_id: str) -> Record | None:
        """Return the session as this process last saw it, if `load` would need a request; it may have changed since."""

    async def commit(self, change: Change) -> None:
        """Apply the change atomically; return once it is as durable as possible and every listener was notified.

        Raises:
            ConflictError: The session is not at `change.expected`, or one of its keys was used meanwhile; nothing
                was changed.
            SignSeenError: There was a sign of life within `change.silence`; nothing was changed.
            StoreFullError: There is no room; nothing was changed.
            OutcomeUnknownError: The change may have been applied, or not.
        """

    async def find_idempotency_key(self, session_id: str, name: str) -> RememberedKey | None:
        """Return the last use of an idempotency key, of any age; the newest `history` keys of an id are stored."""

    async def forget_keys(self, used_before: str) -> None:
        """Delete the keys of each session id on which the last use of a key was before the time stamp."""

    async def replay(self, session_id: str, after: Position) -> Sequence[LogEntry] | None:
        """Return every transition after the position; `None` if it is of another epoch, or some are no longer kept."""

    async def subscribe(self, topic: Topic[N], listener: Callable[[N], None]) -> Callable[[], None]:
        """Notify `listener` of what is committed from now on, by any process, in order; return how to end that.

        * `changes_of(session_id)`: Each change of the session. After `load` has returned an epoch of it, no
          notification is of an earlier one. A backend that itself missed messages sends a notification with the session
          as it is then, and with the transitions that were missed, if it has all of them.
        * `lines_of(session_id)`: The lines of its log, those of a commit after its transitions. Some may be left out,
          as the numbers of the next ones show; none is in a store of one process.
        * `ALL_CHANGES`: Each change of any session, which `Lists.load_summaries` then shows. It may miss that a session
          is gone which no process removed: see `Lists.forgets_silently`.

        The listener is called in the event loop, after the change is durable and before its worker is answered; it must
        not block or raise. The returned function may be called again; closing the backend ends it, too.
        """

    async def expire(self, created_before: str, should_remove: Callable[[SessionSummary], bool]) -> int:
        """Remove each session created before the time stamp that `should_remove` confirms; return how many."""


class Lists(Protocol):
    """The power to find sessions by what a list asks for."""

    @property
    def forgets_silently(self) -> bool:
        """Whether sessions may expire, or go back to an earlier state, without a notification of a change."""

    async def list_summaries(
        self, wanted: SessionFilter, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return up to `limit` sessions of a list after `after`, newest `created_at` first, then greatest id first.

        The cost grows with the sessions that are returned, rather than with those that are stored.
        """

    async def load_summaries(self, session_ids: Collection[str]) -> Mapping[str, SessionSummary]:
        """Return those of the sessions that there are, by their ids."""

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        """Return how many sessions there are; it may be slow, and read each of them."""


class Lines(Protocol):
    """The power to keep the `Change.lines` of sessions."""

    async def read_lines(self, session_id: str, after: int) -> StoredLines | None:
        """Return the kept lines of a session with a number greater than `after`; `None` if there is no such session.

        Where `after` is negative, these are the newest, so many.
        """

    async def find_line_key(self, session_id: str, name: str) -> str | None:
        """Return the digest of the request that brought lines under a key, if the key is known.

        The newest `MAX_LINE_KEYS` keys of a session are known, as long as its lines are kept.
        """


class Histories(Protocol):
    """The power to keep what the `Change.lesson` of each run taught."""

    async def load(self, profile: str) -> History:
        """Return how often each cell of a profile was taught; empty if none was.

        The profiles that were taught last are kept, `MAX_PROFILES` of them, and of each at most `MAX_STORED_CELLS`.
        """

    async def forget(self, profile: str, cells: Collection[Cell] | None = None) -> None:
        """Forget these cells of a profile; `None`: all of it."""


class FullBackend(Backend, Protocol):
    """A backend with all powers, as a server needs it. Each power may be another object once it is opened again."""

    @property
    def lists(self) -> Lists:
        """Finds sessions."""

    @property
    def lines(self) -> Lines:
        """The log lines of sessions."""

    @property
    def histories(self) -> Histories:
        """What runs taught."""

    @property
    def leases(self) -> Leases:
        """The signs of life of workers, and when the next ones are due."""

    @property
    def outbox(self) -> Outbox:
        """The notices that wait to be sent."""

    @property
    def damage_count(self) -> int:
        """How many sessions were found damaged by other programs: no list has them, and each is logged once."""


async def commit_all(
    backend: Backend, changes: Sequence[Change], is_damage: Callable[[BaseException], bool] = lambda _: False
) -> int:
    """Commit the changes whose session has not changed and is not damaged, and return how many were committed."""
    outcomes = await asyncio.gather(*map(backend.commit, changes), return_exceptions=True)
    for error in filter(None, outcomes):
        if not (isinstance(error, ConflictError) or is_damage(error)):
            raise error
    return outcomes.count(None)
