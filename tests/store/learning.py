"""Runs of a profile, for tests of what they teach."""

from collections.abc import Sequence

from progress_sse.core.history import RUNS, Cell, History, Lesson
from progress_sse.core.model import SessionProgress, StepDefinition
from progress_sse.store.backend import FullBackend
from progress_sse.store.progress_store import ProgressStore
from tests.clock import ManualClock
from tests.store.changes import created

PROFILE = "nightly"
STEPS = (StepDefinition("Load"), StepDefinition("Save"))


async def run(
    store: ProgressStore, clock: ManualClock, session_id: str, seconds: Sequence[float] = (1.0, 2.0)
) -> SessionProgress:
    """Make a run of the profile whose steps take these times."""
    await store.create_session(session_id, steps=STEPS, profile=PROFILE)
    for step, lasting_s in enumerate(seconds, start=1):
        await store.start_step(session_id, step)
        clock.advance(lasting_s)
        progress = await store.complete_step(session_id, step)
    return progress


def runs_in(history: History) -> int:
    """How many runs have taught."""
    return sum(count for cell, count in history.items() if cell.bucket == RUNS)


async def teach(backend: FullBackend, session_id: str, *cells: Cell) -> None:
    """Commit a session that teaches these cells."""
    await backend.commit(created(session_id)._replace(lesson=Lesson(PROFILE, cells)))
