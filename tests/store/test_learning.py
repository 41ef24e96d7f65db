"""Learning from runs: what the store teaches and hands to the rules, over every backend."""

import pytest

from progress_sse.core.commands import IdempotencyKey
from progress_sse.core.errors import ConflictError, InvalidSessionIdError, StoreUnavailableError
from progress_sse.core.history import NOTHING_LEARNED, History
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Complete
from progress_sse.store.backend import FullBackend
from progress_sse.store.histories import LocalHistories
from progress_sse.store.learned_cache import VALID_S
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Change, StorageLimits
from tests.clock import ManualClock
from tests.core.samples import start_of
from tests.harness.presence import present
from tests.store.learning import PROFILE, STEPS, run, runs_in


async def test_after_five_runs_the_next_one_has_a_time(store: ProgressStore, clock: ManualClock) -> None:
    """Its steps were never declared. What it shows is what a poll shows, and what was learned."""
    for number in range(5):
        assert (await run(store, clock, f"run {number}")).details.time is None
        clock.advance(VALID_S + 1)
    progress = await store.create_session("seventh", steps=STEPS, profile=PROFILE)
    assert progress.details.time is not None
    assert (progress.details.time.basis, progress.details.time.runs) == ("history", 5)
    await store.start_step("seventh", 1)
    clock.advance(1)
    progress = await store.complete_step("seventh", 1)
    assert 25 <= present(progress.details.time).percentage <= 40
    learned = await store.learned(PROFILE)
    assert (learned.runs, {name: step.runs for name, step in learned.steps.items()}) == (5, {"Load": 5, "Save": 5})
    assert 900 <= learned.steps["Load"].p50_ms <= 1100


@pytest.mark.guarantee("N")
async def test_a_session_teaches_once(store: ProgressStore, backend: FullBackend, clock: ManualClock) -> None:
    """Also if it is started again and completed again; the next session of its id teaches anew."""
    await run(store, clock, "s")
    await store.start_step("s", 2)
    await store.complete_step("s", 2)
    await store.complete_step("s", 2, message="another word")
    assert runs_in(await backend.histories.load(PROFILE)) == store.committer.runs_learned == 1
    clock.advance(1)
    await run(store, clock, "s")
    assert runs_in(await backend.histories.load(PROFILE)) == store.committer.runs_learned == 2


@pytest.mark.guarantee("N")
async def test_a_report_that_is_sent_again_teaches_once(
    store: ProgressStore, backend: FullBackend, clock: ManualClock
) -> None:
    """With its key, at once and later, also where the session is there no more."""
    await store.create_session("s", steps=STEPS[:1], profile=PROFILE)
    await store.start_step("s", 1)
    for _ in range(3):
        await store.apply("s", Complete(1), IdempotencyKey("key", "digest"))
    await store.delete_session("s")
    await store.apply("s", Complete(1), IdempotencyKey("key", "digest"))
    assert runs_in(await backend.histories.load(PROFILE)) == 1


async def test_a_batch_teaches_with_its_commit(slow_store: ProgressStore) -> None:
    """One that completes the session, and starts it again."""
    backend = slow_store.backend
    assert isinstance(backend, MemoryBackend)
    backend.gate.set()  # type: ignore[attr-defined]  # of `SlowBackend`
    await slow_store.create_session("s", steps=STEPS[:1], profile=PROFILE)
    start = start_of(1)
    await slow_store.apply_all("s", [(start, None), (Complete(1), None), (start, None)])
    assert runs_in(await backend.histories.load(PROFILE)) == slow_store.committer.runs_learned == 1


@pytest.mark.guarantee("N")
async def test_a_conflict_teaches_once(clock: ManualClock) -> None:
    """The change that is decided again teaches, and not the one that was refused."""

    class OnceContested(MemoryBackend):
        conflicts = 0

        async def commit(self, change: Change) -> None:
            if change.lesson is not None and not self.conflicts:
                self.conflicts += 1
                raise ConflictError
            await super().commit(change)

    store = ProgressStore(backend := OnceContested(StorageLimits()), clock=clock)
    await run(store, clock, "s")
    assert backend.conflicts == 1
    assert runs_in(await backend.histories.load(PROFILE)) == store.committer.runs_learned == 1


async def test_a_session_without_a_profile_teaches_nothing(store: ProgressStore, clock: ManualClock) -> None:
    """And reads nothing, although it is timed."""
    await store.create_session("s", steps=[StepDefinition("Load", estimated_ms=1000)])
    await store.start_step("s", 1)
    clock.advance(1)
    progress = await store.complete_step("s", 1)
    assert progress.details.time is not None
    assert store.committer.runs_learned == 0


async def test_a_named_workflow_is_a_profile(store: ProgressStore, clock: ManualClock) -> None:
    """Its steps are learned under its name, unless the session has another profile."""
    for profile in (None, PROFILE):
        await store.create_session("s", workflow="default", profile=profile)
        await store.start_step("s", 1)
        await store.finish_session("s")
    clock.advance(VALID_S + 1)
    assert [(await store.learned(name)).runs for name in ("default", PROFILE)] == [1, 1]


@pytest.mark.guarantee("N")
async def test_a_history_that_cannot_be_read_harms_no_run(clock: ManualClock) -> None:
    """It goes by what it declares, and teaches. Who asks for what was learned gets the error."""
    store = ProgressStore(backend := MemoryBackend(StorageLimits()), clock=clock)

    async def fail(profile: str) -> History:
        raise StoreUnavailableError

    backend.histories.load = fail  # type: ignore[method-assign]
    progress = await run(store, clock, "s")
    assert (progress.status, store.committer.runs_learned) == ("completed", 1)
    with pytest.raises(StoreUnavailableError):
        await store.learned(PROFILE)
    assert runs_in(await LocalHistories.load(backend.histories, PROFILE)) == 1


class TestForgetting:
    """`forget_learned`."""

    async def test_what_was_learned_is_forgotten_at_once(self, store: ProgressStore, clock: ManualClock) -> None:
        """Nothing is left of it, in the store or in the copy."""
        for number in range(5):
            await run(store, clock, f"run {number}")
        clock.advance(VALID_S + 1)
        assert (await store.learned(PROFILE)).runs == 5
        await store.forget_learned(PROFILE)
        assert await store.learned(PROFILE) == NOTHING_LEARNED
        assert (await store.create_session("s", steps=STEPS, profile=PROFILE)).details.time is None

    async def test_only_a_profile_can_be_forgotten(self, store: ProgressStore) -> None:
        """It has the form of a session id."""
        await store.forget_learned("unknown")
        for operation in (store.learned, store.forget_learned):
            with pytest.raises(InvalidSessionIdError):
                await operation("a/b")


class TestWithoutLearning:
    """The setting `learn` is off."""

    @pytest.fixture
    def without(self, backend: FullBackend, clock: ManualClock) -> ProgressStore:
        """A store on the same backend that does not learn."""
        return ProgressStore(backend, clock=clock, learn=False)

    async def test_nothing_is_taught_or_read(
        self, without: ProgressStore, store: ProgressStore, backend: FullBackend, clock: ManualClock
    ) -> None:
        """What others on the store have learned stays, and may be forgotten."""
        for number in range(5):
            await run(store, clock, f"run {number}")
        progress = await run(without, clock, "another")
        assert (progress.status, progress.details.time, without.committer.runs_learned) == ("completed", None, 0)
        assert await without.learned(PROFILE) == NOTHING_LEARNED
        assert runs_in(await backend.histories.load(PROFILE)) == 5
        await without.forget_learned(PROFILE)
        assert await backend.histories.load(PROFILE) == {}

    async def test_a_session_of_another_server_teaches_nothing(
        self, without: ProgressStore, store: ProgressStore, backend: FullBackend
    ) -> None:
        """Where this one completes it."""
        await store.create_session("s", steps=STEPS[:1], profile=PROFILE)
        await without.start_step("s", 1)
        await without.complete_step("s", 1)
        assert await backend.histories.load(PROFILE) == {}


async def test_declared_times_need_no_learning(backend: FullBackend, clock: ManualClock) -> None:
    """They are worked out all the same."""
    store = ProgressStore(backend, clock=clock, learn=False)
    progress = await store.create_session("s", steps=[StepDefinition("Load", estimated_ms=1000)], profile=PROFILE)
    assert present(progress.details.time).basis == "declared"
