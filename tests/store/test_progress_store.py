"""The operations of the store, over every backend."""

import pytest

from progress_sse.core.errors import (
    InvalidSessionIdError,
    SessionExistsError,
    SessionNotFoundError,
    UnknownWorkflowError,
)
from progress_sse.core.model import StepDefinition
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Notification
from tests.clock import START, ManualClock
from tests.store.observed import ids, state

HOUR_S = 3600.0


class TestOperations:
    """Each operation alone."""

    async def test_create_makes_a_pending_session(self, store: ProgressStore) -> None:
        """With the shipped definitions, nothing started, at position 0."""
        progress = await store.create_session("s")
        assert (progress.status, progress.total_steps, progress.current_step, progress.steps) == ("pending", 7, 0, {})
        assert progress.created_at == progress.updated_at == START.isoformat()
        assert await store.get_session("s") == progress
        record = await state(store)
        assert record.position.offset == 0
        names = [definition.name for definition in record.session.definitions]
        assert names[:3] == ["原稿生成", "メニュー登録", "STEP3"]

    async def test_create_takes_steps_a_workflow_or_a_number(self, store: ProgressStore) -> None:
        """An unknown workflow creates nothing."""
        own = [StepDefinition("one", 1, 2), StepDefinition("two")]
        assert (await store.create_session("a", steps=own)).total_steps == 2
        assert (await store.create_session("b", total_steps=9)).total_steps == 9
        assert (await store.create_session("c", workflow="default")).total_steps == 7
        with pytest.raises(UnknownWorkflowError):
            await store.create_session("d", workflow="nothing")
        assert await store.get_session("d") is None
        started = await store.start_step("a", 1)
        assert (started.steps[1].name, started.steps[1].timeout_ms) == ("one", 1)

    async def test_create_replaces_the_session_by_default(self, store: ProgressStore) -> None:
        """The new epoch has none of the event ids of the former one."""
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
        """One commit begins the epoch and makes its first transition."""
        progress = await store.start_step("s", 2, timeout_ms=5)
        assert (progress.status, progress.current_step, progress.total_steps) == ("running", 2, 7)
        assert (progress.steps[2].status, progress.steps[2].timeout_ms) == ("running", 5)
        (notification,) = notifications
        assert notification.is_fresh
        assert [(entry.offset, entry.step) for entry in notification.entries] == [(1, 2)]

    async def test_complete_ends_a_step(self, store: ProgressStore, clock: ManualClock) -> None:
        """The step has its outcome and the time that it took."""
        await store.start_step("s", 1)
        clock.advance(1.5)
        step = (await store.complete_step("s", 1, success=False, message="m", error="e")).steps[1]
        assert (step.status, step.elapsed_ms, step.message, step.error) == ("error", 1500, "m", "e")
        assert step.completed_at == clock.now().isoformat()
        assert (await state(store)).status == "error"

    async def test_delete_removes_the_session(self, store: ProgressStore, notifications: list[Notification]) -> None:
        """A second deletion finds no session."""
        await store.create_session("s")
        await store.delete_session("s")
        assert await store.get_session("s") is None
        assert notifications[-1] == Notification("s", None)
        with pytest.raises(SessionNotFoundError):
            await store.delete_session("s")

    @pytest.mark.parametrize("session_id", ["", ".", "..", "a/b", "a\nb", "\ud800", "x" * 129])
    async def test_every_operation_refuses_an_invalid_id(self, store: ProgressStore, session_id: str) -> None:
        """The refusal comes before any request to the backend."""
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
        assert await ids(store.backend) == []


class TestCleanup:
    """Cleaning up removes old sessions, except active ones."""

    async def test_cleanup_removes_old_and_inactive_sessions(
        self, store: ProgressStore, clock: ManualClock, notifications: list[Notification]
    ) -> None:
        """Pending, ended and silent sessions go; a running one that was updated within the time stays."""
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
        assert await ids(store.backend) == ["young", "alive"]
        assert notifications[-1] == Notification("s", None)
        clock.advance(24 * HOUR_S)
        assert await store.cleanup_old_sessions() == 2

    async def test_cleanup_takes_fractions_of_hours(self, store: ProgressStore, clock: ManualClock) -> None:
        """The age is in hours."""
        await store.create_session("s")
        clock.advance(0.5 * HOUR_S)
        assert await store.cleanup_old_sessions(0.51) == 0
        assert await store.cleanup_old_sessions(0.49) == 1
