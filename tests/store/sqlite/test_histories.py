"""What runs taught, in a SQLite file."""

import sqlite3
from pathlib import Path

import pytest

from progress_sse.core.errors import OutcomeUnknownError
from progress_sse.core.history import Cell
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.sqlite import backend as sqlite_backend
from tests.clock import ManualClock
from tests.harness.serving import eventually
from tests.store.learning import PROFILE, STEPS, runs_in, teach
from tests.store.sqlite.faults import Faults
from tests.store.sqlite.files import SOON_S, opened


@pytest.mark.guarantee("N")
@pytest.mark.parametrize("is_committed", [False, True])
async def test_a_commit_in_doubt_teaches_once(path: Path, faults: Faults, is_committed: bool) -> None:
    """The worker sends its report again: the lesson is there with the first one, or with the second."""
    async with opened(path) as backend:
        store = ProgressStore(backend, clock=ManualClock())
        await store.create_session("s", steps=STEPS[:1], profile=PROFILE)
        await store.start_step("s", 1)
        faults.fail("COMMIT", sqlite3.SQLITE_IOERR, after=is_committed)
        with pytest.raises(OutcomeUnknownError):
            await store.complete_step("s", 1)
        assert runs_in(await backend.histories.load(PROFILE)) == int(is_committed)
        assert (await store.complete_step("s", 1)).status == "completed"
        assert runs_in(await backend.histories.load(PROFILE)) == 1


async def test_what_is_forgotten_is_gone_from_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And from the log beside it, while the store is in use."""
    monkeypatch.setattr(sqlite_backend, "PURGE_DELAY_S", 0.01)
    files = (path, path.with_name(f"{path.name}-wal"))

    def is_there() -> bool:
        return any(b"secret" in file.read_bytes() for file in files)

    async with opened(path) as backend:
        await teach(backend, "s", Cell(1, "secret step", 2), Cell(1, "another", 2))
        assert is_there()
        await backend.histories.forget(PROFILE)
        await eventually(lambda: not is_there(), SOON_S)
