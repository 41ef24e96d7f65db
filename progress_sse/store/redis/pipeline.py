"""Many commands over one connection: those that arrive while replies are on their way are sent together.

A command without a reply is sent again until its time is up: every script is such that running it again changes nothing
more. The error at the end of that time is exact. `StoreUnavailableError` means that the command was never sent, and
`OutcomeUnknownError` that it may have run.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from redis.exceptions import AskError, ClusterDownError, NoScriptError, RedisError, TryAgainError

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.tasks import cancel
from progress_sse.store.health import HealthLog
from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.connection import Command, ConnectionInterruptedError, NotConnectedError, RedisConnection
from progress_sse.store.redis.pending_command import CommandReply, PendingCommand
from progress_sse.store.redis.scripts import Script

logger = logging.getLogger(__name__)

MAX_BATCH: Final = 500
"""Commands that are sent together."""

RECONNECT_PAUSES_S: Final = (0.05, 0.5)
"""Seconds, at most, between two attempts to connect while commands wait: after the first failure, and after any."""

_REDIRECTIONS: Final = (AskError, TryAgainError, ClusterDownError)
"""Replies of a cluster's node that does not serve the key, or not now; `MovedError` is a subclass of `AskError`."""

_ASKING: Final = ("ASKING",)


class CommandRouter(Protocol):
    """Knows the node of a cluster to which each command goes."""

    def redirect(self, command: PendingCommand, error: RedisError) -> None:
        """Send a command that a node has refused to another node, or later."""

    def on_failure(self) -> None:
        """Take note that a node cannot be reached."""


class CommandExecutor(Protocol):
    """Executes commands and scripts at a server, or in a cluster."""

    def open(self) -> None:
        """Begin to send queued commands."""

    async def aclose(self) -> None:
        """Give up the queued commands, and close all connections."""

    def submit(self, command: PendingCommand) -> asyncio.Future[CommandReply]:
        """Queue a command, and return its future reply."""

    async def execute(self, *arguments: Argument) -> Any:
        """Return the reply to a command that changes nothing; its first argument is its only key.

        Raises:
            StoreUnavailableError: There was none in time.
        """
        return (await self.submit(PendingCommand(None, (), arguments, is_write=False))).value

    async def run(
        self, script: Script, keys: Sequence[str], *arguments: Argument, is_write: bool = False
    ) -> CommandReply:
        """Run a script, and return its reply.

        Args:
            script: The script.
            keys: All keys that it touches, in one slot.
            arguments: Its arguments.
            is_write: Whether it matters if it ran and its reply was lost.

        Raises:
            StoreUnavailableError: It was not run.
            OutcomeUnknownError: It is a write, and may have run or not.
            StoreFullError: There is no room for its writes.
        """
        return await self.submit(PendingCommand(script, keys, arguments, is_write=is_write))


class RedisCommandExecutor(CommandExecutor):
    """Executes commands over one connection."""

    def __init__(self, connection: RedisConnection, router: CommandRouter | None = None) -> None:
        """Own `connection`; `router` is called if the server is a node of a cluster."""
        self._connection = connection
        self._router = router
        self._queue: deque[PendingCommand] = deque()
        self._has_batch_in_flight = False
        self._has_queued = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._health = HealthLog("Redis")

    def open(self) -> None:
        """Begin to send queued commands."""
        self._runner = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Give up the queued commands, and close the connection."""
        if self._runner is not None:
            await cancel(self._runner)
            self._runner = None
        await self._give_up(self._queue)
        self._queue.clear()

    @property
    def is_idle(self) -> bool:
        """Whether no command is queued, and no reply outstanding."""
        return not (self._queue or self._has_batch_in_flight)

    def take_queued(self) -> list[PendingCommand]:
        """Remove and return all queued commands."""
        queued = list(self._queue)
        self._queue.clear()
        return queued

    def submit(self, command: PendingCommand) -> asyncio.Future[CommandReply]:
        """Queue a command, and return its future reply."""
        if self._runner is None:
            command.give_up()
        else:
            self._queue.append(command)
            self._has_queued.set()
        return command.reply

    async def _run(self) -> None:
        backoff, pause_s = Backoff(*RECONNECT_PAUSES_S), 0.0
        while True:
            await self._has_queued.wait()
            await asyncio.sleep(pause_s)
            batch = self._next_batch()
            self._has_batch_in_flight = True
            try:
                await self._exchange(batch)
                backoff.reset()
                pause_s = 0.0
            except (NotConnectedError, ConnectionInterruptedError) as error:
                self._health.record(error)
                self._queue.extendleft(reversed(batch))
                if self._router is not None:
                    self._router.on_failure()
                pause_s = backoff.next_s()
            except Exception:
                logger.exception("Unexpected error while Redis commands were executed")
                await self._give_up(batch)
            except asyncio.CancelledError:
                await self._give_up(batch)
                raise
            self._has_batch_in_flight = False
            if not self._queue:
                self._has_queued.clear()

    async def _give_up(self, batch: Iterable[PendingCommand]) -> None:
        for command in batch:
            command.give_up()
        # Replies may still be on their way, and would be taken for those to the next commands.
        await self._connection.disconnect()

    def _next_batch(self) -> list[PendingCommand]:
        batch: list[PendingCommand] = []
        while self._queue and len(batch) < MAX_BATCH:
            command = self._queue.popleft()
            if not command.reply.done():  # It may have timed out, or its caller may have been cancelled.
                batch.append(command)
        return batch

    async def _exchange(self, batch: Sequence[PendingCommand]) -> None:
        if not batch:
            return
        await self._connection.connect()
        batch = [command for command in batch if not command.reply.done()]  # Some may have timed out meanwhile.
        to_send: list[Command] = []
        for command in batch:
            command.was_sent = True
            if command.is_asking:
                to_send.append(_ASKING)
            to_send.append(command.command())
        try:
            replies = await self._connection.execute_batch(to_send)
        except ConnectionInterruptedError:
            for command in batch:
                command.was_in_doubt = True
            raise
        if len(to_send) > len(batch):
            replies = [reply for reply, sent in zip(replies, to_send, strict=True) if sent is not _ASKING]
        for command, reply in zip(batch, replies, strict=True):
            self._handle(command, reply)

    def _handle(self, command: PendingCommand, reply: Any) -> None:
        if isinstance(reply, NoScriptError) and not command.with_source:
            command.with_source = True
            self._queue.appendleft(command)
        elif self._router is not None and isinstance(reply, _REDIRECTIONS):
            self._router.redirect(command, reply)
        else:
            command.resolve(reply)
            self._health.record(reply if isinstance(reply, RedisError) else None)
