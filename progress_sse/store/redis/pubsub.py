"""The connection on which Redis tells what other processes have committed: one, however many sessions are followed.

What is published while nobody listens is lost, so every confirmed subscription that is not somebody's first is a
*gap*: whoever owns the listener has to look for himself.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import MovedError

from progress_sse._internal.backoff import Backoff
from progress_sse._internal.cancel_tasks import cancel
from progress_sse.core.errors import StoreUnavailableError
from progress_sse.store.health import HealthLog
from progress_sse.store.redis.connection import connected
from progress_sse.store.redis.errors import CONNECTION_ERRORS
from progress_sse.store.redis.topology import slot_of

logger = logging.getLogger(__name__)

PING_INTERVAL_S: Final = 5.0
"""Seconds in which the server has to show that it is there; whoever is gone is noticed within twice as long."""

SUBSCRIBE_TIMEOUT_S: Final = 2.0
"""Seconds until `subscribe` gives up, for whoever waits; the listener goes on trying as long as it is wanted."""

PAUSES_S: Final = (0.1, 2.0)
"""Seconds, at most, between two attempts to connect: after the first failure, and after any."""

_CHANNELS_AT_ONCE: Final = 500


class Shards(Protocol):
    """Knows at which node of a cluster a channel is."""

    def note_lost(self, channel: str) -> None:
        """Take notice that the node has ended a subscription: the slot is going elsewhere."""

    def note_moved(self, refusal: MovedError, channels: Sequence[str]) -> None:
        """Take notice that the node has refused to begin subscriptions: their slot is elsewhere."""

    def note_failure(self) -> None:
        """Take notice that the node is not there."""


class Subscriptions(Protocol):
    """What can be listened to, at a server or in a cluster."""

    def open(self) -> None:
        """Connect, and stay connected."""

    async def aclose(self) -> None:
        """Let go of all connections."""

    async def subscribe(self, channel: str) -> None:
        """Return once whatever is published from then on will be heard.

        Raises:
            StoreUnavailableError: That is not so in time; `unsubscribe` then takes the wish back.
        """

    def unsubscribe(self, channel: str) -> None:
        """Listen to the channel no more; at once, and without waiting."""


class RedisListener:
    """Subscriptions that outlive their connection."""

    def __init__(
        self,
        pool: ConnectionPool,
        on_message: Callable[[str, bytes], None],
        on_gap: Callable[[str], None],
        shards: Shards | None = None,
    ) -> None:
        """Listen to nothing yet.

        Args:
            pool: Makes the connection.
            on_message: Called with a channel and what was published there, in the order of the server.
            on_gap: Called with a channel once it is subscribed to anew.
            shards: Whom to tell what a node of a cluster says; subscriptions are then the sharded ones.
        """
        self._pool = pool
        self._shards = shards
        self._on_message = on_message
        self._on_gap = on_gap
        self._wanted: dict[str, asyncio.Future[None]] = {}
        self._to_send: dict[str, bool] = {}
        self._has_to_send = asyncio.Event()
        self._unconfirmed: Counter[str] = Counter()
        self._has_heard = False
        self._backoff = Backoff(*PAUSES_S)
        self._runner: asyncio.Task[None] | None = None
        self._health = HealthLog("Redis, where it tells of changes")

    def open(self) -> None:
        """Connect, and stay connected."""
        self._runner = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Let go of the connection."""
        if self._runner is not None:
            await cancel(self._runner)
        for confirmed in self._wanted.values():
            confirmed.cancel()
        self._wanted.clear()

    async def subscribe(self, channel: str) -> None:
        """Return once whatever is published from then on will be heard.

        Raises:
            StoreUnavailableError: That is not so in time; `unsubscribe` then takes the wish back.
        """
        confirmed = self._wanted.get(channel)
        if confirmed is None:
            confirmed = self._wanted[channel] = asyncio.get_running_loop().create_future()
            self._send(channel, is_wanted=True)
        try:
            async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S):
                await asyncio.shield(confirmed)
        except TimeoutError as error:
            raise StoreUnavailableError from error

    def unsubscribe(self, channel: str) -> None:
        """Listen to the channel no more; at once, and without waiting."""
        confirmed = self._wanted.pop(channel, None)
        if confirmed is not None:
            confirmed.cancel()
            self._send(channel, is_wanted=False)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is listened to."""
        return not self._wanted

    def release(self, channel: str) -> "asyncio.Future[None]":
        """Listen to the channel no more, and hand over who waits for it."""
        self._send(channel, is_wanted=False)
        return self._wanted.pop(channel)

    def adopt(self, channel: str, confirmed: "asyncio.Future[None]") -> None:
        """Listen to the channel on behalf of whom another listener has released."""
        self._wanted[channel] = confirmed
        self._send(channel, is_wanted=True)

    def _send(self, channel: str, *, is_wanted: bool) -> None:
        self._to_send.pop(channel, None)  # To the end: what is wanted last is what counts.
        self._to_send[channel] = is_wanted
        self._has_to_send.set()

    async def _run(self) -> None:
        while True:
            try:
                connection = await connected(self._pool)
                try:
                    await self._serve(connection)
                finally:
                    await connection.disconnect(nowait=True)
            except CONNECTION_ERRORS as error:
                self._health.record(error)
                if self._shards is not None:
                    self._shards.note_failure()
            except Exception:
                logger.exception("listening to Redis failed in a way that nobody foresaw")
            await asyncio.sleep(self._backoff.next_s())

    async def _serve(self, connection: AbstractConnection) -> None:
        self._unconfirmed.clear()
        self._to_send = dict.fromkeys(self._wanted, True)
        self._has_to_send.set()
        await _race(self._read(connection), self._write(connection), self._watch(connection))

    async def _write(self, connection: AbstractConnection) -> None:
        while True:
            await self._has_to_send.wait()
            self._has_to_send.clear()
            wishes, self._to_send = self._to_send, {}
            for verb, is_wanted in (("UNSUBSCRIBE", False), ("SUBSCRIBE", True)):
                channels = [channel for channel, wish in wishes.items() if wish is is_wanted]
                for start in range(0, len(channels), _CHANNELS_AT_ONCE):
                    some = channels[start : start + _CHANNELS_AT_ONCE]
                    if is_wanted:
                        self._unconfirmed.update(some)
                    # In a cluster one command takes channels of one slot only.
                    commands: list[tuple[str, ...]] = [(verb, *some)]
                    if self._shards is not None:
                        commands = [(f"S{verb}", each) for each in some]
                    packed = b"".join([pack_command(each) for each in commands])  # type: ignore[arg-type]  # any length
                    await connection.send_packed_command(packed, check_health=False)

    async def _watch(self, connection: AbstractConnection) -> None:
        while True:
            self._has_heard = False
            await connection.send_command("PING", check_health=False)
            await asyncio.sleep(PING_INTERVAL_S)
            if not self._has_heard:
                raise TimeoutError("no sign of life")

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            try:
                reply = await connection.read_response(timeout=math.inf, disconnect_on_error=False)
            except MovedError as refusal:
                self._refused(refusal)
                continue
            self._has_heard = True
            self._backoff.reset()  # Not before: a user may be let in, and then each of its commands be refused.
            self._health.record(None)
            if isinstance(reply, list):
                self._take(*reply)

    def _take(self, kind: bytes, channel: bytes, content: bytes | int | None = None) -> None:
        if kind in (b"message", b"smessage") and isinstance(content, bytes):
            self._on_message(channel.decode(), content)
        elif kind in (b"subscribe", b"ssubscribe"):
            self._confirm(channel.decode())
        elif kind == b"sunsubscribe" and self._shards is not None:
            name = channel.decode()
            if name in self._wanted and not self._unconfirmed[name]:
                self._shards.note_lost(name)

    def _refused(self, refusal: MovedError) -> None:
        channels = [channel for channel in self._unconfirmed if slot_of(channel) == refusal.slot_id]
        for channel in channels:
            del self._unconfirmed[channel]
        if self._shards is not None:
            self._shards.note_moved(refusal, [channel for channel in channels if channel in self._wanted])

    def _confirm(self, channel: str) -> None:
        # A channel that was given up and wanted again is confirmed by the last of its subscriptions.
        self._unconfirmed[channel] -= 1
        if self._unconfirmed[channel] > 0:
            return
        del self._unconfirmed[channel]
        confirmed = self._wanted.get(channel)
        if confirmed is not None and confirmed.done():
            self._on_gap(channel)
        elif confirmed is not None:
            confirmed.set_result(None)


async def _race(*runners: Coroutine[Any, Any, None]) -> None:
    """Run all until the first one ends, and end as it does."""
    tasks: Sequence[asyncio.Task[None]] = [asyncio.get_running_loop().create_task(runner) for runner in runners]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(*tasks)
    for task in done:
        task.result()
