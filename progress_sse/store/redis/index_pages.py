"""Where the sessions of a list are looked for: in the smallest part of the index that has them all."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from progress_sse.core.model import Position, SessionStatus
from progress_sse.core.session_filter import ALL_SESSIONS, SessionFilter, end_of_prefix
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.codec import SUMMARY_FIELDS, decode_summary
from progress_sse.store.redis.errors import is_damage
from progress_sse.store.redis.keys import Keyspace, entry_of, index_entry, split_id_entry, split_index_entry
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.redis.scripts import PLAN_LIST
from progress_sse.store.types import PageCursor, SessionSummary

K = TypeVar("K", str, bytes)

Found: TypeAlias = tuple[SessionSummary, Position] | None
"""A session with its position; `None` if there is none."""

PAGE_SIZE: Final = 200
"""Entries that are read at once."""


class IndexPages:
    """Reads lists of sessions."""

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
            found = await self.find(entries)
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

    async def find(self, entries: Sequence[bytes]) -> Mapping[bytes, Found]:
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
        """Return the key of the smallest part with all sessions of a list; `None`: the ids that begin with the prefix.

        The latter have to be sorted, and so are taken only if they are few.
        """
        sets = [self._keyspace.labelled(label) for label in wanted.labels]
        if wanted.status not in (None, "completed"):
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
