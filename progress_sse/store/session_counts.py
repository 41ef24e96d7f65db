"""The number of sessions, for an operator whose monitoring asks repeatedly."""

import asyncio
from collections.abc import Mapping
from typing import Final

from progress_sse._internal.clock import Clock
from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import SessionStatus
from progress_sse.store.backend import FullBackend

COUNT_TIMEOUT_S: Final = 5
"""Seconds that a count may take: Prometheus waits for ten."""

REST_FACTOR: Final = 20
"""A result stays valid this many times as long as the count took. So counting takes 5 % of the store's time at most."""


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
