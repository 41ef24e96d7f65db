"""Many commands over one connection: those that arrive while replies are on their way are sent together.

A command without a reply is sent again until its time is up: running a script again changes nothing more. Then
`StoreUnavailableError` means that the command was never sent, and `OutcomeUnknownError` that it may have run.

In a cluster a command goes to the node that serves its key. If that node replies that another one does, or does not
reply, the command is sent again within its time. While the keys of a slot move, each of two nodes has a part of a
session's keys, and neither serves the session. Its commands wait, as for a node that is away.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from redis.exceptions import AskError, ClusterDownError, MovedError, NoScriptError, RedisError, TryAgainError

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.tasks import cancel
from progress_sse.core.errors import OutcomeUnknownError, StoreUnavailableError
from progress_sse.store.health import HealthLog
from progress_sse.store.redis.codec import Argument
from progress_sse.store.redis.connection import Command, RedisConnection
from progress_sse.store.redis.errors import CONNECTION_ERRORS, may_have_written, to_problem
from progress_sse.store.redis.scripts import Script
from progress_sse.store.redis.topology import Topology
from progress_sse.store.redis.url import Address

logger = logging.getLogger(__name__)

MAX_BATCH: Final = 500

READ_TIMEOUT_S: Final = 2.0
WRITE_TIMEOUT_S: Final = 3.5
"""Seconds until a command is given up. An update is at most one of each: it is answered within six seconds."""

RECONNECT_PAUSES_S: Final = (0.05, 0.5)
"""Upper bounds of the random pause before commands are sent again: first attempt, later attempts."""

_REDIRECTIONS: Final = (AskError, TryAgainError, ClusterDownError)
"""Replies of a cluster's node that does not serve the key, or not now; `MovedError` is a subclass of `AskError`."""

_ASKING: Final = ("ASKING",)


class PendingCommand:
    """A command on its way to Redis, until its reply is there or its time is up.

    `ASKING` precedes it (`is_asking`) where the node is only about to get the slot. It `was_in_doubt` if it may have
    run before without a reply.
    """

    __slots__ = (
        *("arguments", "expiry", "is_asking", "is_write", "keys", "reply", "script"),
        *("was_in_doubt", "was_sent", "with_source"),
    )

    def __init__(self, script: Script | None, keys: Sequence[str], arguments: Command, *, is_write: bool) -> None:
        self.script = script
        self.keys = keys
        self.arguments = arguments
        self.is_write = is_write
        self.with_source = self.is_asking = self.was_sent = self.was_in_doubt = False
        loop = asyncio.get_running_loop()
        self.reply: asyncio.Future[Any] = loop.create_future()
        self.expiry = loop.call_later(WRITE_TIMEOUT_S if is_write else READ_TIMEOUT_S, self.give_up)

    @property
    def key(self) -> Argument:
        """The key that decides on the slot."""
        return self.arguments[1] if self.script is None else self.keys[0]

    def command(self) -> Command:
        """Return the command as it is sent."""
        if self.script is None:
            return self.arguments
        run = ("EVAL", self.script.source) if self.with_source else ("EVALSHA", self.script.sha)
        return (*run, len(self.keys), *self.keys, *self.arguments)

    def give_up(self) -> None:
        """Fail: nothing was done, if the command was never sent or is a read; otherwise the outcome is unknown."""
        self.expiry.cancel()
        if not self.reply.done():
            self.reply.set_exception(
                OutcomeUnknownError() if self.is_write and self.was_sent else StoreUnavailableError()
            )

    def resolve(self, value: Any) -> None:
        """End with the value, or the error, with which Redis replied."""
        self.expiry.cancel()
        if self.reply.done():
            return
        if not isinstance(value, RedisError):
            self.reply.set_result(value)
        elif self.is_write and (self.was_in_doubt or may_have_written(value)):
            self.give_up()
        else:
            self.reply.set_exception(to_problem(value))


class CommandExecutor(ABC):
    """Executes commands and scripts; after `StoreUnavailableError` or `StoreFullError` nothing was written."""

    @abstractmethod
    def open(self) -> None:
        """Begin to send queued commands."""

    @abstractmethod
    async def aclose(self) -> None:
        """Give up the queued commands, and close all connections."""

    @abstractmethod
    def submit(self, command: PendingCommand) -> asyncio.Future[Any]:
        """Queue a command, and return its future reply."""

    async def execute(self, *arguments: Argument) -> Any:
        """Return the reply to a command that may run twice; its first argument is its only key."""
        return await self.submit(PendingCommand(None, (), arguments, is_write=False))

    async def run(self, script: Script, keys: Sequence[str], *arguments: Argument, is_write: bool = False) -> Any:
        """Run a script on all keys that it touches; a lost reply of one that writes is an `OutcomeUnknownError`."""
        return await self.submit(PendingCommand(script, keys, arguments, is_write=is_write))


class RedisCommandExecutor(CommandExecutor):
    """Executes commands over one connection, which may be to a node of a cluster."""

    def __init__(self, connection: RedisConnection, cluster: "ClusterCommandExecutor | None" = None) -> None:
        self._connection = connection
        self._cluster = cluster
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
        await self._give_up(self.take_queued())

    @property
    def is_idle(self) -> bool:
        """Whether no command is queued, and no reply outstanding."""
        return not (self._queue or self._has_batch_in_flight)

    def take_queued(self) -> list[PendingCommand]:
        """Remove and return all queued commands."""
        queued = list(self._queue)
        self._queue.clear()
        return queued

    def submit(self, command: PendingCommand) -> asyncio.Future[Any]:
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
            except CONNECTION_ERRORS as error:
                self._health.record(error)
                self._queue.extendleft(reversed(batch))
                if self._cluster is not None:
                    self._cluster.topology.refresh_soon()  # Another node may serve its slots.
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
        except CONNECTION_ERRORS:
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
        elif self._cluster is not None and isinstance(reply, _REDIRECTIONS):
            self._cluster.redirect(command, reply)
        else:
            command.resolve(reply)
            self._health.record(reply if isinstance(reply, RedisError) else None)


class ClusterCommandExecutor(CommandExecutor):
    """Executes each command at its node."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self._executors: dict[Address, RedisCommandExecutor] = {}
        self._unrouted: list[PendingCommand] = []
        topology.add_observer(self._on_new_map)

    def open(self) -> None:
        """Fetch the map."""
        self.topology.open()

    async def aclose(self) -> None:
        """Give up the queued commands, and close all connections."""
        await self.topology.aclose()
        for executor in self._executors.values():
            await executor.aclose()
        for command in self._unrouted:
            command.give_up()

    def submit(self, command: PendingCommand) -> asyncio.Future[Any]:
        """Queue a command for the node that serves its key, or keep it until that node is known."""
        address = self.topology.owner(str(command.key))
        if address is None:
            self._keep(command)
        else:
            self._executor(address).submit(command)
        return command.reply

    def _keep(self, command: PendingCommand) -> None:
        self._unrouted.append(command)
        self.topology.refresh_soon()

    def _executor(self, address: Address) -> RedisCommandExecutor:
        executor = self._executors.get(address)
        if executor is None:
            connection = RedisConnection(self.topology.pool(address))
            executor = self._executors[address] = RedisCommandExecutor(connection, self)
            executor.open()
        return executor

    def redirect(self, command: PendingCommand, error: RedisError) -> None:
        """Send a command that a node has refused to another node, or later."""
        command.was_sent, command.is_asking = command.was_in_doubt, False  # The node refused it without running it.
        if isinstance(error, MovedError):
            self.topology.apply_move(error)
            self.submit(command)
        elif isinstance(error, AskError):
            command.is_asking = True
            self._executor(error.node_addr).submit(command)
        else:
            self._keep(command)

    async def _on_new_map(self) -> None:
        commands, self._unrouted = self._unrouted, []
        for executor in self._executors.values():
            commands += executor.take_queued()
        for command in commands:
            if not command.reply.done():
                self.submit(command)
        for address in self._executors.keys() - self.topology.nodes:
            if self._executors[address].is_idle:
                await self._executors.pop(address).aclose()
