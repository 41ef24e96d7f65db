"""Leases: a worker that is silent is said to be stalled, then lost, once; the same on every backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from progress_sse.core.commands import (
    Advance,
    AppendLines,
    Ask,
    Beat,
    Command,
    Complete,
    Delete,
    Describe,
    Finish,
    Lose,
    ReportPart,
    Skip,
    Stall,
    Start,
)
from progress_sse.core.errors import AttemptSupersededError, SignSeenError, StepNotRunningError, StepNotStartedError
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import Liveness, StepProgress
from progress_sse.core.step_rules import timestamp
from progress_sse.store.backend import Backend
from progress_sse.store.lease_watcher import LeaseWatcher
from progress_sse.store.leases import Leases
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Notification, Record
from tests.clock import START as START_TIME
from tests.clock import ManualClock

LEASE_S, LOST_S = 10, 30
START = Start(1, (), attempt_id="A", lease_ms=LEASE_S * 1000, lost_after_ms=LOST_S * 1000)


@pytest.fixture
async def watcher(store: ProgressStore, clock: ManualClock) -> LeaseWatcher:
    """A watcher whose clock runs, of a store with a session of three steps whose first worker holds a lease."""
    watcher = LeaseWatcher(store, clock)
    await store.create_session("s", 3)
    await watch(watcher, clock, 2)
    await store.apply("s", START)
    return watcher


async def watch(watcher: LeaseWatcher, clock: ManualClock, seconds: int) -> None:
    """Let time pass, with a check each second."""
    for _ in range(seconds):
        clock.advance(1)
        await watcher.check()


async def record_of(store: ProgressStore) -> Record:
    record = await store.load("s")
    assert record is not None
    return record


async def step_of(store: ProgressStore, number: int = 1) -> StepProgress:
    return (await record_of(store)).session.progress.steps[number]


async def state_of_loaded(load: Callable[[str], Awaitable[Record | None]]) -> str:
    """The state of the first step, from another load than the watcher's."""
    record = await load("s")
    assert record is not None
    liveness = record.session.progress.steps[1].liveness
    return liveness.state if liveness is not None else "ended"


async def state_of(store: ProgressStore) -> str:
    """The state of the first step in a word."""
    step = await step_of(store)
    return step.conclusion or (step.liveness.state if step.liveness is not None else step.status)


class TestSilence:
    """What the server says of a worker that gives no sign."""

    @pytest.mark.protocol("P-19.11", "P-19.12", "P-19.13")
    async def test_a_silent_worker_is_stalled_then_lost(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """Within a second of its time, and each in one transition."""
        started_at, offset = clock.now(), (await record_of(store)).position.offset
        await watch(watcher, clock, LEASE_S - 1)
        assert await state_of(store) == "live"
        await watch(watcher, clock, 1)
        assert (await step_of(store)).liveness == Liveness("stalled", timestamp(started_at))
        assert (await record_of(store)).position.offset == offset + 1
        await watch(watcher, clock, LOST_S - LEASE_S - 1)
        assert await state_of(store) == "stalled"
        await watch(watcher, clock, 1)
        step, record = await step_of(store), await record_of(store)
        assert (step.status, step.conclusion, step.liveness) == ("error", "lost", None)
        assert step.error == "The worker gave no sign of life for 30 seconds."
        assert (record.status, record.session.details.conclusion) == ("error", "lost")
        await watch(watcher, clock, 100)
        assert (await record_of(store)).position.offset == offset + 2
        assert watcher.verdicts == {"stalled": 1, "lost": 1}

    @pytest.mark.parametrize(
        "report",
        [Beat(1, attempt_id="A"), Beat(1), Advance(1, 1), Advance(1, 1, attempt_id="A"), START],
        ids=["beat", "beat of no attempt", "progress of no attempt", "progress", "start"],
    )
    async def test_each_report_is_a_sign(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock, report: Command
    ) -> None:
        """Also one that changes nothing."""
        for _ in range(5):
            await watch(watcher, clock, LEASE_S - 1)
            await store.apply("s", report)
            assert await state_of(store) == "live"
        heard_at = clock.now()
        await watch(watcher, clock, LEASE_S)
        assert (await step_of(store)).liveness == Liveness("stalled", timestamp(heard_at))

    @pytest.mark.protocol("P-19.18")
    @pytest.mark.guarantee(77)
    @pytest.mark.parametrize(
        "report",
        [
            START._replace(ago_ms=3_600_000),
            Beat(1, attempt_id="A", ago_ms=3_600_000),
            Advance(1, 1, attempt_id="A", ago_ms=3_600_000),
            ReportPart(1, "p", "running", attempt_id="A", ago_ms=3_600_000),
            Complete(1, attempt_id="A", ago_ms=3_600_000),
            AppendLines((NewLine("l"),), 1, attempt_id="A", ago_ms=3_600_000),
        ],
        ids=lambda command: type(command).__name__,
    )
    async def test_a_report_is_a_sign_when_it_arrives(
        self, store: ProgressStore, backend: Backend, watcher: LeaseWatcher, clock: ManualClock, report: Command
    ) -> None:
        """However long ago that happened which it reports: its worker lives. So an open request stays open."""
        await store.apply("s", Describe(accepts=("cancel",)))
        await store.apply("s", Ask("cancel", "c"))
        await watch(watcher, clock, LEASE_S + 1)
        await store.apply("s", report)
        arrived_at, state = clock.now(), await state_of(store)
        await watch(watcher, clock, LEASE_S - 1)
        assert (await state_of(store), state) in {("live", "live"), ("success", "success")}
        assert (await record_of(store)).session.details.requests[0].is_open
        await watch(watcher, clock, 1)
        if state == "live":
            assert (await step_of(store)).liveness == Liveness("stalled", timestamp(arrived_at))
        await backend.aclose()
        await backend.open()
        again = LeaseWatcher(store, clock)
        await watch(again, clock, LEASE_S - 1)
        record = await store.load("s")
        assert record is None or record.session.details.requests[0].is_open

    async def test_signs_in_one_commit_with_the_start_do_not_hide_it(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """Clients send reports together."""
        await store.apply("s", Complete(1))
        await watch(watcher, clock, LEASE_S + 2)
        assert not await store.backend.leases.watched()
        start = START._replace(step=2, ago_ms=500)
        await store.apply_all("s", [(start, None), (Advance(2, 1), None), (Beat(2, ago_ms=900), None)])
        await watch(watcher, clock, LOST_S)
        assert (await step_of(store, 2)).conclusion == "lost"

    async def test_a_refused_command_does_not_swallow_a_beat_beside_it(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """Each is answered for itself."""
        for _ in range(6):
            await watch(watcher, clock, LEASE_S // 2)
            outcomes = await store.apply_all("s", [(Beat(1, attempt_id="A"), None), (Beat(2), None)])
            assert isinstance(outcomes[1], StepNotStartedError)
        assert await state_of(store) == "live"

    async def test_a_step_that_starts_during_a_check_is_watched(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its start enters a check, which the one that is under way may remove."""
        await store.apply("s", Complete(1))
        check_in = type(store.backend.leases).check_in

        async def late(leases: Leases, session_id: str, ms: int | None, monotonic: float) -> None:
            monkeypatch.undo()
            await store.apply("s", START._replace(step=2))
            await check_in(leases, session_id, ms, monotonic)

        monkeypatch.setattr(type(store.backend.leases), "check_in", late)
        await watch(watcher, clock, LEASE_S + LOST_S + 2)
        assert (await step_of(store, 2)).conclusion == "lost"

    async def test_a_check_that_hangs_delays_no_other(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nor the lease clock."""
        await store.create_session("hangs", 1)
        await store.apply("hangs", START._replace(lease_ms=2000))
        load = store.load

        async def slow_load(session_id: str) -> Record | None:
            if session_id == "hangs":
                await asyncio.Event().wait()
            return await load(session_id)

        monkeypatch.setattr(store, "load", slow_load)
        watching = asyncio.create_task(watcher.run())
        async with asyncio.timeout(30):
            while await state_of_loaded(load) != "stalled":
                clock.advance(0.25)
                await asyncio.sleep(0.005)
        assert clock.now() - START_TIME < timedelta(seconds=LEASE_S + 6)
        watching.cancel()

    async def test_a_beat_changes_nothing(
        self, store: ProgressStore, backend: Backend, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """No position, no body, no notification."""
        notifications: list[Notification] = []
        await backend.listen("s", notifications.append)
        before = await record_of(store)
        for _ in range(10):
            await watch(watcher, clock, 5)
            await store.apply("s", Beat(1, attempt_id="A"))
        after = await record_of(store)
        assert (after, after.body, notifications) == (before, before.body, [])

    @pytest.mark.parametrize(
        "end",
        [Complete(1), Complete(1, success=False), Finish(), Finish(success=False), Delete(), Start(1, ())],
        ids=["success", "error", "finish", "failure", "removal", "start"],
    )
    async def test_a_step_that_has_ended_is_not_watched(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock, end: Command
    ) -> None:
        """Nor one that began again without a lease."""
        await store.apply("s", end)
        before = await store.load("s")
        await watch(watcher, clock, LOST_S + 5)
        assert await store.load("s") == before
        assert not await store.backend.leases.watched()

    async def test_without_a_time_for_it_no_worker_is_lost(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """It stays stalled, and is watched again once it is heard."""
        await store.apply("s", START._replace(lost_after_ms=None))
        await watch(watcher, clock, 3 * LOST_S)
        assert await state_of(store) == "stalled"
        await store.apply("s", Beat(1, attempt_id="A"))
        assert await state_of(store) == "live"
        await watch(watcher, clock, LEASE_S)
        assert await state_of(store) == "stalled"

    async def test_each_step_has_its_own_lease(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """Of one session."""
        await store.apply("s", Start(2, (), attempt_id="B", lease_ms=3000))
        await watch(watcher, clock, 3)
        assert (await step_of(store, 1)).liveness == Liveness("live", timestamp(clock.now() - timedelta(seconds=3)))
        assert (await step_of(store, 2)).liveness == Liveness("stalled", timestamp(clock.now() - timedelta(seconds=3)))
        await watch(watcher, clock, LEASE_S - 3)
        assert await state_of(store) == "stalled"

    @pytest.mark.full
    async def test_many_workers_are_silent_at_once(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """Each is said to be stalled."""
        ids = [f"s{number}" for number in range(300)]
        for session_id in ids:
            await store.create_session(session_id, 1)
            await store.apply(session_id, START)
        await watch(watcher, clock, LEASE_S)
        records = [await store.load(session_id) for session_id in ids]
        states = {record and record.session.progress.steps[1].liveness for record in records}
        assert {liveness and liveness.state for liveness in states} == {"stalled"}


class TestReturn:
    """A worker that is heard again."""

    @pytest.mark.protocol("P-19.10", "P-19.11")
    @pytest.mark.parametrize(
        "report", [Beat(1, attempt_id="A"), Advance(1, 0, attempt_id="A")], ids=lambda command: type(command).__name__
    )
    @pytest.mark.parametrize("silent_s", [LEASE_S, LOST_S])
    async def test_it_is_live_again_in_one_transition(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock, silent_s: int, report: Command
    ) -> None:
        """Stalled or lost: lost is a statement about reports, not about the job."""
        await watch(watcher, clock, silent_s)
        offset = (await record_of(store)).position.offset
        await store.apply("s", report)
        record, step = await record_of(store), await step_of(store)
        assert record.position.offset == offset + 1
        assert (step.status, step.liveness) == ("running", Liveness("live", timestamp(clock.now())))
        assert (step.conclusion, step.error, record.status) == (None, "", "running")
        assert record.session.details.conclusion is None
        await watch(watcher, clock, LEASE_S)
        assert await state_of(store) == "stalled"

    async def test_a_lost_one_completes_its_step(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """As if it still ran."""
        await watch(watcher, clock, LOST_S)
        await store.apply("s", Complete(1, message="done", attempt_id="A"))
        step, record = await step_of(store), await record_of(store)
        assert (step.status, step.conclusion, step.elapsed_ms, step.message) == ("success", None, 30_000, "done")
        assert (record.status, record.session.details.conclusion) == ("running", None)

    async def test_reports_without_its_attempt_find_the_step_ended(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """As without leases."""
        await watch(watcher, clock, LOST_S)
        for command in (Beat(1), Advance(1, 1)):
            with pytest.raises(StepNotRunningError):
                await store.apply("s", command)
        await store.apply("s", Skip(1))
        assert (await step_of(store)).conclusion == "skipped"

    async def test_after_another_attempt_it_changes_nothing(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """Its words come too late, and are no sign of life."""
        await watch(watcher, clock, LOST_S)
        await store.apply("s", START._replace(attempt_id="B"))
        before = await record_of(store)
        for command in (Beat(1, attempt_id="A"), Advance(1, 1, attempt_id="A"), Complete(1, attempt_id="A"), START):
            await watch(watcher, clock, 1)
            with pytest.raises(AttemptSupersededError):
                await store.apply("s", command)
        assert await record_of(store) == before
        await watch(watcher, clock, LEASE_S - 4)
        assert await state_of(store) == "stalled"


class TestClock:
    """The time that leases are measured by."""

    @pytest.mark.protocol("P-19.14")
    @pytest.mark.parametrize("seconds", [-86_400, 86_400])
    async def test_wall_clocks_that_jump_change_nothing(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock, seconds: int
    ) -> None:
        """In either direction."""
        clock.jump(seconds)
        await watch(watcher, clock, LEASE_S - 1)
        assert await state_of(store) == "live"
        await watch(watcher, clock, 1)
        assert await state_of(store) == "stalled"

    @pytest.mark.protocol("P-19.15")
    async def test_time_without_a_server_does_not_count(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """After more than two seconds each lease counts anew."""
        await watch(watcher, clock, LEASE_S - 1)
        clock.advance(3600)
        await watch(watcher, clock, LEASE_S)
        assert await state_of(store) == "live"
        await watch(watcher, clock, 1)
        assert await state_of(store) == "stalled"

    async def test_a_server_that_begins_raises_no_alarm(
        self, store: ProgressStore, backend: Backend, clock: ManualClock, watcher: LeaseWatcher
    ) -> None:
        """However long there was none; what was running is watched again."""
        await watch(watcher, clock, LEASE_S - 1)
        await backend.aclose()
        clock.advance(60)
        await backend.open()
        if await store.load("s") is None:  # Memory is lost with its process.
            return
        again = LeaseWatcher(store, clock)
        await watch(again, clock, LEASE_S - 1)
        assert await state_of(store) == "live"
        await watch(again, clock, 3)
        assert await state_of(store) == "stalled"

    async def test_a_sign_that_overtakes_the_verdict_prevents_it(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """The commit checks it."""
        await watch(watcher, clock, 5)
        before = await record_of(store)
        with pytest.raises(SignSeenError):
            await store.apply("s", Stall(1, "", LEASE_S * 1000))
        await watch(watcher, clock, 5)
        await store.apply("s", Beat(1, attempt_id="A"))
        stalled = await record_of(store)
        assert stalled.session.progress.steps[1].liveness != before.session.progress.steps[1].liveness
        with pytest.raises(SignSeenError):
            await store.apply("s", Stall(1, "", LEASE_S * 1000))
        assert await record_of(store) == stalled
        await store.apply("s", Lose(1, LOST_S * 1000))  # It is live, so there is nothing to say.
        assert await record_of(store) == stalled

    @pytest.mark.protocol("P-19.16")
    async def test_a_session_with_a_lease_is_not_cleaned_up(
        self, store: ProgressStore, watcher: LeaseWatcher, clock: ManualClock
    ) -> None:
        """Its beats count, though they change nothing."""
        for _ in range(10):
            await watch(watcher, clock, 8)
            await store.apply("s", Beat(1, attempt_id="A"))
        assert await store.cleanup_old_sessions(max_age_hours=60 / 3600) == 0
        await watch(watcher, clock, LOST_S)
        assert await store.cleanup_old_sessions(max_age_hours=1 / 3600) == 1
