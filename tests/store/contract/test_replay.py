"""What `Backend.replay` promises, of every backend."""

from __future__ import annotations

import pytest

from progress_sse.core.model import Position
from progress_sse.store.backend import Backend
from tests.store.changes import HOSTILE_TEXT, after, apply, apply_moves, created, moved
from tests.store.conftest import OpenBackend


class TestReplay:
    """`replay`: every transition after a position, or `None`."""

    async def test_gives_what_came_after(self, backend: Backend) -> None:
        """From any position of this life, exactly the rest of it, byte for byte."""
        record, entries = await apply_moves(backend, 5, message=HOSTILE_TEXT)
        for n in range(6):
            assert await backend.replay("s", Position("first", n)) == entries[n:]
        assert record.position.offset == 5

    @pytest.mark.parametrize(
        "position", [Position("first", 3), Position("first", 10**15), Position("second", 1), Position("", 0)], ids=str
    )
    async def test_does_not_know_other_positions(self, backend: Backend, position: Position) -> None:
        """The future of this life, and any other life."""
        await apply_moves(backend, 2)
        assert await backend.replay("s", position) is None
        assert await backend.replay("nobody", position) is None

    async def test_keeps_the_newest_by_number(self, open_backend: OpenBackend) -> None:
        """`history` transitions stay; from before them there is no replay, not even a partial one."""
        backend = await open_backend(history=4)
        _, entries = await apply_moves(backend, 10)
        assert await backend.replay("s", Position("first", 6)) == entries[6:]
        assert await backend.replay("s", Position("first", 5)) is None
        assert await backend.replay("s", Position("first", 0)) is None

    async def test_keeps_the_newest_by_bytes(self, open_backend: OpenBackend) -> None:
        """`history_bytes` of event data stay, counted in UTF-8."""
        entry = moved(after(created()), 1, message="日" * 100).entries[0]
        backend = await open_backend(history_bytes=3 * len(entry.data))
        _, entries = await apply_moves(backend, 7, message="日" * 100)
        assert await backend.replay("s", Position("first", 4)) == entries[4:]
        assert await backend.replay("s", Position("first", 3)) is None

    async def test_keeps_nothing_where_one_is_too_large(self, open_backend: OpenBackend) -> None:
        """A single transition over the limit leaves a log that is empty, and correct."""
        backend = await open_backend(history_bytes=1000)
        record, _ = await apply_moves(backend, 2)
        record = await apply(backend, moved(record, 1, message="x" * 2000))
        assert await backend.replay("s", Position("first", 3)) == []
        assert await backend.replay("s", Position("first", 2)) is None
        change = moved(record, 2)
        await backend.commit(change)
        assert await backend.replay("s", Position("first", 3)) == list(change.entries)

    async def test_trims_within_one_change(self, open_backend: OpenBackend) -> None:
        """A batch larger than the history leaves its newest transitions."""
        backend = await open_backend(history=3)
        record = await apply(backend, created())
        change = moved(record, 1, 2, 3, 1, 2)
        await backend.commit(change)
        assert await backend.replay("s", Position("first", 2)) == list(change.entries[2:])
        assert await backend.replay("s", Position("first", 1)) is None

    async def test_is_trimmed_for_each_session_by_itself(self, open_backend: OpenBackend) -> None:
        """A busy session does not push out another one's history."""
        backend = await open_backend(history=3)
        quiet = moved(await apply(backend, created("quiet")), 1)
        await backend.commit(quiet)
        await apply_moves(backend, 10)
        assert await backend.replay("quiet", Position("first", 0)) == list(quiet.entries)
