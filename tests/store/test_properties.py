"""After any commands in any order, stores hold what the state machine says, and transitions lead subscribers there."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from progress_sse.core import state_machine
from progress_sse.core.commands import Ask, Command, Create, Delete, IdempotencyKey, ServerCommand
from progress_sse.core.errors import ProblemError
from progress_sse.core.history import Learned
from progress_sse.core.leases import Judgement, judge, leased_steps
from progress_sse.core.model import Position, StepDefinition
from progress_sse.core.updates import Beat, Complete, Describe, Finish, ReportPart, Skip
from progress_sse.store.backend import FullBackend
from progress_sse.store.lease_watcher import LeaseWatcher
from progress_sse.store.listeners import changes_of
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import KEY_LIFETIME, Record, StorageLimits
from tests.clock import ManualClock
from tests.core.random_commands import any_command, maybe_lost
from tests.core.samples import sent, start_of
from tests.harness.redis import KeyDump, RedisServer
from tests.harness.serving import eventually
from tests.store.conftest import BACKENDS
from tests.store.model_sessions import ModelSessions
from tests.store.subscriber import Subscriber

P = ParamSpec("P")
T = TypeVar("T")

IDS = ("s", "S", "*")
PROFILES = ("p", "P")
HISTORY = 8
REMOVAL = ""
TICK_S = 0.5

session_ids = st.sampled_from(["s", "s", *IDS])
some_commands = st.lists(any_command, min_size=1, max_size=3)
many_commands = st.lists(any_command, min_size=2, max_size=12)
maybe_commands = st.lists(any_command, max_size=6)
keyed = st.sampled_from(
    ["start", "start", "complete", "skip", "part", "ask", "finish", "describe", "create", "replace", "delete"]
)
maybe = st.sampled_from([None, None, True, False])
profiles = st.sampled_from(PROFILES)


class Use(NamedTuple):
    """One use of a key: the digest of its request, its outcome, and the time."""

    digest: str
    outcome: str
    at: datetime


class StoreMachine(RuleBasedStateMachine):
    """Any commands on three sessions, with and without keys, concurrent or not, while the clock jumps."""

    backend_kind = ""
    redis_url = ""
    has_one_process = True

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.model = ModelSessions(knows_runs=not self.has_one_process)
        self.subscribers = {session_id: Subscriber(meets_gaps=not self.has_one_process) for session_id in IDS}
        self.used: dict[str, dict[str, Use]] = {session_id: {} for session_id in IDS}
        self.open_store()

    def new_store(self) -> ProgressStore:
        path = Path(self.folder.name) / "progress.db"
        backend = BACKENDS[self.backend_kind](path, StorageLimits(history=HISTORY), self.redis_url)
        return ProgressStore(backend, clock=self.clock)

    def open_store(self) -> None:
        self.store = self.new_store()
        self.backend: FullBackend = self.store.backend
        self.run(self.store.open)
        self.watcher = LeaseWatcher(self.store, self.clock)
        self.run(self.watcher.check)
        for session_id, subscriber in self.subscribers.items():
            self.run(self.backend.subscribe, changes_of(session_id), subscriber.on_notification)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.run(self.store.aclose)
            self.runner.close()
            self.folder.cleanup()

    def run(self, operation: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(30):
                return await operation(*args, **kwargs)

        return self.runner.run(bounded())

    def load(self, session_id: str) -> Record | None:
        return self.run(self.backend.load, session_id)

    def send(self, session_id: str, command: Command, key: IdempotencyKey | None = None) -> str:
        """Apply a command to the store, and return its effect or the name of its error."""
        return self.run(outcome_of, self.store, session_id, command, key)

    def apply(self, session_id: str, command: Command) -> str:
        """Apply a command to store and model."""
        outcome = self.send(session_id, command)
        assert outcome == self.apply_to_model(self.store, session_id, command)
        return outcome

    def apply_to_model(
        self, store: ProgressStore, session_id: str, command: Command, position: Position | None = None
    ) -> str:
        """Apply a command that the store has applied, with what it had learned then: its copy is still the same."""

        def learned_of(profile: str) -> Learned:
            return self.run(store.learned, profile)

        outcome = self.model.apply(session_id, command, self.clock, position, learned_of)
        if outcome == "deleted":
            self.note_use(session_id, REMOVAL, Use("", outcome, self.clock.now()))
        return outcome

    def note_use(self, session_id: str, name: str, use: Use) -> None:
        """The newest keys are remembered, among which a removal counts."""
        used = self.used[session_id]
        used.pop(name, None)
        used[name] = use
        for oldest in list(used)[:-HISTORY]:
            del used[oldest]

    def send_together(self, store: ProgressStore, session_id: str, commands: Sequence[Command]) -> None:
        """Apply commands at once: the store commits them in their order, several together."""

        async def all_of_them() -> Sequence[str]:
            return await asyncio.gather(*(outcome_of(store, session_id, command) for command in commands))

        assert self.run(all_of_them) == [self.apply_to_model(store, session_id, command) for command in commands]

    @rule(session_id=session_ids, commands=some_commands)
    def apply_one_by_one(self, session_id: str, commands: list[Command]) -> None:
        for command in commands:
            self.apply(session_id, command)

    @rule(session_id=session_ids, command=any_command)
    def apply_twice(self, session_id: str, command: Command) -> None:
        """Time passes before a report is sent again."""
        self.apply(session_id, command)
        self.pass_time(1)
        self.apply(session_id, command)

    @rule(session_id=session_ids, commands=many_commands)
    def apply_at_once(self, session_id: str, commands: list[Command]) -> None:
        """Many workers and readers speak at the same time."""
        self.send_together(self.store, session_id, commands)

    @rule(
        session_id=session_ids,
        name=st.sampled_from("abcdefghijkl"),
        kind=keyed,
        step=st.integers(0, 4),
        is_for_its_run=maybe,
        is_as_seen=maybe,
    )
    def apply_with_key(
        self, session_id: str, name: str, kind: str, step: int, is_for_its_run: bool | None, is_as_seen: bool | None
    ) -> None:
        """A request with a key has one effect, even if the session is removed; another request with it is refused.

        A request for another run, or for a session that has changed since it was seen, has no effect and uses no key.
        """
        used = self.used[session_id]
        now = self.clock.now()
        first = used.get(name)
        before = self.load(session_id)
        position = before.position if before is not None else None
        run = None if is_for_its_run is None else "another"
        if is_for_its_run and before is not None:
            run = before.session.run
        commands: dict[str, Command] = {
            "start": sent(start_of(step), run=run),
            "complete": sent(Complete(step), run=run),
            "skip": sent(Skip(step), run=run),
            "part": sent(ReportPart(step, name, "success"), run=run),
            "ask": Ask("cancel", f"{name} {step}", run=run),
            "finish": sent(Finish(success=step > 0), run=run),
            "describe": sent(Describe(name, accepts=("cancel", "retry")), run=run),
            "create": Create((StepDefinition("x"),) * 3, replace=False, accepts=("cancel",)),
            "replace": Create((StepDefinition("x"),) * 3),
            "delete": Delete(),
        }
        command = sent(commands[kind], only_if=lambda at: is_as_seen is None or is_as_seen is (at == position))
        outcome = self.send(session_id, command, IdempotencyKey(name, f"{kind} {step}"))
        if first is not None and first.at >= now - KEY_LIFETIME:
            assert outcome == (first.outcome if first.digest == f"{kind} {step}" else "KeyReusedError")
            return
        assert outcome == self.apply_to_model(self.store, session_id, command, position)
        if not outcome.endswith("Error"):
            self.note_use(session_id, name, Use(f"{kind} {step}", outcome, now))

    @rule(ticks=st.sampled_from([1, 2, 3, 6]))
    def pass_time(self, ticks: int) -> None:
        """The server says of workers that were silent for their lease that they are stalled or lost, and of no other.

        After a restart, or after Redis went back to an earlier time, the leases count anew. So it may say so later.
        """
        for _ in range(ticks):
            self.clock.advance(TICK_S)
            due = self.verdicts()
            self.run(self.watcher.check)
            if not self.has_one_process:  # The server learns only now how far the clock of the leases has moved.
                due = [each for each in self.verdicts() if self.is_ahead_of_model(each[0])]
            for session_id, command in due:
                assert self.model.is_silent(session_id, command, self.clock)
                self.apply_to_model(self.store, session_id, command)

    @rule(session_id=session_ids, profile=profiles, times=st.integers(1, 4), ticks=st.integers(1, 3))
    def make_runs(self, session_id: str, profile: str, times: int, ticks: int) -> None:
        """Each teaches once, also if it is completed again; from five on, the next ones are timed by them."""
        creation = Create((StepDefinition("a"), StepDefinition("b")), is_timed=True, profile=profile)
        for _ in range(times):
            self.apply(session_id, creation)
            for step in (1, 2):
                self.apply(session_id, start_of(step))
                self.pass_time(ticks)
                self.apply(session_id, Complete(step))
        self.apply_twice(session_id, Complete(1, success=False))
        self.apply(session_id, Complete(1))

    @rule(session_id=session_ids, profile=profiles)
    def begin_run(self, session_id: str, profile: str) -> None:
        """All other rules then go on with it."""
        self.apply(
            session_id, Create((StepDefinition("a"), StepDefinition("b", 1, 1500)), is_timed=True, profile=profile)
        )
        self.apply(session_id, start_of(1))

    @rule(profile=profiles)
    def forget(self, profile: str) -> None:
        """A server forgets at once; others go on with their copy for a while."""
        self.run(self.store.forget_learned, profile)
        self.model.histories.pop(profile, None)

    @rule(session_id=session_ids, step=st.integers(1, 2), lost_after_ms=maybe_lost, ticks=st.integers(1, 3))
    def work_under_a_lease(self, session_id: str, step: int, lost_after_ms: int | None, ticks: int) -> None:
        """A worker is silent since its last sign of life, and not for longer."""
        start = sent(start_of(step), attempt_id="x", lease_ms=1000, lost_after_ms=lost_after_ms)
        for command in (start, sent(Beat(step), attempt_id="x")):
            if self.apply(session_id, command) == "updated":
                assert self.silence_ms(session_id, step) == 0
                self.pass_time(ticks)
                liveness = self.model.sessions[session_id].progress.steps[step].liveness
                if self.has_one_process and liveness is not None and liveness.state == "live":
                    assert self.silence_ms(session_id, step) == ticks * TICK_S * 1000

    def silence_ms(self, session_id: str, step: int) -> int:
        return self.run(self.backend.leases.silences, session_id, [step], self.clock.monotonic())[step].ms

    def judgement(self, session_id: str) -> Judgement:
        """What there is to say of silent workers, now and later."""
        session = self.model.sessions.get(session_id)
        if session is None:
            return Judgement((), None)
        steps = list(leased_steps(session))
        now = self.clock.monotonic()
        return judge(session, self.run(self.backend.leases.silences, session_id, steps, now))

    def verdicts(self) -> list[tuple[str, ServerCommand]]:
        """What there is to say of silent workers now."""
        return [(session_id, command) for session_id in IDS for command in self.judgement(session_id).commands]

    def is_ahead_of_model(self, session_id: str) -> bool:
        record = self.load(session_id)
        return record is not None and record.session != self.model.sessions[session_id]

    @rule(seconds=st.sampled_from([-3600.0, -0.001, 0.5, 3600.0, 90_000.0]))
    def set_clock(self, seconds: float) -> None:
        self.clock.jump(seconds)

    @rule(hours=st.sampled_from([0.0, 0.5, 24.0]))
    def clean_up(self, hours: float) -> None:
        """Old sessions are removed, but not those of which a server may have to say that a worker is silent."""
        for used in self.used.values():
            is_over = used and list(used.values())[-1].at < self.clock.now() - KEY_LIFETIME
            if is_over and self.has_one_process:  # Redis expires keys by its own clock.
                used.clear()
        watched = set(self.run(self.backend.leases.watched))
        assert {each for each in IDS if self.judgement(each).due_in_ms is not None} <= watched
        limit = state_machine.age_limit(self.clock.now(), hours)
        expired = set(self.model.expired(limit)) - watched
        self.model.remove(expired)
        for session_id in expired:
            self.note_use(session_id, REMOVAL, Use("", "deleted", datetime.now(UTC)))  # Backends have no other clock.
        assert self.run(self.store.cleanup_old_sessions, hours) == len(expired)

    @precondition(lambda self: self.backend_kind != "memory")
    @rule()
    def restart(self) -> None:
        """A new server finds the sessions, their transitions and the keys."""
        self.run(self.store.aclose)
        self.open_store()

    @invariant()
    def store_is_the_model(self) -> None:
        """What the store holds is what the state machine says, with what readers do not see."""
        for session_id in IDS:
            record = self.load(session_id)
            assert (record.session if record is not None else None) == self.model.sessions.get(session_id)
            assert (record.position.offset if record is not None else None) == self.model.offsets.get(session_id)

    @invariant()
    def store_has_all_lines(self) -> None:
        """Numbered from one in the life of the session."""
        for session_id in self.model.sessions:
            stored = self.run(self.store.read_lines, session_id)
            assert stored is not None
            assert [line.n for line in stored.lines] == list(range(1, self.model.lines[session_id] + 1))

    @invariant()
    def store_has_learned_what_runs_taught(self) -> None:
        """From each run once."""
        for profile in PROFILES:
            assert self.run(self.backend.histories.load, profile) == self.model.histories[profile]

    @invariant()
    def subscribers_show_the_session(self) -> None:
        """Each shows, byte for byte, the answer to a poll."""
        for session_id, subscriber in self.subscribers.items():
            subscriber.check(self.load(session_id))

    @invariant()
    def replay_is_what_was_published(self) -> None:
        """A replay from each stored position is exactly the rest; from any other position there is none."""
        for session_id, subscriber in self.subscribers.items():
            epoch, newest = subscriber.position
            for offset in range(max(0, newest - HISTORY - 1), newest + 2):
                position = Position(epoch, offset)
                subscriber.check_replay(position, self.run(self.backend.replay, session_id, position), HISTORY)

    @invariant()
    def elapsed_time_is_never_negative(self) -> None:
        """However the clock is set."""
        for session in self.model.sessions.values():
            assert all(step.elapsed_ms >= 0 for step in session.progress.steps.values())


async def outcome_of(store: ProgressStore, session_id: str, command: Command, key: IdempotencyKey | None = None) -> str:
    """The effect of a command, or the name of the error that refuses it."""
    try:
        return (await store.apply(session_id, command, key)).effect
    except ProblemError as error:
        return type(error).__name__


class StoreMachineOnMemory(StoreMachine):
    """… on memory."""

    backend_kind = "memory"


class StoreMachineOnSqlite(StoreMachine):
    """… on SQLite."""

    backend_kind = "sqlite"


class StoreMachineOnRedis(StoreMachine):
    """… on Redis, whose memory sometimes goes back to an earlier time, and which another process uses, too."""

    backend_kind = "redis"
    has_one_process = False
    server: RedisServer
    moment: KeyDump | None = None

    @initialize()
    def open(self) -> None:
        super().open()
        self.client = self.server.client()
        self.other = self.new_store()
        self.run(self.other.open)

    def teardown(self) -> None:
        if hasattr(self, "other"):
            self.run(self.other.aclose)
            self.client.close()
        super().teardown()

    @rule()
    def remember(self) -> None:
        self.moment = KeyDump(self.client, self.folder.name)
        self.used_by_then = deepcopy(self.used)
        self.model_then = self.model.copy()
        self.ticked_by_then = self.clock.monotonic()

    @rule(session_id=session_ids, commands=many_commands)
    def apply_elsewhere(self, session_id: str, commands: list[Command]) -> None:
        """Another server tells this one what it changed."""
        self.send_together(self.other, session_id, commands)
        self.run(self.until_notified, session_id)

    @rule()
    def restart_elsewhere(self) -> None:
        """The other server forgets what it knew."""
        self.run(self.other.aclose)
        self.other = self.new_store()
        self.run(self.other.open)

    @rule(session_id=session_ids, lost=maybe_commands, others=maybe_commands)
    def put_back(self, session_id: str, lost: list[Command], others: list[Command]) -> None:
        """Restore a time before some updates; later updates make a new history.

        A sign of life that was lost without a tick of the clock of the leases is as if it had not been given.
        """
        if self.moment is None:
            self.remember()
        assert self.moment is not None
        self.send_together(self.store, session_id, lost)
        self.moment.restore()
        heard_at = self.model.heard_at if self.clock.monotonic() > self.ticked_by_then else self.model_then.heard_at
        self.used = deepcopy(self.used_by_then)
        self.model = self.model_then.copy()
        self.model.heard_at = dict(heard_at)
        self.send_together(self.other, session_id, others)
        for each in IDS:
            self.run(self.until_notified, each)

    async def until_notified(self, session_id: str) -> None:
        record = await self.backend.load(session_id)
        await eventually(lambda: self.subscribers[session_id].is_at(record), 10)


class StoreMachineOnValkey(StoreMachineOnRedis):
    """… on Valkey."""

    backend_kind = "valkey"


@pytest.fixture(scope="module")
def _servers(redis_servers: dict[str, RedisServer]) -> None:
    for machine in (StoreMachineOnRedis, StoreMachineOnValkey):
        machine.server = redis_servers[machine.backend_kind]
        machine.redis_url = machine.server.url


def _on_a_server(machine: Any) -> Any:
    for mark in (pytest.mark.full, pytest.mark.usefixtures("_servers"), pytest.mark.timeout(600)):
        machine = mark(machine)
    return machine


TestMemory = StoreMachineOnMemory.TestCase
TestMemory.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestSqlite = pytest.mark.full(StoreMachineOnSqlite.TestCase)
TestSqlite.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestRedis = _on_a_server(StoreMachineOnRedis.TestCase)
TestRedis.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestValkey = _on_a_server(StoreMachineOnValkey.TestCase)
TestValkey.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
