"""Calls to a cluster and what it tells: one connection for each to every node that serves something of ours.

A call goes to the node that serves its key. Where that one says that another does, or does not answer, the call is sent
again within its time. While the keys of a slot are on their way from one node to another, a session's keys are partly
here and partly there, and neither node answers for it; its calls wait, like those to a node that is away.

A channel is listened to where its session is. When its slot moves, so does the subscription, with a gap.
"""

import asyncio
from collections.abc import Callable, Sequence

from redis.exceptions import AskError, MovedError, RedisError

from progress_sse.store.redis.connection import RedisLink
from progress_sse.store.redis.pipeline import Answer, Call, Calls, RedisCalls
from progress_sse.store.redis.pubsub import RedisListener
from progress_sse.store.redis.topology import Topology
from progress_sse.store.redis.url import Address


class ClusterCalls(Calls):
    """Sends each call to its node."""

    def __init__(self, topology: Topology) -> None:
        """Connect to nodes of `topology` when something is asked of them."""
        self._topology = topology
        self._lanes: dict[Address, RedisCalls] = {}
        self._parked: list[Call] = []
        topology.watch(self._send_again)

    def open(self) -> None:
        """Ask for the map."""
        self._topology.open()

    async def aclose(self) -> None:
        """Give up what waits, and all connections."""
        await self._topology.aclose()
        for lane in self._lanes.values():
            await lane.aclose()
        for call in self._parked:
            call.give_up()
            call.expiry.cancel()

    def send(self, call: Call) -> asyncio.Future[Answer]:
        """Send a call to the node that serves its key, or keep it until that is known."""
        address = self._topology.owner(str(call.key))
        if address is None:
            self._send_later(call)
        else:
            self._lane(address).send(call)
        return call.done

    def _send_later(self, call: Call) -> None:
        self._parked.append(call)
        self._topology.refresh_soon()

    def _lane(self, address: Address) -> RedisCalls:
        lane = self._lanes.get(address)
        if lane is None:
            lane = self._lanes[address] = RedisCalls(RedisLink(self._topology.pool(address)), self)
            lane.open()
        return lane

    def redirect(self, call: Call, refusal: RedisError) -> None:
        """Send a call elsewhere, or later, that a node has refused."""
        call.refuse()
        if isinstance(refusal, MovedError):
            self._topology.move(refusal)
            self.send(call)
        elif isinstance(refusal, AskError):
            call.is_asking = True
            self._lane(refusal.node_addr).send(call)
        else:
            self._send_later(call)

    def note_failure(self) -> None:
        """Take notice that a node is not there: perhaps another one has its slots by now."""
        self._topology.refresh_soon()

    async def _send_again(self) -> None:
        waiting, self._parked = self._parked, []
        for lane in self._lanes.values():
            waiting += lane.take_waiting()
        for call in waiting:
            if not call.done.done():
                self.send(call)
        for address in self._lanes.keys() - self._topology.nodes:
            if self._lanes[address].is_idle:
                await self._lanes.pop(address).aclose()


class ClusterListener:
    """Listens to each channel at its node."""

    def __init__(
        self, topology: Topology, on_message: Callable[[str, bytes], None], on_gap: Callable[[str], None]
    ) -> None:
        """Listen to nothing yet; see `RedisListener`."""
        self._topology = topology
        self._on_message = on_message
        self._on_gap = on_gap
        self._lanes: dict[Address | None, RedisListener] = {}
        self._at: dict[str, RedisListener] = {}
        topology.watch(self._follow)

    def open(self) -> None:
        """Connect to nodes when there is something to listen to."""

    async def aclose(self) -> None:
        """Let go of all connections."""
        for lane in self._lanes.values():
            await lane.aclose()

    async def subscribe(self, channel: str) -> None:
        """Return once whatever is published from then on will be heard; see `Subscriptions.subscribe`."""
        if channel not in self._at:
            self._at[channel] = self._lane(self._topology.owner(channel))
        await self._at[channel].subscribe(channel)

    def unsubscribe(self, channel: str) -> None:
        """Listen to the channel no more; at once, and without waiting."""
        lane = self._at.pop(channel, None)
        if lane is not None:
            lane.unsubscribe(channel)

    def _lane(self, address: Address | None) -> RedisListener:
        """Return who listens at a node. At no node, one who is never opened keeps what nobody serves at the time."""
        lane = self._lanes.get(address)
        if lane is None:
            pool = self._topology.pool(address or ("", 0))
            lane = self._lanes[address] = RedisListener(pool, self._on_message, self._on_gap, self)
            if address is not None:
                lane.open()
        if address is None:
            self._topology.refresh_soon()
        return lane

    def _move(self, channel: str, address: Address | None) -> None:
        former, lane = self._at[channel], self._lane(address)
        if lane is not former:
            lane.adopt(channel, former.release(channel))
            self._at[channel] = lane

    def note_lost(self, channel: str) -> None:
        """Listen again where the slot will be found to be."""
        self._move(channel, None)

    def note_moved(self, refusal: MovedError, channels: Sequence[str]) -> None:
        """Listen where the slot is said to be."""
        self._topology.move(refusal)
        for channel in channels:
            self._move(channel, refusal.node_addr)

    def note_failure(self) -> None:
        """Take notice that a node is not there: perhaps another one has its slots by now."""
        self._topology.refresh_soon()

    async def _follow(self) -> None:
        for channel in tuple(self._at):
            self._move(channel, self._topology.owner(channel))
        for address in self._lanes.keys() - self._topology.nodes - {None}:
            if self._lanes[address].is_idle:
                await self._lanes.pop(address).aclose()
