"""After any commands in any order, the published transitions of a session lead to its stored state."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from progress_sse.core.commands import Advance, Command, Complete, Create, Delete, ReportPart
from progress_sse.core.errors import ProblemError
from progress_sse.core.idempotency import IdempotencyKey
from progress_sse.core.model import Position, StepDefinition
from progress_sse.core.parts import PartStatus
from progress_sse.store.backend import Backend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import KEY_LIFETIME, Notification, Record, StorageLimits
from progress_sse.wire import json_text
from tests.clock import ManualClock
from tests.harness.redis import KeyDump, RedisServer
from tests.harness.serving import eventually
from tests.store.conftest import BACKENDS

P = ParamSpec("P")
T = TypeVar("T")

IDS = ("s", "S", "*")
HISTORY = 8

session_ids = st.sampled_from(IDS)
step_numbers = st.integers(0, 4)
keyed = st.sampled_from(["start", "start", "start", "complete", "create", "replace", "delete"])
steps_of_all = st.lists(st.integers(1, 2), max_size=6)
maybe = st.sampled_from([None, None, True, False])
totals = st.sampled_from([None, None, 1, 2])
part_statuses = st.sampled_from(["running", "success", "error"])
texts = st.sampled_from(["", "a", "b\u2028\n", "日本語"])


class Use(NamedTuple):
    """One use of a key: the digest of its request, its outcome, and the time."""

    digest: str
    outcome: str
    at: datetime


class Subscriber:
    """Follows one session as a browser does: from a snapshot, by folding transitions into it."""

    def __init__(self) -> None:
        self.shown: dict[str, Any] | None = None
        self.epoch = ""
        self.n = 0
        self.began_at = 0
        self.published: dict[Position, bytes] = {}

    def on_notification(self, notification: Notification) -> None:
        if notification.record is None:
            self.shown = None
            return
        if notification.is_fresh:
            assert notification.record.position.epoch != self.epoch
            self.begin(pending(notification.record), notification.record.position._replace(offset=0))
        elif notification.record.position.epoch != self.epoch:
            self.begin(json.loads(notification.record.body), notification.record.position)
        assert self.shown is not None
        for entry in notification.entries:
            assert entry.offset == self.n + 1
            self.n = entry.offset
            self.published[Position(self.epoch, entry.offset)] = entry.data
            fold(self.shown, json.loads(entry.data))
        assert notification.record.position == Position(self.epoch, self.n)

    def begin(self, shown: dict[str, Any], position: Position) -> None:
        """Show a history that differs from all earlier ones."""
        assert position.epoch not in {each.epoch for each in self.published}
        self.shown, (self.epoch, self.n), self.began_at = shown, position, position.offset

    def is_at(self, record: Record | None) -> bool:
        """Whether the shown session is that record."""
        return self.shown is None if record is None else record.position == Position(self.epoch, self.n)


def pending(record: Record) -> dict[str, Any]:
    """The JSON of the session before its first step."""
    definitions = record.session.definitions
    steps = [
        {"step": n, "name": each.name, "status": "pending", "elapsed_ms": 0, "timeout_ms": each.timeout_ms}
        for n, each in enumerate(definitions, start=1)
    ]
    return {
        "session_id": record.session.progress.session_id,
        "current_step": 0,
        "total_steps": len(definitions),
        "status": "pending",
        "steps": steps,
        "percentage": 0,
        "estimated_remaining_ms": sum(each.estimated_ms for each in definitions),
    }


def fold(shown: dict[str, Any], data: dict[str, Any]) -> None:
    """Apply a transition to the shown session: replace the step, and update the session."""
    shown["steps"][data["step"]["step"] - 1] = data["step"]
    shown.update(data["session"])


class StoreMachine(RuleBasedStateMachine):
    """Any commands on three sessions, with and without keys, concurrent or not, while the clock jumps."""

    backend_kind = ""
    redis_url = ""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        path = Path(self.folder.name) / "progress.db"
        self.backend: Backend = BACKENDS[self.backend_kind](path, StorageLimits(history=HISTORY), self.redis_url)
        self.store = ProgressStore(self.backend, clock=self.clock)
        self.subscribers = {session_id: Subscriber() for session_id in IDS}
        self.used: dict[str, dict[str, Use]] = {session_id: {} for session_id in IDS}
        self.run(self.store.open)
        for session_id, subscriber in self.subscribers.items():
            self.run(self.backend.listen, session_id, subscriber.on_notification)

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

    def apply(self, session_id: str, command: Command, key: IdempotencyKey | None = None) -> str:
        """Apply a command, and return its outcome; an error must have changed nothing."""
        before, published = self.load(session_id), len(self.subscribers[session_id].published)
        try:
            return self.run(self.store.apply, session_id, command, key).effect
        except ProblemError as error:
            assert self.load(session_id) == before
            assert len(self.subscribers[session_id].published) == published
            return type(error).__name__

    def apply_twice(self, session_id: str, command: Command) -> None:
        """A repeat has the same outcome, and changes and publishes nothing."""
        first, record = self.apply(session_id, command), self.load(session_id)
        self.clock.advance(1)
        published = len(self.subscribers[session_id].published)
        assert self.apply(session_id, command) == first
        assert self.load(session_id) == record
        assert len(self.subscribers[session_id].published) == published

    @rule(session_id=session_ids, total_steps=st.integers(1, 3), replace=st.booleans())
    def create(self, session_id: str, total_steps: int, replace: bool) -> None:
        existed = self.load(session_id) is not None
        definitions = tuple(StepDefinition(f"{session_id} {n}", n * 10, n) for n in range(total_steps))
        outcome = self.apply(session_id, Create(definitions, replace))
        assert outcome == (("replaced" if replace else "SessionExistsError") if existed else "created")

    @rule(session_id=session_ids)
    def delete(self, session_id: str) -> None:
        existed = self.load(session_id) is not None
        assert self.apply(session_id, Delete()) == ("deleted" if existed else "SessionNotFoundError")
        assert self.load(session_id) is None

    @rule(session_id=session_ids, step=step_numbers, timeout_ms=st.sampled_from([None, 0, 7]), parts_total=totals)
    def start(self, session_id: str, step: int, timeout_ms: int | None, parts_total: int | None) -> None:
        self.apply(session_id, self.store.start_command(step, timeout_ms)._replace(parts_total=parts_total))

    @rule(session_id=session_ids, step=step_numbers, success=st.booleans(), message=texts, error=texts)
    def complete(self, session_id: str, step: int, success: bool, message: str, error: str) -> None:
        self.apply_twice(session_id, Complete(step, success, message, error))

    @rule(session_id=session_ids, step=step_numbers, current=st.integers(-1, 3), total=st.none() | st.integers(0, 3))
    def report(self, session_id: str, step: int, current: int, total: int | None) -> None:
        self.apply_twice(session_id, Advance(step, current, total))

    @rule(session_id=session_ids, step=step_numbers, part=st.sampled_from("abc"), status=part_statuses, message=texts)
    def report_part(self, session_id: str, step: int, part: str, status: PartStatus, message: str) -> None:
        self.apply_twice(session_id, ReportPart(step, part, status, message=message))

    @rule(
        session_id=session_ids,
        name=st.sampled_from("abcdefghijkl"),
        kind=keyed,
        step=step_numbers,
        is_for_its_run=maybe,
        is_as_seen=maybe,
    )
    def apply_with_key(
        self, session_id: str, name: str, kind: str, step: int, is_for_its_run: bool | None, is_as_seen: bool | None
    ) -> None:
        """A request with a key has one effect, even if the session is removed; another request with it is refused.

        A request for another run, or for a session that has changed since it was seen, has no effect and uses no key.
        """
        used, now = self.used[session_id], self.clock.now()
        first, before = used.get(name), self.load(session_id)
        position = before.position if before is not None else None
        run = None if is_for_its_run is None else "another"
        if is_for_its_run and before is not None:
            run = before.session.run
        commands: dict[str, Command] = {
            "start": self.store.start_command(step, None, run),
            "complete": Complete(step, run=run),
            "create": Create((StepDefinition("x"),) * 3, replace=False),
            "replace": Create((StepDefinition("x"),) * 3),
            "delete": Delete(),
        }
        command = commands[kind]._replace(only_if=lambda at: is_as_seen is None or is_as_seen is (at == position))
        outcome = self.apply(session_id, command, IdempotencyKey(name, f"{kind} {step}"))
        if first is not None and first.at >= now - KEY_LIFETIME:
            assert outcome == (first.outcome if first.digest == f"{kind} {step}" else "KeyReusedError")
            assert self.load(session_id) == before
        elif not outcome.endswith("Error"):
            assert is_as_seen is not False
            assert kind not in ("start", "complete") or run != "another"
            used.pop(name, None)
            used[name] = Use(f"{kind} {step}", outcome, now)
            for oldest in list(used)[:-HISTORY]:
                del used[oldest]

    @rule(session_id=session_ids, steps=st.lists(step_numbers, min_size=2, max_size=12))
    def start_and_complete_at_once(self, session_id: str, steps: list[int]) -> None:
        """Many workers report at the same time, on steps and on their parts."""
        commands: list[Command] = []
        for n, step in enumerate(steps):
            part = ReportPart(step, str(n), "success" if n % 2 else "running")
            commands += [Complete(step) if n % 2 else self.store.start_command(step, None), part]

        async def all_of_them() -> None:
            updates = (self.store.apply(session_id, command) for command in commands)
            for outcome in await asyncio.gather(*updates, return_exceptions=True):
                assert not isinstance(outcome, BaseException) or isinstance(outcome, ProblemError)

        self.run(all_of_them)

    @rule(seconds=st.sampled_from([-3600.0, -0.001, 0.5, 3600.0, 90_000.0]))
    def set_clock(self, seconds: float) -> None:
        self.clock.jump(seconds)

    @rule(hours=st.sampled_from([0.0, 0.5, 24.0]))
    def clean_up(self, hours: float) -> None:
        """Listeners are notified of removed sessions, and the returned count is right."""
        for used in self.used.values():
            is_over = used and list(used.values())[-1].at < self.clock.now() - KEY_LIFETIME
            if is_over and self.backend_kind in ("memory", "sqlite"):  # Redis expires keys by its own clock.
                used.clear()
        before = [session_id for session_id in IDS if self.load(session_id)]
        removed = self.run(self.store.cleanup_old_sessions, hours)
        after = [session_id for session_id in IDS if self.load(session_id)]
        assert len(before) - len(after) == removed

    @invariant()
    def fold_is_the_snapshot(self) -> None:
        """Each subscriber shows, byte for byte, the answer to a poll."""
        for session_id, subscriber in self.subscribers.items():
            record = self.load(session_id)
            assert (record is None) == (subscriber.shown is None)
            if record is not None:
                assert record.position == Position(subscriber.epoch, subscriber.n)
                assert json_text.encode_json(subscriber.shown) == record.body

    @invariant()
    def replay_is_what_was_published(self) -> None:
        """A replay from each stored position is exactly the rest; from any other position there is none.

        A subscriber that reads a new epoch late begins with a snapshot that contains transitions of that epoch. The
        store may still keep them. Steps are replaced whole, so a replay of contained transitions changes no snapshot.
        """
        for session_id, subscriber in self.subscribers.items():
            for n in range(subscriber.n + 2):
                entries = self.run(self.backend.replay, session_id, Position(subscriber.epoch, n))
                if subscriber.shown is None or not subscriber.n - HISTORY <= n <= subscriber.n:
                    assert entries is None
                    continue
                if entries is None:
                    assert n < subscriber.began_at
                    continue
                assert [entry.offset for entry in entries] == list(range(n + 1, subscriber.n + 1))
                replayed = deepcopy(subscriber.shown)
                for entry in entries:
                    if entry.offset > subscriber.began_at:
                        assert subscriber.published[Position(subscriber.epoch, entry.offset)] == entry.data
                    fold(replayed, json.loads(entry.data))
                assert replayed == subscriber.shown

    @invariant()
    def elapsed_time_is_never_negative(self) -> None:
        """However the clock is set."""
        for subscriber in self.subscribers.values():
            assert all(step["elapsed_ms"] >= 0 for step in (subscriber.shown or {}).get("steps", []))


class StoreMachineOnMemory(StoreMachine):
    """… on memory."""

    backend_kind = "memory"


class StoreMachineOnSqlite(StoreMachine):
    """… on SQLite."""

    backend_kind = "sqlite"


class StoreMachineOnRedis(StoreMachine):
    """… on Redis, whose memory sometimes goes back to an earlier time, and which another process uses, too."""

    backend_kind = "redis"
    server: RedisServer
    moment: KeyDump | None = None

    @initialize()
    def open(self) -> None:
        super().open()
        self.client = self.server.client()
        path = Path(self.folder.name) / "progress.db"
        self.other = ProgressStore(BACKENDS["redis"](path, StorageLimits(history=HISTORY), self.redis_url))
        self.run(self.other.open)

    def teardown(self) -> None:
        if hasattr(self, "other"):
            self.run(self.other.aclose)
            self.client.close()
        super().teardown()

    @rule()
    def remember(self) -> None:
        self.moment, self.used_by_then = KeyDump(self.client, self.folder.name), deepcopy(self.used)

    @rule(session_id=session_ids, lost=steps_of_all, others=steps_of_all)
    def put_back(self, session_id: str, lost: list[int], others: list[int]) -> None:
        """Restore a time before some updates; later updates make a new history."""
        if self.moment is None:
            self.remember()
        assert self.moment is not None
        self.start_together(self.store, session_id, lost)
        self.moment.restore()
        self.used = deepcopy(self.used_by_then)
        self.start_together(self.other, session_id, others)
        for each in IDS:
            self.run(self.until_notified, each)

    def start_together(self, store: ProgressStore, session_id: str, steps: list[int]) -> None:
        """Start steps in one commit: with one message each, a competing change would be found before ours."""
        self.run(store.apply_all, session_id, [(store.start_command(step, None), None) for step in steps])

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


TestMemory = StoreMachineOnMemory.TestCase
TestMemory.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestSqlite = pytest.mark.full(StoreMachineOnSqlite.TestCase)
TestSqlite.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestRedis = pytest.mark.full(pytest.mark.usefixtures("_servers")(StoreMachineOnRedis.TestCase))
TestRedis.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestValkey = pytest.mark.full(pytest.mark.usefixtures("_servers")(StoreMachineOnValkey.TestCase))
TestValkey.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
