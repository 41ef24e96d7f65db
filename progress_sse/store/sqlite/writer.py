"""Writing to a SQLite store: one connection, in a thread of its own, that commits waiting changes in groups.

A durable commit costs about the same whether it holds one change or fifty. So all changes of one turn of the event loop
make a group, and if there are several, those of the next turn too. The writer waits no longer for a group to fill:
while one commit is under way, the next changes gather.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, TypeVar

from progress_sse.core.errors import (
    ConflictError,
    OutcomeUnknownError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
)
from progress_sse.store.health import UNREADABLE, DamageLog, HealthLog
from progress_sse.store.outbox import Notice
from progress_sse.store.sqlite import mutations, notices, queries, schema
from progress_sse.store.sqlite.encoded_change import EncodedChange
from progress_sse.store.sqlite.errors import DAMAGE_CODES, DiskFullError, not_applied, not_committed, primary_code
from progress_sse.store.sqlite.file import WAL_PAGES, DatabaseFile
from progress_sse.store.types import Notification, StorageLimits

T = TypeVar("T")

MAX_GROUP: Final = 50
"""Changes in one commit: even if each deletes a session with a full history and log, 64 MB of write-ahead log do."""

_MAX_PAGES: Final = 2**32 - 2
"""The most pages that SQLite lets a database have [sqlite.org/limits.html]."""


Removal: TypeAlias = Callable[[sqlite3.Connection], object]
"""Statements that remove what belongs to no session."""


@dataclass(frozen=True, slots=True)
class Write:
    """Work that waits to be committed.

    Attributes:
        work: What to write; `None` only tries whether a change could be committed.
        done: Resolved by the receiver of the results.
        overdue_at: Monotonic time after which it fails while another process has the file locked.
    """

    work: EncodedChange | Removal | None
    done: asyncio.Future[None]
    overdue_at: float

    @property
    def session_id(self) -> str:
        """The session that it writes to; empty if it writes to none."""
        return self.work.change.session_id if isinstance(self.work, EncodedChange) else ""

    @property
    def is_removal(self) -> bool:
        """Whether it makes room."""
        return self.work.change.record is None if isinstance(self.work, EncodedChange) else self.work is not None


WriteResults: TypeAlias = Sequence[tuple[Write, Exception | None]]
"""The writes of a group, in the order in which they were applied, each with its error."""


class Resolved(NamedTuple):
    """What came of changes with an unknown outcome: how their sessions are now, and their notices that are stored."""

    notifications: Sequence[Notification] = ()
    notices: Sequence[Notice] = ()


class DamagedRowError(Exception):
    """Raised when a write meets a row that is not as it was written: the write fails alone, and its group goes on."""

    def __init__(self, write: Write) -> None:
        super().__init__("a stored row is damaged")
        self.write = write


class SqliteWriter:
    """Accepts changes in the event loop, commits them in its thread, and reports the results to the loop, in order.

    It recovers from every failure: the connection is out of its transaction then, or closed, and the next change opens
    a new one.
    """

    def __init__(
        self,
        file: DatabaseFile,
        limits: StorageLimits,
        on_written: Callable[[Resolved, WriteResults], None],
        damage: DamageLog,
    ) -> None:
        """Write to `file`.

        Args:
            file: Not acquired yet; `open` does that. A change waits its `busy_timeout_s` while another process has it
                locked.
            limits: How much is kept.
            on_written: Called in the event loop with the results of each group. What was resolved is of sessions whose
                last change had an unknown outcome, and comes first.
            damage: Logs damaged rows.
        """
        self._file = file
        self._limits = limits
        self._on_written = on_written
        self._damage = damage
        self._waiting: deque[Write] = deque()
        self._is_scheduled = False
        self._is_open = False
        # Only the thread uses the following.
        self._connection: sqlite3.Connection | None = None
        self._session_count = 0
        self._rows = mutations.SessionRows()
        self._in_doubt: dict[str, list[Notice]] = {}
        self._is_growth_limited = False
        self._max_group = MAX_GROUP
        self._health = HealthLog("Writing to the store")

        self.leased: Sequence[str] = ()
        self.outbox: notices.Stored = ((), (), ())

    async def open(self) -> None:
        """Acquire the file and connect to it.

        Raises:
            StoreRefusedError: The file cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "sqlite-writer")
        try:
            await self._loop.run_in_executor(self._thread, self._open)
        except BaseException:  # A cancelled caller leaves the thread working, and the file would stay in use.
            await self.aclose()
            raise
        self._is_open = True

    async def aclose(self) -> None:
        """Finish the accepted changes, move the write-ahead log into the database, and release the file."""
        self._is_open = False
        self._start_writing()
        await self._loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def submit(self, work: EncodedChange | Removal | None) -> asyncio.Future[None]:
        """Accept a change; the receiver of the results resolves the future.

        Raises:
            StoreUnavailableError: The store is closed.
        """
        if not self._is_open:
            raise StoreUnavailableError("The store is closed.")
        write = Write(work, self._loop.create_future(), time.monotonic() + self._file.busy_timeout_s)
        self._waiting.append(write)
        if not self._is_scheduled:
            self._is_scheduled = True
            # At the end of the turn. A thread that is woken at once takes the first change alone, and both threads then
            # compete for the interpreter.
            self._loop.call_soon(self._end_turn)
        return write.done

    def _end_turn(self) -> None:
        if len(self._waiting) == 1:
            self._start_writing()
        else:  # More tend to come in the next turn.
            self._loop.call_soon(self._start_writing)

    def _start_writing(self) -> None:
        self._thread.submit(self._write_waiting)

    def truncate_wal(self) -> asyncio.Future[bool]:
        """Move the write-ahead log into the database and empty it; `False` if that has to be tried again."""
        return self._loop.run_in_executor(self._thread, self._truncate_wal)

    def _truncate_wal(self) -> bool:
        try:
            self._check_in_place()
            is_busy, _, _ = self._connected().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            self._recover(error)
            return False
        return not is_busy

    def _open(self) -> None:
        self._file.acquire()
        try:
            self._session_count = queries.count_sessions(self._connected())
        except sqlite3.Error as error:
            raise StoreRefusedError(f"The store cannot be read: {error}.") from error
        self.leased = self._loaded(queries.list_leased, self.leased)  # A worker is watched again from its next sign.
        self.outbox = self._loaded(notices.load, self.outbox)

    def _loaded(self, load: Callable[[sqlite3.Connection], T], default: T) -> T:
        """Return what is stored, or the default where a part of that is damaged."""
        try:
            return load(self._connected())
        except sqlite3.Error as error:
            self._health.record(error)
            return default

    def _close(self) -> None:
        self._disconnect()
        self._file.release()

    def _write_waiting(self) -> None:
        self._is_scheduled = False  # A change appended from here on schedules this again, even if it is handled below.
        while self._waiting:
            if self._begin():
                self._write_group([self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_group))])

    def _begin(self) -> bool:
        """Begin a transaction; while another process has the file locked, fail the changes that are overdue."""
        try:
            self._check_in_place()
            connection = self._connected()
            self._reserve_space(connection, self._waiting[0])
            connection.execute("BEGIN IMMEDIATE")
        except (sqlite3.Error, OSError) as error:
            self._recover(error)
            failed = min(len(self._waiting), self._max_group)
            if primary_code(error) == sqlite3.SQLITE_BUSY:
                now = time.monotonic()
                failed = sum(write.overdue_at <= now for write in tuple(self._waiting))
            if failed:
                self._fail([self._waiting.popleft() for _ in range(failed)], error, not_applied)
            return False
        return True

    def _check_in_place(self) -> None:
        try:
            self._file.check_in_place()
        except sqlite3.OperationalError:
            self._file.checkpoint()
            raise

    def _reserve_space(self, connection: sqlite3.Connection, write: Write) -> None:
        """Reserve disk space for removals, and for a checkpoint, unless there is plenty.

        Raises:
            DiskFullError: The change must not use the remaining space.
        """
        room = self._file.room(connection)
        if room is not None and room.growth < WAL_PAGES:
            self._file.checkpoint()
            room = self._file.room(connection)
        is_short = room is not None and room.growth < WAL_PAGES
        self._max_group = 1 if is_short else MAX_GROUP  # So that a removal is not refused together with others.
        if room is None or (is_short and write.is_removal):
            self._limit_growth(connection, None)
        elif room.usable < (0 if write.work else 1):
            raise DiskFullError
        else:
            self._limit_growth(connection, room.growth)

    def _limit_growth(self, connection: sqlite3.Connection, growth: int | None) -> None:
        if growth is not None:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + growth}")
        elif self._is_growth_limited:
            connection.execute(f"PRAGMA max_page_count = {_MAX_PAGES}")
        self._is_growth_limited = growth is not None

    def _write_group(self, group: Sequence[Write]) -> None:
        connection = self._connected()
        session_count = self._session_count
        translate = not_applied
        try:
            resolved = self._resolve_in_doubt(connection) if self._in_doubt else Resolved()
            results = [(write, self._apply(connection, write)) for write in group]
            translate = not_committed
            with self._file.publishing:
                connection.execute("COMMIT")
                self._check_in_place()  # Or it may have gone to a file without a name.
                self._report(resolved, results)
        except Exception as error:  # noqa: BLE001 - every waiting caller must get an answer
            self._recover(error)
            self._session_count = session_count
            self._rows.clear()
            if isinstance(error, DamagedRowError):
                self._damage.record(error.write.session_id, error.__cause__)
                self._report(Resolved(), [(error.write, not_applied(error))])
                self._waiting.extendleft(write for write in reversed(group) if write is not error.write)
            else:
                self._fail(group, error, translate)
        else:
            self._in_doubt.clear()
            self._health.record(None)

    def _fail(self, group: Sequence[Write], error: Exception, translate: Callable[[Exception], Exception]) -> None:
        self._health.record(error)
        results = [(write, translate(error)) for write in group]
        for write, refusal in results:
            if isinstance(write.work, EncodedChange) and isinstance(refusal, OutcomeUnknownError):
                self._in_doubt.setdefault(write.session_id, []).extend(write.work.change.notices)
        self._report(Resolved(), results)

    def _resolve_in_doubt(self, connection: sqlite3.Connection) -> Resolved:
        """Read the sessions and notices of commits that had an unknown outcome, as they are now."""
        self._session_count = queries.count_sessions(connection)
        notifications = []
        for session_id in self._in_doubt:
            try:
                notifications.append(Notification(session_id, queries.load(connection, session_id)))
            except (sqlite3.DatabaseError, *UNREADABLE) as error:
                # A damaged session cannot be shown to listeners; a request for it gets the error.
                if isinstance(error, sqlite3.DatabaseError) and primary_code(error) not in DAMAGE_CODES:
                    raise
        doubtful = [notice for session_id in self._in_doubt for notice in self._in_doubt[session_id]]
        return Resolved(notifications, notices.stored(connection, doubtful))

    def _apply(self, connection: sqlite3.Connection, write: Write) -> Exception | None:
        has_room = self._session_count < self._limits.max_sessions
        try:
            if isinstance(write.work, EncodedChange):
                count = mutations.write(connection, self._rows, write.work, self._limits, has_room=has_room)
                self._session_count += count
            elif write.work is not None:
                write.work(connection)
            else:
                connection.execute(f"PRAGMA user_version = {schema.VERSION}")
        except (ConflictError, StoreFullError) as refusal:
            return refusal
        except (sqlite3.IntegrityError, *UNREADABLE) as error:
            raise DamagedRowError(write) from error
        return None

    def _report(self, resolved: Resolved, results: WriteResults) -> None:
        self._loop.call_soon_threadsafe(self._on_written, resolved, results)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._file.connect_writer()
        return self._connection

    def _recover(self, error: Exception) -> None:
        """Leave the transaction, and close the connection too if it may be at fault."""
        code = primary_code(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL) and self._connection is not None:
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if code == sqlite3.SQLITE_FULL:
                    self._file.checkpoint()  # The log of the failed transaction may have filled the disk.
                return
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
