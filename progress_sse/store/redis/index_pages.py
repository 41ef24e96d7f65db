"""Where the sessions of a list are looked for: in the smallest part of the index that has them all."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from progress_sse.core.model import SessionStatus
from progress_sse.core.session_filter import ALL_SESSIONS, SessionFilter, end_of_prefix
from progress_sse.store.redis.checked_decoder import CheckedDecoder
from progress_sse.store.redis.keys import Keyspace, index_entry, split_id_entry
from progress_sse.store.redis.pipeline import CommandExecutor
from progress_sse.store.redis.scripts import PLAN_LIST
from progress_sse.store.redis.session_index import PAGE_SIZE, entry_of
from progress_sse.store.redis.summaries import RedisSummaries
from progress_sse.store.types import PageCursor, SessionSummary


class IndexPages:
    """Reads lists of sessions."""

    forgets_silently = True

    def __init__(
        self, executor: CommandExecutor, keyspace: Keyspace, decode: CheckedDecoder, summaries: RedisSummaries
    ) -> None:
        """Read the index by `executor`."""
        self._executor = executor
        self._keyspace = keyspace
        self._decode = decode
        self._summaries = summaries

    async def list_summaries(
        self, wanted: SessionFilter, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return a page of a list; see `Lists.list_summaries`."""
        summaries: list[SessionSummary] = []
        async for entries in self._pages(wanted, limit, after):
            found = await self._summaries.find(entries)
            summaries += (each for each, _ in filter(None, found.values()) if each.is_of(wanted))
            if len(summaries) >= limit:
                break
        return summaries[:limit]

    async def load_summaries(self, session_ids: Collection[str]) -> Mapping[str, SessionSummary]:
        """Return the sessions that there are; see `Lists.load_summaries`."""
        return await self._summaries.load(session_ids)

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        """Return how many sessions there are, counted page by page: no process keeps a count."""
        counts: Counter[SessionStatus] = Counter()
        after = None
        while page := await self.list_summaries(ALL_SESSIONS, PAGE_SIZE, after):
            counts.update(summary.status for summary in page)
            after = PageCursor(page[-1].created_at, page[-1].session_id)
        return counts

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
        arguments = *_range_of(wanted.prefix), limit
        total, is_short, *counts = (await self._executor.run(PLAN_LIST, keys, *arguments)).value
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
