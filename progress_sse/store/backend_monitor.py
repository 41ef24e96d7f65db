"""Whether a backend works, how long its commits take, and how many sessions it has."""

import asyncio
import math
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from progress_sse._internal.clock import Clock
from progress_sse._internal.tasks import has_failed
from progress_sse.core.errors import ProblemError, StoreUnavailableError
from progress_sse.core.model import SessionStatus
from progress_sse.store.backend import Backend, FullBackend

PING_VALID_S: Final = 1.0
"""Seconds for which the result of a successful ping counts, unless an operation fails."""

COUNT_TIMEOUT_S: Final = 5
"""Seconds that a count may take: Prometheus waits for ten."""

REST_FACTOR: Final = 20
"""A result stays valid this many times as long as the count took. So counting takes 5 % of the store's time at most."""


class BackendMonitor:
    """Times the commits and pings of a backend, and remembers whether the last ones succeeded."""

    def __init__(self, backend: Backend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._ping: asyncio.Task[float] | None = None
        self._ping_valid_until = -math.inf
        self._began_at: dict[Coroutine[Any, Any, None], float] = {}

    @property
    def longest_wait_s(self) -> float:
        """For how many seconds the oldest commit or ping that is under way has been waiting."""
        began = next(iter(self._began_at.values()), None)
        return 0.0 if began is None else self._clock.monotonic() - began

    async def ping(self) -> None:
        """Return if a commit would have a chance to succeed now.

        Every client may ask, and each ping of a backend can cost a write. So callers within a second share one.
        """
        if self._clock.monotonic() < self._ping_valid_until:
            return
        if self._ping is None or self._ping.done():
            self._ping = asyncio.get_running_loop().create_task(self.timed(self._backend.ping()))
            self._ping.add_done_callback(has_failed)  # Its callers may all be cancelled.
        await asyncio.shield(self._ping)
        self._ping_valid_until = self._clock.monotonic() + PING_VALID_S

    def close(self) -> None:
        """Cancel a ping that is under way."""
        if self._ping is not None:
            self._ping.cancel()

    async def timed(self, work: Coroutine[Any, Any, None]) -> float:
        """Wait for a commit or ping, and return how many seconds it took."""
        began = self._began_at[work] = self._clock.monotonic()
        try:
            await work
        except ProblemError:
            self._ping_valid_until = -math.inf
            raise
        finally:
            del self._began_at[work]
        return self._clock.monotonic() - began


class SessionCounts:
    """Counts the sessions of a store, and reuses the result while counting again would cost too much."""

    def __init__(self, backend: FullBackend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._counts: Mapping[SessionStatus, int] | None = None
        self._counting = asyncio.Lock()
        self._next_at = clock.monotonic()

    async def take(self) -> Mapping[SessionStatus, int] | None:
        """Return how many sessions there are, or were recently; `None` if the store does not answer in time."""
        async with self._counting:  # Concurrent callers share one result.
            began = self._clock.monotonic()
            if began >= self._next_at:
                try:
                    async with asyncio.timeout(COUNT_TIMEOUT_S):
                        self._counts = await self._backend.lists.count_by_status()
                except (StoreUnavailableError, TimeoutError):
                    self._counts = None
                ended = self._clock.monotonic()
                self._next_at = ended + REST_FACTOR * (ended - began)
            return self._counts
