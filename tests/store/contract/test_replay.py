"""The promises of `Backend.replay`, for every backend."""

import pytest

from progress_sse.core.model import Position
from progress_sse.store.backend import FullBackend
from tests.store.changes import HOSTILE_TEXT, after, apply, apply_moves, created, moved
from tests.store.conftest import OpenBackend


class TestReplay:
    """`replay`: every transition after a position, or `None`."""

    async def test_replay_returns_the_transitions_after_a_position(self, backend: FullBackend) -> None:
        """From any position of the epoch it returns exactly the rest of the log, byte for byte."""
        record, entries = await apply_moves(backend, 5, message=HOSTILE_TEXT)
        for n in range(6):
            assert await backend.replay("s", Position("first", n)) == entries[n:]
        assert record.position.offset == 5

    @pytest.mark.parametrize(
        "position", [Position("first", 3), Position("first", 10**15), Position("second", 1), Position("", 0)], ids=str
    )
    async def test_replay_returns_none_for_other_positions(self, backend: FullBackend, position: Position) -> None:
        """Positions in the future, and positions of another epoch."""
        await apply_moves(backend, 2)
        assert await backend.replay("s", position) is None
        assert await backend.replay("unknown", position) is None

    async def test_the_log_keeps_the_newest_transitions(self, open_backend: OpenBackend) -> None:
        """`history` transitions stay; from before them there is no replay, not even a partial one."""
        backend = await open_backend(history=4)
        _, entries = await apply_moves(backend, 10)
        assert await backend.replay("s", Position("first", 6)) == entries[6:]
        assert await backend.replay("s", Position("first", 5)) is None
        assert await backend.replay("s", Position("first", 0)) is None

    async def test_the_log_keeps_as_many_transitions_as_fit(self, open_backend: OpenBackend) -> None:
        """`history_bytes` of event data stay, counted in UTF-8."""
        entry = moved(after(created()), 1, message="日" * 100).entries[0]
        backend = await open_backend(history_bytes=3 * len(entry.data))
        _, entries = await apply_moves(backend, 7, message="日" * 100)
        assert await backend.replay("s", Position("first", 4)) == entries[4:]
        assert await backend.replay("s", Position("first", 3)) is None

    async def test_a_transition_that_is_too_large_empties_the_log(self, open_backend: OpenBackend) -> None:
        """A single transition over the limit leaves an empty and correct log."""
        backend = await open_backend(history_bytes=1000)
        record, _ = await apply_moves(backend, 2)
        record = await apply(backend, moved(record, 1, message="x" * 2000))
        assert await backend.replay("s", Position("first", 3)) == []
        assert await backend.replay("s", Position("first", 2)) is None
        change = moved(record, 2)
        await backend.commit(change)
        assert await backend.replay("s", Position("first", 3)) == list(change.entries)

    async def test_a_batch_larger_than_the_log_is_trimmed(self, open_backend: OpenBackend) -> None:
        """Its newest transitions stay."""
        backend = await open_backend(history=3)
        record = await apply(backend, created())
        change = moved(record, 1, 2, 3, 1, 2)
        await backend.commit(change)
        assert await backend.replay("s", Position("first", 2)) == list(change.entries[2:])
        assert await backend.replay("s", Position("first", 1)) is None

    async def test_each_log_is_trimmed_separately(self, open_backend: OpenBackend) -> None:
        """A busy session does not displace the history of another one."""
        backend = await open_backend(history=3)
        quiet = moved(await apply(backend, created("quiet")), 1)
        await backend.commit(quiet)
        await apply_moves(backend, 10)
        assert await backend.replay("quiet", Position("first", 0)) == list(quiet.entries)
