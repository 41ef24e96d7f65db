"""Which node of a cluster serves which slot, as far as we know; and nothing of what is asked there.

The map is asked for when it is first needed, and whenever something shows that it is out of date. Any node may be the
one that answers, and one that has not heard the latest yet says what was: then the one that is wrongly asked says so,
and the map is asked for once more.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from redis.asyncio.connection import ConnectionPool
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import MovedError

from progress_sse._internal.cancel_tasks import cancel
from progress_sse.store.health import HealthLog
from progress_sse.store.redis.connection import connected
from progress_sse.store.redis.errors import CONNECTION_ERRORS
from progress_sse.store.redis.url import Address, Seeds

logger = logging.getLogger(__name__)

PAUSE_S: Final = 0.2
"""Seconds at least between two questions for the map: news of a move takes longer than that to reach all nodes."""

MAP_TIMEOUT_S: Final = 0.5
"""Seconds until another node is asked."""


@lru_cache(maxsize=65_536)
def slot_of(key: str) -> int:
    """Return the slot in which a key or a channel lies."""
    return key_slot(key.encode())


class Topology:
    """The map of a cluster.

    Attributes:
        nodes: All that serve slots.
    """

    def __init__(self, seeds: Seeds) -> None:
        """Know nothing yet."""
        self.nodes: frozenset[Address] = frozenset()
        self._seeds = seeds
        self._owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._observers: list[Callable[[], Awaitable[None]]] = []
        self._is_outdated = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._health = HealthLog("The cluster")

    def watch(self, observer: Callable[[], Awaitable[None]]) -> None:
        """Call `observer` whenever the map was asked for, changed or not."""
        self._observers.append(observer)

    def open(self) -> None:
        """Ask for the map, and again whenever it is out of date."""
        self._is_outdated.set()
        self._runner = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Ask no more."""
        if self._runner is not None:
            await cancel(self._runner)

    def owner(self, key: str) -> Address | None:
        """Return the node that serves a key or a channel, if it is known."""
        return self._owners[slot_of(key)]

    def pool(self, address: Address) -> ConnectionPool:
        """Return what makes connections to a node."""
        return self._seeds.pool(address)

    def move(self, refusal: MovedError) -> None:
        """Believe a node that says who serves a slot in its place."""
        self._owners[refusal.slot_id] = refusal.node_addr
        self.refresh_soon()

    def refresh_soon(self) -> None:
        """Ask for the map again."""
        self._is_outdated.set()

    async def _run(self) -> None:
        while True:
            await self._is_outdated.wait()
            self._is_outdated.clear()
            try:
                self._take(await self._ask())
            except CONNECTION_ERRORS as error:
                self._health.record(error)
                self._is_outdated.set()
            except Exception:
                logger.exception("the map of the cluster was not understood")
            else:
                self._health.record(None)
                for observer in self._observers:
                    await observer()
            await asyncio.sleep(PAUSE_S)

    async def _ask(self) -> list[tuple[int, int, Address]]:
        """Return the first and the last of each range of slots, and who serves it."""
        known = list({*self.nodes, *self._seeds.addresses})
        failure: BaseException = OSError("no node of the cluster answers")
        for address in random.sample(known, len(known)):  # One of them may be wrong, or say nothing.
            try:
                async with asyncio.timeout(MAP_TIMEOUT_S):
                    return _decoded(await self._slots(address), address)
            except CONNECTION_ERRORS as error:
                failure = error
        raise failure

    async def _slots(self, address: Address) -> Sequence[Any]:
        connection = await connected(self.pool(address))
        try:
            await connection.send_command("CLUSTER", "SLOTS", check_health=False)
            slots: Sequence[Any] = await connection.read_response()
            return slots
        finally:
            await connection.disconnect(nowait=True)

    def _take(self, ranges: Sequence[tuple[int, int, Address]]) -> None:
        self._owners = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, address in ranges:
            self._owners[first : last + 1] = [address] * (last + 1 - first)
        self.nodes = frozenset(address for _, _, address in ranges)


def _decoded(slots: Sequence[Any], asked: Address) -> list[tuple[int, int, Address]]:
    """Return the ranges; a node that does not know its own host is where it was asked."""
    return [(first, last, ((host or asked[0].encode()).decode(), port)) for first, last, (host, port, *_), *_ in slots]
