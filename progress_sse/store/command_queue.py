"""Per-session command queues.

While a commit of a session is under way, further commands on that session wait in its queue. The next commit takes all
of them at once. So a session that many workers report on costs one commit at a time instead of many that conflict. Each
update is applied to the state that precedes it, and transitions happen in the order in which commands arrive.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Literal, TypeAlias

from progress_sse._internal.tasks import run_eagerly
from progress_sse.core.commands import Command, IdempotencyKey, action_of
from progress_sse.core.errors import OutcomeUnknownError, ProblemError, SignSeenError
from progress_sse.core.updates import Update
from progress_sse.store.idempotency import KeysInFlight
from progress_sse.store.types import Applied

CommandOutcome: TypeAlias = Literal["accepted", "refused", "failed"]
"""Accepted: applied, or a repeat that changes nothing. Refused: it breaks a rule. Failed: the store failed."""


class QueuedCommand:
    """A command, the key that it came with, and its answer.

    Most commands have their answer before their caller would wait for it, and so need no future.
    """

    __slots__ = ("_answer", "_done", "_traceback", "command", "key")

    def __init__(self, command: Command, key: IdempotencyKey | None) -> None:
        self.command = command
        self.key = key
        self._answer: Applied | Exception | None = None
        self._done: asyncio.Future[None] | None = None
        self._traceback: TracebackType | None = None

    @property
    def is_answered(self) -> bool:
        """Whether it has its answer."""
        return self._answer is not None

    def resolve(self, answer: Applied | Exception) -> None:
        """Answer the command, unless it has an answer."""
        if self._answer is None:
            self._answer = answer
            if isinstance(answer, Exception):
                self._traceback = answer.__traceback__
            if self._done is not None and not self._done.done():  # Its caller may be gone.
                self._done.set_result(None)

    async def answer(self) -> Applied:
        """Wait for the answer, and return or raise it; to be called once."""
        if self._answer is None:
            self._done = asyncio.get_running_loop().create_future()
            await self._done
        answer = self._answer
        traceback = self._traceback
        assert answer is not None
        if isinstance(answer, Exception):
            self._answer = self._traceback = None
            try:
                # A failed batch shares one error, and each caller that raises it would lengthen its traceback.
                raise answer.with_traceback(traceback)
            finally:
                # The error refers to this frame and those of the request. Only the garbage collector, which runs
                # seldom, would free such a circle.
                del answer, traceback
        return answer


Commit: TypeAlias = Callable[[str, Sequence[QueuedCommand]], Awaitable[Sequence[Applied | Exception]]]
"""Commits a batch of commands on a session, and returns the answer to each; an error fails all of them."""


class CommandQueues:
    """One queue for each session that has a commit under way.

    Attributes:
        keys: The keys of the commands that are queued or being committed.
        outcomes: How many commands were answered, by name and outcome.
    """

    def __init__(self, commit: Commit) -> None:
        """Commit each batch by `commit`."""
        self.keys = KeysInFlight()
        self.outcomes: Counter[tuple[str, CommandOutcome]] = Counter()
        self._commit = commit
        self._queues: dict[str, deque[QueuedCommand]] = {}
        self._drains: set[asyncio.Task[None]] = set()

    @property
    def waiting_count(self) -> int:
        """How many commands wait for an earlier one of their session."""
        return sum(map(len, self._queues.values()))

    def enqueue(self, session_id: str, commands: Collection[QueuedCommand]) -> None:
        """Append commands to the session's queue, and start to commit them if no commit is under way."""
        queue = self._queues.get(session_id)
        if queue is not None:
            queue.extend(commands)
        elif commands:
            queue = self._queues[session_id] = deque(commands)
            # Where it has to wait it gets its own task: the caller may be cancelled, an accepted command is not.
            drain = run_eagerly(self._drain(session_id, queue))
            if drain is not None:
                self._drains.add(drain)
                drain.add_done_callback(self._drains.discard)

    async def finish(self, timeout_s: float | None) -> None:
        """Wait until all queues are empty, for `timeout_s` seconds at most (`None`: no limit); then cancel the rest."""
        if self._drains:
            _, unfinished = await asyncio.wait(self._drains, timeout=timeout_s)
            for drain in unfinished:
                drain.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def _drain(self, session_id: str, queue: deque[QueuedCommand]) -> None:
        try:
            while queue:
                batch = _next_batch(queue)
                try:
                    for queued, answer in zip(batch, await self._commit(session_id, batch), strict=True):
                        self._answer(queued, answer)
                except Exception as error:  # noqa: BLE001  # every caller must get an answer
                    for queued in batch:
                        self._answer(queued, error)
                except asyncio.CancelledError:
                    batch += queue  # These will not be committed any more.
                    for queued in batch:
                        self._answer(queued, OutcomeUnknownError())
                    raise
                finally:
                    for queued in batch:
                        if queued.key is not None:
                            self.keys.discard(session_id, queued.key)
        finally:
            del self._queues[session_id]

    def _answer(self, queued: QueuedCommand, answer: Applied | Exception) -> None:
        self.outcomes[action_of(queued.command), _outcome(answer)] += 1
        queued.resolve(answer)


def _next_batch(queue: deque[QueuedCommand]) -> list[QueuedCommand]:
    """Remove and return the commands of one commit: consecutive updates, or one of another kind."""
    batch = [queue.popleft()]
    while queue and isinstance(batch[0].command, Update) and isinstance(queue[0].command, Update):
        batch.append(queue.popleft())
    return batch


def _outcome(answer: Applied | Exception) -> CommandOutcome:
    if isinstance(answer, Applied):
        return "accepted"
    is_refusal = isinstance(answer, SignSeenError) or (
        isinstance(answer, ProblemError) and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
    )
    return "refused" if is_refusal else "failed"
