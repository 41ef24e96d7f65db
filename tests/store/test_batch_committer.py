"""Commits of batches that compete with other processes."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from progress_sse.core.commands import Ask, Command, Create, Delete
from progress_sse.core.errors import (
    PreconditionFailedError,
    SessionExistsError,
    SessionNotFoundError,
    StepNotStartedError,
    StoreUnavailableError,
)
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Complete
from progress_sse.store import batch_committer
from progress_sse.store.backend import FullBackend
from progress_sse.store.batch_committer import MAX_ATTEMPTS
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Applied, Notification, StorageLimits
from tests.clock import START, ManualClock
from tests.core.samples import sent, start_of
from tests.store.fake_backends import CachingBackend, ConflictingBackend, ContestedBackend
from tests.store.observed import state, transitions


class TestConcurrency:
    """Concurrent updates of a session lose nothing, in one process or several [DG-04]."""

    async def test_equal_completions_make_one_transition(
        self, store: ProgressStore, notifications: list[Notification]
    ) -> None:
        """32 workers report the same at once: each is answered, and one event is published."""
        await store.start_step("s", 1)
        answers = await asyncio.gather(*(store.complete_step("s", 1, message="done") for _ in range(32)))
        assert {answer.steps[1].status for answer in answers} == {"success"}
        assert (await state(store)).position.offset == 2
        assert sum(len(notification.entries) for notification in notifications) == 2

    async def test_concurrent_updates_of_different_steps_lose_none(self, store: ProgressStore) -> None:
        """32 different steps at once, twenty times."""
        for _ in range(20):
            await store.create_session("s", total_steps=32)
            start = (await state(store)).position
            await asyncio.gather(*(store.start_step("s", step) for step in range(1, 33)))
            await asyncio.gather(*(store.complete_step("s", step) for step in range(1, 33)))
            record = await state(store)
            assert (record.status, record.session.percentage, record.position.offset) == ("completed", 100, 64)
            assert await transitions(store, start) == [*range(1, 33)] * 2
            assert record.session.progress.current_step == 32

    async def test_competing_processes_lose_no_update(self, backend: FullBackend, clock: ManualClock) -> None:
        """Two processes share a backend and no queue: the one whose commit conflicts applies its commands again."""
        contested = ContestedBackend(backend)
        stores = [ProgressStore(contested, clock=clock) for _ in range(2)]
        await stores[0].create_session("s", total_steps=32)
        start = (await state(stores[0])).position

        async def work(store: ProgressStore, steps: Sequence[int]) -> None:
            for step in steps:
                await store.start_step("s", step)
                await store.complete_step("s", step)

        await asyncio.gather(*(work(store, range(number + 1, 33, 2)) for number, store in enumerate(stores)))
        record = await state(stores[1])
        assert (record.status, record.position.offset) == ("completed", 64)
        assert sorted(await transitions(stores[0], start)) == sorted([*range(1, 33)] * 2)
        assert contested.conflicts > 0

    @pytest.mark.guarantee(59)
    async def test_no_time_goes_back_between_servers_with_different_clocks(self, backend: FullBackend) -> None:
        """It is decided in the commit, on the session's state, also where that had to be read again."""
        contested = ContestedBackend(backend)
        ahead, behind = (ProgressStore(contested, clock=ManualClock(START + timedelta(hours=h))) for h in (1, 0))
        await ahead.create_session("s", total_steps=8, accepts=("cancel",))
        first = (await state(ahead)).session.progress.created_at
        await asyncio.gather(*(store.start_step("s", step) for step in range(1, 9) for store in (ahead, behind)))
        await behind.apply("s", Ask("cancel", "c"))
        await asyncio.gather(*(behind.complete_step("s", step) for step in range(1, 9)))
        await behind.append_lines("s", [NewLine("l")])
        progress = (await state(ahead)).session.progress
        times = {step.completed_at for step in progress.steps.values()}
        assert {progress.updated_at, progress.details.requests[0].asked_at, *times} == {first}
        stored = await behind.read_lines("s")
        assert stored is not None
        assert first.encode() in stored.lines[0].data

    async def test_one_of_two_competing_creations_wins(self, backend: FullBackend, clock: ManualClock) -> None:
        """Two processes create the same session without replacing; one of them gets an error."""
        stores = [ProgressStore(ContestedBackend(backend), clock=clock) for _ in range(2)]
        creations = (store.create_session("s", replace=False) for store in stores)
        outcomes = await asyncio.gather(*creations, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(SessionExistsError) == 1

    @pytest.mark.parametrize(
        "command", [Create((StepDefinition("A"),)), Delete(), Complete(1)], ids=lambda each: type(each).__name__
    )
    async def test_one_of_several_conditional_changes_wins(
        self, backend: FullBackend, clock: ManualClock, command: Command
    ) -> None:
        """The condition is checked with the commit: of several changes to one position, one succeeds."""
        contested = ContestedBackend(backend)
        stores = [ProgressStore(contested, clock=clock) for _ in range(4)]
        await stores[0].start_step("s", 1)
        seen = (await state(stores[0])).position
        conditional = sent(command, only_if=lambda position: position == seen)
        changes = (store.apply("s", conditional) for store in stores)
        outcomes = await asyncio.gather(*changes, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(Applied) == 1
        refusal = SessionNotFoundError if isinstance(command, Delete) else PreconditionFailedError
        assert [type(outcome) for outcome in outcomes].count(refusal) == 3
        assert contested.conflicts > 0

    async def test_endless_conflicts_make_the_store_unavailable(self, clock: ManualClock) -> None:
        """The error asks the client to try again."""
        backend = ConflictingBackend(StorageLimits())
        with pytest.raises(StoreUnavailableError):
            await ProgressStore(backend, clock=clock).start_step("s", 1)
        assert backend.attempts == MAX_ATTEMPTS


class TestCachedRecord:
    """A cached record suffices for a change, but not for a refusal."""

    async def test_a_current_cached_record_spares_the_load(self, clock: ManualClock) -> None:
        """The change is committed without a request for the session."""
        store = ProgressStore(backend := CachingBackend(), clock=clock)
        await store.start_step("s", 1)
        backend.known = await state(store)
        backend.loads = 0
        after = await store.complete_step("s", 1)
        assert (after.steps[1].status, backend.loads) == ("success", 0)

    async def test_an_outdated_cached_record_loses_no_update(self, clock: ManualClock) -> None:
        """The change is applied to the real state, and keeps the updates of other processes."""
        store = ProgressStore(backend := CachingBackend(), clock=clock)
        await store.start_step("s", 1)
        backend.known = await state(store)
        await ProgressStore(backend, clock=clock).complete_step("s", 1)
        after = await store.start_step("s", 2)
        assert [step.status for step in after.steps.values()] == ["success", "running"]
        assert (await state(store)).position.offset == 3

    async def test_a_refusal_needs_a_current_record(self, clock: ManualClock) -> None:
        """A step that another process has started can be completed; one that was never started cannot."""
        store = ProgressStore(backend := CachingBackend(), clock=clock)
        await store.create_session("s")
        outdated = await state(store)
        await store.start_step("s", 1)
        backend.known = outdated
        after = await store.complete_step("s", 1)
        assert after.steps[1].status == "success"
        with pytest.raises(StepNotStartedError):
            await store.complete_step("s", 2)

    async def test_a_repeat_is_found_despite_an_outdated_cached_record(self, clock: ManualClock) -> None:
        """An exact repeat changes nothing, although the cached record does not show the first report."""
        store = ProgressStore(backend := CachingBackend(), clock=clock)
        await store.start_step("s", 1)
        backend.known = await state(store)
        await store.complete_step("s", 1, message="done")
        await store.complete_step("s", 1, message="done")
        assert (await state(store)).position.offset == 2


async def test_a_long_batch_lets_other_tasks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Applying many updates of one large session takes a while, and would block the event loop."""
    monkeypatch.setattr(batch_committer, "TURN_S", 0)
    store = ProgressStore(MemoryBackend(StorageLimits()))
    await store.create_session("s", total_steps=50)
    asked = [(start_of(step), None) for step in range(1, 51)]
    applied = asyncio.create_task(store.apply_all("s", asked))
    turns = 0
    while not applied.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 50
    assert (await state(store)).position.offset == 50
