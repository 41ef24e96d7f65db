"""Leases: a worker that is silent is said to be stalled, then lost, once; the same on every backend."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from progress_sse.core.commands import Ask, Command, Delete, Lose, Stall
from progress_sse.core.errors import AttemptSupersededError, SignSeenError, StepNotRunningError, StepNotStartedError
from progress_sse.core.log_lines import NewLine
from progress_sse.core.model import Liveness, StepProgress
from progress_sse.core.step_rules import timestamp
from progress_sse.core.updates import Advance, AppendLines, Beat, Complete, Describe, Finish, ReportPart, Skip, Start
from progress_sse.store.backend import FullBackend
from progress_sse.store.lease_watcher import LeaseWatcher
from progress_sse.store.leases import Leases
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Record
from tests.clock import ManualClock
from tests.core.samples import sent
from tests.store.observed import notified, state

LEASE_S = 10
LOST_S = 30
START = sent(Start(1), attempt_id="A", lease_ms=LEASE_S * 1000, lost_after_ms=LOST_S * 1000)


class Leased:
    """A store with a session of three steps whose first worker holds a lease, and its watcher, whose clock runs."""

    def __init__(self, store: ProgressStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.watcher = LeaseWatcher(store, clock)

    async def apply(self, report: Command) -> None:
        await self.store.apply("s", report)

    async def watch(self, seconds: int) -> None:
        """Let time pass, with a check each second."""
        for _ in range(seconds):
            self.clock.advance(1)
            await self.watcher.check()

    async def watch_it_stall(self, seconds: int) -> None:
        """The worker is live until the last of so many seconds, and stalled then."""
        await self.watch(seconds - 1)
        assert await self.state() == "live"
        await self.watch(1)
        assert await self.state() == "stalled"

    async def record(self) -> Record:
        return await state(self.store)

    async def step(self, number: int = 1) -> StepProgress:
        return (await self.record()).session.progress.steps[number]

    async def state(self) -> str:
        """The state of the first step in a word."""
        step = await self.step()
        return step.conclusion or (step.liveness.state if step.liveness is not None else step.status)


@pytest.fixture
async def leased(store: ProgressStore, clock: ManualClock) -> Leased:
    leased = Leased(store, clock)
    await store.create_session("s", 3)
    await leased.watch(2)
    await leased.apply(START)
    return leased


class TestSilence:
    """What the server says of a worker that gives no sign."""

    @pytest.mark.protocol("P-19.11", "P-19.12", "P-19.13")
    async def test_a_silent_worker_is_stalled_then_lost(self, leased: Leased) -> None:
        """Within a second of its time, and each in one transition."""
        started_at = leased.clock.now()
        offset = (await leased.record()).position.offset
        await leased.watch_it_stall(LEASE_S)
        assert (await leased.step()).liveness == Liveness("stalled", timestamp(started_at))
        assert (await leased.record()).position.offset == offset + 1
        await leased.watch(LOST_S - LEASE_S - 1)
        assert await leased.state() == "stalled"
        await leased.watch(1)
        step = await leased.step()
        record = await leased.record()
        assert (step.status, step.conclusion, step.liveness) == ("error", "lost", None)
        assert step.error == "The worker gave no sign of life for 30 s."
        assert (record.status, record.session.details.conclusion) == ("error", "lost")
        await leased.watch(100)
        assert (await leased.record()).position.offset == offset + 2
        assert leased.watcher.verdicts == {"stalled": 1, "lost": 1}

    @pytest.mark.parametrize(
        "report",
        [sent(Beat(1), attempt_id="A"), Beat(1), Advance(1, 1), sent(Advance(1, 1), attempt_id="A"), START],
        ids=["beat", "beat of no attempt", "progress of no attempt", "progress", "start"],
    )
    async def test_each_report_is_a_sign(self, leased: Leased, report: Command) -> None:
        """Also one that changes nothing."""
        for _ in range(5):
            await leased.watch(LEASE_S - 1)
            await leased.apply(report)
            assert await leased.state() == "live"
        heard_at = leased.clock.now()
        await leased.watch(LEASE_S)
        assert (await leased.step()).liveness == Liveness("stalled", timestamp(heard_at))

    @pytest.mark.protocol("P-19.18")
    @pytest.mark.guarantee(75)
    @pytest.mark.parametrize(
        "report",
        [
            sent(START, ago_ms=3_600_000),
            *(
                sent(update, attempt_id="A", ago_ms=3_600_000)
                for update in (
                    Beat(1),
                    Advance(1, 1),
                    ReportPart(1, "p", "running"),
                    Complete(1),
                    AppendLines((NewLine("l"),), 1),
                )
            ),
        ],
        ids=lambda command: type(command).__name__,
    )
    async def test_a_report_is_a_sign_when_it_arrives(
        self, leased: Leased, backend: FullBackend, report: Command
    ) -> None:
        """However long ago that happened which it reports: its worker lives. So an open request stays open."""
        await leased.apply(Describe(accepts=("cancel",)))
        await leased.apply(Ask("cancel", "c"))
        await leased.watch(LEASE_S + 1)
        await leased.apply(report)
        arrived_at = leased.clock.now()
        state = await leased.state()
        await leased.watch(LEASE_S - 1)
        assert (await leased.state(), state) in {("live", "live"), ("success", "success")}
        assert (await leased.record()).session.details.requests[0].is_open
        await leased.watch(1)
        if state == "live":
            assert (await leased.step()).liveness == Liveness("stalled", timestamp(arrived_at))
        await backend.aclose()
        await backend.open()
        leased.watcher = LeaseWatcher(leased.store, leased.clock)
        await leased.watch(LEASE_S - 1)
        record = await leased.store.load("s")
        assert record is None or record.session.details.requests[0].is_open

    async def test_signs_in_one_commit_with_the_start_do_not_hide_it(self, leased: Leased) -> None:
        """Clients send reports together."""
        await leased.apply(Complete(1))
        await leased.watch(LEASE_S + 2)
        assert not await leased.store.backend.leases.watched()
        start = sent(replace(START, step=2), ago_ms=500)
        await leased.store.apply_all("s", [(start, None), (Advance(2, 1), None), (sent(Beat(2), ago_ms=900), None)])
        await leased.watch(LOST_S)
        assert (await leased.step(2)).conclusion == "lost"

    async def test_a_refused_command_does_not_swallow_a_beat_beside_it(self, leased: Leased) -> None:
        """Each is answered for itself."""
        for _ in range(6):
            await leased.watch(LEASE_S // 2)
            outcomes = await leased.store.apply_all("s", [(sent(Beat(1), attempt_id="A"), None), (Beat(2), None)])
            assert isinstance(outcomes[1], StepNotStartedError)
        assert await leased.state() == "live"

    async def test_a_step_that_starts_during_a_check_is_watched(
        self, leased: Leased, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its start enters a check, which the one that is under way may remove."""
        await leased.apply(Complete(1))
        check_in = type(leased.store.backend.leases).check_in

        async def late(leases: Leases, session_id: str, ms: int | None, monotonic: float) -> None:
            monkeypatch.undo()
            await leased.apply(replace(START, step=2))
            await check_in(leases, session_id, ms, monotonic)

        monkeypatch.setattr(type(leased.store.backend.leases), "check_in", late)
        await leased.watch(LEASE_S + LOST_S + 2)
        assert (await leased.step(2)).conclusion == "lost"

    async def test_a_check_that_hangs_delays_no_other(self, leased: Leased, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor the lease clock."""
        await leased.store.create_session("hangs", 1)
        await leased.store.apply("hangs", sent(START, lease_ms=2000))
        load = leased.store.load

        async def slow_load(session_id: str) -> Record | None:
            if session_id == "hangs":
                await asyncio.Event().wait()
            return await load(session_id)

        monkeypatch.setattr(leased.store, "load", slow_load)
        watching = asyncio.create_task(leased.watcher.run())
        async with asyncio.timeout(30):  # The check hangs for longer.
            while await leased.state() != "stalled":
                leased.clock.advance(0.25)
                await asyncio.sleep(0.005)
        watching.cancel()

    async def test_a_beat_changes_nothing(self, leased: Leased, backend: FullBackend) -> None:
        """No position, no body, no notification."""
        notifications = await notified(backend)
        before = await leased.record()
        for _ in range(10):
            await leased.watch(5)
            await leased.apply(sent(Beat(1), attempt_id="A"))
        after = await leased.record()
        assert (after, after.body, notifications) == (before, before.body, [])

    @pytest.mark.parametrize(
        "end",
        [
            Complete(1),
            Complete(1, success=False),
            Finish(),
            Finish(success=False),
            Delete(),
            Start(1),
        ],
        ids=["success", "error", "finish", "failure", "removal", "start"],
    )
    async def test_a_step_that_has_ended_is_not_watched(self, leased: Leased, end: Command) -> None:
        """Nor one that began again without a lease."""
        await leased.apply(end)
        before = await leased.store.load("s")
        await leased.watch(LOST_S + 5)
        assert await leased.store.load("s") == before
        assert not await leased.store.backend.leases.watched()

    async def test_without_a_time_for_it_no_worker_is_lost(self, leased: Leased) -> None:
        """It stays stalled, and is watched again once it is heard."""
        await leased.apply(sent(START, lost_after_ms=None))
        await leased.watch(3 * LOST_S)
        assert await leased.state() == "stalled"
        await leased.apply(sent(Beat(1), attempt_id="A"))
        assert await leased.state() == "live"
        await leased.watch(LEASE_S)
        assert await leased.state() == "stalled"

    async def test_each_step_has_its_own_lease(self, leased: Leased) -> None:
        """Of one session."""
        await leased.apply(sent(Start(2), attempt_id="B", lease_ms=3000))
        await leased.watch(3)
        assert (await leased.step(1)).liveness == Liveness("live", timestamp(leased.clock.now() - timedelta(seconds=3)))
        assert (await leased.step(2)).liveness == Liveness(
            "stalled", timestamp(leased.clock.now() - timedelta(seconds=3))
        )
        await leased.watch(LEASE_S - 3)
        assert await leased.state() == "stalled"

    @pytest.mark.full
    async def test_many_workers_are_silent_at_once(self, leased: Leased) -> None:
        """Each is said to be stalled."""
        ids = [f"s{number}" for number in range(300)]
        for session_id in ids:
            await leased.store.create_session(session_id, 1)
            await leased.store.apply(session_id, START)
        await leased.watch(LEASE_S)
        records = [await leased.store.load(session_id) for session_id in ids]
        states = {record and record.session.progress.steps[1].liveness for record in records}
        assert {liveness and liveness.state for liveness in states} == {"stalled"}


class TestReturn:
    """A worker that is heard again."""

    @pytest.mark.protocol("P-19.10", "P-19.11")
    @pytest.mark.parametrize(
        "report",
        [sent(Beat(1), attempt_id="A"), sent(Advance(1, 0), attempt_id="A")],
        ids=lambda command: type(command).__name__,
    )
    @pytest.mark.parametrize("silent_s", [LEASE_S, LOST_S])
    async def test_it_is_live_again_in_one_transition(self, leased: Leased, silent_s: int, report: Command) -> None:
        """Stalled or lost: lost is a statement about reports, not about the job."""
        await leased.watch(silent_s)
        offset = (await leased.record()).position.offset
        await leased.apply(report)
        record = await leased.record()
        step = await leased.step()
        assert record.position.offset == offset + 1
        assert (step.status, step.liveness) == ("running", Liveness("live", timestamp(leased.clock.now())))
        assert (step.conclusion, step.error, record.status) == (None, "", "running")
        assert record.session.details.conclusion is None
        await leased.watch(LEASE_S)
        assert await leased.state() == "stalled"

    async def test_a_lost_one_completes_its_step(self, leased: Leased) -> None:
        """As if it still ran."""
        await leased.watch(LOST_S)
        await leased.apply(sent(Complete(1, message="done"), attempt_id="A"))
        step = await leased.step()
        record = await leased.record()
        assert (step.status, step.conclusion, step.elapsed_ms, step.message) == ("success", None, 30_000, "done")
        assert (record.status, record.session.details.conclusion) == ("running", None)

    async def test_reports_without_its_attempt_find_the_step_ended(self, leased: Leased) -> None:
        """As without leases."""
        await leased.watch(LOST_S)
        for command in (Beat(1), Advance(1, 1)):
            with pytest.raises(StepNotRunningError):
                await leased.apply(command)
        await leased.apply(Skip(1))
        assert (await leased.step()).conclusion == "skipped"

    async def test_after_another_attempt_it_changes_nothing(self, leased: Leased) -> None:
        """Its words come too late, and are no sign of life."""
        await leased.watch(LOST_S)
        await leased.apply(sent(START, attempt_id="B"))
        before = await leased.record()
        for command in (
            sent(Beat(1), attempt_id="A"),
            sent(Advance(1, 1), attempt_id="A"),
            sent(Complete(1), attempt_id="A"),
            START,
        ):
            await leased.watch(1)
            with pytest.raises(AttemptSupersededError):
                await leased.apply(command)
        assert await leased.record() == before
        await leased.watch(LEASE_S - 4)
        assert await leased.state() == "stalled"


class TestClock:
    """The time that leases are measured by."""

    @pytest.mark.protocol("P-19.14")
    @pytest.mark.parametrize("seconds", [-86_400, 86_400])
    async def test_wall_clocks_that_jump_change_nothing(self, leased: Leased, seconds: int) -> None:
        """In either direction."""
        leased.clock.jump(seconds)
        await leased.watch_it_stall(LEASE_S)

    @pytest.mark.protocol("P-19.15")
    async def test_time_without_a_server_does_not_count(self, leased: Leased) -> None:
        """After more than two seconds each lease counts anew."""
        await leased.watch(LEASE_S - 1)
        leased.clock.advance(3600)
        await leased.watch_it_stall(LEASE_S + 1)

    @pytest.mark.parametrize("checks", [0, 2])
    @pytest.mark.parametrize("pause_s", [0, 1, 5, 3600])
    async def test_a_sign_starts_the_clock(
        self, store: ProgressStore, clock: ManualClock, checks: int, pause_s: int
    ) -> None:
        """It is no later check: the verdicts come at the same time on every backend, and so does `updated_at`."""
        leased = Leased(store, clock)
        await store.create_session("s", 3)
        await leased.watch(checks)
        clock.advance(pause_s)
        await leased.apply(START)
        for silent_s, before, after in [(LEASE_S, "live", "stalled"), (LOST_S - LEASE_S, "stalled", "lost")]:
            await leased.watch(silent_s - 1)
            assert await leased.state() == before
            await leased.watch(1)
            assert await leased.state() == after
            assert (await leased.record()).session.progress.updated_at == timestamp(clock.now())

    async def test_a_server_that_begins_raises_no_alarm(self, leased: Leased, backend: FullBackend) -> None:
        """However long there was none; what was running is watched again."""
        await leased.watch(LEASE_S - 1)
        await backend.aclose()
        leased.clock.advance(60)
        await backend.open()
        if await leased.store.load("s") is None:  # Memory is lost with its process.
            return
        leased.watcher = LeaseWatcher(leased.store, leased.clock)
        await leased.watch(LEASE_S - 1)
        assert await leased.state() == "live"
        await leased.watch(3)
        assert await leased.state() == "stalled"

    async def test_a_sign_that_overtakes_the_verdict_prevents_it(self, leased: Leased) -> None:
        """The commit checks it."""
        await leased.watch(5)
        before = await leased.record()
        with pytest.raises(SignSeenError):
            await leased.apply(Stall(1, "", LEASE_S * 1000))
        await leased.watch(5)
        await leased.apply(sent(Beat(1), attempt_id="A"))
        stalled = await leased.record()
        assert stalled.session.progress.steps[1].liveness != before.session.progress.steps[1].liveness
        with pytest.raises(SignSeenError):
            await leased.apply(Stall(1, "", LEASE_S * 1000))
        assert await leased.record() == stalled
        await leased.apply(Lose(1, LOST_S * 1000))  # It is live, so there is nothing to say.
        assert await leased.record() == stalled

    @pytest.mark.protocol("P-19.16")
    async def test_a_session_with_a_lease_is_not_cleaned_up(self, leased: Leased) -> None:
        """Its beats count, though they change nothing."""
        for _ in range(10):
            await leased.watch(8)
            await leased.apply(sent(Beat(1), attempt_id="A"))
        assert await leased.store.cleanup_old_sessions(max_age_hours=60 / 3600) == 0
        await leased.watch(LOST_S)
        assert await leased.store.cleanup_old_sessions(max_age_hours=1 / 3600) == 1
