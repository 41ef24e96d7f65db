"""A subscriber that records its frames, and a backend whose reads can be held up."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import Position
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import Notification, Record, StorageLimits
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.subscriber import QueuedBatch
from progress_sse.wire.cursor import ResumePoint
from progress_sse.wire.frames import Frame
from tests.harness.presence import present

DEADLINE_S = 20
ROOM_BYTES = 2**20
"""More bytes than ever wait in these tests."""


class SlowBackend(MemoryBackend):
    """A memory backend whose reads can be held up: the result is fixed before the wait, and returned after it."""

    def __init__(self, limits: StorageLimits | None = None) -> None:
        super().__init__(limits or StorageLimits())
        self.gate = asyncio.Event()
        self.gate.set()
        self.held = asyncio.Event()
        self.held_up = ""
        self.is_away = False

    def hold_up(self, method: str) -> None:
        """Let every `load`, or every `replay`, wait for the gate."""
        self.held_up = method
        self.gate.clear()

    async def _pass(self, method: str) -> None:
        if self.is_away:
            raise StoreUnavailableError
        if method == self.held_up:
            self.held.set()
            await self.gate.wait()

    async def load(self, session_id: str) -> Record | None:
        found = await super().load(session_id)
        await self._pass("load")
        return found

    async def replay(self, session_id: str, after: Position) -> Any:
        found = await super().replay(session_id, after)
        await self._pass("replay")
        return found

    @property
    def _listeners(self) -> dict[str, dict[object, Any]]:
        return self._topics._changes.by_name  # noqa: SLF001  # only these tests need the listeners

    def listeners(self, session_id: str) -> list[Callable[[Notification], None]]:
        return list(self._listeners.get(session_id, {}).values())

    def lose_listeners(self, session_id: str) -> None:
        """Notify the listeners of the session no more, as where messages are lost."""
        del self._listeners[session_id]


class Reader:
    """A subscriber that records the frames it got."""

    def __init__(self, hub: Hub, *session_ids: str, reads_lines: bool = False) -> None:
        self.hub = hub
        self.woken = asyncio.Event()
        self.subscriber = hub.new_subscriber(len(session_ids), self.woken.set, reads_lines=reads_lines)
        self.seen: list[Frame] = []

    async def subscribe(self, session_id: str, resume_point: ResumePoint | None = None) -> None:
        await self.hub.subscribe(self.subscriber, session_id, resume_point)

    async def read(self) -> list[str]:
        """Wait until it is woken, and return the labels of the frames that wait then."""
        async with asyncio.timeout(DEADLINE_S):
            await self.woken.wait()
        self.woken.clear()
        return self.take()

    def take(self) -> list[str]:
        received: list[QueuedBatch] = []
        while self.subscriber.has_waiting:
            received += self.subscriber.take(ROOM_BYTES)
        frames = [frame for _, batch in received for frame in batch.frames]
        self.seen += frames
        heartbeats = ["heartbeat" for _, batch in received if not batch.frames]
        return [label(frame) for frame in frames] + heartbeats


async def following(hub: Hub, session_id: str = "a") -> Reader:
    """A reader of a session that has read its snapshot."""
    reader = Reader(hub, session_id)
    await reader.subscribe(session_id)
    await reader.read()
    return reader


def label(frame: Frame) -> str:
    """`snapshot@0`, `step@3`: the event's name and its number."""
    match = present(re.search(rb"^event: (.*)$", frame.data, re.MULTILINE))
    return f"{match[1].decode()}@{frame.position.offset}"


def data_of(frame: Frame) -> Any:
    match = present(re.search(rb"^data: (.*)$", frame.data, re.MULTILINE))
    return json.loads(match[1])


def labels(name: str, numbers: Iterable[int]) -> list[str]:
    return [f"{name}@{n}" for n in numbers]


def at(position: Position) -> ResumePoint:
    return lambda _current: position


async def position_of(store: ProgressStore, session_id: str) -> Position:
    return present(await store.load(session_id)).position


async def restart(store: ProgressStore, count: int) -> None:
    """Start the first step of the session `a` again and again, so many times."""
    for _ in range(count):
        await store.start_step("a", 1)
