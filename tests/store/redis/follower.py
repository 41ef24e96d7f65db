"""A listener of one session, and helpers that read the session."""

import asyncio
from collections.abc import Callable

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.store.listeners import Unsubscribe, changes_of
from progress_sse.store.redis.backend import RedisBackend
from progress_sse.store.types import LogEntry, Notification, Record

DEADLINE_S = 30
FAILOVER_S = 60


class Follower:
    """A listener in one process, with all notifications that it got."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self._is_notified = asyncio.Event()
        self.leave: Unsubscribe

    @classmethod
    async def of(cls, backend: RedisBackend, session_id: str = "s") -> "Follower":
        """Listen, then load, as a channel of the hub does."""
        follower = cls()
        follower.leave = await backend.subscribe(changes_of(session_id), follower.on_notification)
        follower.notifications.append(Notification(session_id, await backend.load(session_id)))
        return follower

    def on_notification(self, notification: Notification) -> None:
        self.notifications.append(notification)
        self._is_notified.set()

    @property
    def record(self) -> Record | None:
        return self.notifications[-1].record

    @property
    def entries(self) -> list[LogEntry]:
        """All transitions of its notifications, in order."""
        return [entry for notification in self.notifications for entry in notification.entries]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until its notifications fulfil the condition."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._is_notified.clear()
                await self._is_notified.wait()

    async def until_at(self, record: Record | None) -> None:
        """Wait until its last notification has this record."""
        await self.until(lambda: self.record == record)


async def history(backend: RedisBackend, epoch: str = "first") -> list[LogEntry] | None:
    """All transitions of the session `s` in this epoch."""
    entries = await backend.replay("s", Position(epoch, 0))
    return None if entries is None else list(entries)


async def load_when_back(backend: RedisBackend, session_id: str) -> Record:
    """The session, once a server can be reached that has it."""
    async with asyncio.timeout(FAILOVER_S):
        while True:
            try:
                record = await backend.load(session_id)
            except StoreUnavailableError:
                continue
            assert record is not None
            return record
