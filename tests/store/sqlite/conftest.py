"""Fixtures of the tests of the SQLite backend."""

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.store.sqlite.faults import Faults


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "progress.db"


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    faults = Faults()
    faults.install(monkeypatch)
    return faults


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """All connections that are made; the test's own thread may use them."""
    connections: list[sqlite3.Connection] = []

    class Watched(sqlite3.Connection):
        def __init__(self, database: str, **options: Any) -> None:
            super().__init__(database, check_same_thread=False, **options)
            connections.append(self)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    return connections
