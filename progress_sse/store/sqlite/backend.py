"""Sessions in a file of this machine: what was acknowledged outlives the process, and a power failure.

The event loop never waits for the disk. One thread writes (``sqlite_writer``), one reads (``sqlite_reader``), and what
is in use is answered from memory: this process owns the file alone, so a record that it has committed or read stays
true until it commits the next one.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.core.model import Position, SessionStatus
from progress_sse.store.backend import commit_all
from progress_sse.store.listeners import ListenerRegistry
from progress_sse.store.record_cache import RecordCache
from progress_sse.store.sqlite import tables
from progress_sse.store.sqlite.file import DatabaseFile
from progress_sse.store.sqlite.reader import SqliteReader
from progress_sse.store.sqlite.writer import Settlement, SqliteWriter
from progress_sse.store.types import (
    Change,
    Listener,
    LogEntry,
    Notification,
    PageCursor,
    Record,
    RememberedKey,
    SessionSummary,
    StorageLimits,
)

_PAGE: Final = 100
"""Sessions, or ids with keys, looked at and removed in one go when old ones are; workers' commits come in between."""

CLEAR_UP_S: Final = 1.0
"""Seconds until a commit whose outcome is unknown is looked into, and until that is tried again."""

SCRUB_S: Final = 2.0
"""Seconds after which nothing of a removed session is left in the file, or in the log beside it."""


class SqliteBackend:
    """Keeps sessions in a SQLite database that no other process may use at the same time."""

    def __init__(self, path: Path, limits: StorageLimits, *, busy_timeout_s: float = 5.0) -> None:
        """Name the file; it is created by `open` if there is none.

        Args:
            path: The file. Beside it stand `-wal` and `-shm`, which belong to it, and `.lock`, which says how it was
                left.
            limits: How much is kept.
            busy_timeout_s: Seconds that a commit waits for another process that has locked the file, as a backup
                may, before it fails with `StoreUnavailableError`. Default 5.
        """
        self._file = DatabaseFile(path, busy_timeout_s)
        self._limits = limits
        self._busy_timeout_s = busy_timeout_s
        self._writer: SqliteWriter
        self._reader: SqliteReader
        self._cache: RecordCache
        self._loads: dict[str, asyncio.Future[Record | None]]
        self._listeners = ListenerRegistry()
        self._scrubbing: asyncio.TimerHandle | None
        self._clearing_up: asyncio.TimerHandle | None
        self._is_open = False

    async def open(self) -> None:
        """Acquire the file, look for damage, and create what is not there; see `Backend.open`."""
        writer = SqliteWriter(self._file, self._limits, self._busy_timeout_s, self._settle)
        await writer.open()
        self._writer, self._reader = writer, SqliteReader(self._file)
        self._cache, self._loads = RecordCache(), {}  # Another process may have had the file since the last time.
        self._scrubbing = self._clearing_up = None
        self._is_open = True

    async def aclose(self) -> None:
        """Finish what was accepted and release the file."""
        if self._is_open:
            self._is_open = False
            for timer in filter(None, (self._scrubbing, self._clearing_up)):
                timer.cancel()
            try:
                await self._reader.aclose()
            finally:  # Or the file would stay in use, where this is cancelled.
                await self._writer.aclose()
                self._listeners.clear()

    async def ping(self) -> None:
        """Return once an empty change has been committed, as durably as any."""
        self._check_open()
        await self._writer.submit(None)

    async def load(self, session_id: str) -> Record | None:
        """Return the session, or `None`."""
        self._check_open()
        record = self._cache.get(session_id)
        if record is None:
            # Whoever asks meanwhile shares the answer, so it must not be cancelled with the one who asked first.
            record = await asyncio.shield(self._loads.get(session_id) or self._begin_load(session_id))
        return record

    def _begin_load(self, session_id: str) -> asyncio.Future[Record | None]:
        load = self._loads[session_id] = self._reader.read(tables.load, session_id)
        load.add_done_callback(partial(self._end_load, session_id))
        return load

    def _end_load(self, session_id: str, load: asyncio.Future[Record | None]) -> None:
        if self._loads.get(session_id) is not load:
            return  # A commit came in between: what was read may be older than what is cached.
        del self._loads[session_id]
        if not load.cancelled() and load.exception() is None and (record := load.result()) is not None:
            self._cache.put(session_id, record)

    def cached_record(self, session_id: str) -> None:
        """Return nothing: what is in use is here, and certain."""

    async def commit(self, change: Change) -> None:
        """Apply the change; see `Backend.commit`."""
        self._check_open()
        await self._writer.submit(tables.Draft.of(change))

    def _settle(self, cleared_up: Sequence[Notification], settlement: Settlement) -> None:
        try:
            for notification in cleared_up:
                self._keep(notification.session_id, notification.record)
                self._listeners.notify(notification)
            for write, failure in settlement:
                if write.draft is not None:
                    self._follow(write.draft.change, failure)
        finally:
            for write, failure in settlement:
                _resolve(write.done, failure)
            if any(isinstance(failure, OutcomeUnknownError) for _, failure in settlement):
                self._clear_up_soon()

    def _clear_up_soon(self) -> None:
        # The next commit finds out how this one came out, and readers wait for that; perhaps nobody commits anything.
        if self._clearing_up is None and self._is_open:
            self._clearing_up = asyncio.get_running_loop().call_later(CLEAR_UP_S, self._clear_up)

    def _clear_up(self) -> None:
        self._clearing_up = None
        if self._is_open:
            self._writer.submit(None).add_done_callback(self._end_clear_up)

    def _end_clear_up(self, committed: asyncio.Future[None]) -> None:
        if not committed.cancelled() and committed.exception() is not None:
            self._clear_up_soon()

    def _follow(self, change: Change, failure: Exception | None) -> None:
        if failure is not None:
            self._keep(change.session_id, None)  # Whatever went wrong: the file knows better.
            return
        self._keep(change.session_id, change.record)
        self._listeners.notify(Notification(change.session_id, change.record, change.is_fresh, change.entries))
        if change.expected is not None and (change.record is None or change.is_fresh):
            self._scrub_soon()

    def _scrub_soon(self) -> None:
        # The database forgets what was removed (`secure_delete`), but the log beside it does so only when it is cut.
        if self._scrubbing is None and self._is_open:
            self._scrubbing = asyncio.get_running_loop().call_later(SCRUB_S, self._scrub)

    def _scrub(self) -> None:
        self._scrubbing = None
        if self._is_open:
            self._writer.clear_log().add_done_callback(self._end_scrub)

    def _end_scrub(self, cleared: asyncio.Future[bool]) -> None:
        if not cleared.cancelled() and not cleared.result():
            self._scrub_soon()

    def _keep(self, session_id: str, record: Record | None) -> None:
        self._loads.pop(session_id, None)
        if record is None:
            self._cache.drop(session_id)
        else:
            self._cache.put(session_id, record)

    async def find_idempotency_key(self, session_id: str, name: str) -> RememberedKey | None:
        """Return what is remembered of the key."""
        self._check_open()
        return await self._reader.read(tables.find_idempotency_key, session_id, name)

    async def forget_keys(self, used_before: str) -> None:
        """Forget old keys, each unless it is used meanwhile; see `Backend.forget_keys`."""
        page: Sequence[int] = (0,)
        while True:
            self._check_open()
            page = await self._reader.read(tables.list_stale, used_before, _PAGE, page[-1])
            if not page:
                return
            await self._writer.submit(tables.Draft.forgetting(page, used_before))

    async def replay(self, session_id: str, after: Position) -> Sequence[LogEntry] | None:
        """Return the transitions after the position; see `Backend.replay`."""
        self._check_open()
        return await self._reader.read(tables.replay, session_id, after)

    async def listen(self, session_id: str, listener: Listener) -> None:
        """Tell `listener` of the session's changes."""
        self._listeners.add(session_id, listener)

    def unlisten(self, session_id: str, listener: Listener) -> None:
        """Take `listen` back."""
        self._listeners.remove(session_id, listener)

    async def list_summaries(
        self, status: SessionStatus | None, limit: int, after: PageCursor | None
    ) -> Sequence[SessionSummary]:
        """Return a page of sessions, newest first; see `Backend.list_summaries`."""
        self._check_open()
        return await self._reader.read(tables.list_summaries, status, limit, after)

    async def count_by_status(self) -> Mapping[SessionStatus, int]:
        """Return how many sessions there are."""
        self._check_open()
        return await self._reader.read(tables.count_by_status)

    async def expire(self, created_before: str, should_remove: Callable[[SessionSummary], bool]) -> int:
        """Remove old sessions, each unless it has changed meanwhile; see `Backend.expire`."""
        removed, after = 0, None
        while True:
            self._check_open()
            page = await self._reader.read(tables.list_old, created_before, _PAGE, after)
            if not page:
                return removed
            doomed = [Change(head.session_id, position, None) for head, position in page if should_remove(head)]
            removed += await commit_all(self, doomed)
            after = PageCursor(page[-1][0].created_at, page[-1][0].session_id)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreUnavailableError("The store is closed.")


def _resolve(done: asyncio.Future[None], failure: Exception | None) -> None:
    if done.done():  # Whoever asked has gone.
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
