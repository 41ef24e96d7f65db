"""What runs teach: every backend adds it up, and forgets it when it is told to."""

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest

from progress_sse.core.errors import ConflictError
from progress_sse.core.history import RUNS, Cell, Lesson
from progress_sse.store import histories as local
from progress_sse.store.backend import FullBackend
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.redis import histories as redis
from progress_sse.store.sqlite import histories as sqlite
from progress_sse.store.types import Change
from tests.store.changes import HOSTILE_TEXT, after, apply, created, moved, refuse, removed

WEEK = 105_700
RUN = Cell(WEEK, "", RUNS)
LOAD = Cell(WEEK, "Load", 80)
SLOW_LOAD = Cell(WEEK, "Load", 91)
SAVE = Cell(WEEK, "Save", 3)

runs = count()


def run_of(profile: str, *cells: Cell) -> Change:
    """A run that teaches these cells, and that it was one."""
    return created(f"run {next(runs)}")._replace(lesson=Lesson(profile, (RUN, *cells)))


async def teach(backend: FullBackend, lessons: Sequence[tuple[str, Sequence[Cell]]]) -> None:
    """Commit a run for each lesson, one after the other."""
    for profile, cells in lessons:
        await backend.commit(run_of(profile, *cells))


class TestTeach:
    """A change with a `lesson`."""

    async def test_lessons_add_up(self, backend: FullBackend) -> None:
        """Each profile by itself; a run that had two steps of one name and duration counts twice."""
        assert await backend.histories.load("nightly") == {}
        await teach(backend, [("nightly", [LOAD, SAVE]), ("hourly", [SAVE]), ("nightly", [SLOW_LOAD, SAVE, SAVE])])
        assert await backend.histories.load("nightly") == {RUN: 2, LOAD: 1, SLOW_LOAD: 1, SAVE: 3}
        assert await backend.histories.load("hourly") == {RUN: 1, SAVE: 1}

    async def test_names_are_kept_as_they_are(self, backend: FullBackend) -> None:
        """Of steps and of profiles, however they look; equal ones alone are one."""
        names = [HOSTILE_TEXT, "1 2 3", " ", "Load", "load", "e\u0301", "é", "%", "*"]
        profiles = ["a", "A", "{a}", "*", "日本語", "e\u0301", "é", "a:h", "' --"]
        await teach(backend, [(profile, [Cell(WEEK, name, 0) for name in names]) for profile in profiles])
        for profile in profiles:
            assert await backend.histories.load(profile) == {RUN: 1, **{Cell(WEEK, name, 0): 1 for name in names}}

    async def test_a_change_that_is_not_made_teaches_nothing(self, backend: FullBackend) -> None:
        """It is decided again, and then teaches once."""
        record = await apply(backend, created())
        await apply(backend, moved(record, 1))
        await refuse(backend, moved(record, 2)._replace(lesson=Lesson("nightly", (RUN,))), ConflictError)
        assert await backend.histories.load("nightly") == {}

    async def test_no_run_is_lost_among_many_at_once(self, backend: FullBackend) -> None:
        """Those of one profile."""
        await asyncio.gather(*(backend.commit(run_of("nightly", LOAD)) for _ in range(50)))
        assert await backend.histories.load("nightly") == {RUN: 50, LOAD: 50}

    async def test_a_lesson_outlives_its_session(self, backend: FullBackend) -> None:
        """It holds nothing of it."""
        change = run_of("nightly", LOAD)
        await apply(backend, change)
        await backend.commit(removed(after(change)))
        assert await backend.histories.load("nightly") == {RUN: 1, LOAD: 1}

    async def test_a_durable_backend_keeps_them(self, backend: FullBackend) -> None:
        """Memory is lost with its process."""
        await teach(backend, [("nightly", [LOAD])])
        await backend.aclose()
        await backend.open()
        kept = {} if isinstance(backend, MemoryBackend) else {RUN: 1, LOAD: 1}
        assert await backend.histories.load("nightly") == kept


class TestLimits:
    """How much is kept."""

    async def test_the_profile_that_was_taught_last_the_longest_ago_goes(
        self, backend: FullBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It begins anew when it is taught again."""
        for module in (local, sqlite, redis):
            monkeypatch.setattr(module, "MAX_PROFILES", 3)
        await teach(backend, [(profile, [LOAD]) for profile in ("a", "b", "c", "a", "d")])
        kept = {profile: (await backend.histories.load(profile)).get(RUN) for profile in "abcd"}
        assert kept == {"a": 2, "b": None, "c": 1, "d": 1}
        await teach(backend, [("b", [LOAD])])
        kept = {profile: (await backend.histories.load(profile)).get(RUN) for profile in "abcd"}
        assert kept == {"a": 2, "b": 1, "c": None, "d": 1}

    async def test_a_full_history_takes_no_new_cells(
        self, backend: FullBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It counts those that it has, and has room again once some are forgotten."""
        for module in (local, sqlite, redis):
            monkeypatch.setattr(module, "MAX_STORED_CELLS", 2)
        await teach(backend, [("nightly", [LOAD, SAVE]), ("nightly", [SAVE, LOAD])])
        assert await backend.histories.load("nightly") == {RUN: 2, LOAD: 2}
        await backend.histories.forget("nightly", [LOAD])
        await teach(backend, [("nightly", [SAVE, LOAD])])
        assert await backend.histories.load("nightly") == {RUN: 3, SAVE: 1}


class TestForgetHistory:
    """`Histories.forget`."""

    async def test_it_forgets_the_cells_that_it_is_told_to(self, backend: FullBackend) -> None:
        """However often they were taught; unknown ones are no error."""
        await teach(backend, [("nightly", [LOAD, SAVE, SAVE]), ("hourly", [SAVE])])
        await backend.histories.forget("nightly", [SAVE, SLOW_LOAD])
        assert await backend.histories.load("nightly") == {RUN: 1, LOAD: 1}
        await backend.histories.forget("nightly", [])
        await backend.histories.forget("unknown", [SAVE])
        assert await backend.histories.load("hourly") == {RUN: 1, SAVE: 1}
        await backend.histories.forget("nightly", [RUN, LOAD])
        assert await backend.histories.load("nightly") == {}
        await teach(backend, [("nightly", [LOAD])])
        assert await backend.histories.load("nightly") == {RUN: 1, LOAD: 1}

    async def test_it_forgets_all_of_a_profile(self, backend: FullBackend) -> None:
        """And nothing of another one; the next run begins anew."""
        await teach(backend, [("nightly", [LOAD, SAVE]), ("hourly", [SAVE])])
        await backend.histories.forget("nightly")
        await backend.histories.forget("unknown")
        assert await backend.histories.load("nightly") == {}
        assert await backend.histories.load("hourly") == {RUN: 1, SAVE: 1}
        await teach(backend, [("nightly", [LOAD])])
        assert await backend.histories.load("nightly") == {RUN: 1, LOAD: 1}
