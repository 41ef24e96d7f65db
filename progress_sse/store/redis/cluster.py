"""Commands to a cluster and subscriptions in it: for each, one connection to every node that serves one of our slots.

A command goes to the node that serves its key. If that node replies that another one does, or does not reply, the
command is sent again within its time. While the keys of a slot move from one node to another, each of the two nodes has
a part of a session's keys, and neither serves the session. Its commands wait, as for a node that is away.

A channel is subscribed to at the node of its session. When its slot moves, the subscription moves too, with a gap.
"""

import asyncio
from collections.abc import Callable, Sequence

from redis.exceptions import AskError, MovedError, RedisError

from progress_sse.store.redis.connection import RedisConnection
from progress_sse.store.redis.pending_command import CommandReply, PendingCommand
from progress_sse.store.redis.pipeline import CommandExecutor, RedisCommandExecutor
from progress_sse.store.redis.pubsub import RedisPubSub
from progress_sse.store.redis.topology import Topology
from progress_sse.store.redis.url import Address


class ClusterCommandExecutor(CommandExecutor):
    """Executes each command at its node."""

    def __init__(self, topology: Topology) -> None:
        """Connect to nodes of `topology` when they have a command to execute."""
        self._topology = topology
        self._executors: dict[Address, RedisCommandExecutor] = {}
        self._unrouted: list[PendingCommand] = []
        topology.add_observer(self._on_new_map)

    def open(self) -> None:
        """Fetch the map."""
        self._topology.open()

    async def aclose(self) -> None:
        """Give up the queued commands, and close all connections."""
        await self._topology.aclose()
        for executor in self._executors.values():
            await executor.aclose()
        for command in self._unrouted:
            command.give_up()

    def submit(self, command: PendingCommand) -> asyncio.Future[CommandReply]:
        """Queue a command for the node that serves its key, or keep it until that node is known."""
        address = self._topology.owner(str(command.key))
        if address is None:
            self._keep(command)
        else:
            self._executor(address).submit(command)
        return command.reply

    def _keep(self, command: PendingCommand) -> None:
        self._unrouted.append(command)
        self._topology.refresh_soon()

    def _executor(self, address: Address) -> RedisCommandExecutor:
        executor = self._executors.get(address)
        if executor is None:
            connection = RedisConnection(self._topology.pool(address))
            executor = self._executors[address] = RedisCommandExecutor(connection, self)
            executor.open()
        return executor

    def redirect(self, command: PendingCommand, error: RedisError) -> None:
        """Send a command that a node has refused to another node, or later."""
        command.mark_not_run()
        if isinstance(error, MovedError):
            self._topology.apply_move(error)
            self.submit(command)
        elif isinstance(error, AskError):
            command.is_asking = True
            self._executor(error.node_addr).submit(command)
        else:
            self._keep(command)

    def on_failure(self) -> None:
        """Fetch the map again: another node may serve the slots of one that cannot be reached."""
        self._topology.refresh_soon()

    async def _on_new_map(self) -> None:
        commands, self._unrouted = self._unrouted, []
        for executor in self._executors.values():
            commands += executor.take_queued()
        for command in commands:
            if not command.reply.done():
                self.submit(command)
        for address in self._executors.keys() - self._topology.nodes:
            if self._executors[address].is_idle:
                await self._executors.pop(address).aclose()


class ClusterPubSub:
    """Subscribes to each channel at its node."""

    def __init__(
        self, topology: Topology, on_message: Callable[[str, bytes], None], on_gap: Callable[[str], None]
    ) -> None:
        """Begin without subscriptions; see `RedisPubSub`."""
        self._topology = topology
        self._on_message = on_message
        self._on_gap = on_gap
        self._nodes: dict[Address | None, RedisPubSub] = {}
        self._node_of_channel: dict[str, RedisPubSub] = {}
        topology.add_observer(self._on_new_map)

    def open(self) -> None:
        """Connect to nodes when there is something to subscribe to."""

    async def aclose(self) -> None:
        """Close all connections."""
        for node in self._nodes.values():
            await node.aclose()

    async def subscribe(self, channel: str) -> None:
        """Return once all messages that are published from then on will arrive; see `PubSub.subscribe`."""
        if channel not in self._node_of_channel:
            self._node_of_channel[channel] = self._node(self._topology.owner(channel))
        await self._node_of_channel[channel].subscribe(channel)

    def unsubscribe(self, channel: str) -> None:
        """End the subscription; at once, and without waiting."""
        node = self._node_of_channel.pop(channel, None)
        if node is not None:
            node.unsubscribe(channel)

    def _node(self, address: Address | None) -> RedisPubSub:
        """Return the subscriptions at a node; those without an address are never opened, and wait for a node."""
        node = self._nodes.get(address)
        if node is None:
            pool = self._topology.pool(address or ("", 0))
            node = self._nodes[address] = RedisPubSub(pool, self._on_message, self._on_gap, self)
            if address is not None:
                node.open()
        if address is None:
            self._topology.refresh_soon()
        return node

    def _move(self, channel: str, address: Address | None) -> None:
        former, node = self._node_of_channel[channel], self._node(address)
        if node is not former:
            node.attach(channel, former.detach(channel))
            self._node_of_channel[channel] = node

    def on_unsubscribed(self, channel: str) -> None:
        """Subscribe again once the node of the slot is known."""
        self._move(channel, None)

    def on_moved(self, error: MovedError, channels: Sequence[str]) -> None:
        """Subscribe at the node to which the slot has moved."""
        self._topology.apply_move(error)
        for channel in channels:
            self._move(channel, error.node_addr)

    def on_failure(self) -> None:
        """Fetch the map again: another node may serve the slots of one that cannot be reached."""
        self._topology.refresh_soon()

    async def _on_new_map(self) -> None:
        for channel in tuple(self._node_of_channel):
            self._move(channel, self._topology.owner(channel))
        for address in self._nodes.keys() - self._topology.nodes - {None}:
            if self._nodes[address].is_idle:
                await self._nodes.pop(address).aclose()
