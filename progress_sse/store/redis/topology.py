"""The map of a cluster: which node serves which slot, as far as it is known.

Any node may be asked, and may answer with an old map. A command that goes to a wrong node is then refused there, and
the map is fetched again.
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

from progress_sse._internal.tasks import cancel
from progress_sse.store.health import HealthLog
from progress_sse.store.redis.connection import connect, send
from progress_sse.store.redis.errors import CONNECTION_ERRORS
from progress_sse.store.redis.url import Address, ClusterSeeds

logger = logging.getLogger(__name__)

FETCH_PAUSE_S: Final = 0.2
"""Seconds at least between two fetches of the map: a change of it takes longer than that to reach all nodes."""

FETCH_TIMEOUT_S: Final = 0.5
"""Seconds until another node is asked."""


@lru_cache(maxsize=65_536)
def slot_of(key: str) -> int:
    """Return the slot of a key or a channel."""
    return key_slot(key.encode())


class Topology:
    """The map of a cluster; `nodes` are all nodes that serve slots."""

    def __init__(self, seeds: ClusterSeeds) -> None:
        self.nodes: frozenset[Address] = frozenset()
        self._seeds = seeds
        self._owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._observers: list[Callable[[], Awaitable[None]]] = []
        self._is_outdated = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._health = HealthLog("The cluster")

    def add_observer(self, observer: Callable[[], Awaitable[None]]) -> None:
        """Call `observer` after each fetch of the map, changed or not."""
        self._observers.append(observer)

    def open(self) -> None:
        """Fetch the map now, and again whenever it is out of date."""
        self._is_outdated.set()
        self._runner = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Stop fetching."""
        if self._runner is not None:
            await cancel(self._runner)

    def owner(self, key: str) -> Address | None:
        """Return the node that serves a key or a channel, if it is known."""
        return self._owners[slot_of(key)]

    def pool(self, address: Address) -> ConnectionPool:
        """Return a pool that connects to a node."""
        return self._seeds.pool(address)

    def apply_move(self, error: MovedError) -> None:
        """Enter the node that serves a slot according to the node that refused it."""
        self._owners[error.slot_id] = error.node_addr
        self.refresh_soon()

    def refresh_soon(self) -> None:
        """Fetch the map again."""
        self._is_outdated.set()

    async def _run(self) -> None:
        while True:
            await self._is_outdated.wait()
            self._is_outdated.clear()
            try:
                self._set_owners(await self._fetch())
            except CONNECTION_ERRORS as error:
                self._health.record(error)
                self._is_outdated.set()
            except Exception:
                logger.exception("The map of the cluster could not be decoded")
            else:
                self._health.record(None)
                for observer in self._observers:
                    await observer()
            await asyncio.sleep(FETCH_PAUSE_S)

    async def _fetch(self) -> list[tuple[int, int, Address]]:
        """Return the first and the last slot of each range, and the node that serves it."""
        known = list({*self.nodes, *self._seeds.addresses})
        failure: BaseException = OSError("no node of the cluster answers")
        for address in random.sample(known, len(known)):  # In any order: one of them may be wrong, or not answer.
            try:
                async with asyncio.timeout(FETCH_TIMEOUT_S):
                    return _decode(await self._fetch_slots(address), address)
            except CONNECTION_ERRORS as error:
                failure = error
        raise failure

    async def _fetch_slots(self, address: Address) -> Sequence[Any]:
        connection = await connect(self.pool(address))
        try:
            await send(connection, [("CLUSTER", "SLOTS")])
            slots: Sequence[Any] = await connection.read_response()
            return slots
        finally:
            await connection.disconnect(nowait=True)

    def _set_owners(self, ranges: Sequence[tuple[int, int, Address]]) -> None:
        self._owners = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, address in ranges:
            self._owners[first : last + 1] = [address] * (last + 1 - first)
        self.nodes = frozenset(address for _, _, address in ranges)


def _decode(slots: Sequence[Any], asked: Address) -> list[tuple[int, int, Address]]:
    """Return the ranges; a node that does not know its own host has that of the node `asked`."""
    return [(first, last, ((host or asked[0].encode()).decode(), port)) for first, last, (host, port, *_), *_ in slots]
