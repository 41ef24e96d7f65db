"""Rows that another program has changed; `tests/live/test_damage.py` has those of sessions."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.history import RUNS, Cell, Lesson
from progress_sse.core.model import Position
from progress_sse.core.session_filter import ALL_SESSIONS
from progress_sse.store.sqlite.backend import SqliteBackend
from tests.harness.presence import present
from tests.store.changes import after, created, key, moved
from tests.store.contract.test_log_lines import append, written
from tests.store.observed import ids
from tests.store.sqlite.files import execute, opened

pytestmark = pytest.mark.guarantee(14)

RUN = Cell(1, "", RUNS)
LOAD = Cell(1, "Load", 2)
SESSION = created(keys=[key("k")])._replace(lesson=Lesson("nightly", (RUN, LOAD)))


@pytest.fixture
async def backend(path: Path) -> AsyncIterator[SqliteBackend]:
    """A store with a session that has a transition, a log of two lines and a key, and has taught; nothing is cached."""
    async with opened(path) as backend:
        await backend.commit(SESSION)
        await backend.commit(moved(after(SESSION), 1))
        await append(backend, "a", "b", expected=Position("first", 1))
    async with opened(path) as backend:
        yield backend


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET data = CAST('{}' AS BLOB)",
        "UPDATE log SET data = 'text'",
        "UPDATE log SET step = 'one'",
        "UPDATE log SET checksum = 'x'",
    ],
)
async def test_a_damaged_transition_is_not_replayed(backend: SqliteBackend, path: Path, statement: str) -> None:
    """Its readers get a snapshot, and the next ones what follows."""
    execute(path, statement)
    record = present(await backend.load("s"))
    assert await backend.replay("s", Position("first", 0)) is None
    await backend.commit(moved(record, 2))
    entries = present(await backend.replay("s", record.position))
    assert [entry.offset for entry in entries] == [2]
    assert backend.damage_count == 1


@pytest.mark.parametrize("value", ["CAST('{' AS BLOB)", "'text'", "5", "CAST('\"at\":1}' AS BLOB)"])
async def test_a_damaged_line_is_left_out(backend: SqliteBackend, path: Path, value: str) -> None:
    """The others are shown."""
    execute(path, f"UPDATE lines SET data = {value} WHERE n = 1")  # noqa: S608 - a value of this test
    stored = present(await backend.lines.read_lines("s", 0))
    assert [line.data for line in stored.lines] == [b"b"]
    assert backend.damage_count == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE line_rings SET last = 'x'",
        "UPDATE line_rings SET lines_kept = -1",
        "UPDATE line_rings SET keys = x'00'",
        "UPDATE sessions SET epoch = x'ff'",
    ],
)
async def test_a_log_without_numbers_is_refused(backend: SqliteBackend, path: Path, statement: str) -> None:
    """It can neither be read nor be written; a session that is written to in the same group is not harmed."""
    execute(path, statement)
    with pytest.raises(StoreUnavailableError):
        await backend.lines.read_lines("s", 0)
    appending = append(backend, "c", expected=Position("first", 1))
    refused, _ = await asyncio.gather(appending, backend.commit(created("other")), return_exceptions=True)
    assert isinstance(refused, Exception)
    assert await backend.load("other") is not None
    assert backend.damage_count == 1


@pytest.mark.parametrize("table", ["definitions", "log", "lines", "line_rings"])
async def test_rows_of_no_session_harm_none_that_is_created(backend: SqliteBackend, path: Path, table: str) -> None:
    """They may have its number."""
    execute(path, f"UPDATE {table} SET life = life + 1")  # noqa: S608 - likewise
    await backend.commit(created("other"))
    assert await backend.load("other") == after(created("other"))
    move = moved(after(created("other")), 1)
    await backend.commit(move)
    await backend.commit(written("c", expected=Position("first", 1))._replace(session_id="other", record=after(move)))
    stored = present(await backend.lines.read_lines("other", 0))
    assert [line.n for line in stored.lines] == [1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET log_rows = 'x'",
        "UPDATE keyrings SET newest_rank = 'x'",
        "UPDATE sessions SET log_rows = 5000",
    ],
)
async def test_a_write_to_damaged_rows_fails_alone(path: Path, statement: str) -> None:
    """Of three changes in one group, the other two are committed."""
    async with opened(path) as backend:
        await backend.commit(SESSION)
    async with opened(path) as backend:
        execute(path, statement)
        changes = [created("a"), moved(after(SESSION), 1, keys=[key("another")]), created("b")]
        outcomes = await asyncio.gather(*map(backend.commit, changes), return_exceptions=True)
        assert [type(each) for each in outcomes] == [type(None), StoreUnavailableError, type(None)]
        assert backend.damage_count == 1
        assert len(await ids(backend)) == 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE keys SET answer = 'evil'",
        "UPDATE keys SET used_at = x'ff'",
        "UPDATE keys SET epoch = CAST(x'ff' AS TEXT)",
        "UPDATE keys SET digest = x'00'",
    ],
)
async def test_a_damaged_key_is_no_key(backend: SqliteBackend, path: Path, statement: str) -> None:
    """A request under it is refused, since it may have been applied."""
    execute(path, statement)
    with pytest.raises(StoreUnavailableError):
        await backend.find_idempotency_key("s", "k")
    assert backend.damage_count == 1


@pytest.mark.parametrize("change", ["bucket = 513", "week = 'x'", "name = x'ff'", "count = 0", "count = 1.5"])
async def test_cells_that_no_run_teaches_are_left_out(backend: SqliteBackend, path: Path, change: str) -> None:
    """The others count."""
    execute(path, f"UPDATE cells SET {change} WHERE name = 'Load'")  # noqa: S608 - likewise
    assert await backend.histories.load("nightly") == {RUN: 1}
    assert backend.damage_count == 1


async def test_damaged_sessions_stop_neither_lists_nor_the_clean_up(path: Path) -> None:
    """Pages go on behind more of them than a page has, and each is counted once."""
    async with opened(path) as backend:
        for number in range(300):
            await backend.commit(created(f"s{number:03}"))
        execute(path, "UPDATE sessions SET listed = x'00' WHERE session_id > 's020' AND session_id < 's280'")
        execute(path, "UPDATE sessions SET state = x'ff' WHERE session_id = 's001'")
        listed = await backend.lists.list_summaries(ALL_SESSIONS, 25, None)
        assert [summary.session_id for summary in listed][-5:] == ["s020", "s019", "s018", "s017", "s016"]
        assert await backend.lists.count_by_status() == {"pending": 299}
        assert await backend.expire("9", lambda _summary: True) == 40
        assert await ids(backend) == []
        assert backend.damage_count == 260
