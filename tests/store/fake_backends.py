"""Backends that behave as a test of the store needs."""

import asyncio
from collections.abc import Awaitable, Callable

from progress_sse.core.errors import ConflictError
from progress_sse.store.backend import FullBackend
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.types import Change, Record, StorageLimits


class SlowBackend(MemoryBackend):
    """Memory whose commits wait for a gate to be opened."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.gate = asyncio.Event()

    async def commit(self, change: Change) -> None:
        await self.gate.wait()
        await super().commit(change)


class ContestedBackend:
    """A backend on which two changes of a session, decided at the same time, always conflict."""

    def __init__(self, backend: FullBackend) -> None:
        self.conflicts = 0
        self.open = backend.open
        self.aclose = backend.aclose
        self.ping = backend.ping
        self.cached_record = backend.cached_record
        self.find_idempotency_key = backend.find_idempotency_key
        self.replay = backend.replay
        self.expire = backend.expire
        self.forget_keys = backend.forget_keys
        self.subscribe = backend.subscribe
        self.lists = backend.lists
        self.lines = backend.lines
        self.histories = backend.histories
        self.leases = backend.leases
        self.outbox = backend.outbox
        self.damage_count = backend.damage_count
        self._backend = backend

    async def load(self, session_id: str) -> Record | None:
        record = await self._backend.load(session_id)
        for _ in range(3):
            await asyncio.sleep(0)
        return record

    async def commit(self, change: Change) -> None:
        try:
            await self._backend.commit(change)
        except ConflictError:
            self.conflicts += 1
            raise


class ConflictingBackend(MemoryBackend):
    """A backend on which every commit conflicts."""

    attempts = 0

    async def commit(self, change: Change) -> None:
        self.attempts += 1
        raise ConflictError


class CachingBackend(MemoryBackend):
    """A backend with a cached record that the test chooses, and which counts loads."""

    def __init__(self) -> None:
        super().__init__(StorageLimits())
        self.known: Record | None = None
        self.loads = 0

    def cached_record(self, session_id: str) -> Record | None:  # type: ignore[override]  # the others have no cached record
        return self.known

    async def load(self, session_id: str) -> Record | None:
        self.loads += 1
        return await super().load(session_id)


class OvertakenBackend(ContestedBackend):
    """A backend on which another process does something just before a commit."""

    before_commit: Callable[[], Awaitable[object]] | None = None

    async def commit(self, change: Change) -> None:
        meanwhile = self.before_commit
        self.before_commit = None
        if meanwhile is not None:
            await meanwhile()
        await super().commit(change)
