"""SQLite connections that fail when a test says so."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest

Action = Callable[[], object]


class Pause:
    """A statement that waits until the test lets it continue."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._ended = threading.Event()

    def take(self) -> None:
        self._reached.set()
        assert self._ended.wait(30)

    async def reached(self) -> None:
        """Wait until the statement runs."""
        assert await asyncio.to_thread(self._reached.wait, 30)

    def end(self) -> None:
        """Let the statement continue."""
        self._ended.set()


class Faults:
    """The faults to inject into statements, and the statements that ran."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self._armed: list[tuple[str, Action, bool]] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Apply the faults to every connection made from here on."""
        factory = type("FaultyConnection", (_FaultyConnection,), {"faults": self})
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=factory))

    def fail(self, statement: str, code: int, *, after: bool = False) -> None:
        """Let the next statement with this beginning fail with an error code of SQLite, instead of or after running."""
        error = sqlite3.OperationalError("made up")
        error.sqlite_errorcode = code
        self.call_at(statement, partial(_raise, error), after=after)

    def call_at(self, statement: str, action: Action, *, after: bool = False) -> None:
        """Call `action` in the connection's thread, once, before or after the next statement with this beginning."""
        self._armed.append((statement, action, after))

    def pause(self, statement: str, *, after: bool = False) -> Pause:
        """Let the next statement with this beginning wait, before or after it runs."""
        pause = Pause()
        self.call_at(statement, pause.take, after=after)
        return pause

    def count(self, statement: str) -> int:
        """Return how many statements had this beginning."""
        return sum(each.startswith(statement) for each in self.statements)

    def strike(self, sql: str, *, after: bool) -> None:
        for fault in tuple(self._armed):
            if sql.startswith(fault[0]) and fault[2] == after:
                self._armed.remove(fault)
                fault[1]()


class _FaultyConnection(sqlite3.Connection):
    faults: Faults

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> sqlite3.Cursor:  # type: ignore[override]  # as called
        self.faults.statements.append(sql)
        self.faults.strike(sql, after=False)
        cursor = super().execute(sql, tuple(parameters))
        self.faults.strike(sql, after=True)
        return cursor


def _raise(error: Exception) -> None:
    raise error
