"""Streams over a store, without the rest of a server."""

import asyncio
from typing import Any

from progress_sse._internal.clock import SystemClock
from progress_sse.core.session_filter import SessionFilter
from progress_sse.store.backend import FullBackend
from progress_sse.store.memory import MemoryBackend
from progress_sse.store.progress_store import ProgressStore
from progress_sse.store.types import StorageLimits
from progress_sse.streaming.body_writer import extensions
from progress_sse.streaming.event_stream import StreamRequest
from progress_sse.streaming.hub import Hub
from progress_sse.streaming.registry import Streams
from progress_sse.streaming.timers import Expiry, Heartbeat
from progress_sse.wire.cursor import ResumePoint
from tests.streaming.client import Client


class Service:
    """A store with at most three streams."""

    def __init__(
        self, backend: FullBackend | None = None, *, heartbeat_s: float = 15, send_timeout_s: float = 30
    ) -> None:
        backend = backend or MemoryBackend(StorageLimits())
        clock = SystemClock()
        self.store = ProgressStore(backend)
        self.hub = Hub(backend, retry_ms=2000)
        self.heartbeat = Heartbeat(heartbeat_s, clock)
        self.streams = Streams(
            self.hub, self.heartbeat, Expiry(clock), clock, retry_ms=2000, send_timeout_s=send_timeout_s, max_streams=3
        )
        self.tasks: list[asyncio.Task[None]] = []

    def connect(
        self,
        client: Client,
        *session_ids: str,
        directly: bool,
        method: str = "GET",
        wanted: SessionFilter | None = None,
    ) -> asyncio.Task[None]:
        """Begin the response to a client, directly or by ASGI."""
        resume_points: dict[str, ResumePoint | None] = dict.fromkeys(session_ids)
        request = StreamRequest(resume_points, len(resume_points) > 1, False, None, wanted=wanted)
        response = self.streams.respond(request)
        scope = {"type": "http", "method": method, "extensions": extensions(client) if directly else {}}
        self.tasks.append(asyncio.create_task(_answer(response, scope, client)))
        return self.tasks[-1]

    async def follow(self, session_id: str, *, directly: bool) -> Client:
        """Return a client that has received its snapshot."""
        client = Client()
        self.connect(client, session_id, directly=directly)
        await client.wait_until(lambda: bool(client.events))
        return client


async def _answer(response: Any, scope: Any, client: Client) -> None:
    await response(scope, client.receive, client.send)
