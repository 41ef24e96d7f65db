"""Sessions in a local file: acknowledged changes survive the end of the process and a power failure.

The event loop never waits for the disk. One thread writes (``writer``), one reads (``reader``), and sessions in use are
answered from memory. Only this process uses the file, so a record that it has committed or read stays true until it
commits the next one.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from progress_sse.core.errors import OutcomeUnknownError, SignSeenError
from progress_sse.core.history import Cell, History
from progress_sse.core.model import Position, SessionStatus
from progress_sse.core.session_filter import SessionFilter
from progress_sse.store.backend import commit_all
from progress_sse.store.health import DamageLog
from progress_sse.store.idempotency import removal
from progress_sse.store.leases import LocalLeases
from progress_sse.store.listeners import LocalTopics, N, Topic, Unsubscribe
from progress_sse.store.log_lines import StoredLines
from progress_sse.store.record_cache import RecordCache
from progress_sse.store.sqlite import histories, list_queries, log_lines, mutations, queries
from progress_sse.store.sqlite.encoded_change import EncodedChange
from progress_sse.store.sqlite.file import DatabaseFile
from progress_sse.store.sqlite.outbox import SqliteOutbox
from progress_sse.store.sqlite.reader import SqliteReader
from progress_sse.store.sqlite.writer import Resolved, SqliteWriter, WriteResults
from progress_sse.store.types import (
    Change,
    LogEntry,
    PageCursor,
    Record,
    RememberedKey,
    SessionSummary,
    StorageLimits,
    to_notification,
)

_PAGE: Final = 100
"""Sessions, or keyrings, that clean-up reads and removes at a time; other commits run in between."""

RESOLVE_DELAY_S: Final = 1.0
"""Seconds until the outcome of a commit that is in doubt is read from the file, and between two attempts."""

PURGE_DELAY_S: Final = 2.0
"""Seconds after a removal until the write-ahead log is emptied, which still holds the removed text."""


class SqliteBackend:
    """Keeps sessions in a SQLite database, which only one process may use at a time."""

    def __init__(self, path: Path, limits: StorageLimits, *, busy_timeout_s: float = 5.0) -> None:
        """Name the file; it is created by `open` if there is none.

        Args:
            path: The file. The files `-wal` and `-shm` beside it belong to it, and `.lock` records in which state it
                was left.
            limits: How much is kept.
            busy_timeout_s: Seconds that a commit waits for another process that has locked the file, as a backup
                may, before it fails with `StoreUnavailableError`.
        """
        self._file = DatabaseFile(path, busy_timeout_s)
        self._damage = DamageLog()
        self._limits = limits
        self._topics = LocalTopics()
        self._set_up()

    def _set_up(self) -> None:
        self._writer = SqliteWriter(self._file, self._limits, self._on_written, self._damage)
        self._reader = SqliteReader(self._file, self._damage)
        self._records = _Records(self._reader)
        self._purging = _Repeated(self._writer.truncate_wal)
        self._resolving = _Repeated(lambda: self._writer.submit(None))
        self.lists = _Lists(self._reader)
        self.lines = _Lines(self._reader)
        self.histories = _Histories(self._reader, self._writer, self._purge_soon)
        self.leases = LocalLeases()
        self.outbox = SqliteOutbox(self._reader, self._writer, self._purge_soon)

    async def open(self) -> None:
        """Acquire the file, check it for damage, and create a missing one; see `Backend.open`."""
        await self._writer.open()
        self._reader.is_open = True
        self.leases = LocalLeases(self._writer.leased)
        self.outbox.open()

    async def aclose(self) -> None:
        """Finish the accepted commits and release the file."""
        if self._reader.is_open:
            self._purging.cancel()
            self._resolving.cancel()
            try:
                await self._reader.aclose()
            finally:  # Even if this is cancelled; else the file would stay in use.
                await self._writer.aclose()
                self._topics.clear()
                self._set_up()  # Another process may change the file before it is opened again.

    @property
    def damage_count(self) -> int:
        """How many damaged sessions were found."""
        return self._damage.count

    async def ping(self) -> None:
        """Return once an empty change has been committed, as durably as any."""
        await self._writer.submit(None)

    async def load(self, session_id: str) -> Record | None:
        """Return the session, or `None`."""
        return await self._records.load(session_id)

    def cached_record(self, session_id: str) -> None:
        """Return `None`: `load` answers from memory, with records that are certain."""

    async def commit(self, change: Change) -> None:
        """Apply the change; see `Backend.commit`."""
        if change.silence is not None and not self.leases.is_silent(change.session_id, change.silence):
            raise SignSeenError
        await self._writer.submit(EncodedChange.of(change))

    def _on_written(self, resolved: Resolved, results: WriteResults) -> None:
        try:
            if resolved.notices:
                self.outbox.on_commit(resolved.notices)
            for notification in resolved.notifications:
                self._records.update(notification.session_id, notification.record)
                self._topics.publish(notification)
                self._topics.publish_lines(notification.session_id, None)
            for write, error in results:
                if isinstance(write.work, EncodedChange):
                    self._publish(write.work, error)
        finally:
            # The callers of those that are done already were cancelled.
            for done, error in ((write.done, error) for write, error in results if not write.done.done()):
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
            if any(isinstance(error, OutcomeUnknownError) for _, error in results):
                # The next commit resolves the outcome, for which listeners wait. There may be no other commit.
                self._resolving.schedule(RESOLVE_DELAY_S)

    def _publish(self, encoded: EncodedChange, error: Exception | None) -> None:
        change = encoded.change
        if error is not None:
            self._records.update(change.session_id, None)  # The cached record may be wrong; read the file next time.
            return
        if change.signs or change.is_fresh or change.record is None:
            self.leases.on_commit(change)
        if change.notices:
            self.outbox.on_commit(change.notices)
        if not (change.lines and change.has_lines_alone):
            self._records.update(change.session_id, change.record)
            self._topics.publish(to_notification(change))
        if encoded.appended is not None:
            self._topics.publish_lines(change.session_id, encoded.appended)
        if change.expected is not None and (change.record is None or change.is_fresh):
            self._purge_soon()

    def _purge_soon(self) -> None:
        # SQLite overwrites removed rows in the database (`secure_delete`); the log keeps them until it is emptied.
        self._purging.schedule(PURGE_DELAY_S)

    async def find_idempotency_key(self, session_id: str, name: str) -> RememberedKey | None:
        """Return the last use of the key, or `None`."""
        return await self._reader.read(queries.find_idempotency_key, session_id, name)

    async def forget_keys(self, used_before: str) -> None:
        """Delete old keys, unless they are used again meanwhile; see `Backend.forget_keys`."""
        page: Sequence[int] = (0,)
        while True:
            page = await self._reader.read(queries.list_stale_keyrings, used_before, _PAGE, page[-1])
            if not page:
                return
            await self._writer.submit(partial(mutations.delete_stale_keys, keyrings=page, used_before=used_before))

    async def replay(self, session_id: str, after: Position) -> Sequence[LogEntry] | None:
        """Return the transitions after the position; see `Backend.replay`."""
        return await self._reader.read(queries.replay, session_id, after, self._damage)

    async def subscribe(self, topic: Topic[N], listener: Callable[[N], None]) -> Unsubscribe:
        """Notify `listener`; see `Backend.subscribe`."""
        return self._topics.subscribe(topic, listener)

    async def expire(self, created_before: str, should_remove: Callable[[SessionSummary], bool]) -> int:
        """Remove old sessions, unless they change meanwhile; see `Backend.expire`."""
        removed = 0
        after: PageCursor | None = None
        while True:
            page = await self._reader.read(list_queries.list_created_before, self._damage, created_before, _PAGE, after)
            if not page:
                return removed
            removals = [removal(summary.session_id, position) for summary, position in page if should_remove(summary)]
            removed += await commit_all(self, removals)
            after = PageCursor(page[-1][0].created_at, page[-1][0].session_id)


@dataclass(frozen=True, slots=True)
class _Lists:
    reader: SqliteReader
    forgets_silently: ClassVar = False

    async def list_summaries(
        self, wanted: SessionFilter, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        return await self.reader.read(list_queries.list_summaries, self.reader.damage, wanted, limit, after)

    async def load_summaries(self, session_ids: Collection[str]) -> Mapping[str, SessionSummary]:
        return await self.reader.read(list_queries.load_summaries, self.reader.damage, session_ids)

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        return await self.reader.read(queries.count_by_status)


@dataclass(frozen=True, slots=True)
class _Lines:
    reader: SqliteReader

    async def read_lines(self, session_id: str, after: int) -> StoredLines | None:
        return await self.reader.read(log_lines.load, session_id, after, self.reader.damage)

    async def find_line_key(self, session_id: str, name: str) -> str | None:
        return await self.reader.read(log_lines.find_key, session_id, name)


@dataclass(frozen=True, slots=True)
class _Histories:
    """What runs taught; `purge_soon` is called once some of it is forgotten, which the write-ahead log still has."""

    reader: SqliteReader
    writer: SqliteWriter
    purge_soon: Callable[[], None]

    async def load(self, profile: str) -> History:
        return await self.reader.read(histories.load, profile, self.reader.damage)

    async def forget(self, profile: str, cells: Collection[Cell] | None = None) -> None:
        await self.writer.submit(partial(histories.forget, profile=profile, cells=cells))
        self.purge_soon()


class _Records:
    """The sessions in use, from memory; concurrent callers share the read of another one."""

    def __init__(self, reader: SqliteReader) -> None:
        self._reader = reader
        self._cache = RecordCache()
        self._loads: dict[str, asyncio.Future[Record | None]] = {}

    async def load(self, session_id: str) -> Record | None:
        record = self._cache.get(session_id)
        if record is None:
            load = self._loads.get(session_id)
            if load is None or _has_failed(load):  # At once, before its callback could run.
                load = self._loads[session_id] = self._reader.read(queries.load, session_id)
                load.add_done_callback(partial(self._end_load, session_id))
            record = await asyncio.shield(load)  # Cancelling the first caller must not cancel the load of the others.
        return record

    def _end_load(self, session_id: str, load: asyncio.Future[Record | None]) -> None:
        if self._loads.get(session_id) is not load:
            return  # A commit came in between, and its record is newer than the one that was read.
        del self._loads[session_id]
        if not _has_failed(load) and (record := load.result()) is not None:
            self._cache.put(session_id, record)

    def update(self, session_id: str, record: Record | None) -> None:
        self._loads.pop(session_id, None)
        if record is None:
            self._cache.drop(session_id)
        else:
            self._cache.put(session_id, record)


def _has_failed(load: asyncio.Future[Record | None]) -> bool:
    return load.done() and (load.cancelled() or load.exception() is not None)


class _Repeated:
    """An attempt that is made after a delay, and again until it neither raises nor returns `False`."""

    def __init__(self, attempt: Callable[[], asyncio.Future[Any]]) -> None:
        self._attempt = attempt
        self._delay_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_cancelled = False

    def schedule(self, delay_s: float) -> None:
        self._delay_s = delay_s
        if self._timer is None and not self._is_cancelled:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._run)

    def cancel(self) -> None:
        self._is_cancelled = True
        if self._timer is not None:
            self._timer.cancel()

    def _run(self) -> None:
        self._timer = None
        self._attempt().add_done_callback(self._end)

    def _end(self, attempt: asyncio.Future[Any]) -> None:
        if not attempt.cancelled() and (attempt.exception() is not None or attempt.result() is False):
            self.schedule(self._delay_s)
