"""The command queue of a session, over every backend."""

from __future__ import annotations

import asyncio
from typing import cast

from progress_sse.core.errors import (
    OutcomeUnknownError,
    SessionNotFoundError,
    StepNotRunningError,
    StepNotStartedError,
    StepOutOfRangeError,
)
from progress_sse.core.state_machine import Command, Create, Delete
from progress_sse.store.idempotency import IdempotencyKey
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Notification
from tests.clock import ManualClock
from tests.store.conftest import OpenBackend
from tests.store.fake_backends import SlowBackend
from tests.store.observed import state, told


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
