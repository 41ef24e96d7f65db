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
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from progress_sse.core import state_machine
from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.core.model import Position, SessionProgress
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.index_pages import PAGE_SIZE, Found, IndexPages
from progress_sse.store.redis.keys import (
    Keyspace,
    entry_of,
    id_entry,
    index_entry,
    set_member,
    split_index_entry,
    split_set_member,
)
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.redis.scripts import ENTER_INDEX, LEAVE_INDEX
from progress_sse.store.types import Change, SessionSummary

logger = logging.getLogger(__name__)

_STRAY_AGE: Final = timedelta(hours=1)
"""Age at which an entry without a session is stray for good: its session is not created so late."""


class SessionIndex:
    """All sessions of a store, in the order of their creation and of their ids, and the sets of some."""

    def __init__(
        self, executor: CommandExecutor, keyspace: Keyspace, decode: CheckedDecoder, pages: IndexPages
    ) -> None:
        self._executor = executor
        self._keyspace = keyspace
        self._decode = decode
        self._pages = pages

    def _sets_of(self, progress: SessionProgress | None) -> frozenset[str]:
        """Return the keys of the sets that a session belongs to."""
        if progress is None:
            return frozenset()
        labelled = frozenset(map(self._keyspace.labelled, progress.details.labels.items()))
        return labelled if progress.status == "completed" else labelled | {self._keyspace.unfinished}

    async def enter(self, change: Change, before: SessionProgress | None, max_sessions: int) -> str | None:
        """Enter a session where it will be found after a change, and return its entry if the change creates it.

        `before` is the session before the change, if that is known.

        Raises:
            StoreFullError: There are `max_sessions` already.
        """
        if change.record is None or change.has_lines_alone:
            return None
        progress = change.record.session.progress
        if not change.is_fresh and _is_alike(before, progress):
            return None
        creation, sets = (progress.created_at, progress.session_id), self._sets_of(progress)
        if change.is_fresh:
            entry, by_id = index_entry(*creation), id_entry(*creation)
        else:
            entry, by_id, sets = "", "", sets - self._sets_of(before)
        if entry or sets:
            most: Argument = max_sessions if change.is_fresh and change.expected is None else ""
            member = set_member(*creation, change.record.position.offset)
            if not await self._executor.run(ENTER_INDEX, self._keys(sets), entry, by_id, most, member):
                raise StoreFullError
        return entry or None

    async def withdraw(self, change: Change, entry: str) -> None:
        """Remove the entry of a change that was not applied."""
        await self._remove(entry, self._sets_of(None if change.record is None else change.record.session.progress))

    async def leave(
        self, change: Change, before: SessionProgress | None, entry: str | None, former_entry: str | None
    ) -> None:
        """Remove what the index has of the session before a change, as far as that is over.

        `entry` is what `enter` returned, `former_entry` that of the session which the change replaced or removed.
        """
        if former_entry is not None and (change.record is None or (entry is not None and former_entry != entry)):
            await self._remove(former_entry, self._sets_of(before) | {self._keyspace.unfinished})
        elif entry is None and change.record is not None and before is not None:
            progress = change.record.session.progress
            if not _is_alike(before, progress) and (sets := self._sets_of(before) - self._sets_of(progress)):
                creation = progress.created_at, progress.session_id
                end = set_member(*creation, change.record.position.offset + 1)
                await self._leave("", "", f"{index_entry(*creation)}\0", end, sets)

    async def _remove(self, entry: str, sets: Collection[str]) -> None:
        """Remove the entry of a session that is gone, from sets that it may be in, too."""
        by_id = id_entry(*split_index_entry(entry.encode()))
        await self._leave(entry, by_id, f"{entry}\0", f"{entry}\1", sets)

    async def _leave(self, entry: str, by_id: str, first: str, end: str, sets: Iterable[str]) -> None:
        """Remove entries; the next clean-up finds those that cannot be removed now."""
        try:
            await self._executor.run(LEAVE_INDEX, self._keys(sets), entry, by_id, first, end)
        except StoreUnavailableError:
            logger.info("an entry of the index stays until the next clean-up")

    def _keys(self, sets: Iterable[str]) -> list[str]:
        return [self._keyspace.index, self._keyspace.ids, self._keyspace.sets, *sets]

    async def pages_before(self, created_before: str) -> AsyncIterator[Sequence[tuple[SessionSummary, Position]]]:
        """Yield the sessions created before the time stamp, oldest first, and remove stray entries among them."""
        async for entries in self._members(self._keyspace.index, f"({created_before}"):
            found = await self._pages.find(entries)
            stray = [entry for entry, each in found.items() if each is None and _is_old(entry)]
            await asyncio.gather(*(self._remove(entry.decode(), [self._keyspace.unfinished]) for entry in stray))
            yield list(filter(None, found.values()))

    async def clean_sets(self, created_before: str) -> None:
        """Remove sessions from sets that they do not belong to, among those created before the time stamp."""
        async for keys in self._members(self._keyspace.sets, "+"):
            names = self._decode.each(self._keyspace.sets, bytes.decode, keys)
            await asyncio.gather(*(self._clean_set(name, created_before) for name in names))

    async def _clean_set(self, key: str, created_before: str) -> None:
        async for members in self._members(key, f"({created_before}"):
            found = await self._pages.find(list({entry_of(member) for member in members}))
            for member, offset in self._decode.each(key, _with_offset, members):
                if self._is_over(key, member, offset, found.get(entry_of(member), False)):
                    await self._leave("", "", member.decode(), f"{member.decode()}\0", [key])

    async def _members(self, key: str, end: str) -> AsyncIterator[Sequence[bytes]]:
        """Yield the members of a sorted set before `end`, page by page."""
        start = b"-"
        while members := await self._executor.execute("ZRANGE", key, start, end, "BYLEX", "LIMIT", 0, PAGE_SIZE):
            yield members
            start = b"(" + members[-1]

    def _is_over(self, key: str, member: bytes, offset: int, found: Found | Literal[False]) -> bool:
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


def _is_old(entry: bytes) -> bool:
    return split_index_entry(entry)[0] < state_machine.timestamp(datetime.now(UTC) - _STRAY_AGE)
