"""The index through which all sessions are found; it lies in another slot than they do.

A session is entered before it is created, and its entry is removed after the session. An entry without a session is
*stray*: a process ended in between, or the session's keys have expired. Stray entries are passed over, and removed once
they are old. No command scans all keys.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from progress_sse.core import state_machine
from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.core.model import Position, SessionStatus
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.codec import SUMMARY_FIELDS, Argument, decode_summary
from progress_sse.store.redis.errors import is_damage
from progress_sse.store.redis.keys import Keyspace, index_entry, split_index_entry
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.redis.scripts import RESERVE_INDEX_ENTRY
from progress_sse.store.types import PageCursor, SessionSummary

logger = logging.getLogger(__name__)

PAGE_SIZE: Final = 200
"""Entries that are read at once."""

_STRAY_AGE: Final = timedelta(hours=1)
"""Age at which an entry without a session is stray for good: its session is not created so late."""


class IndexPage(NamedTuple):
    """Some sessions of the index, and where the next page starts."""

    sessions: Sequence[tuple[SessionSummary, Position]]
    next_start: bytes


class SessionIndex:
    """All sessions of a store, in the order of their creation."""

    def __init__(self, executor: CommandExecutor, keyspace: Keyspace, decode: CheckedDecoder) -> None:
        """Read and write the index by `executor`."""
        self._executor = executor
        self._keyspace = keyspace
        self._decode = decode

    async def reserve(self, entry: str, max_sessions: int | None) -> None:
        """Enter a session that is about to be created; `None` sets no limit.

        Raises:
            StoreFullError: There are `max_sessions` already.
        """
        limit: Argument = "" if max_sessions is None else max_sessions
        if not (await self._executor.run(RESERVE_INDEX_ENTRY, [self._keyspace.index], entry, limit)).value:
            raise StoreFullError

    async def remove(self, *entries: str | bytes) -> None:
        """Remove entries; the next clean-up finds those that cannot be removed now."""
        try:
            await self._executor.execute("ZREM", self._keyspace.index, *entries)
        except StoreUnavailableError:
            logger.info("%d entries of the index stay until the next clean-up", len(entries))

    async def list_summaries(
        self, status: SessionStatus | None, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return a page of sessions, newest first; see `Backend.list_summaries`."""
        summaries: list[SessionSummary] = []
        start: str | bytes = f"({index_entry(after.created_at, after.session_id)}" if after else "+"
        while len(summaries) < limit:
            entries = await self._executor.execute(
                "ZRANGE", self._keyspace.index, start, "-", "BYLEX", "REV", "LIMIT", 0, max(limit, PAGE_SIZE)
            )
            if not entries:
                break
            found = await self._find_all(entries)
            summaries += (each for each, _ in filter(None, found.values()) if status in (None, each.status))
            start = b"(" + entries[-1]
        return summaries[:limit]

    async def page_before(self, created_before: str, start: bytes = b"-") -> IndexPage | None:
        """Return sessions that were created before the time stamp, oldest first, and remove stray entries among them.

        Args:
            created_before: The time stamp.
            start: The `next_start` of the page before.

        Returns:
            The page; `None` after the last one.
        """
        entries = await self._executor.execute(
            "ZRANGE", self._keyspace.index, start, f"({created_before}", "BYLEX", "LIMIT", 0, PAGE_SIZE
        )
        if not entries:
            return None
        found = await self._find_all(entries)
        await self._remove_stray([entry for entry, each in found.items() if each is None])
        return IndexPage(list(filter(None, found.values())), b"(" + entries[-1])

    async def _remove_stray(self, entries: Sequence[bytes]) -> None:
        limit = state_machine.timestamp(datetime.now(UTC) - _STRAY_AGE)
        stray = [entry for entry in entries if split_index_entry(entry)[0] < limit]
        if stray:
            await self.remove(*stray)

    async def _find_all(self, entries: Sequence[bytes]) -> Mapping[bytes, tuple[SessionSummary, Position] | None]:
        """Return the session of each entry that is not damaged; `None` if the entry is stray."""
        found: dict[bytes, tuple[SessionSummary, Position] | None] = {}
        outcomes = await asyncio.gather(*map(self._find, entries), return_exceptions=True)
        for entry, outcome in zip(entries, outcomes, strict=True):
            if not isinstance(outcome, BaseException):
                found[entry] = outcome
            elif not is_damage(outcome):
                raise outcome
        return found

    async def _find(self, entry: bytes) -> tuple[SessionSummary, Position] | None:
        created_at, session_id = self._decode(split_index_entry, entry)
        fields = await self._executor.execute("HMGET", self._keyspace.of(session_id).state, *SUMMARY_FIELDS)
        found = self._decode(decode_summary, session_id, fields)
        return found if found is not None and found[0].created_at == created_at else None
