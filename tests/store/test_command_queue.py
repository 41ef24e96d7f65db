"""The command queue of a session, over every backend."""

import asyncio
import contextlib
import gc
import traceback
from typing import cast

import pytest

from progress_sse.core.commands import Command, Create, Delete, IdempotencyKey
from progress_sse.core.errors import (
    OutcomeUnknownError,
    SessionNotFoundError,
    StepNotRunningError,
    StepNotStartedError,
    StepOutOfRangeError,
    StoreUnavailableError,
)
from progress_sse.core.updates import Complete
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Notification, StorageLimits
from tests.clock import ManualClock
from tests.core.samples import start_of
from tests.store.conftest import OpenBackend
from tests.store.fake_backends import SlowBackend
from tests.store.observed import described, notified, state


def refusals() -> list[object]:
    """Return all errors of the kind that a command on an unknown session raises; a proxy is none, and is not asked."""
    return [each for each in gc.get_objects() if type(each) is SessionNotFoundError]


class TestCommandQueue:
    """Commands on one session wait in its queue, and share commits where possible."""

    async def test_commands_keep_their_order(self, store: ProgressStore, notifications: list[Notification]) -> None:
        """Step commands and commands on the whole session are mixed."""
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
        progress = record.session.progress
        assert (progress.total_steps, record.position.offset, [*progress.steps]) == (3, 2, [3])
        events = [event for notification in notifications for event in described(notification)]
        assert events == ["new", 1, 2, "gone", "new", 3, 3]

    async def test_a_command_that_waits_for_nothing_is_answered_at_once(self) -> None:
        """In memory no turn of the event loop passes."""
        store = ProgressStore(MemoryBackend(StorageLimits()))
        with pytest.raises(StopIteration) as answered:
            store.apply("s", Create(store.workflows.named())).send(None)
        assert answered.value.value.effect == "created"

    async def test_waiting_step_commands_share_a_commit(self, slow_store: ProgressStore) -> None:
        """Consecutive step commands share one; a command on the whole session gets its own."""
        backend = cast(SlowBackend, slow_store.backend)
        notifications = await notified(backend)
        commands: list[Command] = [
            *(start_of(step) for step in (1, 2, 3)),
            Create(slow_store.workflows.named()),
            *(start_of(step) for step in (4, 5)),
        ]
        applied = asyncio.gather(*(slow_store.apply("s", command) for command in commands))
        await asyncio.sleep(0)
        backend.gate.set()
        await applied
        assert [described(notification) for notification in notifications] == [["new", 1], [2, 3], ["new"], [4, 5]]

    async def test_an_error_of_a_whole_batch_keeps_its_traceback(
        self, slow_store: ProgressStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All callers raise the same error; it must not grow with each, and keep what each of them holds."""
        backend = cast(SlowBackend, slow_store.backend)

        async def fail(_: object) -> None:
            await backend.gate.wait()
            raise StoreUnavailableError

        monkeypatch.setattr(backend, "commit", fail)
        asked = [slow_store.apply("s", start_of(1)) for _ in range(30)]
        applied = asyncio.gather(*asked, return_exceptions=True)
        await asyncio.sleep(0)
        backend.gate.set()
        errors = await applied
        assert {type(error) for error in errors} == {StoreUnavailableError}
        assert len(set(map(id, errors))) == 2  # That of the first command, and that of those which waited for it.
        last = errors[-1]
        assert isinstance(last, BaseException)
        assert len(traceback.extract_tb(last.__traceback__)) < 20

    @pytest.mark.parametrize("is_alone", [True, False])
    async def test_a_refusal_leaves_nothing_to_the_garbage_collector(self, is_alone: bool) -> None:
        """It runs seldom, and an error that was raised holds the frames of its request, and so the connection."""
        store = ProgressStore(MemoryBackend(StorageLimits()))
        gc.collect()
        earlier = refusals()  # Tests before this one may still hold some.
        gc.disable()
        try:
            if is_alone:
                with contextlib.suppress(SessionNotFoundError):
                    await store.complete_step("s", 1)
            else:
                await store.apply_all("s", [(Complete(1, True, "", ""), None)])
            assert [each for each in refusals() if each not in earlier] == []
        finally:
            gc.enable()

    async def test_a_refusal_does_not_affect_its_batch(self, store: ProgressStore) -> None:
        """Each command of a shared commit succeeds or fails alone."""
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

    async def test_a_cancelled_caller_does_not_cancel_its_command(self, store: ProgressStore) -> None:
        """A worker that disconnects does not undo its update, and does not delay the next one."""
        waiting = asyncio.ensure_future(store.start_step("s", 1))
        await asyncio.sleep(0)
        waiting.cancel()
        assert (await store.complete_step("s", 1)).steps[1].status == "success"
        assert waiting.cancelled()

    async def test_closing_answers_accepted_commands(self, open_backend: OpenBackend, clock: ManualClock) -> None:
        """Commands that were accepted before are committed."""
        store = ProgressStore(await open_backend(), clock=clock)
        updates = [asyncio.ensure_future(store.start_step("s", step)) for step in (1, 2, 3)]
        await asyncio.sleep(0)
        await store.aclose()
        assert [(await update).status for update in updates] == ["running"] * 3

    async def test_closing_gives_up_after_its_timeout(self, slow_store: ProgressStore) -> None:
        """The outcome is unknown then. After the store is opened again, it accepts the same keys."""
        start = start_of(1)
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
