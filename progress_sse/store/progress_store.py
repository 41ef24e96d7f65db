"""The store of sessions, over any backend.

What workers do to a session are `SessionOperations`. Commands wait in their session's queue (``command_queue``) and are
committed in batches (``batch_committer``).
"""

import asyncio
from collections.abc import Callable, Sequence

from progress_sse._internal.clock import Clock, SystemClock
from progress_sse.core import state_machine
from progress_sse.core.commands import Command, IdempotencyKey, check_command
from progress_sse.core.errors import KeyInUseError, ProblemError
from progress_sse.core.history import NOTHING_LEARNED, Learned
from progress_sse.core.model import SessionProgress, check_session_id
from progress_sse.core.updates import Update
from progress_sse.core.workflows import Workflows
from progress_sse.store.backend import FullBackend
from progress_sse.store.backend_monitor import BackendMonitor
from progress_sse.store.batch_committer import BatchCommitter
from progress_sse.store.command_queue import CommandQueues, QueuedCommand
from progress_sse.store.idempotency import oldest_counting_use
from progress_sse.store.learned_cache import LearnedCache
from progress_sse.store.log_lines import StoredLines
from progress_sse.store.session_operations import SessionOperations
from progress_sse.store.types import Applied, Change, Record


class ProgressStore(SessionOperations):
    """Sessions that workers change and clients read.

    Every operation may raise `StoreUnavailableError`. Each on one session or profile may also raise
    `InvalidSessionIdError`. Each that writes may also raise `OutcomeUnknownError`, `StoreFullError`, and
    `InvalidRequestError` for values that no session can hold. An operation that returns has been committed, as durably
    as the backend can.

    Attributes:
        backend: Where sessions are stored.
        workflows: Define the steps of sessions that bring none of their own.
        monitor: Knows whether the backend works, and how long its commits take.
        committer: Has figures on commits, for metrics.
        queues: Has figures on commands that wait, for metrics.
        commands: How many commands there were, by name and outcome.
    """

    def __init__(
        self,
        backend: FullBackend,
        *,
        workflows: Workflows | None = None,
        clock: Clock | None = None,
        on_commit: Callable[[Change], None] | None = None,
        learn: bool = True,
    ) -> None:
        """Work on `backend`.

        Args:
            backend: Where sessions are stored.
            workflows: Define the steps of sessions that bring none of their own.
            clock: The clock of all time stamps and measurements.
            on_commit: Called with each change once it is committed; must neither block nor raise.
            learn: Whether the runs of a profile teach what the next ones will take.
        """
        self.backend = backend
        self.workflows = workflows or Workflows()
        self._clock = clock or SystemClock()
        self.monitor = BackendMonitor(backend, self._clock)
        self._learned = LearnedCache(backend, self._clock) if learn else None
        self.committer = BatchCommitter(backend, self.monitor, self._clock, on_commit, self._learned)
        self.queues = CommandQueues(self.committer.commit)
        self.commands = self.queues.outcomes

    async def ping(self) -> None:
        """Return if a commit would have a chance to succeed now; calls within a second share one answer."""
        await self.monitor.ping()

    async def open(self) -> None:
        """Make the backend ready; see `Backend.open`."""
        await self.backend.open()

    async def aclose(self, *, timeout_s: float | None = None) -> None:
        """Finish the accepted commands, within `timeout_s` seconds (`None`: no limit), and close the backend."""
        try:
            await self.queues.finish(timeout_s)
        finally:
            self.monitor.close()
            if self._learned is not None:
                self._learned.close()
            await self.backend.aclose()

    async def get_session(self, session_id: str) -> SessionProgress | None:
        """Return the session, or `None`."""
        record = await self.load(session_id)
        return record.session.progress if record else None

    async def _perform(self, session_id: str, command: Command) -> Record | None:
        check_session_id(session_id)
        check_command(command)
        applied = await self.apply(session_id, command)
        await asyncio.sleep(0)  # Lets streams send it now, even if the caller never waits for anything else.
        return applied.record

    async def cleanup_old_sessions(self, max_age_hours: float = 24) -> int:
        """Remove sessions created more than `max_age_hours` ago, except running ones that were updated since.

        A session whose worker holds a lease counts as updated now. Idempotency keys that no longer count, and notices
        that are too old, are deleted, too.

        Returns:
            How many sessions were removed.
        """
        now = self._clock.now()
        await self.backend.forget_keys(oldest_counting_use(now))
        await self.backend.outbox.discard((), int(now.timestamp() * 1000))
        limit = state_machine.age_limit(now, max_age_hours)
        watched = frozenset(await self.backend.leases.watched())
        return await self.backend.expire(
            limit,
            lambda summary: (
                summary.session_id not in watched
                and state_machine.is_expired(summary.status, summary.created_at, summary.updated_at, before=limit)
            ),
        )

    async def learned(self, profile: str) -> Learned:
        """Return what the runs of a profile taught, as it is now or was at most ten seconds ago.

        Raises:
            InvalidSessionIdError: No profile can have this name: it has the form of a session id.
        """
        check_session_id(profile)
        return NOTHING_LEARNED if self._learned is None else await self._learned.fetch(profile)

    async def forget_learned(self, profile: str) -> None:
        """Forget what the runs of a profile taught; other processes on the store do so within ten seconds.

        Raises:
            InvalidSessionIdError: No profile can have this name.
        """
        await self.backend.histories.forget(check_session_id(profile))
        if self._learned is not None:
            self._learned.drop(profile)

    async def load(self, session_id: str) -> Record | None:
        """Return the session and its position, or `None`."""
        return await self.backend.load(check_session_id(session_id))

    async def read_lines(self, session_id: str, after: int = 0) -> StoredLines | None:
        """Return the lines of a session's log with a greater number than `after`, as far as they are kept.

        Where `after` is negative, these are the newest, so many. `None` stands for a session that does not exist.
        """
        return await self.backend.lines.read_lines(check_session_id(session_id), after)

    async def apply(self, session_id: str, command: Command, key: IdempotencyKey | None = None) -> Applied:
        """Apply one command; with a key that was used on this id, return its first answer and change nothing.

        The caller has checked the session id and the command.

        Raises:
            ProblemError: The command cannot be applied (see ``state_machine``), and nothing was changed.
            KeyReusedError: The key came with another request before.
            KeyInUseError: The first request with the key is still under way.
        """
        if key is not None:
            self.queues.keys.add(session_id, key)
        queued = QueuedCommand(command, key)
        self.queues.enqueue(session_id, (queued,))
        return await queued.answer()

    async def apply_all(
        self, session_id: str, asked: Sequence[tuple[Update, IdempotencyKey | None]]
    ) -> list[Applied | BaseException]:
        """Apply commands in their order, each as `apply` does, and return the result or the error of each.

        They are committed together: a failure of the store fails all of them, so that none is applied after one that
        was not. A command whose key is in use by an earlier request is refused with `KeyInUseError`, and so are all
        behind it: that request may fail yet, and then be sent again. Where a key stands twice, each gets its turn.
        """
        keys = self.queues.keys
        commands = [QueuedCommand(command, key) for command, key in asked]
        own: set[str] = set()
        is_held_up = False
        for queued in commands:
            is_own = queued.key is not None and queued.key.key in own
            is_held_up |= not is_own and keys.has(session_id, queued.key)
            try:
                if is_held_up:
                    raise KeyInUseError
                if not is_own and queued.key is not None:
                    keys.add(session_id, queued.key)
            except ProblemError as refusal:
                queued.resolve(refusal)
            else:
                own |= {queued.key.key} if queued.key is not None else set()
        self.queues.enqueue(session_id, [queued for queued in commands if not queued.is_answered])
        return [await _outcome(queued) for queued in commands]


async def _outcome(queued: QueuedCommand) -> Applied | BaseException:
    try:
        return await queued.answer()
    except Exception as error:  # noqa: BLE001  # each command has an outcome of its own
        return error
