"""The index through which all sessions are found; it lies in another slot than they do.

A session is entered before it is created, and its entry is removed after the session. An entry without a session is
*stray*: a process ended in between, or the session's keys have expired. Stray entries are passed over, and removed once
they are old.

The sessions of a label, and those that are not completed, are also in a *set*. A session enters a set before the change
that makes it belong there, and leaves it after the one that ends that. So a set may hold more sessions than belong to
it, and never less.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias, TypeVar

from progress_sse.core import state_machine
from progress_sse.core.errors import StoreFullError, StoreUnavailableError
from progress_sse.core.model import Position, SessionProgress, SessionStatus
from progress_sse.core.session_filter import ALL_SESSIONS, SessionFilter, end_of_prefix
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.codec import SUMMARY_FIELDS, Argument, decode_summary
from progress_sse.store.redis.errors import is_damage
from progress_sse.store.redis.keys import (
    Keyspace,
    entry_of,
    id_entry,
    index_entry,
    set_member,
    split_id_entry,
    split_index_entry,
    split_set_member,
)
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.redis.scripts import ENTER_INDEX, LEAVE_INDEX, PLAN_LIST
from progress_sse.store.types import Change, PageCursor, SessionSummary

logger = logging.getLogger(__name__)

_STRAY_AGE: Final = timedelta(hours=1)
"""Age at which an entry without a session is stray for good: its session is not created so late."""

K = TypeVar("K", str, bytes)

Found: TypeAlias = tuple[SessionSummary, Position] | None
"""A session with its position; `None` if there is none."""

PAGE_SIZE: Final = 200


class IndexPages:
    """Reads lists of sessions: from the smallest part of the index that has them all."""

    forgets_silently = True

    def __init__(self, executor: CommandExecutor, keyspace: Keyspace, decode: CheckedDecoder) -> None:
        self._executor = executor
        self._keyspace = keyspace
        self._decode = decode

    async def list_summaries(
        self, wanted: SessionFilter, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return a page of a list; see `Lists.list_summaries`."""
        summaries: list[SessionSummary] = []
        async for entries in self._pages(wanted, limit, after):
            found = await self._find_all(entries)
            summaries += (each for each, _ in filter(None, found.values()) if each.is_of(wanted))
            if len(summaries) >= limit:
                break
        return summaries[:limit]

    async def load_summaries(self, session_ids: Collection[str]) -> Mapping[str, SessionSummary]:
        """Return those of the sessions that there are and that are not damaged."""
        ids = list(session_ids)
        found = _undamaged(ids, await asyncio.gather(*map(self._load, ids), return_exceptions=True))
        return {session_id: each[0] for session_id, each in found.items() if each is not None}

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        """Return how many sessions there are, counted page by page: no process keeps a count."""
        counts: Counter[SessionStatus] = Counter()
        after = None
        while page := await self.list_summaries(ALL_SESSIONS, PAGE_SIZE, after):
            counts.update(summary.status for summary in page)
            after = PageCursor(page[-1].created_at, page[-1].session_id)
        return counts

    async def _find_all(self, entries: Sequence[bytes]) -> Mapping[bytes, Found]:
        """Return the session of each entry of the index that is not damaged; `None` if the entry is stray."""
        return _undamaged(entries, await asyncio.gather(*map(self._find, entries), return_exceptions=True))

    async def _find(self, entry: bytes) -> Found:
        created_at, session_id = self._decode(split_index_entry, entry)
        found = await self._load(session_id)
        return found if found is not None and found[0].created_at == created_at else None

    async def _load(self, session_id: str) -> Found:
        with self._decode.noting(session_id):
            fields = await self._executor.execute("HMGET", self._keyspace.of(session_id).state, *SUMMARY_FIELDS)
        return self._decode(decode_summary, session_id, fields)

    async def _pages(
        self, wanted: SessionFilter, limit: int, after: PageCursor | None
    ) -> AsyncIterator[Sequence[bytes]]:
        """Yield entries among which all sessions of a list are, in its order, page by page."""
        size = max(limit, PAGE_SIZE)
        end = None if after is None else index_entry(after.created_at, after.session_id).encode()
        source = self._keyspace.index if wanted == ALL_SESSIONS else await self._smallest_source(wanted, limit)
        if source is None:
            entries = await self._with_prefix(wanted.prefix, end)
            for begin in range(0, len(entries), size):
                yield entries[begin : begin + size]
            return
        start = b"+" if end is None else b"(" + end
        while members := await self._executor.execute("ZRANGE", source, start, "-", "BYLEX", "REV", "LIMIT", 0, size):
            entries = list(dict.fromkeys(map(entry_of, members)))  # In a set a session may be twice, side by side.
            yield entries
            start = b"(" + entries[-1]

    async def _smallest_source(self, wanted: SessionFilter, limit: int) -> str | None:
        """Return the key of the smallest part with all sessions of a list; `None`: the few ids with the prefix."""
        sets = [self._keyspace.labelled(label) for label in wanted.labels]
        if wanted.states and "completed" not in wanted.states:
            sets.append(self._keyspace.unfinished)
        keys = [self._keyspace.index, self._keyspace.ids, *sets]
        total, is_short, *counts = await self._executor.run(PLAN_LIST, keys, *_range_of(wanted.prefix), limit)
        if is_short and wanted.prefix:
            return None
        return min([(total, self._keyspace.index), *zip(counts, sets, strict=True)])[1]

    async def _with_prefix(self, prefix: str, end: bytes | None) -> Sequence[bytes]:
        entries = await self._executor.execute("ZRANGE", self._keyspace.ids, *_range_of(prefix), "BYLEX")
        found = [index_entry(*each).encode() for each in self._decode.each(self._keyspace.ids, split_id_entry, entries)]
        return sorted((each for each in found if end is None or each < end), reverse=True)


class SessionIndex(IndexPages):
    """Enters sessions into the index, too, and removes them."""

    def _sets_of(self, progress: SessionProgress | None) -> frozenset[str]:
        if progress is None:
            return frozenset()
        labelled = frozenset(map(self._keyspace.labelled, progress.details.labels.items()))
        return labelled if progress.status == "completed" else labelled | {self._keyspace.unfinished}

    async def enter(self, change: Change, before: SessionProgress | None, max_sessions: int) -> str | None:
        """Enter a session where it will be found after a change, if there is room; return the entry of a new one."""
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
        """Remove what is over once a change is made; `former_entry` is of the session that it replaced or removed."""
        if former_entry is not None and (change.record is None or (entry is not None and former_entry != entry)):
            await self._remove(former_entry, self._sets_of(before) | {self._keyspace.unfinished})
        elif entry is None and change.record is not None and before is not None:
            progress = change.record.session.progress
            if not _is_alike(before, progress) and (sets := self._sets_of(before) - self._sets_of(progress)):
                creation = progress.created_at, progress.session_id
                end = set_member(*creation, change.record.position.offset + 1)
                await self._leave("", "", f"{index_entry(*creation)}\0", end, sets)

    async def _remove(self, entry: str, sets: Collection[str]) -> None:
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
            found = await self._find_all(entries)
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
            found = await self._find_all(list({entry_of(member) for member in members}))
            for member, offset in self._decode.each(key, lambda each: (each, split_set_member(each)[2]), members):
                if self._is_over(key, member, offset, found.get(entry_of(member), False)):
                    await self._leave("", "", member.decode(), f"{member.decode()}\0", [key])

    async def _members(self, key: str, end: str) -> AsyncIterator[Sequence[bytes]]:
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


def _is_old(entry: bytes) -> bool:
    return split_index_entry(entry)[0] < state_machine.timestamp(datetime.now(UTC) - _STRAY_AGE)


def _range_of(prefix: str) -> tuple[str, str]:
    """Return the bounds of the ids that begin with a prefix, as commands on sorted sets take them."""
    end = end_of_prefix(prefix)
    return f"[{prefix}", "+" if end is None else f"({end}"


def _undamaged(keys: Sequence[K], outcomes: Sequence[Found | BaseException]) -> dict[K, Found]:
    found = {}
    for key, outcome in zip(keys, outcomes, strict=True):
        if not isinstance(outcome, BaseException):
            found[key] = outcome
        elif not is_damage(outcome):
            raise outcome
    return found
