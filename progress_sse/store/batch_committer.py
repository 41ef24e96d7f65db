"""Committing a batch of commands on one session, in competition with other processes.

Processes share a backend but no command queue. A commit succeeds only if the session is still where the change expects
it; after a conflict the commands are applied again, to the session as it is then.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from itertools import compress
from operator import attrgetter
from typing import Final, TypeAlias

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.clock import Clock
from progress_sse._internal.histogram import Histogram
from progress_sse.core import state_machine
from progress_sse.core.asks import AskKind, AskState, find_ask
from progress_sse.core.commands import Command, Create, IdempotencyKey
from progress_sse.core.details import Timing
from progress_sse.core.errors import ConflictError, KeyReusedError, StoreFullError, StoreUnavailableError
from progress_sse.core.history import NOTHING_LEARNED, Learned
from progress_sse.core.log_lines import split_count
from progress_sse.core.updates import AppendLines
from progress_sse.store.backend import FullBackend
from progress_sse.store.backend_monitor import BackendMonitor
from progress_sse.store.change_builder import ChangeBuilder, MakeNotices
from progress_sse.store.command_queue import QueuedCommand
from progress_sse.store.idempotency import first_answer, oldest_counting_use
from progress_sse.store.learned_cache import LearnedCache
from progress_sse.store.types import Applied, Change, LineKey, Record, RememberedKey, fingerprint

MAX_ATTEMPTS: Final = 20
"""How many attempts may conflict with other processes before the store counts as unavailable."""

PAUSES_S: Final = (0.001, 0.02)
"""Seconds that a random pause between two attempts lasts at most: after the second, and after any.

They grow, so that one process does not lose to the others at all attempts.
"""

MAX_APPENDED_LINES: Final = 1000
"""Lines in one commit, unless one request has more: a flood into one session must not delay the others."""

TURN_S: Final = 0.01
"""Seconds after which a batch lets other tasks run: hundreds of updates of one large session may wait together."""

_PREFIXES: Final = attrgetter("prefixes")

Answers: TypeAlias = Sequence[Applied | Exception]


class BatchCommitter:
    """Applies batches of commands and commits the changes.

    Attributes:
        commit_seconds: How long commits took.
        reader_requests: How many requests of readers got to a state here, by kind and state.
        runs_learned: How many runs taught what they took.
        line_count: How many lines were appended to logs.
        notice_makers: Make the notices that changes bring.
        on_commit: Called with each change once it is committed.
    """

    def __init__(
        self,
        backend: FullBackend,
        monitor: BackendMonitor,
        clock: Clock,
        on_commit: Callable[[Change], None] | None,
        learned: LearnedCache | None,
    ) -> None:
        """Commit to `backend`.

        Args:
            backend: Where sessions are stored.
            monitor: Measures the commits.
            clock: The time of the commands.
            on_commit: Called with each change once it is committed.
            learned: Knows what earlier runs taught; `None`: nothing is learned.
        """
        self.commit_seconds = Histogram()
        self.reader_requests: Counter[tuple[AskKind, AskState]] = Counter()
        self.runs_learned = 0
        self.line_count = 0
        self.notice_makers: Sequence[MakeNotices] = ()
        self._backend = backend
        self._monitor = monitor
        self._clock = clock
        self.on_commit = on_commit
        self._learned = learned
        self._nothing_learned = None if learned is None else NOTHING_LEARNED

    def commit(self, session_id: str, batch: Sequence[QueuedCommand]) -> Awaitable[Answers]:
        """Apply the commands in their order, commit their changes, and return the answer to each.

        In a commit lines come after the transitions, so a batch that mixes both takes several. If the store fails at
        one, so do all commands from there on: none is applied after one that was not.

        Raises:
            StoreUnavailableError: The backend failed at the first commands, or each attempt met a conflict.
            OutcomeUnknownError: The first change may have been applied, or not.
            StoreFullError: There is no room for the first change.
            SignSeenError: The worker that the first command reports as silent has given a sign of life.
        """
        if len(batch) == 1:
            return self._commit(session_id, batch)
        return self._commit_parts(session_id, batch)

    async def _commit_parts(self, session_id: str, batch: Sequence[QueuedCommand]) -> Answers:
        answers: list[Applied | Exception] = []
        for part in _parts(batch):
            try:
                answers += await self._commit(session_id, part)
            except Exception as error:
                if not answers:
                    raise
                return [*answers, *[error] * (len(batch) - len(answers))]
        return answers

    async def _commit(self, session_id: str, batch: Sequence[QueuedCommand]) -> Answers:
        cached = self._backend.cached_record(session_id)
        stored = cached or await self._backend.load(session_id)
        answers = await self._try(session_id, batch, stored, is_current=cached is None, looks_up_keys=False)
        return answers or await self._try_again(session_id, batch)

    async def _try_again(self, session_id: str, batch: Sequence[QueuedCommand]) -> Answers:
        backoff = Backoff(*PAUSES_S)
        for attempt in range(MAX_ATTEMPTS - 1):
            if attempt:
                await asyncio.sleep(backoff.next_s())
            stored = await self._backend.load(session_id)
            answers = await self._try(session_id, batch, stored, is_current=True, looks_up_keys=True)
            if answers is not None:
                return answers
        raise StoreUnavailableError("Other processes keep changing this session.")

    async def _try(
        self,
        session_id: str,
        batch: Sequence[QueuedCommand],
        stored: Record | None,
        *,
        is_current: bool,
        looks_up_keys: bool,
    ) -> Answers | None:
        """Make one attempt; return `None` if the session is, or may be, in another state than `stored`.

        A commit shows whether the state and the keys were as expected. Nothing shows that of a refusal, which is not
        committed.

        Args:
            session_id: The session that the commands are for.
            batch: The commands.
            stored: The session, as loaded or cached.
            is_current: Whether `stored` was loaded after the commands arrived. Else a refusal does not count.
            looks_up_keys: Whether to look up each key before its command is applied. Else the commit finds out
                whether one was used before, and all work on the change is lost if so.
        """
        learned = self._nothing_learned
        timing = None if stored is None else stored.session.progress.details.timing
        if timing is not None or isinstance(batch[0].command, Create):
            learned = await self._learned_by(timing, batch[0].command)
        makers = self.notice_makers
        if makers:  # Without a call of ours: most sessions have no hook.
            makers = tuple(compress(makers, map(session_id.startswith, map(_PREFIXES, makers))))
        builder = ChangeBuilder(session_id, stored, self._clock.monotonic(), learned, makers)
        if len(batch) == 1 and batch[0].key is None:  # The usual case, without a wait.
            answers: Sequence[Applied | Exception] = [builder.apply(batch[0].command, self._clock.now())]
        else:
            answers = await self._apply_all(builder, batch, looks_up_keys=looks_up_keys)
        has_changes = builder.has_changes
        if not has_changes and builder.signs:
            return answers if await self._renew(builder, answers, is_current=is_current) else None
        if not is_current and builder.moved_count < len(batch):
            return None
        try:
            if has_changes:
                change = builder.build()
                self.commit_seconds.add(await self._monitor.timed(self._backend.commit(change)))
                self._note(builder, change)
        except ConflictError:
            return None
        except StoreFullError:
            if looks_up_keys or not (builder.keys or builder.line_keys):
                raise
            return None  # A request that is only sent again needs no room: look up the keys.
        return answers

    async def _learned_by(self, timing: Timing | None, command: Command) -> Learned | None:
        """Return what runs of the session's profile taught, or of the one that it is created with.

        A creation is alone in its batch. `None`: nothing is learned here.
        """
        profile = None if timing is None else timing.profile
        if isinstance(command, Create):
            profile = command.profile
        if profile is None or self._learned is None:
            return self._nothing_learned
        return await self._learned.get(profile)

    def _note(self, builder: ChangeBuilder, change: Change) -> None:
        if change.has_new_details:
            self.reader_requests.update(_moved_requests(builder))
        if change.lesson is not None:
            self.runs_learned += 1
        self.line_count += len(change.lines)
        if self.on_commit is not None:
            self.on_commit(change)

    async def _renew(self, builder: ChangeBuilder, answers: Sequence[Applied | Exception], *, is_current: bool) -> bool:
        """Note the signs of commands that changed nothing; return whether the session is as they were applied to it."""
        if not is_current and not all(isinstance(answer, Applied) for answer in answers):
            return False
        assert builder.stored is not None
        return await self._backend.leases.renew(builder.session_id, builder.stored.position, builder.signs)

    async def _apply_all(
        self, builder: ChangeBuilder, batch: Sequence[QueuedCommand], *, looks_up_keys: bool
    ) -> Answers:
        now = self._clock.now()
        turn_ends_at = time.perf_counter() + TURN_S
        answers: list[Applied | Exception] = []
        for queued in batch:
            if time.perf_counter() > turn_ends_at:
                await asyncio.sleep(0)
                turn_ends_at = time.perf_counter() + TURN_S
            if queued.key is None:
                answers.append(builder.apply(queued.command, now))
            else:
                answers.append(
                    await self._apply_once(builder, queued.command, queued.key, now, looks_up_key=looks_up_keys)
                )
        return answers

    async def _apply_once(
        self, builder: ChangeBuilder, command: Command, key: IdempotencyKey, now: datetime, *, looks_up_key: bool
    ) -> Applied | Exception:
        """Apply a command that came with a key, unless the key was used before.

        Without a look-up the commit finds out whether it was. A refusal is not committed, so its key is looked up.
        """
        name = fingerprint(f"{builder.session_id}/{key.key}")
        digest = fingerprint(f"{key.key} {key.digest}")
        if isinstance(command, AppendLines):
            return await self._append_once(builder, command, LineKey(name, digest), now, looks_up_key=looks_up_key)
        former = builder.keys.get(name)
        if former is None and looks_up_key:
            former = await self._backend.find_idempotency_key(builder.session_id, name)
        if former is not None and former.used_at >= oldest_counting_use(now):
            if former.digest != digest:
                return KeyReusedError()
            return first_answer(builder.session_id, builder.record, command, former)
        answer = builder.apply(command, now)
        if isinstance(answer, Applied):
            epoch = answer.record.position.epoch if answer.record is not None else ""
            former_use = former.used_at if former is not None else ""
            used_at = state_machine.timestamp(now)
            builder.keys[name] = RememberedKey(name, digest, answer.effect, epoch, used_at, former_use)
        elif not looks_up_key:
            return await self._apply_once(builder, command, key, now, looks_up_key=True)
        return answer

    async def _append_once(
        self, builder: ChangeBuilder, command: AppendLines, key: LineKey, now: datetime, *, looks_up_key: bool
    ) -> Applied | Exception:
        """Apply a command with lines as `_apply_once` does; their keys are remembered apart from others."""
        former = builder.line_keys.get(key.name)
        digest = None if former is None else former.digest
        if former is None and looks_up_key:
            digest = await self._backend.lines.find_line_key(builder.session_id, key.name)
        if digest is not None:
            return Applied("updated", builder.record) if digest == key.digest else KeyReusedError()
        answer = builder.apply(command, now)
        if isinstance(answer, Applied):
            builder.line_keys[key.name] = key
        elif not looks_up_key:
            return await self._append_once(builder, command, key, now, looks_up_key=True)
        return answer


def _parts(batch: Sequence[QueuedCommand]) -> Iterator[Sequence[QueuedCommand]]:
    """Yield the commands in parts, in each of which lines come last, and at most `MAX_APPENDED_LINES` of them."""
    part: list[QueuedCommand] = []
    count = 0
    for queued in batch:
        lines = split_count(queued.command.lines) if isinstance(queued.command, AppendLines) else 0
        if count and (not lines or count + lines > MAX_APPENDED_LINES):
            yield part
            part = []
            count = 0
        part.append(queued)
        count += lines
    yield part


def _moved_requests(builder: ChangeBuilder) -> Iterator[tuple[AskKind, AskState]]:
    """Yield kind and new state of the requests that the commands brought, or moved on."""
    assert builder.stored is not None
    assert builder.record is not None
    before = builder.stored.session.details.requests
    for each in builder.record.session.details.requests:
        if each.state != (former.state if (former := find_ask(before, each.id)) else None):
            yield each.kind, each.state
