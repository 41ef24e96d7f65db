"""The powers of a SQLite store."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from progress_sse.core.history import Cell, History
from progress_sse.core.model import SessionStatus
from progress_sse.core.session_filter import SessionFilter
from progress_sse.store.health import DamageLog
from progress_sse.store.log_lines import StoredLines
from progress_sse.store.sqlite import histories, list_queries, log_lines, queries
from progress_sse.store.sqlite.reader import SqliteReader
from progress_sse.store.sqlite.writer import SqliteWriter
from progress_sse.store.types import PageCursor, SessionSummary


@dataclass(frozen=True, slots=True)
class SqliteLists:
    """Finds sessions, without those that are damaged."""

    reader: SqliteReader
    damage: DamageLog
    forgets_silently: ClassVar = False

    async def list_summaries(
        self, wanted: SessionFilter, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return a page of sessions, newest first; see `Lists.list_summaries`."""
        return await self.reader.read(list_queries.list_summaries, self.damage, wanted, limit, after)

    async def load_summaries(self, session_ids: Collection[str]) -> Mapping[str, SessionSummary]:
        """Return the sessions that there are; see `Lists.load_summaries`."""
        return await self.reader.read(list_queries.load_summaries, self.damage, session_ids)

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        """Return how many sessions there are."""
        return await self.reader.read(queries.count_by_status)


@dataclass(frozen=True, slots=True)
class SqliteLines:
    """The log lines of sessions, without those that are damaged."""

    reader: SqliteReader
    damage: DamageLog

    async def read_lines(self, session_id: str, after: int) -> StoredLines | None:
        """Return kept lines; see `Lines.read_lines`."""
        return await self.reader.read(log_lines.load, session_id, after, self.damage)

    async def find_line_key(self, session_id: str, name: str) -> str | None:
        """Return the digest of a request; see `Lines.find_line_key`."""
        return await self.reader.read(log_lines.find_key, session_id, name)


@dataclass(frozen=True, slots=True)
class SqliteHistories:
    """What runs taught; `purge_soon` is called once some of it is forgotten, which the write-ahead log still has."""

    reader: SqliteReader
    writer: SqliteWriter
    damage: DamageLog
    purge_soon: Callable[[], None]

    async def load(self, profile: str) -> History:
        """Return how often each cell was taught."""
        return await self.reader.read(histories.load, profile, self.damage)

    async def forget(self, profile: str, cells: Collection[Cell] | None = None) -> None:
        """Forget cells; see `Histories.forget`."""
        await self.writer.submit(partial(histories.forget, profile=profile, cells=cells))
        self.purge_soon()
