"""The copies of what was learned: how old they get, and what they do without a store that answers."""

import asyncio
import logging

import pytest

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.history import MAX_NAMES, MAX_WEEKS, NOTHING_LEARNED, RUNS, Cell, History, week_of
from progress_sse.store import learned_cache
from progress_sse.store.learned_cache import VALID_S, LearnedCache
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import StorageLimits
from tests.clock import START, ManualClock
from tests.core.timed import learned_from
from tests.store.learning import PROFILE, teach

THIS_WEEK = week_of(START)
RUN = Cell(THIS_WEEK, "", RUNS)
LOAD = Cell(THIS_WEEK, "Load", 80)
OLD_RUN = RUN._replace(week=THIS_WEEK - MAX_WEEKS)
OLD_LOAD = LOAD._replace(week=THIS_WEEK - MAX_WEEKS)


class ReadBackend(MemoryBackend):
    """Memory that counts how often a history is read, and fails or waits if it is told to."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.reads = 0
        self.error: Exception | None = None
        self.has_begun = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._load = self.histories.load
        self.histories.load = self._load_late  # type: ignore[method-assign]

    async def _load_late(self, profile: str) -> History:
        self.reads += 1
        self.has_begun.set()
        history = await self._load(profile)
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return history


@pytest.fixture
def backend() -> ReadBackend:
    return ReadBackend()


@pytest.fixture
def cache(backend: ReadBackend, clock: ManualClock) -> LearnedCache:
    return LearnedCache(backend, clock)


async def test_a_copy_is_used_for_ten_seconds(backend: ReadBackend, cache: LearnedCache, clock: ManualClock) -> None:
    """Then the store is read again."""
    await teach(backend, "a", RUN, LOAD)
    assert (await cache.get(PROFILE)).runs == 1
    await teach(backend, "b", RUN, LOAD)
    clock.advance(VALID_S)
    assert (await cache.get(PROFILE)).runs == 1
    clock.advance(0.001)
    learned = await cache.get(PROFILE)
    assert (learned.runs, learned.steps["Load"].runs, backend.reads) == (2, 2, 2)


async def test_the_age_counts_from_the_beginning_of_the_read(
    backend: ReadBackend, cache: LearnedCache, clock: ManualClock
) -> None:
    """What a run teaches meanwhile may be missing."""
    backend.may_answer.clear()
    read = asyncio.create_task(cache.fetch(PROFILE))
    await backend.has_begun.wait()
    clock.advance(VALID_S + 1)
    backend.may_answer.set()
    await read
    await cache.get(PROFILE)
    assert backend.reads == 2


async def test_many_commits_share_one_read(backend: ReadBackend, cache: LearnedCache) -> None:
    """Those of one profile."""
    await teach(backend, "a", RUN, LOAD)
    backend.may_answer.clear()
    asked = [asyncio.create_task(cache.get(PROFILE)) for _ in range(10)]
    await asyncio.sleep(0)
    backend.may_answer.set()
    assert {learned.runs for learned in await asyncio.gather(*asked)} == {1}
    assert backend.reads == 1


async def test_a_caller_that_leaves_takes_no_read_from_the_others(backend: ReadBackend, cache: LearnedCache) -> None:
    """It goes on without the first one."""
    await teach(backend, "a", RUN, LOAD)
    backend.may_answer.clear()
    first, second = (asyncio.create_task(ask(PROFILE)) for ask in (cache.fetch, cache.get))
    await asyncio.sleep(0)
    first.cancel()
    backend.may_answer.set()
    assert (await second).runs == 1


async def test_a_large_history_lets_other_tasks_run(
    backend: ReadBackend, cache: LearnedCache, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each step, where each takes longer than a turn; what is learned is the same."""
    monkeypatch.setattr(learned_cache, "TURN_S", 0)
    await teach(backend, "a", RUN, *(Cell(THIS_WEEK, f"step {number}", number) for number in range(MAX_NAMES)))
    fetch = asyncio.create_task(cache.fetch(PROFILE))
    turns = 0
    while not fetch.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= MAX_NAMES
    assert fetch.result() == learned_from(await backend.histories.load(PROFILE), clock.now())


class TestWithoutAnswer:
    """A store that cannot be read harms no commit."""

    @pytest.mark.parametrize("error", [StoreUnavailableError(), RuntimeError("a mistake")])
    async def test_the_last_copy_is_used(
        self,
        backend: ReadBackend,
        cache: LearnedCache,
        clock: ManualClock,
        caplog: pytest.LogCaptureFixture,
        error: Exception,
    ) -> None:
        """However old it is; a reader of what was learned gets the error. Mistakes of our own are logged."""
        backend.error = error
        assert await cache.get(PROFILE) == NOTHING_LEARNED
        backend.error = None
        await teach(backend, "a", RUN, LOAD)
        assert (await cache.get(PROFILE)).runs == 1
        clock.advance(3600)
        backend.error = error
        assert (await cache.get(PROFILE)).runs == 1
        with pytest.raises(type(error)):
            await cache.fetch(PROFILE)
        logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert bool(logged) is isinstance(error, RuntimeError)

    async def test_a_commit_does_not_wait_for_long(
        self, backend: ReadBackend, cache: LearnedCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The answer is used once it comes."""
        monkeypatch.setattr(learned_cache, "MAX_WAIT_S", 0.01)
        await teach(backend, "a", RUN, LOAD)
        backend.may_answer.clear()
        assert await cache.get(PROFILE) == NOTHING_LEARNED
        assert await cache.get(PROFILE) == NOTHING_LEARNED
        backend.may_answer.set()
        assert (await cache.fetch(PROFILE)).runs == 1
        assert backend.reads == 1

    async def test_no_second_commit_waits_for_it(
        self, backend: ReadBackend, cache: LearnedCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each report of a session would be late, for as long as the store does not answer."""
        monkeypatch.setattr(learned_cache, "MAX_WAIT_S", 0.01)
        backend.may_answer.clear()
        assert await cache.get(PROFILE) == NOTHING_LEARNED
        monkeypatch.setattr(learned_cache, "MAX_WAIT_S", 60)
        async with asyncio.timeout(10):
            assert await cache.get(PROFILE) == NOTHING_LEARNED
        backend.may_answer.set()
        await cache.fetch(PROFILE)

    async def test_closing_ends_the_reads(self, backend: ReadBackend, cache: LearnedCache) -> None:
        """The store may hold something else when it is opened again."""
        await teach(backend, "a", RUN, LOAD)
        assert (await cache.get(PROFILE)).runs == 1
        backend.may_answer.clear()
        read = asyncio.create_task(cache.fetch("another"))
        await asyncio.sleep(0)
        cache.close()
        with pytest.raises(asyncio.CancelledError):
            await read
        backend.may_answer.set()
        await backend.aclose()
        assert await cache.get(PROFILE) == NOTHING_LEARNED


class TestSurplus:
    """Cells that are too old, or too many."""

    async def test_a_read_forgets_them(self, backend: ReadBackend, cache: LearnedCache) -> None:
        """Nothing of them is used any more."""
        await teach(backend, "a", OLD_RUN, OLD_LOAD)
        await teach(backend, "b", RUN, LOAD)
        learned = await cache.get(PROFILE)
        assert (learned.runs, learned.steps["Load"].runs) == (1, 1)
        assert await backend.histories.load(PROFILE) == {RUN: 1, LOAD: 1}

    async def test_a_store_that_cannot_forget_them_does_no_harm(
        self, backend: ReadBackend, cache: LearnedCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They are left out all the same."""

        async def fail(*_: object) -> None:
            raise StoreUnavailableError

        monkeypatch.setattr(backend.histories, "forget", fail)
        await teach(backend, "a", OLD_RUN, OLD_LOAD, RUN)
        learned = await cache.get(PROFILE)
        assert (learned.runs, learned.steps) == (1, {})
        assert await backend.histories.load(PROFILE) == {OLD_RUN: 1, OLD_LOAD: 1, RUN: 1}


async def test_a_copy_that_is_dropped_is_read_again(backend: ReadBackend, cache: LearnedCache) -> None:
    """Also one that is on its way."""
    await teach(backend, "a", RUN, LOAD)
    assert (await cache.get(PROFILE)).runs == 1
    await backend.histories.forget(PROFILE)
    cache.drop(PROFILE)
    assert await cache.get(PROFILE) == NOTHING_LEARNED
    await teach(backend, "b", RUN, LOAD)
    cache.drop(PROFILE)
    backend.has_begun.clear()
    backend.may_answer.clear()
    read = asyncio.create_task(cache.fetch(PROFILE))
    await backend.has_begun.wait()
    await backend.histories.forget(PROFILE)
    cache.drop(PROFILE)
    backend.may_answer.set()
    await read
    assert await cache.get(PROFILE) == NOTHING_LEARNED


async def test_the_copies_used_last_are_kept(
    backend: ReadBackend, cache: LearnedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their number is bounded."""
    monkeypatch.setattr(learned_cache, "MAX_PROFILES", 2)
    for profile in ("a", "b", "a", "c", "a", "b"):
        await cache.get(profile)
        await asyncio.sleep(0)
    assert backend.reads == 4
