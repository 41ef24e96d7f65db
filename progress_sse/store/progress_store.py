"""The operations on sessions, over any backend.

Every command on a session goes through that session's *lane*: while one commit of the session is under way, further
commands wait in line, and the next commit takes all of them at once. So a session that many workers report on costs one
commit at a time instead of a storm of conflicts, an update is decided on the state it will really follow, and the
order of transitions is the order of arrival. Between processes, which share a backend but no lane, the
backend's commit-if-unchanged decides, and whoever loses decides again.

What must not go in here: rules (``machine``), and how anything is kept (``backends``).
"""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.clock import Clock, SystemClock
from progress_sse._internal.eager_task import run_eagerly
from progress_sse._internal.histogram import Histogram
from progress_sse.core import state_machine
from progress_sse.core.errors import (
    ConflictError,
    KeyInUseError,
    KeyReusedError,
    OutcomeUnknownError,
    PreconditionFailedError,
    ProblemError,
    StoreFullError,
    StoreUnavailableError,
)
from progress_sse.core.model import (
    DEFAULT_TOTAL_STEPS,
    Position,
    Session,
    SessionProgress,
    StepDefinition,
    check_session_id,
)
from progress_sse.core.state_machine import Advance, Command, Complete, Create, Delete, Start, StepCommand
from progress_sse.core.workflows import Workflows
from progress_sse.store.backend import Backend
from progress_sse.store.types import (
    KEY_LIFETIME,
    Change,
    Effect,
    LogEntry,
    Record,
    RememberedKey,
    fingerprint,
    new_epoch,
)
from progress_sse.wire import session_json

MAX_ATTEMPTS: Final = 20
"""How often a change that other processes overtook is decided again before the store counts as unavailable."""

PAUSES_S: Final = (0.001, 0.02)
"""Seconds, at most, between two of these attempts: after the first, and after any.

They grow, so that one writer does not lose to the others at all attempts.
"""

TURN_S: Final = 0.01
"""Seconds of deciding after which others have a turn: hundreds of updates of one large session may wait together."""

WELL_S: Final = 1.0
"""Seconds for which a store is taken to be as well as it was, unless it fails at something."""

CommandName: TypeAlias = Literal["start", "complete", "progress", "create", "delete"]
COMMAND_NAMES: Final[dict[type[Command], CommandName]] = {
    Start: "start",
    Complete: "complete",
    Advance: "progress",
    Create: "create",
    Delete: "delete",
}

CommandOutcome: TypeAlias = Literal["accepted", "refused", "failed"]
"""What became of a command: it was applied, or repeats what is so already; it breaks a rule; or the store failed."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key that a client chose for one request, and a digest of that request as parsed."""

    key: str
    digest: str


class Applied(NamedTuple):
    """What became of a command.

    Attributes:
        effect: What happened; for a remembered key, what happened the first time.
        record: The session just after the command; `None` once it is deleted. For a remembered key, the session that
            was created the first time, and else `None`.
    """

    effect: Effect
    record: Record | None


@dataclass(slots=True)
class _Request:
    command: Command
    key: IdempotencyKey | None
    done: asyncio.Future[Applied]

    def resolve(self, answer: Applied | Exception) -> None:
        if self.done.done():  # Whoever asked has gone.
            return
        if isinstance(answer, Exception):
            self.done.set_exception(answer)
        else:
            self.done.set_result(answer)


class ProgressStore:
    """Sessions that workers change and everybody reads.

    Every operation may raise `StoreUnavailableError`, each on one session `InvalidSessionIdError`, and each that writes
    also `OutcomeUnknownError` and `StoreFullError`, and `InvalidRequestError` for what no session can hold. An
    operation that returns has been committed, as durably as the backend can.

    Attributes:
        backend: Where sessions are kept.
        workflows: Define the steps of sessions that bring none of their own.
        commands: How many commands there were, by action, and by what became of them.
        commit_seconds: How long commits took.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        workflows: Workflows | None = None,
        clock: Clock | None = None,
        on_commit: Callable[[Change], None] | None = None,
    ) -> None:
        """Work on `backend`.

        Args:
            backend: Where sessions are kept.
            workflows: Define the steps of sessions that bring none of their own.
            clock: The time.
            on_commit: Called with each change once it is committed; must neither block nor raise.
        """
        self.backend = backend
        self.workflows = workflows or Workflows()
        self.commands: Counter[tuple[CommandName, CommandOutcome]] = Counter()
        self.commit_seconds = Histogram()
        self._clock = clock or SystemClock()
        self._on_commit = on_commit
        self._lanes: dict[str, deque[_Request]] = {}
        self._runs: set[asyncio.Task[None]] = set()
        self._keys_under_way: dict[tuple[str, str], str] = {}
        self._ping: asyncio.Task[float] | None = None
        self._is_well_until = -math.inf
        self._began_at: dict[Coroutine[Any, Any, None], float] = {}

    @property
    def waiting_count(self) -> int:
        """How many commands wait for an earlier one of their session."""
        return sum(map(len, self._lanes.values()))

    @property
    def longest_wait_s(self) -> float:
        """For how many seconds the oldest commit that is under way has been so, or the oldest `ping`."""
        began = next(iter(self._began_at.values()), None)
        return 0.0 if began is None else self._clock.monotonic() - began

    async def ping(self) -> None:
        """Return if a commit now would have a chance to succeed; those who ask within a second share that.

        Anybody may ask, and each time the store would have to write something.
        """
        if self._clock.monotonic() < self._is_well_until:
            return
        if self._ping is None or self._ping.done():
            self._ping = asyncio.get_running_loop().create_task(self._timed(self.backend.ping()))
            self._ping.add_done_callback(_heard)
        await asyncio.shield(self._ping)
        self._is_well_until = self._clock.monotonic() + WELL_S

    async def _timed(self, work: Coroutine[Any, Any, None]) -> float:
        """Let the backend do something, and return how many seconds that took."""
        began = self._began_at[work] = self._clock.monotonic()
        try:
            await work
        except ProblemError:
            self._is_well_until = -math.inf
            raise
        finally:
            del self._began_at[work]
        return self._clock.monotonic() - began

    async def open(self) -> None:
        """Make the backend ready; see `Backend.open`."""
        await self.backend.open()

    async def aclose(self, *, timeout_s: float | None = None) -> None:
        """Finish what was accepted, in `timeout_s` seconds (`None`: however long it takes); close the backend."""
        try:
            if self._runs:
                _, unfinished = await asyncio.wait(self._runs, timeout=timeout_s)
                for run in unfinished:
                    run.cancel()
                await asyncio.gather(*unfinished, return_exceptions=True)
        finally:
            if self._ping is not None:
                self._ping.cancel()
            await self.backend.aclose()

    async def create_session(
        self,
        session_id: str,
        total_steps: int = DEFAULT_TOTAL_STEPS,
        *,
        steps: Sequence[StepDefinition] | None = None,
        workflow: str | None = None,
        replace: bool = True,
    ) -> SessionProgress:
        """Make a fresh `pending` session.

        Args:
            session_id: See `model.check_session_id`.
            total_steps: How many steps it has, named by the workflow `default` as far as that goes. Ignored where
                `steps` or `workflow` is given.
            steps: The session's own step definitions.
            workflow: The name of the workflow to take the steps from.
            replace: Whether one of that id gives way. Its event ids never come back.

        Raises:
            SessionExistsError: There is one, and `replace` is false.
            UnknownWorkflowError: No workflow has that name.
        """
        if steps is not None:
            definitions = tuple(steps)
        elif workflow is not None:
            definitions = self.workflows.named(workflow)
        else:
            definitions = self.workflows.resized(total_steps)
        return _progress(await self._perform(session_id, Create(definitions, replace)))

    async def get_session(self, session_id: str) -> SessionProgress | None:
        """Return the session, or `None`."""
        record = await self.load(session_id)
        return record.session.progress if record else None

    async def start_step(self, session_id: str, step: int, timeout_ms: int | None = None) -> SessionProgress:
        """Begin a step, afresh if it was begun before; creates the session if there is none.

        Args:
            session_id: See `model.check_session_id`.
            step: Its number, from 1.
            timeout_ms: Milliseconds that it may take; `None` and 0 stand for the definition's.

        Raises:
            StepOutOfRangeError: The session has no step of that number.
        """
        return _progress(await self._perform(session_id, self.start_command(step, timeout_ms)))

    def start_command(self, step: int, timeout_ms: int | None, run: str | None = None) -> Start:
        """Return the command that begins a step, and creates a session of the workflow `default` if need be.

        With a `run` it creates none.
        """
        return Start(step, self.workflows.named(), timeout_ms, run)

    async def complete_step(
        self, session_id: str, step: int, success: bool = True, message: str = "", error: str = ""
    ) -> SessionProgress:
        """End a step, well or not; the last word wins.

        Raises:
            SessionNotFoundError: There is no such session.
            StepNotStartedError: The step was never started.
            StepOutOfRangeError: The session has no step of that number.
        """
        return _progress(await self._perform(session_id, Complete(step, success, message, error)))

    async def report_progress(
        self, session_id: str, step: int, current: int, total: int | None = None, message: str = ""
    ) -> SessionProgress:
        """Say that a running step has done `current` of `total` units (`None`: of an unknown number).

        Raises:
            SessionNotFoundError: There is no such session.
            StepNotStartedError: The step was never started.
            StepNotRunningError: The step has ended.
            StepOutOfRangeError: The session has no step of that number.
            InvalidRequestError: Not 0 ≤ current ≤ total.
        """
        return _progress(await self._perform(session_id, Advance(step, current, total, message)))

    async def delete_session(self, session_id: str) -> None:
        """Remove the session and all that is kept of it.

        Raises:
            SessionNotFoundError: There is no such session.
        """
        await self._perform(session_id, Delete())

    async def _perform(self, session_id: str, command: Command) -> Record | None:
        applied = await self.apply(session_id, command)
        await asyncio.sleep(0)  # Readers see it now, even if whoever reports has nothing else to wait for.
        return applied.record

    async def cleanup_old_sessions(self, max_age_hours: float = 24) -> int:
        """Remove sessions created longer ago than that, sparing one that is running and was updated within it.

        What is past its time of idempotency keys goes, too.

        Returns:
            How many sessions were removed.
        """
        now = self._clock.now()
        await self.backend.forget_keys(_key_limit(now))
        limit = state_machine.age_limit(now, max_age_hours)
        return await self.backend.expire(
            limit, lambda head: state_machine.is_expired(head.status, head.created_at, head.updated_at, before=limit)
        )

    async def load(self, session_id: str) -> Record | None:
        """Return the session at its position, or `None`."""
        return await self.backend.load(check_session_id(session_id))

    async def apply(self, session_id: str, command: Command, key: IdempotencyKey | None = None) -> Applied:
        """Apply one command; with a key that was used on this id, return its first answer and change nothing.

        Raises:
            ProblemError: The command cannot be applied (see ``machine``), and nothing was changed.
            KeyReusedError: The key came with another request before.
            KeyInUseError: The first request with the key is still under way.
        """
        check_session_id(session_id)
        self._reserve(session_id, key)
        request = _Request(command, key, asyncio.get_running_loop().create_future())
        self._line_up(session_id, [request])
        return await request.done

    async def apply_all(
        self, session_id: str, asked: Sequence[tuple[StepCommand, IdempotencyKey | None]]
    ) -> list[Applied | BaseException]:
        """Apply commands in their order, each as `apply` does, and return what that returns or raises for each.

        They are committed together: whether the store fails is the same for all of them, so that none is applied
        after one that was not. And all behind one that an earlier request is still under way with are refused with
        `KeyInUseError`, too: that one may fail yet, and then come again.

        Raises:
            InvalidSessionIdError: No session can have this id.
        """
        check_session_id(session_id)
        loop = asyncio.get_running_loop()
        requests = [_Request(command, key, loop.create_future()) for command, key in asked]
        own: set[IdempotencyKey] = set()
        is_held_up = False
        for request in requests:
            is_held_up |= request.key not in own and self._is_under_way(session_id, request.key)
            try:
                if is_held_up:
                    raise KeyInUseError
                self._reserve(session_id, request.key)
            except ProblemError as refusal:
                request.resolve(refusal)
            if request.key is not None:
                own.add(request.key)
        self._line_up(session_id, [request for request in requests if not request.done.done()])
        return await asyncio.gather(*(request.done for request in requests), return_exceptions=True)

    def _is_under_way(self, session_id: str, key: IdempotencyKey | None) -> bool:
        """Whether a request with this key is, and is the same one."""
        return key is not None and self._keys_under_way.get((session_id, key.key)) == key.digest

    def _reserve(self, session_id: str, key: IdempotencyKey | None) -> None:
        if key is None:
            return
        if (session_id, key.key) in self._keys_under_way:
            raise KeyInUseError if self._is_under_way(session_id, key) else KeyReusedError
        self._keys_under_way[session_id, key.key] = key.digest

    def _line_up(self, session_id: str, requests: Collection[_Request]) -> None:
        lane = self._lanes.get(session_id)
        if lane is not None:
            lane.extend(requests)
        elif requests:
            lane = self._lanes[session_id] = deque(requests)
            # A task of its own, if it has to wait: the caller may be cancelled, what was accepted goes on.
            run = run_eagerly(self._run_lane(session_id, lane))
            if run is not None:
                self._runs.add(run)
                run.add_done_callback(self._runs.discard)

    async def _run_lane(self, session_id: str, lane: deque[_Request]) -> None:
        try:
            while lane:
                batch = _next_batch(lane)
                try:
                    await self._commit(session_id, batch)
                except Exception as error:  # noqa: BLE001  # whoever waits must hear of it, whatever it is
                    for request in batch:
                        self._answer(request, error)
                except asyncio.CancelledError:
                    batch += lane  # None of these will be looked at any more.
                    for request in batch:
                        self._answer(request, OutcomeUnknownError())
                    raise
                finally:
                    for request in batch:
                        if request.key is not None:
                            self._keys_under_way.pop((session_id, request.key.key), None)
        finally:
            del self._lanes[session_id]

    async def _commit(self, session_id: str, batch: Sequence[_Request]) -> None:
        cached_record = self.backend.cached_record(session_id)
        if cached_record is not None and await self._is_committed(
            session_id, batch, cached_record, is_certain=False, asks_first=False
        ):
            return
        backoff = Backoff(*PAUSES_S)
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                await asyncio.sleep(backoff.next_s())
            stored, asks_first = await self.backend.load(session_id), attempt > 0 or cached_record is not None
            if await self._is_committed(session_id, batch, stored, is_certain=True, asks_first=asks_first):
                return
        raise StoreUnavailableError("Other processes change this session without pause.")

    async def _is_committed(
        self,
        session_id: str,
        batch: Sequence[_Request],
        stored: Record | None,
        *,
        is_certain: bool,
        asks_first: bool,
    ) -> bool:
        """Decide on top of what is stored, commit and answer; not if the session has moved on, or may have.

        Whether a change is right about where the session is, and about its keys, the commit tells. Whether a refusal
        is, nothing tells.

        Args:
            session_id: Whose commands these are.
            batch: The commands.
            stored: The session, or what it is guessed to be.
            is_certain: Whether it has been so since the commands came.
            asks_first: Whether to look each key up, since one of them may have been used: what would be done with it
                now would be done in vain.
        """
        draft = _Draft(session_id, stored)
        answers = await self._decide_all(draft, batch, asks_first=asks_first)
        if not is_certain and draft.transitions < len(batch):
            return False
        try:
            if draft.has_changes:
                change = draft.change()
                self.commit_seconds.add(await self._timed(self.backend.commit(change)))
                if self._on_commit is not None:
                    self._on_commit(change)
        except ConflictError:
            return False
        except StoreFullError:
            if asks_first or not draft.has_keys:  # What is only sent again needs no room.
                raise
            return False
        for request, answer in zip(batch, answers, strict=True):
            self._answer(request, answer)
        return True

    def _answer(self, request: _Request, answer: Applied | Exception) -> None:
        self.commands[COMMAND_NAMES[type(request.command)], _fate(answer)] += 1
        request.resolve(answer)

    async def _decide_all(
        self, draft: "_Draft", batch: Sequence[_Request], *, asks_first: bool
    ) -> Sequence[Applied | Exception]:
        now, turn_ends_at = self._clock.now(), time.perf_counter() + TURN_S
        answers: list[Applied | Exception] = []
        for request in batch:
            if time.perf_counter() > turn_ends_at:
                await asyncio.sleep(0)
                turn_ends_at = time.perf_counter() + TURN_S
            if request.key is None:
                answers.append(draft.decide(request.command, now))
            else:
                answers.append(await self._decide_once(draft, request.command, request.key, now, asks_first=asks_first))
        return answers

    async def _decide_once(
        self, draft: "_Draft", command: Command, key: IdempotencyKey, now: datetime, *, asks_first: bool
    ) -> Applied | Exception:
        """Decide a command that comes with a key, unless that is remembered.

        The commit finds out if it is, which spares looking it up before; a refusal is no commit.
        """
        name = fingerprint(f"{draft.session_id}/{key.key}")
        digest = fingerprint(f"{key.key} {key.digest}")
        former = await self.backend.find_idempotency_key(draft.session_id, name) if asks_first else None
        if former is not None and former.used_at >= _key_limit(now):
            return _answer_again(draft, command, former) if former.digest == digest else KeyReusedError()
        answer = draft.decide(command, now)
        if isinstance(answer, Applied):
            epoch = answer.record.position.epoch if answer.record is not None else ""
            former_use = former.used_at if former is not None else ""
            draft.remember(RememberedKey(name, digest, answer.effect, epoch, state_machine.timestamp(now), former_use))
        elif not asks_first:
            return await self._decide_once(draft, command, key, now, asks_first=True)
        return answer


class _Draft:
    """A change in the making: what the commands of one batch come to, on top of what is stored."""

    def __init__(self, session_id: str, stored: Record | None) -> None:
        self.session_id = session_id
        self.stored = stored
        self.record = stored
        self._is_fresh = False
        self._entries: list[LogEntry] = []
        self._keys: list[RememberedKey] = []

    @property
    def has_changes(self) -> bool:
        return self.record is not self.stored or self.has_keys

    @property
    def has_keys(self) -> bool:
        return bool(self._keys)

    @property
    def transitions(self) -> int:
        return len(self._entries)

    def change(self) -> Change:
        expected = self.stored.position if self.stored else None
        return Change(self.session_id, expected, self.record, self._is_fresh, tuple(self._entries), tuple(self._keys))

    def decide(self, command: Command, now: datetime) -> Applied | Exception:
        """Apply a command, or return its refusal."""
        before = self.record.session if self.record else None
        try:
            outcome = state_machine.apply(self.session_id, before, command, now)
            if not command.only_if(self.record.position if self.record else None):
                raise PreconditionFailedError  # Only of what would have succeeded [RFC 9110 §13.2.1].
            if outcome.session is None:
                self.record = None
            elif outcome.session is not before:
                self._advance(outcome.session, outcome)
        except Exception as refusal:  # noqa: BLE001  # whatever it is, it is this command's and not its neighbours'
            return refusal
        return Applied(_effect(command, existed=before is not None), self.record)

    def remember(self, key: RememberedKey) -> None:
        """Keep a key with its answer."""
        self._keys.append(key)

    def _advance(self, session: Session, outcome: state_machine.Outcome) -> None:
        if outcome.is_fresh:
            self._is_fresh = True
            position = Position(new_epoch(), 0)
        else:
            assert self.record is not None
            position = self.record.position
        if outcome.transition is not None:
            position = Position(position.epoch, position.offset + 1)
            data = session_json.encode_transition(session, outcome.transition)
            self._entries.append(LogEntry(position.offset, outcome.transition, data))
        self.record = Record(session, position)


def _next_batch(lane: deque[_Request]) -> list[_Request]:
    """Take what one commit can hold: step commands in a row, or one command about the session as a whole."""
    batch = [lane.popleft()]
    while lane and isinstance(batch[0].command, StepCommand) and isinstance(lane[0].command, StepCommand):
        batch.append(lane.popleft())
    return batch


def _heard(ping: asyncio.Task[float]) -> None:
    """Have heard of a failure, even if whoever asked has gone."""
    if not ping.cancelled():
        ping.exception()


def _fate(answer: Applied | Exception) -> CommandOutcome:
    if isinstance(answer, Applied):
        return "accepted"
    is_refusal = isinstance(answer, ProblemError) and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
    return "refused" if is_refusal else "failed"


def _key_limit(now: datetime) -> str:
    """Return the time stamp before which the use of a key is forgotten."""
    return state_machine.timestamp(now - KEY_LIFETIME)


def _answer_again(draft: _Draft, command: Command, used: RememberedKey) -> Applied:
    """Return the first answer to a command; a creation's is the session that was created, whatever became of that."""
    if not isinstance(command, Create):
        return Applied(used.answer, None)
    stored, definitions = draft.stored, command.definitions
    if stored is not None and stored.session.run == used.used_at:  # The moment of the creation.
        definitions = stored.session.definitions  # Its workflow may have been defined anew.
    session = state_machine.created(draft.session_id, definitions, datetime.fromisoformat(used.used_at))
    return Applied(used.answer, Record(session, Position(used.epoch, 0)))


def _effect(command: Command, *, existed: bool) -> Effect:
    if isinstance(command, Delete):
        return "deleted"
    if isinstance(command, Create):
        return "replaced" if existed else "created"
    return "updated"


def _progress(record: Record | None) -> SessionProgress:
    assert record is not None
    return record.session.progress
