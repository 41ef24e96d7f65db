"""Idempotency keys, over every backend [DG-05]."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from progress_sse.core.commands import Command, Create, Delete, IdempotencyKey
from progress_sse.core.errors import (
    AttemptSupersededError,
    KeyInUseError,
    KeyReusedError,
    StepNotStartedError,
    StepOutOfRangeError,
    StoreFullError,
)
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import Position, StepDefinition
from progress_sse.core.updates import AppendLines, Complete, StepUpdate, Update
from progress_sse.store.backend import FullBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Applied, Change, Notification
from tests.clock import ManualClock
from tests.core.samples import sent, start_of
from tests.store.conftest import OpenBackend
from tests.store.fake_backends import OvertakenBackend, SlowBackend
from tests.store.observed import state

HOUR_S = 3600.0


class TestKeys:
    """A key makes one effect of many requests."""

    KEY = IdempotencyKey("k", "digest")

    async def test_a_key_applies_its_request_once(
        self, store: ProgressStore, notifications: list[Notification]
    ) -> None:
        """A start is never a repeat, but with its key it is."""
        start = start_of(1)
        first = await store.apply("s", start, self.KEY)
        for _ in range(9):
            assert (await store.apply("s", start, self.KEY)).effect == first.effect
        assert (await state(store)).position.offset == 1
        assert len(notifications) == 1
        await store.apply("s", start, IdempotencyKey("another", "digest"))
        assert (await state(store)).position.offset == 2

    async def test_a_used_key_gets_its_first_answer(self, store: ProgressStore, clock: ManualClock) -> None:
        """The stored answer counts, not the answer that the request would get now."""
        create = Create((StepDefinition("x"),), replace=False)
        first = await store.apply("s", create, self.KEY)
        assert first == Applied("created", await state(store))
        await store.start_step("s", 1)
        clock.advance(1)
        assert await store.apply("s", create, self.KEY) == first
        second = await store.apply("s", create._replace(replace=True), IdempotencyKey("r", "d"))
        assert second == Applied("replaced", await state(store))
        clock.advance(1)
        assert await store.apply("s", create, self.KEY) == first
        await store.delete_session("s")
        assert await store.apply("s", create, self.KEY) == first
        assert await store.apply("s", create, IdempotencyKey("r", "d")) == second
        assert await store.load("s") is None

    async def test_a_repeated_creation_is_answered_with_its_first_steps(self, store: ProgressStore) -> None:
        """Its workflow may have been redefined since, which the request does not show."""
        first = await store.apply("s", Create((StepDefinition("then"),)), self.KEY)
        await store.start_step("s", 1)
        assert await store.apply("s", Create((StepDefinition("now"),) * 2), self.KEY) == first

    async def test_a_repeated_creation_gets_its_steps_under_a_later_epoch(self, store: ProgressStore) -> None:
        """A store that lost the history, but not the session, gives it a later epoch."""
        first = await store.apply("s", Create((StepDefinition("then"),)), self.KEY)
        assert first.record is not None
        later = replace(first.record, position=Position("later", 0))
        await store.backend.commit(Change("s", first.record.position, later, is_fresh=True))
        assert await store.apply("s", Create((StepDefinition("now"),) * 2), self.KEY) == first

    async def test_a_key_refuses_another_request(self, store: ProgressStore) -> None:
        """The same key for another body is an error of the client."""
        await store.apply("s", start_of(1), self.KEY)
        with pytest.raises(KeyReusedError):
            await store.apply("s", start_of(2), IdempotencyKey("k", "other"))
        assert (await state(store)).position.offset == 1

    @pytest.mark.protocol("P-12.8")
    @pytest.mark.guarantee(76)
    @pytest.mark.parametrize("is_log", [False, True])
    @pytest.mark.parametrize("is_sent_alone_before", [False, True])
    async def test_a_key_that_stands_twice_counts_once(
        self, store: ProgressStore, *, is_log: bool, is_sent_alone_before: bool
    ) -> None:
        """The second one gets its turn after the first: to be applied where that was refused, or else as a repeat."""

        def update(step: int) -> tuple[Update, IdempotencyKey]:
            line = AppendLines((NewLine(str(step)),), step)
            return line if is_log else start_of(step), IdempotencyKey("k", str(step))

        await store.create_session("s", 3)
        if is_sent_alone_before:
            await store.apply("s", *update(1))
        results = await store.apply_all("s", [update(step) for step in (9, 1, 9, 2, 1)])
        first = KeyReusedError if is_sent_alone_before else StepOutOfRangeError
        assert [type(each) for each in results] == [first, Applied, KeyReusedError, KeyReusedError, Applied]
        stored = await store.read_lines("s")
        steps = (await state(store)).session.progress.steps
        assert stored is not None
        assert (len(stored.lines), [*steps]) == ((1, []) if is_log else (0, [1]))
        assert (await state(store)).position.offset == 1

    @pytest.mark.protocol("P-11.2")
    @pytest.mark.guarantee("G")
    @pytest.mark.parametrize(
        "update", [sent(Complete(1), attempt_id="a"), sent(AppendLines((NewLine("l"),), 1), attempt_id="a")]
    )
    async def test_a_used_key_gets_its_first_answer_though_its_attempt_was_replaced(
        self, store: ProgressStore, update: Update
    ) -> None:
        """It was applied, and is not again; another key is refused, and so is another request under it."""
        await store.apply("s", sent(start_of(1), attempt_id="a"))
        await store.apply("s", update, self.KEY)
        await store.apply("s", sent(start_of(1), attempt_id="b"))
        before = await state(store)
        asked = [(update, self.KEY), (update, IdempotencyKey("k", "other")), (update, IdempotencyKey("new", "digest"))]
        for results in (
            await store.apply_all("s", asked),
            [each for pair in asked for each in await store.apply_all("s", [pair])],
        ):
            assert [type(each) for each in results] == [Applied, KeyReusedError, AttemptSupersededError]
        assert await state(store) == before

    @pytest.mark.protocol("P-11.4")
    async def test_a_key_in_flight_refuses_a_second_request(self, slow_store: ProgressStore) -> None:
        """The same request is asked to wait, another one is refused for good."""
        store = slow_store
        start = start_of(1)
        answers = asyncio.gather(
            *(store.apply("s", start, self.KEY) for _ in range(10)),
            store.apply("s", start, IdempotencyKey("k", "other")),
            store.apply("t", start, self.KEY),
            return_exceptions=True,
        )
        await asyncio.sleep(0)
        cast(SlowBackend, store.backend).gate.set()
        outcomes = await answers
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [Applied, *[KeyInUseError] * 9, KeyReusedError, Applied]
        assert (await state(store)).position.offset == 1
        assert isinstance(await store.apply("s", start, self.KEY), Applied)

    @pytest.mark.protocol("P-12.4")
    async def test_a_key_in_flight_refuses_all_commands_behind_it(self, slow_store: ProgressStore) -> None:
        """Otherwise a request that is sent again could start a step after the completion that was sent with it."""
        store = slow_store
        gate = cast(SlowBackend, slow_store.backend).gate
        start = start_of(1)
        complete = Complete(1)
        first = asyncio.create_task(store.apply("s", start, self.KEY))
        await asyncio.sleep(0)
        asked: list[tuple[StepUpdate, IdempotencyKey | None]] = [
            (start, self.KEY),
            (complete, IdempotencyKey("c", "d")),
            (complete, None),
        ]
        refused = await store.apply_all("s", asked)
        assert [type(each) for each in refused] == [KeyInUseError] * 3
        gate.set()
        await first
        assert {type(each) for each in await store.apply_all("s", asked)} == {Applied}
        step = (await state(store)).session.progress.steps[1]
        assert step.status == "success"

    @pytest.mark.protocol("P-11.5")
    async def test_a_refused_request_does_not_use_its_key(self, store: ProgressStore) -> None:
        """It can be tried again with the same key."""
        await store.create_session("s")
        with pytest.raises(StepNotStartedError):
            await store.apply("s", Complete(1), self.KEY)
        await store.start_step("s", 1)
        assert (await store.apply("s", Complete(1), self.KEY)).effect == "updated"
        assert (await state(store)).position.offset == 2

    async def test_a_repeat_uses_its_key(self, store: ProgressStore, notifications: list[Notification]) -> None:
        """A request that changed nothing was answered; to store its key is no transition."""
        await store.start_step("s", 1)
        await store.complete_step("s", 1)
        before = await state(store)
        await store.apply("s", Complete(1), self.KEY)
        assert await state(store) == before
        assert [entry.offset for notification in notifications for entry in notification.entries] == [1, 2]
        with pytest.raises(KeyReusedError):
            await store.apply("s", Complete(1), IdempotencyKey("k", "other"))

    @pytest.mark.protocol("P-11.6")
    async def test_a_key_counts_for_24_hours(self, store: ProgressStore, clock: ManualClock) -> None:
        """Later it can be used as a new one."""
        start = start_of(1)
        await store.apply("s", start, self.KEY)
        clock.jump(timedelta(hours=24).total_seconds())
        await store.apply("s", start, self.KEY)
        assert (await state(store)).position.offset == 1
        clock.jump(1e-6)
        await store.apply("s", start, IdempotencyKey("k", "other"))
        assert (await state(store)).position.offset == 2
        clock.jump(HOUR_S)
        await store.apply("s", start, IdempotencyKey("k", "other"))
        assert (await state(store)).position.offset == 2

    async def test_a_key_has_one_effect_even_if_the_session_is_removed(
        self, store: ProgressStore, clock: ManualClock, notifications: list[Notification]
    ) -> None:
        """The session is replaced, deleted, created again and cleaned up. For a day each key gets its first answer."""
        start = start_of(1)
        create = Create((StepDefinition("x"),), replace=True)
        asked: list[tuple[Command, IdempotencyKey]] = [
            (start, self.KEY),
            (create, IdempotencyKey("own", "digest")),
            (Delete(), IdempotencyKey("removal", "digest")),
        ]
        effects = ["updated", "replaced", "deleted"]
        assert [(await store.apply("s", *each)).effect for each in asked] == effects

        async def assert_nothing_is_done() -> None:
            before = await store.load("s")
            count = len(notifications)
            assert [(await store.apply("s", *each)).effect for each in asked] == effects
            assert (await store.load("s"), len(notifications)) == (before, count)

        await assert_nothing_is_done()
        await store.create_session("s")
        await assert_nothing_is_done()
        await store.start_step("s", 2)
        await assert_nothing_is_done()
        clock.advance(23 * HOUR_S)
        assert await store.cleanup_old_sessions(1) == 1
        await assert_nothing_is_done()
        clock.advance(HOUR_S)
        await store.cleanup_old_sessions()
        await assert_nothing_is_done()
        clock.advance(1e-6)
        await store.cleanup_old_sessions()
        assert [(await store.apply("s", *each)).effect for each in asked] == effects
        assert notifications[-1] == Notification("s", None)
        assert len(notifications) == 9

    async def test_a_key_has_one_effect_in_competing_processes(self, backend: FullBackend, clock: ManualClock) -> None:
        """The session is then where it was expected: it was created, and removed again."""
        overtaken = OvertakenBackend(backend)
        here, there = ProgressStore(overtaken, clock=clock), ProgressStore(backend, clock=clock)
        commands: list[Command] = [
            start_of(1),
            Create((StepDefinition("x"),), replace=False),
            Create((StepDefinition("x"),)),
        ]
        for number, command in enumerate(commands):
            key = IdempotencyKey(f"k{number}", "digest")

            async def be_faster(command: Command = command, key: IdempotencyKey = key) -> None:
                await there.apply("s", command, key)
                await there.delete_session("s")

            overtaken.before_commit = be_faster
            assert (await here.apply("s", command, key)).effect == ("created" if number else "updated")
            assert await here.load("s") is None
            assert overtaken.before_commit is None

    async def test_a_used_key_is_answered_by_a_full_store(self, open_backend: OpenBackend, clock: ManualClock) -> None:
        """A request that is only sent again needs no room."""
        store = ProgressStore(await open_backend(max_sessions=1), clock=clock)
        create = Create((StepDefinition("x"),), replace=False)
        first = await store.apply("s", create, self.KEY)
        await store.delete_session("s")
        await store.create_session("other")
        assert await store.apply("s", create, self.KEY) == first
        with pytest.raises(StoreFullError):
            await store.apply("s", create, IdempotencyKey("another", "digest"))
        assert await store.load("s") is None

    async def test_a_shared_commit_stores_each_key(self, store: ProgressStore) -> None:
        """Each command of a batch has its own."""
        await store.create_session("s", total_steps=20)
        keys = [IdempotencyKey(str(step), f"d{step}") for step in range(1, 21)]
        for _ in range(2):
            requests = (store.apply("s", start_of(step), keys[step - 1]) for step in range(1, 21))
            assert {applied.effect for applied in await asyncio.gather(*requests)} == {"updated"}
        assert (await state(store)).position.offset == 20
