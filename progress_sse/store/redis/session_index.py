"""The index through which all sessions are found; it lies in another slot than they do.

A session is entered before it is created, and its entry is removed after the session. An entry without a session is
*stray*: a process ended in between, or the session's keys have expired. Stray entries are passed over, and removed once
they are old. No command scans all keys.

All sessions are in the order of their creation, and in that of their ids. The sessions of a label, and those that are
not completed, are also in a *set* of their own. A session enters a set before the change that makes it belong there,
and leaves it after the one that ends that. So a set may hold more sessions than belong to it, and never less.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from progress_sse.core import state_machine
from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.core.model import Position, SessionProgress
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.keys import (
    Keyspace,
    id_entry,
    index_entry,
    set_member,
    split_index_entry,
    split_set_member,
)
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.redis.scripts import ENTER_SETS, LEAVE_SETS, RESERVE_INDEX_ENTRY
from progress_sse.store.redis.summaries import RedisSummaries
from progress_sse.store.types import Change, SessionSummary

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
    """All sessions of a store, in the order of their creation and of their ids, and the sets of some."""

    def __init__(
        self, executor: CommandExecutor, keyspace: Keyspace, decode: CheckedDecoder, summaries: RedisSummaries
    ) -> None:
        """Read and write the index by `executor`."""
        self._executor = executor
        self._keyspace = keyspace
        self._decode = decode
        self._summaries = summaries

    def sets_of(self, progress: SessionProgress | None) -> frozenset[str]:
        """Return the keys of the sets that a session belongs to."""
        if progress is None:
            return frozenset()
        labelled = frozenset(map(self._keyspace.labelled, progress.details.labels.items()))
        return labelled if progress.status == "completed" else labelled | {self._keyspace.unfinished}

    async def reserve(self, progress: SessionProgress, offset: int, max_sessions: int | None) -> None:
        """Enter a session that is about to be created; `None` sets no limit.

        Raises:
            StoreFullError: There are `max_sessions` already.
        """
        limit: Argument = "" if max_sessions is None else max_sessions
        entry = progress.created_at, progress.session_id
        arguments = index_entry(*entry), id_entry(*entry), limit, set_member(*entry, offset)
        if not (await self._executor.run(RESERVE_INDEX_ENTRY, self._keys(self.sets_of(progress)), *arguments)).value:
            raise StoreFullError

    async def prepare(self, change: Change, before: SessionProgress | None) -> None:
        """Enter a session that is about to change into the sets that it then belongs to.

        Args:
            change: The change, which creates no session.
            before: The session before it; `None` if that is not known.
        """
        if change.record is None or _is_alike(before, change.record.session.progress):
            return
        progress, offset = change.record.session.progress, change.record.position.offset
        sets = self.sets_of(progress) - self.sets_of(before)
        if sets:
            member = set_member(progress.created_at, progress.session_id, offset)
            await self._executor.run(ENTER_SETS, [self._keyspace.sets, *sets], member)

    async def settle(self, change: Change, before: SessionProgress | None) -> None:
        """Remove a session that has changed from the sets that it no longer belongs to; see `prepare`."""
        if change.record is None or before is None or _is_alike(before, change.record.session.progress):
            return
        progress, offset = change.record.session.progress, change.record.position.offset
        sets = self.sets_of(before) - self.sets_of(progress)
        if sets:
            entry = progress.created_at, progress.session_id
            await self._leave("", "", f"{index_entry(*entry)}\0", set_member(*entry, offset + 1), sets)

    async def remove(self, entry: str, sets: Collection[str]) -> None:
        """Remove the entry of a session that is gone, from sets that it may be in, too."""
        created_at, session_id = split_index_entry(entry.encode())
        await self._leave(entry, id_entry(created_at, session_id), f"{entry}\0", f"{entry}\1", sets)

    async def _leave(self, entry: str, by_id: str, first: str, end: str, sets: Iterable[str]) -> None:
        """Remove entries; the next clean-up finds those that cannot be removed now."""
        try:
            await self._executor.run(LEAVE_SETS, self._keys(sets), entry, by_id, first, end)
        except StoreUnavailableError:
            logger.info("an entry of the index stays until the next clean-up")

    def _keys(self, sets: Iterable[str]) -> list[str]:
        return [self._keyspace.index, self._keyspace.ids, self._keyspace.sets, *sets]

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
        found = await self._summaries.find(entries)
        stray = [entry for entry, each in found.items() if each is None and _is_old(entry)]
        await asyncio.gather(*(self.remove(entry.decode(), [self._keyspace.unfinished]) for entry in stray))
        return IndexPage(list(filter(None, found.values())), b"(" + entries[-1])

    async def clean_sets(self, created_before: str) -> None:
        """Remove sessions from sets that they do not belong to, among those created before the time stamp."""
        start = b"-"
        while keys := await self._executor.execute(
            "ZRANGE", self._keyspace.sets, start, "+", "BYLEX", "LIMIT", 0, PAGE_SIZE
        ):
            names = self._decode.each(self._keyspace.sets, bytes.decode, keys)
            await asyncio.gather(*(self._clean_set(name, created_before) for name in names))
            start = b"(" + keys[-1]

    async def _clean_set(self, key: str, created_before: str) -> None:
        start = b"-"
        while members := await self._executor.execute(
            "ZRANGE", key, start, f"({created_before}", "BYLEX", "LIMIT", 0, PAGE_SIZE
        ):
            found = await self._summaries.find(list({entry_of(member) for member in members}))
            for member, offset in self._decode.each(key, _with_offset, members):
                if self._is_over(key, member, offset, found.get(entry_of(member), False)):
                    await self._leave("", "", member.decode(), f"{member.decode()}\0", [key])
            start = b"(" + members[-1]

    def _is_over(
        self, key: str, member: bytes, offset: int, found: tuple[SessionSummary, Position] | Literal[False] | None
    ) -> bool:
        """Return whether a session is gone or has left a set since it entered; not if that cannot be read."""
        if found is None:
            return _is_old(member)
        if not found or found[1].offset < offset:  # The change may be under way.
            return False
        summary = found[0]
        if key == self._keyspace.unfinished:
            return summary.status == "completed"
        return key not in map(self._keyspace.labelled, summary.labels.items())


def _is_alike(before: SessionProgress | None, after: SessionProgress) -> bool:
    """Return whether a session is in the same sets as before, as nearly all changes leave it."""
    if before is None or before.details.labels != after.details.labels:
        return False
    return (before.status == "completed") == (after.status == "completed")


def _with_offset(member: bytes) -> tuple[bytes, int]:
    """Return a member of a set with the offset in it."""
    return member, split_set_member(member)[2]


def entry_of(member: bytes) -> bytes:
    """Return the entry in the index of a member of a set, or of the index."""
    return member.partition(b"\0")[0]


def _is_old(entry: bytes) -> bool:
    return split_index_entry(entry)[0] < state_machine.timestamp(datetime.now(UTC) - _STRAY_AGE)
