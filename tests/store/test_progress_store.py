"""The store's operations, over every backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from progress_sse.core.errors import (
    ConflictError,
    InvalidRequestError,
    InvalidSessionIdError,
    KeyInUseError,
    KeyReusedError,
    OutcomeUnknownError,
    PreconditionFailedError,
    ProblemError,
    SessionExistsError,
    SessionNotFoundError,
    StepNotRunningError,
    StepNotStartedError,
    StepOutOfRangeError,
    StoreFullError,
    StoreUnavailableError,
    UnknownWorkflowError,
)
from progress_sse.core.model import Position, StepAdvance, StepDefinition
from progress_sse.core.state_machine import Advance, Command, Complete, Create, Delete, StepCommand
from progress_sse.store import batch_committer
from progress_sse.store.backend import Backend
from progress_sse.store.batch_committer import MAX_ATTEMPTS
from progress_sse.store.idempotency import IdempotencyKey
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Applied, Change, Notification, Record, StorageLimits
from tests.clock import START, ManualClock
from tests.store.conftest import OpenBackend

HOUR_S = 3600.0


class SlowBackend(MemoryBackend):
    """Memory whose commits wait for a gate to be opened."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.gate = asyncio.Event()

    async def commit(self, change: Change) -> None:
        await self.gate.wait()
        await super().commit(change)


@pytest.fixture
def slow_store(clock: ManualClock) -> ProgressStore:
    """A store whose first commit stays under way until its backend's gate is opened."""
    return ProgressStore(SlowBackend(), clock=clock)


@pytest.fixture
async def notifications(backend: Backend) -> list[Notification]:
    """What a reader of the session `s` is told."""
    notifications: list[Notification] = []
    await backend.listen("s", notifications.append)
    return notifications


async def state(store: ProgressStore) -> Record:
    """The session `s`, which there must be."""
    record = await store.load("s")
    assert record is not None
    return record


def told(notification: Notification) -> list[str | int]:
    """What a notice says: `new`, the steps that changed, `gone`."""
    return (
        ["new"] * notification.is_fresh
        + [entry.step for entry in notification.entries]
        + ["gone"] * (notification.record is None)
    )


async def transitions(store: ProgressStore, after: Position) -> list[int]:
    """The steps that changed after the position, in order; checks that the numbers are contiguous."""
    entries = await store.backend.replay("s", after)
    assert entries is not None
    assert [entry.offset for entry in entries] == list(range(after.offset + 1, after.offset + 1 + len(entries)))
    return [entry.step for entry in entries]


class TestOperations:
    """Each operation by itself."""

    async def test_create_makes_a_pending_session(self, store: ProgressStore) -> None:
        """With the shipped definitions, nothing started, at position 0."""
        progress = await store.create_session("s")
        assert (progress.status, progress.total_steps, progress.current_step, progress.steps) == ("pending", 7, 0, {})
        assert progress.created_at == progress.updated_at == START.isoformat()
        assert await store.get_session("s") == progress
        record = await state(store)
        assert record.position.offset == 0
        assert [definition.name for definition in record.session.definitions][:3] == [
            "原稿生成",
            "メニュー登録",
            "STEP3",
        ]

    async def test_create_takes_steps_of_its_own(self, store: ProgressStore) -> None:
        """Own steps, a workflow, or a number."""
        own = [StepDefinition("one", 1, 2), StepDefinition("two")]
        assert (await store.create_session("a", steps=own)).total_steps == 2
        assert (await store.create_session("b", total_steps=9)).total_steps == 9
        assert (await store.create_session("c", workflow="default")).total_steps == 7
        with pytest.raises(UnknownWorkflowError):
            await store.create_session("d", workflow="nothing")
        assert await store.get_session("d") is None
        started = await store.start_step("a", 1)
        assert (started.steps[1].name, started.steps[1].timeout_ms) == ("one", 1)

    async def test_create_replaces_unless_told_not_to(self, store: ProgressStore) -> None:
        """The event ids of the former life never come back."""
        await store.start_step("s", 1)
        first = (await state(store)).position
        with pytest.raises(SessionExistsError):
            await store.create_session("s", replace=False)
        assert (await state(store)).position == first
        assert (await store.create_session("s")).steps == {}
        second = (await state(store)).position
        assert second.offset == 0
        assert second.epoch != first.epoch
        assert await store.backend.replay("s", first) is None

    async def test_start_creates_the_session(self, store: ProgressStore, notifications: list[Notification]) -> None:
        """In one commit: a fresh life with its first transition."""
        progress = await store.start_step("s", 2, timeout_ms=5)
        assert (progress.status, progress.current_step, progress.total_steps) == ("running", 2, 7)
        assert (progress.steps[2].status, progress.steps[2].timeout_ms) == ("running", 5)
        (notification,) = notifications
        assert notification.is_fresh
        assert [(entry.offset, entry.step) for entry in notification.entries] == [(1, 2)]

    async def test_start_again_starts_afresh(self, store: ProgressStore, clock: ManualClock) -> None:
        """A retry is a new attempt, even when the step is running; it is never a repeat."""
        await store.start_step("s", 1)
        await store.report_progress("s", 1, 5, 10, "half")
        clock.advance(1)
        step = (await store.start_step("s", 1)).steps[1]
        assert (step.message, step.advance, step.started_at) == ("", None, clock.now().isoformat())
        await store.start_step("s", 1)
        assert (await state(store)).position.offset == 4

    async def test_complete_ends_a_step(self, store: ProgressStore, clock: ManualClock) -> None:
        """With its outcome and the time it took."""
        await store.start_step("s", 1)
        clock.advance(1.5)
        step = (await store.complete_step("s", 1, success=False, message="m", error="e")).steps[1]
        assert (step.status, step.elapsed_ms, step.message, step.error) == ("error", 1500, "m", "e")
        assert step.completed_at == clock.now().isoformat()
        assert (await state(store)).status == "error"

    async def test_complete_takes_no_negative_time(self, store: ProgressStore, clock: ManualClock) -> None:
        """The wall clock may be set back in between."""
        await store.start_step("s", 1)
        clock.jump(-HOUR_S)
        assert (await store.complete_step("s", 1)).steps[1].elapsed_ms == 0

    async def test_all_steps_complete_the_session(self, store: ProgressStore) -> None:
        """Seven successes, in any order."""
        for step in (3, 1, 2, 7, 6, 5, 4):
            await store.start_step("s", step)
        for step in range(1, 8):
            progress = await store.complete_step("s", step)
            assert progress.status == ("completed" if step == 7 else "running")

    async def test_report_moves_a_running_step(self, store: ProgressStore) -> None:
        """Its progress goes with its completion."""
        await store.start_step("s", 1)
        step = (await store.report_progress("s", 1, 3, 4, "m")).steps[1]
        assert (step.advance, step.message, step.status) == (StepAdvance(3, 4), "m", "running")
        assert (await store.report_progress("s", 1, 4)).steps[1].advance == StepAdvance(4, None)
        assert (await store.complete_step("s", 1)).steps[1].advance is None

    async def test_delete_removes_it(self, store: ProgressStore, notifications: list[Notification]) -> None:
        """Once."""
        await store.create_session("s")
        await store.delete_session("s")
        assert await store.get_session("s") is None
        assert notifications[-1] == Notification("s", None)
        with pytest.raises(SessionNotFoundError):
            await store.delete_session("s")

    @pytest.mark.parametrize("session_id", ["", ".", "..", "a/b", "a\nb", "\ud800", "x" * 129])
    async def test_every_operation_refuses_what_is_no_id(self, store: ProgressStore, session_id: str) -> None:
        """Before anything is asked of the backend."""
        for operation in (
            store.create_session(session_id),
            store.get_session(session_id),
            store.start_step(session_id, 1),
            store.complete_step(session_id, 1),
            store.report_progress(session_id, 1, 1),
            store.delete_session(session_id),
        ):
            with pytest.raises(InvalidSessionIdError):
                await operation
        assert await store.backend.list_summaries(None, 10, None) == []


class TestRefusals:
    """What cannot be applied is an error, changes nothing and is told to nobody."""

    @pytest.mark.parametrize(
        ("command", "expected"),
        [
            (Complete(2), StepNotStartedError),
            (Complete(0), StepOutOfRangeError),
            (Complete(8), StepOutOfRangeError),
            (Advance(2, 1), StepNotStartedError),
            (Advance(3, 1), StepNotRunningError),
            (Advance(1, 3, 2), InvalidRequestError),
            (Create((StepDefinition("x"),), replace=False), SessionExistsError),
        ],
    )
    async def test_change_nothing(
        self, store: ProgressStore, notifications: list[Notification], command: Complete, expected: type[ProblemError]
    ) -> None:
        """Step 1 is running, step 3 has ended."""
        await store.start_step("s", 3)
        await store.complete_step("s", 3)
        await store.start_step("s", 1)
        before, told = await state(store), len(notifications)
        with pytest.raises(expected):
            await store.apply("s", command)
        assert await state(store) == before
        assert len(notifications) == told

    @pytest.mark.parametrize("command", [Complete(1), Advance(1, 1), Delete()])
    async def test_make_no_session(
        self, store: ProgressStore, notifications: list[Notification], command: Complete
    ) -> None:
        """Only a start creates one."""
        with pytest.raises(SessionNotFoundError):
            await store.apply("s", command)
        assert await store.load("s") is None
        assert notifications == []


class TestRepeats:
    """What a step already holds, word for word."""

    async def test_change_and_publish_nothing(
        self, store: ProgressStore, clock: ManualClock, notifications: list[Notification]
    ) -> None:
        """Not even a time stamp, and not the session's status."""
        await store.start_step("s", 1)
        await store.report_progress("s", 1, 1, 2, "m")
        await store.start_step("s", 2)
        await store.complete_step("s", 2, success=False, error="e")
        before, told = await state(store), len(notifications)
        clock.advance(5)
        await store.report_progress("s", 1, 1, 2, "m")
        await store.complete_step("s", 2, success=False, error="e")
        assert await state(store) == before
        assert len(notifications) == told
        await store.start_step("s", 1)
        running = await state(store)
        assert running.status == "running"
        await store.complete_step("s", 2, success=False, error="e")
        assert await state(store) == running

    async def test_end_where_a_word_differs(self, store: ProgressStore) -> None:
        """The last word wins: another outcome or text is a new transition."""
        await store.start_step("s", 1)
        words = [{}, {"message": "m"}, {"message": "m", "error": "e"}, {"success": False, "message": "m", "error": "e"}]
        for n, word in enumerate(words, start=2):
            progress = await store.complete_step("s", 1, **word)  # type: ignore[arg-type]  # mixed values
            assert (await state(store)).position.offset == n
            assert progress.steps[1].status == ("success" if n < 5 else "error")


class TestConcurrency:
    """Concurrent updates of a session lose nothing, whoever sends them [DG-04]."""

    async def test_of_equal_completions_is_one_transition(
        self, store: ProgressStore, notifications: list[Notification]
    ) -> None:
        """32 workers say the same at once: each is answered, one event comes of it."""
        await store.start_step("s", 1)
        answers = await asyncio.gather(*(store.complete_step("s", 1, message="done") for _ in range(32)))
        assert {answer.steps[1].status for answer in answers} == {"success"}
        assert (await state(store)).position.offset == 2
        assert sum(len(notification.entries) for notification in notifications) == 2

    async def test_of_different_steps_loses_none(self, store: ProgressStore) -> None:
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

    async def test_between_stores_loses_none(self, backend: Backend, clock: ManualClock) -> None:
        """Two processes that share a backend have no lane in common: whoever loses a commit decides again."""
        contested = Contested(backend)
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

    async def test_between_stores_lets_one_creation_win(self, backend: Backend, clock: ManualClock) -> None:
        """Two processes create the same session without replacing: one of them is told that there is one."""
        stores = [ProgressStore(Contested(backend), clock=clock) for _ in range(2)]
        creations = (store.create_session("s", replace=False) for store in stores)
        outcomes = await asyncio.gather(*creations, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(SessionExistsError) == 1

    @pytest.mark.parametrize(
        "command", [Create((StepDefinition("A"),)), Delete(), Complete(1)], ids=lambda each: type(each).__name__
    )
    async def test_between_stores_applies_one_change_to_what_all_have_seen(
        self, backend: Backend, clock: ManualClock, command: Command
    ) -> None:
        """Whether the condition holds is decided with the commit: of changes to one position a single one succeeds."""
        contested = Contested(backend)
        stores = [ProgressStore(contested, clock=clock) for _ in range(4)]
        await stores[0].start_step("s", 1)
        seen = (await state(stores[0])).position
        conditional = replace(command, only_if=lambda position: position == seen)
        changes = (store.apply("s", conditional) for store in stores)
        outcomes = await asyncio.gather(*changes, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(Applied) == 1
        refusal = SessionNotFoundError if isinstance(command, Delete) else PreconditionFailedError
        assert [type(outcome) for outcome in outcomes].count(refusal) == 3
        assert contested.conflicts > 0

    async def test_gives_up_where_conflicts_never_end(self, clock: ManualClock) -> None:
        """It says so, with an error that asks to try again."""
        backend = Hopeless(StorageLimits())
        with pytest.raises(StoreUnavailableError):
            await ProgressStore(backend, clock=clock).start_step("s", 1)
        assert backend.attempts == MAX_ATTEMPTS


class Contested:
    """A backend on which two changes of a session that are decided at the same time always meet."""

    def __init__(self, backend: Backend) -> None:
        self.conflicts = 0
        self.open, self.aclose, self.ping = backend.open, backend.aclose, backend.ping
        self.cached_record, self.find_idempotency_key, self.replay = (
            backend.cached_record,
            backend.find_idempotency_key,
            backend.replay,
        )
        self.expire, self.forget_keys = backend.expire, backend.forget_keys
        self.listen, self.unlisten, self.list_summaries = backend.listen, backend.unlisten, backend.list_summaries
        self.count_by_status = backend.count_by_status
        self._backend = backend

    async def load(self, session_id: str) -> Record | None:
        record = await self._backend.load(session_id)
        for _ in range(3):
            await asyncio.sleep(0)
        return record

    async def commit(self, change: Change) -> None:
        try:
            await self._backend.commit(change)
        except ConflictError:
            self.conflicts += 1
            raise


class Hopeless(MemoryBackend):
    """A backend whose sessions have always just moved on."""

    attempts = 0

    async def commit(self, change: Change) -> None:
        self.attempts += 1
        raise ConflictError


class Guessing(MemoryBackend):
    """A backend that is slow to ask, and guesses what a test says."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.known: Record | None = None
        self.loads = 0

    def cached_record(self, session_id: str) -> Record | None:  # type: ignore[override]  # the others have no cached record
        return self.known

    async def load(self, session_id: str) -> Record | None:
        self.loads += 1
        return await super().load(session_id)


class TestGuesses:
    """What a process knows of a session is good enough for a change, and not for a refusal."""

    async def test_spare_a_change_the_asking(self, clock: ManualClock) -> None:
        """As long as they are right."""
        store = ProgressStore(backend := Guessing(), clock=clock)
        await store.start_step("s", 1)
        backend.known = await state(store)
        backend.loads = 0
        after = await store.complete_step("s", 1)
        assert (after.steps[1].status, backend.loads) == ("success", 0)

    async def test_are_not_believed_where_they_are_outdated(self, clock: ManualClock) -> None:
        """A change goes on from where the session really is, and loses nothing of what others did."""
        store = ProgressStore(backend := Guessing(), clock=clock)
        await store.start_step("s", 1)
        backend.known = await state(store)
        await ProgressStore(backend, clock=clock).complete_step("s", 1)
        after = await store.start_step("s", 2)
        assert [step.status for step in after.steps.values()] == ["success", "running"]
        assert (await state(store)).position.offset == 3

    async def test_refuse_nothing(self, clock: ManualClock) -> None:
        """A step that others have started can be completed; one that nobody has started cannot."""
        store = ProgressStore(backend := Guessing(), clock=clock)
        await store.create_session("s")
        guessed = await state(store)
        await store.start_step("s", 1)
        backend.known = guessed
        after = await store.complete_step("s", 1)
        assert after.steps[1].status == "success"
        with pytest.raises(StepNotStartedError):
            await store.complete_step("s", 2)

    async def test_are_no_reason_to_repeat(self, clock: ManualClock) -> None:
        """What was said already, to the letter, changes nothing, though the cached record did not know of it."""
        store = ProgressStore(backend := Guessing(), clock=clock)
        await store.start_step("s", 1)
        backend.known = await state(store)
        await store.complete_step("s", 1, message="done")
        await store.complete_step("s", 1, message="done")
        assert (await state(store)).position.offset == 2


class Overtaken(Contested):
    """A backend on which another process does something just before a change is committed."""

    before_commit: Callable[[], Awaitable[object]] | None = None

    async def commit(self, change: Change) -> None:
        meanwhile, self.before_commit = self.before_commit, None
        if meanwhile is not None:
            await meanwhile()
        await super().commit(change)


class TestLanes:
    """The commands of one session stand in line, and share commits where they can."""

    async def test_keep_the_order_of_arrival(self, store: ProgressStore, notifications: list[Notification]) -> None:
        """Step commands and commands about the session as a whole, mixed."""
        outcomes = await asyncio.gather(
            store.start_step("s", 1),
            store.start_step("s", 2),
            store.delete_session("s"),
            store.complete_step("s", 1),
            store.create_session("s", total_steps=3),
            store.start_step("s", 3),
            store.complete_step("s", 3),
            return_exceptions=True,
        )
        assert [isinstance(outcome, SessionNotFoundError) for outcome in outcomes] == [False] * 3 + [True] + [False] * 3
        record = await state(store)
        assert (record.session.progress.total_steps, record.position.offset, [*record.session.progress.steps]) == (
            3,
            2,
            [3],
        )
        assert [event for notification in notifications for event in told(notification)] == [
            "new",
            1,
            2,
            "gone",
            "new",
            3,
            3,
        ]

    async def test_share_a_commit_where_one_is_under_way(self, slow_store: ProgressStore) -> None:
        """Step commands in a row; one about the session as a whole stands alone."""
        backend = cast(SlowBackend, slow_store.backend)
        notifications: list[Notification] = []
        await backend.listen("s", notifications.append)
        commands: list[Command] = [
            *(slow_store.start_command(step, None) for step in (1, 2, 3)),
            Create(slow_store.workflows.named()),
            *(slow_store.start_command(step, None) for step in (4, 5)),
        ]
        applied = asyncio.gather(*(slow_store.apply("s", command) for command in commands))
        await asyncio.sleep(0)
        backend.gate.set()
        await applied
        assert [told(notification) for notification in notifications] == [["new", 1], [2, 3], ["new"], [4, 5]]

    async def test_let_refusals_harm_nobody_else(self, store: ProgressStore) -> None:
        """In a shared commit each command succeeds or fails for itself."""
        await store.create_session("s")
        outcomes = await asyncio.gather(
            store.start_step("s", 1),
            store.complete_step("s", 2),
            store.start_step("s", 99),
            store.complete_step("s", 1),
            store.report_progress("s", 1, 1),
            return_exceptions=True,
        )
        expected = [None, StepNotStartedError, StepOutOfRangeError, None, StepNotRunningError]
        assert [type(each) if isinstance(each, Exception) else None for each in outcomes] == expected
        assert (await state(store)).position.offset == 2

    async def test_finish_what_nobody_waits_for(self, store: ProgressStore) -> None:
        """A worker that hangs up does not take its update back, and does not hold up the next one."""
        waiting = asyncio.ensure_future(store.start_step("s", 1))
        await asyncio.sleep(0)
        waiting.cancel()
        assert (await store.complete_step("s", 1)).steps[1].status == "success"
        assert waiting.cancelled()

    async def test_finish_before_the_store_closes(self, open_backend: OpenBackend, clock: ManualClock) -> None:
        """What was accepted is answered."""
        store = ProgressStore(await open_backend(), clock=clock)
        updates = [asyncio.ensure_future(store.start_step("s", step)) for step in (1, 2, 3)]
        await asyncio.sleep(0)
        await store.aclose()
        assert [(await update).status for update in updates] == ["running"] * 3

    async def test_are_given_up_in_the_end(self, slow_store: ProgressStore) -> None:
        """Of what a store was not given the time for nobody knows; opened again, it takes that under the same keys."""
        start = slow_store.start_command(1, None)
        asked: list[tuple[Command, IdempotencyKey]] = [
            (start, IdempotencyKey("under way", "digest")),
            (Delete(), IdempotencyKey("waits", "digest")),
        ]
        answers = asyncio.gather(*(slow_store.apply("s", *each) for each in asked), return_exceptions=True)
        await asyncio.sleep(0)
        await slow_store.aclose(timeout_s=0)
        assert [type(answer) for answer in await answers] == [OutcomeUnknownError] * 2
        await slow_store.open()
        cast(SlowBackend, slow_store.backend).gate.set()
        assert [(await slow_store.apply("s", *each)).effect for each in asked] == ["updated", "deleted"]


async def test_a_long_batch_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deciding on many updates of one large session takes time that all others wait for."""
    monkeypatch.setattr(batch_committer, "TURN_S", 0)
    store = ProgressStore(MemoryBackend(StorageLimits()))
    await store.create_session("s", total_steps=50)
    asked = [(store.start_command(step, None), None) for step in range(1, 51)]
    applied, turns = asyncio.create_task(store.apply_all("s", asked)), 0
    while not applied.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 50
    assert (await state(store)).position.offset == 50


class TestKeys:
    """Idempotency keys [DG-05]."""

    KEY = IdempotencyKey("k", "digest")

    async def test_apply_once_and_answer_the_same(
        self, store: ProgressStore, notifications: list[Notification]
    ) -> None:
        """A start is never a repeat, yet with its key it is."""
        start = store.start_command(1, None)
        first = await store.apply("s", start, self.KEY)
        for _ in range(9):
            assert (await store.apply("s", start, self.KEY)).effect == first.effect
        assert (await state(store)).position.offset == 1
        assert len(notifications) == 1
        await store.apply("s", start, IdempotencyKey("another", "digest"))
        assert (await state(store)).position.offset == 2

    async def test_answer_as_the_first_time(self, store: ProgressStore, clock: ManualClock) -> None:
        """What is remembered is what the request came to, not what it would come to now."""
        create = Create((StepDefinition("x"),), replace=False)
        first = await store.apply("s", create, self.KEY)
        assert first == Applied("created", await state(store))
        await store.start_step("s", 1)
        clock.advance(1)
        assert await store.apply("s", create, self.KEY) == first
        second = await store.apply("s", replace(create, replace=True), IdempotencyKey("r", "d"))
        assert second == Applied("replaced", await state(store))
        clock.advance(1)
        assert await store.apply("s", create, self.KEY) == first
        await store.delete_session("s")
        assert await store.apply("s", create, self.KEY) == first
        assert await store.apply("s", create, IdempotencyKey("r", "d")) == second
        assert await store.load("s") is None

    async def test_answer_a_creation_with_the_steps_that_it_got(self, store: ProgressStore) -> None:
        """A workflow may have been defined anew since, which the request does not show."""
        first = await store.apply("s", Create((StepDefinition("then"),)), self.KEY)
        await store.start_step("s", 1)
        assert await store.apply("s", Create((StepDefinition("now"),) * 2), self.KEY) == first

    async def test_answer_a_creation_with_its_steps_under_a_later_epoch(self, store: ProgressStore) -> None:
        """As a store gives that has lost the history, and not the session."""
        first = await store.apply("s", Create((StepDefinition("then"),)), self.KEY)
        assert first.record is not None
        later = replace(first.record, position=Position("later", 0))
        await store.backend.commit(Change("s", first.record.position, later, is_fresh=True))
        assert await store.apply("s", Create((StepDefinition("now"),) * 2), self.KEY) == first

    async def test_refuse_another_request(self, store: ProgressStore) -> None:
        """The same key for another body is a mistake of the client."""
        await store.apply("s", store.start_command(1, None), self.KEY)
        with pytest.raises(KeyReusedError):
            await store.apply("s", store.start_command(2, None), IdempotencyKey("k", "other"))
        assert (await state(store)).position.offset == 1

    async def test_refuse_while_the_first_is_under_way(self, slow_store: ProgressStore) -> None:
        """The same request is asked to wait, another one is refused for good."""
        store, start = slow_store, slow_store.start_command(1, None)
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

    async def test_hold_up_what_comes_behind_them(self, slow_store: ProgressStore) -> None:
        """Else a step would begin, by a request that is sent again, after the end that was sent with it."""
        store, gate = slow_store, cast(SlowBackend, slow_store.backend).gate
        start, complete = store.start_command(1, None), Complete(1)
        first = asyncio.create_task(store.apply("s", start, self.KEY))
        await asyncio.sleep(0)
        asked: list[tuple[StepCommand, IdempotencyKey | None]] = [
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

    async def test_remember_no_failure(self, store: ProgressStore) -> None:
        """What was refused can be tried again with the same key."""
        await store.create_session("s")
        with pytest.raises(StepNotStartedError):
            await store.apply("s", Complete(1), self.KEY)
        await store.start_step("s", 1)
        assert (await store.apply("s", Complete(1), self.KEY)).effect == "updated"
        assert (await state(store)).position.offset == 2

    async def test_are_remembered_of_repeats(self, store: ProgressStore, notifications: list[Notification]) -> None:
        """A request that changed nothing has been answered all the same; to remember it is no transition."""
        await store.start_step("s", 1)
        await store.complete_step("s", 1)
        before = await state(store)
        await store.apply("s", Complete(1), self.KEY)
        assert await state(store) == before
        assert [entry.offset for notification in notifications for entry in notification.entries] == [1, 2]
        with pytest.raises(KeyReusedError):
            await store.apply("s", Complete(1), IdempotencyKey("k", "other"))

    async def test_last_a_day(self, store: ProgressStore, clock: ManualClock) -> None:
        """24 hours after its use a key is as good as new."""
        start = store.start_command(1, None)
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

    async def test_have_one_effect_whatever_becomes_of_the_session(
        self, store: ProgressStore, clock: ManualClock, notifications: list[Notification]
    ) -> None:
        """Replaced, deleted, made anew, cleaned up: for a day each is answered as at first, and nothing is done."""
        start, create = store.start_command(1, None), Create((StepDefinition("x"),), replace=True)
        asked: list[tuple[Command, IdempotencyKey]] = [
            (start, self.KEY),
            (create, IdempotencyKey("own", "digest")),
            (Delete(), IdempotencyKey("removal", "digest")),
        ]
        verbs = ["updated", "replaced", "deleted"]
        assert [(await store.apply("s", *each)).effect for each in asked] == verbs

        async def assert_nothing_is_done() -> None:
            before, heard = await store.load("s"), len(notifications)
            assert [(await store.apply("s", *each)).effect for each in asked] == verbs
            assert (await store.load("s"), len(notifications)) == (before, heard)

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
        assert [(await store.apply("s", *each)).effect for each in asked] == verbs
        assert notifications[-1] == Notification("s", None)
        assert len(notifications) == 9

    async def test_have_one_effect_where_another_process_is_as_fast(self, backend: Backend, clock: ManualClock) -> None:
        """Although the session then is just where it was expected: it was made, and is gone again."""
        overtaken = Overtaken(backend)
        here, there = ProgressStore(overtaken, clock=clock), ProgressStore(backend, clock=clock)
        commands: list[Command] = [
            here.start_command(1, None),
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

    async def test_need_no_room_the_second_time(self, open_backend: OpenBackend, clock: ManualClock) -> None:
        """What is only sent again is answered by a full store, too."""
        store = ProgressStore(await open_backend(max_sessions=1), clock=clock)
        create = Create((StepDefinition("x"),), replace=False)
        first = await store.apply("s", create, self.KEY)
        await store.delete_session("s")
        await store.create_session("other")
        assert await store.apply("s", create, self.KEY) == first
        with pytest.raises(StoreFullError):
            await store.apply("s", create, IdempotencyKey("another", "digest"))
        assert await store.load("s") is None

    async def test_are_remembered_in_a_shared_commit(self, store: ProgressStore) -> None:
        """Each command of a batch has its own."""
        await store.create_session("s", total_steps=20)
        keys = [IdempotencyKey(str(step), f"d{step}") for step in range(1, 21)]
        for _ in range(2):
            requests = (store.apply("s", store.start_command(step, None), keys[step - 1]) for step in range(1, 21))
            assert {applied.effect for applied in await asyncio.gather(*requests)} == {"updated"}
        assert (await state(store)).position.offset == 20

    async def test_are_kept_up_to_the_history(self, open_backend: OpenBackend, clock: ManualClock) -> None:
        """Of the newest only."""
        store = ProgressStore(await open_backend(history=2), clock=clock)
        for name in ("a", "b", "c"):
            await store.apply("s", store.start_command(1, None), IdempotencyKey(name, "d"))
        await store.apply("s", store.start_command(1, None), IdempotencyKey("b", "d"))
        assert (await state(store)).position.offset == 3
        await store.apply("s", store.start_command(1, None), IdempotencyKey("a", "d"))
        assert (await state(store)).position.offset == 4


class TestCleanup:
    """Sessions that were created long ago go, unless they live."""

    async def test_removes_what_is_old_and_still(
        self, store: ProgressStore, clock: ManualClock, notifications: list[Notification]
    ) -> None:
        """Pending, ended or silent for the whole time; a running one that was heard of within it stays."""
        await store.create_session("s")
        for session_id in ("silent", "alive", "failed", "done"):
            await store.create_session(session_id, total_steps=1)
            await store.start_step(session_id, 1)
        clock.advance(23 * HOUR_S)
        await store.start_step("alive", 1)
        await store.complete_step("failed", 1, success=False)
        await store.complete_step("done", 1)
        await store.create_session("young")
        clock.advance(HOUR_S)
        assert await store.cleanup_old_sessions() == 0
        clock.advance(1e-6)
        assert await store.cleanup_old_sessions() == 4
        left = await store.backend.list_summaries(None, 100, None)
        assert [head.session_id for head in left] == ["young", "alive"]
        assert notifications[-1] == Notification("s", None)
        clock.advance(24 * HOUR_S)
        assert await store.cleanup_old_sessions() == 2

    async def test_takes_any_age(self, store: ProgressStore, clock: ManualClock) -> None:
        """In hours, also in fractions."""
        await store.create_session("s")
        clock.advance(0.5 * HOUR_S)
        assert await store.cleanup_old_sessions(0.51) == 0
        assert await store.cleanup_old_sessions(0.49) == 1
