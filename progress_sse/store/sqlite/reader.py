"""Reading from a SQLite store: one connection that cannot write, in a thread of its own."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.store.health import UNREADABLE, DamageLog, HealthLog
from progress_sse.store.sqlite.file import DatabaseFile

P = ParamSpec("P")
T = TypeVar("T")


class SqliteReader:
    """Runs reads one after the other in its thread, each on a snapshot, while the file is acquired (`is_open`)."""

    def __init__(self, file: DatabaseFile, damage: DamageLog) -> None:
        """Read from `file`, after its writer has acquired it, and log damaged rows by `damage`."""
        self.is_open = False
        self._file = file
        self._thread = ThreadPoolExecutor(1, "sqlite-reader")
        self._connection: sqlite3.Connection | None = None
        self._health = HealthLog("Reading the store")
        self.damage = damage

    async def aclose(self) -> None:
        """Close the connection, after the reads that are queued."""
        self.is_open = False
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    def read(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> "asyncio.Future[T]":
        """Call `function` with the connection and the arguments, the first of which names what is read for the log.

        Raises:
            StoreUnavailableError: The store is closed; of the future: the file cannot be read, or rows are damaged.
        """
        if not self.is_open:
            raise StoreUnavailableError("The store is closed.")
        call = partial(self._read, function, *args, **kwargs)
        return asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _read(self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            if self._connection is None:
                self._connection = self._file.connect_reader()
            with self._file.publishing:
                self._connection.execute("BEGIN")
                self._connection.execute("PRAGMA user_version")  # BEGIN alone takes no snapshot yet.
            result = function(self._connection, *args, **kwargs)
            self._connection.execute("COMMIT")
        except (sqlite3.Error, *UNREADABLE) as error:
            self._disconnect()  # Ends the transaction; the next read makes a new connection.
            if isinstance(error, sqlite3.Error):
                self._health.record(error)
            else:
                self.damage.record(args[0], error)
            raise StoreUnavailableError from error
        self._health.record(None)
        return result

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
