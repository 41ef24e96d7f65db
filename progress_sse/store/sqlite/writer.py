"""Writing to a SQLite store: one connection, in a thread of its own, that commits whatever waits in one transaction.

A durable commit costs about the same whether it holds one change or fifty. So nobody waits for a commit to be filled:
while one is under way the next changes gather, and the more there are, the better they share.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from progress_sse.core.errors import (
    ConflictError,
    OutcomeUnknownError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
)
from progress_sse.store.health import UNREADABLE, HealthLog
from progress_sse.store.sqlite import tables
from progress_sse.store.sqlite.file import WAL_PAGES, DatabaseFile
from progress_sse.store.types import Notification, StorageLimits

MAX_GROUP: Final = 100
"""Changes in one commit: with each of them dropping a full session, its log still stays below 64 MB."""

_MAX_PAGES: Final = 2**32 - 2
"""The most pages that SQLite lets a database have [sqlite.org/limits.html]."""


class DiskFullError(sqlite3.OperationalError):
    """Raised, as if by SQLite, where what is free on the disk is kept for removals."""

    sqlite_errorcode = sqlite3.SQLITE_FULL

    def __init__(self) -> None:
        """Say so."""
        super().__init__("the disk is nearly full; what room there is is kept for removals")


@dataclass(frozen=True, slots=True)
class Write:
    """A change that waits to be committed (without a draft: the trial of whether it would be).

    Attributes:
        draft: What to write.
        done: Resolved by whoever is told of the settlement.
        overdue_at: Monotonic time after which it is given up while another process has the file locked.
    """

    draft: tables.Draft | None
    done: asyncio.Future[None]
    overdue_at: float


Settlement: TypeAlias = Sequence[tuple[Write, Exception | None]]
"""What became of each change of a group, in the order in which they were applied."""


class SqliteWriter:
    """Accepts changes in the event loop, commits them in its thread, and reports back in the loop, in order.

    No failure is for ever: each leaves a connection behind that is out of its transaction, or none, and the next change
    then makes a new one.
    """

    def __init__(
        self,
        file: DatabaseFile,
        limits: StorageLimits,
        busy_timeout_s: float,
        on_settled: Callable[[Sequence[Notification], Settlement], None],
    ) -> None:
        """Write to `file`.

        Args:
            file: Not acquired yet; `open` does that.
            limits: How much is kept.
            busy_timeout_s: Seconds that a change waits while another process has the file locked.
            on_settled: Called in the event loop for each group, with what it came to; before that, with the state of
                sessions whose last change had been left in doubt.
        """
        self._file = file
        self._limits = limits
        self._busy_timeout_s = busy_timeout_s
        self._on_settled = on_settled
        self._thread = ThreadPoolExecutor(1, "sqlite-writer")
        self._waiting: deque[Write] = deque()
        self._is_scheduled = False
        # What follows belongs to the thread.
        self._connection: sqlite3.Connection | None = None
        self._sessions = 0
        self._in_doubt: set[str] = set()
        self._is_bounded = False
        self._max_group = MAX_GROUP
        self._health = HealthLog("Writing to the store")

    async def open(self) -> None:
        """Acquire the file and connect to it.

        Raises:
            StoreRefusedError: The file cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        try:
            await self._loop.run_in_executor(self._thread, self._open)
        except BaseException:  # Who is cancelled leaves the thread at it, and the file would stay in use.
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Finish what was accepted, move the write-ahead log into the database, and release the file."""
        await self._loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def submit(self, draft: tables.Draft | None) -> asyncio.Future[None]:
        """Accept a change; the future is part of what `on_settled` is told of."""
        write = Write(draft, self._loop.create_future(), time.monotonic() + self._busy_timeout_s)
        self._waiting.append(write)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._thread.submit(self._write_waiting)
        return write.done

    def clear_log(self) -> asyncio.Future[bool]:
        """Move the write-ahead log into the database and cut it off; `False` where that has to be tried again."""
        return self._loop.run_in_executor(self._thread, self._clear_log)

    def _clear_log(self) -> bool:
        try:
            self._check_in_place()
            is_busy, _, _ = self._connected().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            self._repair(error)
            return False
        return not is_busy

    def _open(self) -> None:
        self._file.acquire()
        try:
            self._sessions = tables.count_sessions(self._connected())
        except sqlite3.Error as error:
            raise StoreRefusedError(f"The store cannot be read: {error}.") from error

    def _close(self) -> None:
        self._disconnect()
        self._file.release()

    def _write_waiting(self) -> None:
        self._is_scheduled = False  # What is appended from here on schedules this again, seen below or not.
        while self._waiting:
            if self._begin():
                self._write_group([self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_group))])

    def _begin(self) -> bool:
        """Get hold of the file; while another process has it, give up what has waited too long."""
        try:
            self._check_in_place()
            self._make_room(self._connected(), self._waiting[0])
            self._connected().execute("BEGIN IMMEDIATE")
        except (sqlite3.Error, OSError) as error:
            self._repair(error)
            given_up = min(len(self._waiting), self._max_group)
            if _primary_code(error) == sqlite3.SQLITE_BUSY:
                given_up = self._overdue()
            if given_up:
                self._give_up([self._waiting.popleft() for _ in range(given_up)], error, _unapplied)
            return False
        return True

    def _check_in_place(self) -> None:
        try:
            self._file.check_in_place()
        except sqlite3.OperationalError:
            self._file.checkpoint()
            raise

    def _make_room(self, connection: sqlite3.Connection, write: Write) -> None:
        """Keep room on the disk for removals, and for a checkpoint, while there is not plenty of it.

        Raises:
            DiskFullError: The change must not have what there is.
        """
        room = self._file.room(connection)
        if room is not None and room.growth < WAL_PAGES:
            self._file.checkpoint()
            room = self._file.room(connection)
        is_short = room is not None and room.growth < WAL_PAGES
        self._max_group = 1 if is_short else MAX_GROUP  # So that a removal is not refused together with others.
        if room is None or (is_short and _removes(write)):
            self._bound(connection, None)
        elif room.usable < (0 if write.draft else 1):
            raise DiskFullError
        else:
            self._bound(connection, room.growth)

    def _bound(self, connection: sqlite3.Connection, growth: int | None) -> None:
        if growth is not None:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + growth}")
        elif self._is_bounded:
            connection.execute(f"PRAGMA max_page_count = {_MAX_PAGES}")
        self._is_bounded = growth is not None

    def _overdue(self) -> int:
        now = time.monotonic()
        return sum(write.overdue_at <= now for write in tuple(self._waiting))

    def _write_group(self, group: Sequence[Write]) -> None:
        connection, sessions = self._connected(), self._sessions
        translate = _unapplied
        try:
            cleared_up = self._clear_up(connection)
            settlement = [(write, self._attempt(connection, write)) for write in group]
            translate = _uncommitted
            with self._file.publishing:
                connection.execute("COMMIT")
                self._check_in_place()  # Or it may have gone to a file without a name.
                self._report(cleared_up, settlement)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._repair(error)
            self._sessions = sessions
            self._give_up(group, error, translate)
        else:
            self._in_doubt.clear()
            self._health.record(None)

    def _give_up(self, group: Sequence[Write], error: Exception, translate: Callable[[Exception], Exception]) -> None:
        self._health.record(error)
        settlement = [(write, translate(error)) for write in group]
        self._in_doubt |= _in_doubt(settlement)
        self._report([], settlement)

    def _clear_up(self, connection: sqlite3.Connection) -> Sequence[Notification]:
        """Find out how commits came out whose outcome was unknown."""
        if self._in_doubt:
            self._sessions = tables.count_sessions(connection)
        notifications = []
        for session_id in self._in_doubt:
            try:
                notifications.append(Notification(session_id, tables.load(connection, session_id)))
            except (sqlite3.DatabaseError, *UNREADABLE) as error:
                # Where it is damaged nobody can be told; whoever asks hears of that.
                if isinstance(error, sqlite3.DatabaseError) and _primary_code(error) not in _DAMAGED:
                    raise
        return notifications

    def _attempt(self, connection: sqlite3.Connection, write: Write) -> Exception | None:
        if write.draft is None:
            connection.execute(f"PRAGMA user_version = {tables.SCHEMA_VERSION}")
            return None
        has_room = self._sessions < self._limits.max_sessions
        try:
            self._sessions += tables.write(connection, write.draft, self._limits, has_room=has_room)
        except (ConflictError, StoreFullError) as refusal:
            return refusal
        return None

    def _report(self, cleared_up: Sequence[Notification], settlement: Settlement) -> None:
        self._loop.call_soon_threadsafe(self._on_settled, cleared_up, settlement)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._file.connect_writer()
        return self._connection

    def _repair(self, error: Exception) -> None:
        """Leave the transaction, and the connection too if the trouble might lie in it."""
        code = _primary_code(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL) and self._connection is not None:
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if code == sqlite3.SQLITE_FULL:
                    self._file.checkpoint()  # The log may have taken all there was, for nothing.
                return
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _removes(write: Write) -> bool:
    return write.draft is not None and write.draft.change.record is None


def _in_doubt(settlement: Settlement) -> set[str]:
    return {
        write.draft.change.session_id
        for write, failure in settlement
        if write.draft is not None and isinstance(failure, OutcomeUnknownError)
    }


def _primary_code(error: Exception) -> int:
    """Return SQLite's result code without its refinement [sqlite.org/rescode.html]; 0 where there is none."""
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF


def _unapplied(error: Exception) -> Exception:
    """Translate an error after which it is certain that nothing was changed."""
    if _primary_code(error) == sqlite3.SQLITE_FULL:
        return _caused(StoreFullError("The disk of the store is full."), error)
    return _caused(StoreUnavailableError(), error)


def _uncommitted(error: Exception) -> Exception:
    """Translate an error of COMMIT.

    Where a lock or room was missing, its last page was not written, which alone would make it valid. Of any other
    failure nobody knows what it leaves behind on the disk.
    """
    if _primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL):
        return _unapplied(error)
    return _caused(OutcomeUnknownError(), error)


def _caused(translated: Exception, error: Exception) -> Exception:
    translated.__cause__ = error
    return translated
