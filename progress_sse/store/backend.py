"""What a backend has to do.

A backend knows no rule: it keeps what it is given, compares positions for equality, and tells whoever listens. One
suite of tests runs over every backend. What a backend cannot do it must not claim.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from progress_sse.core.errors import ConflictError, StoreUnavailableError
from progress_sse.core.model import Position, SessionStatus
from progress_sse.store.types import Change, Listener, LogEntry, PageCursor, Record, RememberedKey, SessionSummary


class Backend(Protocol):
    """A place that keeps sessions and their logs, and the idempotency keys that were used on their ids.

    Every method may raise `StoreUnavailableError`. Reads show only what is committed, as durably as the backend can.
    """

    async def open(self) -> None:
        """Make ready for use; again after each `aclose`, in whichever event loop.

        Raises:
            StoreRefusedError: What is there cannot be used; nothing of it was changed.
        """

    async def aclose(self) -> None:
        """Let go of everything, and of whoever listens. What was committed stays, where the backend is durable."""

    async def ping(self) -> None:
        """Return if a commit now would have a chance to succeed."""

    async def load(self, session_id: str) -> Record | None:
        """Return the session as last committed, or `None`."""

    def cached_record(self, session_id: str) -> Record | None:
        """Return the session as this process knew it last, where `load` would have to ask; it may have moved on."""

    async def commit(self, change: Change) -> None:
        """Apply the change, atomically; return once it is as durable as can be and every listener was told.

        Raises:
            ConflictError: The session is not at `change.expected`, or one of `change.keys` was used meanwhile; nothing
                was changed.
            StoreFullError: There is no room; nothing was changed.
            OutcomeUnknownError: The change may have been applied, or not.
        """

    async def find_idempotency_key(self, session_id: str, name: str) -> RememberedKey | None:
        """Return what is remembered of an idempotency key: of the newest `history` keys of the id, any age."""

    async def forget_keys(self, used_before: str) -> None:
        """Forget the keys of each session id whose last use of one was before the time stamp."""

    async def replay(self, session_id: str, after: Position) -> Sequence[LogEntry] | None:
        """Return every transition after the position; `None` if it is of another life, or not all of them are kept."""

    async def listen(self, session_id: str, listener: Listener) -> None:
        """Tell `listener` of each change that is committed from now on, in order, whichever process commits it.

        Never tells of a former life of the session after `load` has returned a later one.

        After a gap in what the backend itself hears, it sends a notice with the session as it is then, and with the
        transitions that were missed, if it has them all.
        """

    def unlisten(self, session_id: str, listener: Listener) -> None:
        """Take `listen` back; at once, and without waiting."""

    async def list_summaries(
        self, status: SessionStatus | None, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return up to `limit` sessions from behind `after`, newest `created_at` first, then greatest id first."""

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        """Return how many sessions there are; it may take its time, and look at each of them."""

    async def expire(self, created_before: str, should_remove: Callable[[SessionSummary], bool]) -> int:
        """Remove each session created before the time stamp that `should_remove` confirms; return how many."""


async def commit_all(
    backend: Backend, changes: Sequence[Change], is_damage: Callable[[Exception], bool] = lambda _: False
) -> int:
    """Commit changes, each unless its session has moved on or is damaged, and return how many were."""
    return sum(await asyncio.gather(*(_is_committed(backend, change, is_damage) for change in changes)))


async def _is_committed(backend: Backend, change: Change, is_damage: Callable[[Exception], bool]) -> bool:
    try:
        await backend.commit(change)
    except ConflictError:
        return False
    except StoreUnavailableError as error:
        if is_damage(error):
            return False
        raise
    return True
