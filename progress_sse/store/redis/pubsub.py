"""The connection on which Redis publishes the commits of other processes: one for all followed sessions.

Messages that are published while it is down are lost. So each confirmed subscription after the first of a channel means
a *gap*, and the owner has to read the session. In a cluster there is a connection to each node of a channel. When a
slot moves, its subscriptions move too, with a gap.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import MovedError

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.tasks import cancel
from progress_sse.core.errors import StoreUnavailableError
from progress_sse.store.health import HealthLog
from progress_sse.store.redis.connection import connect, send
from progress_sse.store.redis.errors import CONNECTION_ERRORS
from progress_sse.store.redis.topology import Topology, slot_of
from progress_sse.store.redis.url import Address

logger = logging.getLogger(__name__)

PING_INTERVAL_S: Final = 5.0
"""Seconds in which the server has to send something; a lost server is noticed within twice as long."""

SUBSCRIBE_TIMEOUT_S: Final = 2.0
"""Seconds until `subscribe` fails for its caller; the subscription is still tried until `unsubscribe`."""

RECONNECT_PAUSES_S: Final = (0.1, 2.0)
"""Upper bounds of the random pause before the next attempt to connect: first retry, later retries."""

_CHANNELS_AT_ONCE: Final = 500


class RedisPubSub:
    """Subscriptions that outlive their connection."""

    def __init__(
        self,
        pool: ConnectionPool,
        on_message: Callable[[str, bytes], None],
        on_gap: Callable[[str], None],
        cluster: "ClusterPubSub | None" = None,
    ) -> None:
        """Call `on_message` with a channel and each of its messages, and `on_gap` once it is subscribed to anew."""
        self._pool = pool
        self._cluster = cluster
        self._on_message = on_message
        self._on_gap = on_gap
        self._subscriptions: dict[str, asyncio.Future[None]] = {}
        self._requests: dict[str, bool] = {}
        self._has_requests = asyncio.Event()
        self._unconfirmed: Counter[str] = Counter()
        self._has_received = False
        self._backoff = Backoff(*RECONNECT_PAUSES_S)
        self._runner: asyncio.Task[None] | None = None
        self._health = HealthLog("Redis Pub/Sub")

    def open(self) -> None:
        """Connect, and stay connected."""
        self._runner = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Close the connection."""
        if self._runner is not None:
            await cancel(self._runner)
        for confirmed in self._subscriptions.values():
            confirmed.cancel()
        self._subscriptions.clear()

    async def subscribe(self, channel: str) -> None:
        """Return once all later messages will arrive; where that fails, `unsubscribe` withdraws the request."""
        confirmed = self._subscriptions.get(channel)
        if confirmed is None:
            confirmed = self._subscriptions[channel] = asyncio.get_running_loop().create_future()
            self._request(channel, is_wanted=True)
        done, _ = await asyncio.wait([confirmed], timeout=SUBSCRIBE_TIMEOUT_S)
        if not done:
            raise StoreUnavailableError
        confirmed.result()

    def unsubscribe(self, channel: str) -> None:
        """End the subscription; at once, and without waiting."""
        if channel in self._subscriptions:
            self.detach(channel).cancel()

    @property
    def is_idle(self) -> bool:
        """Whether there are no subscriptions."""
        return not self._subscriptions

    def detach(self, channel: str) -> "asyncio.Future[None]":
        """End the subscription, and return the future that its callers wait for."""
        self._request(channel, is_wanted=False)
        return self._subscriptions.pop(channel)

    def attach(self, channel: str, confirmed: "asyncio.Future[None]") -> None:
        """Subscribe for the callers of a subscription that was detached elsewhere."""
        self._subscriptions[channel] = confirmed
        self._request(channel, is_wanted=True)

    def _request(self, channel: str, *, is_wanted: bool) -> None:
        self._requests.pop(channel, None)  # The latest request of a channel counts, and goes to the end.
        self._requests[channel] = is_wanted
        self._has_requests.set()

    async def _run(self) -> None:
        while True:
            try:
                connection = await connect(self._pool)
                try:
                    await self._serve(connection)
                finally:
                    await connection.disconnect(nowait=True)
            except CONNECTION_ERRORS as error:
                self._health.record(error)
                if self._cluster is not None:
                    self._cluster.topology.refresh_soon()  # Another node may serve its slots.
            except Exception:
                logger.exception("Unexpected error while messages from Redis were received")
            await asyncio.sleep(self._backoff.next_s())

    async def _serve(self, connection: AbstractConnection) -> None:
        self._unconfirmed.clear()
        self._requests = dict.fromkeys(self._subscriptions, True)
        self._has_requests.set()
        await _run_until_first_ends(self._read(connection), self._write(connection), self._watch(connection))

    async def _write(self, connection: AbstractConnection) -> None:
        while True:
            await self._has_requests.wait()
            self._has_requests.clear()
            requests, self._requests = self._requests, {}
            for verb, is_wanted in (("UNSUBSCRIBE", False), ("SUBSCRIBE", True)):
                channels = [channel for channel, request in requests.items() if request is is_wanted]
                for start in range(0, len(channels), _CHANNELS_AT_ONCE):
                    some = channels[start : start + _CHANNELS_AT_ONCE]
                    if is_wanted:
                        self._unconfirmed.update(some)
                    # In a cluster one command takes channels of one slot only.
                    commands: list[tuple[str, ...]] = [(verb, *some)]
                    if self._cluster is not None:
                        commands = [(f"S{verb}", each) for each in some]
                    await send(connection, commands)

    async def _watch(self, connection: AbstractConnection) -> None:
        while True:
            self._has_received = False
            await send(connection, [("PING",)])
            await asyncio.sleep(PING_INTERVAL_S)
            if not self._has_received:
                raise TimeoutError("no sign of life")

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            try:
                reply = await connection.read_response(timeout=math.inf, disconnect_on_error=False)
            except MovedError as error:
                self._handle_move(error)
                continue
            self._has_received = True
            self._backoff.reset()  # Not before: a user may connect and then be refused every command.
            self._health.record(None)
            if isinstance(reply, list):
                self._handle(*reply)

    def _handle(self, kind: bytes, channel: bytes, content: bytes | int | None = None) -> None:
        if kind in (b"message", b"smessage") and isinstance(content, bytes):
            self._on_message(channel.decode(), content)
        elif kind in (b"subscribe", b"ssubscribe"):
            self._confirm(channel.decode())
        elif kind == b"sunsubscribe" and self._cluster is not None:
            name = channel.decode()
            if name in self._subscriptions and not self._unconfirmed[name]:
                self._cluster.on_unsubscribed(name)

    def _handle_move(self, error: MovedError) -> None:
        channels = [channel for channel in self._unconfirmed if slot_of(channel) == error.slot_id]
        for channel in channels:
            del self._unconfirmed[channel]
        if self._cluster is not None:
            self._cluster.on_moved(error, [channel for channel in channels if channel in self._subscriptions])

    def _confirm(self, channel: str) -> None:
        # The last request confirms a channel that was unsubscribed from and subscribed to again.
        self._unconfirmed[channel] -= 1
        if self._unconfirmed[channel] > 0:
            return
        del self._unconfirmed[channel]
        confirmed = self._subscriptions.get(channel)
        if confirmed is not None and confirmed.done():
            self._on_gap(channel)
        elif confirmed is not None:
            confirmed.set_result(None)


class ClusterPubSub:
    """Subscribes to each channel at its node."""

    def __init__(
        self, topology: Topology, on_message: Callable[[str, bytes], None], on_gap: Callable[[str], None]
    ) -> None:
        self.topology = topology
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
        """Return once all later messages will arrive; see `RedisPubSub.subscribe`."""
        if channel not in self._node_of_channel:
            self._node_of_channel[channel] = self._node(self.topology.owner(channel))
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
            pool = self.topology.pool(address or ("", 0))
            node = self._nodes[address] = RedisPubSub(pool, self._on_message, self._on_gap, self)
            if address is not None:
                node.open()
        if address is None:
            self.topology.refresh_soon()
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
        self.topology.apply_move(error)
        for channel in channels:
            self._move(channel, error.node_addr)

    async def _on_new_map(self) -> None:
        for channel in tuple(self._node_of_channel):
            self._move(channel, self.topology.owner(channel))
        for address in self._nodes.keys() - self.topology.nodes - {None}:
            if self._nodes[address].is_idle:
                await self._nodes.pop(address).aclose()


async def _run_until_first_ends(*runners: Coroutine[Any, Any, None]) -> None:
    tasks: Sequence[asyncio.Task[None]] = [asyncio.get_running_loop().create_task(runner) for runner in runners]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(*tasks)
    for task in done:
        task.result()
