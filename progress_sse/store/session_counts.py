"""How many sessions there are, for an operator who asks again and again."""

import asyncio
from collections.abc import Mapping
from typing import Final

from progress_sse._internal.clock import Clock
from progress_sse.core.errors import StoreUnavailableError
from progress_sse.core.model import SessionStatus
from progress_sse.store.backend import Backend

PATIENCE_S: Final = 5
"""Seconds that a count may take: Prometheus waits for ten."""

REST: Final = 20
"""How many times as long as a count took its result stands: counting takes a twentieth of the store's time at most."""


class SessionCounts:
    """Counts the sessions of a store, as often as that is cheap."""

    def __init__(self, backend: Backend, clock: Clock) -> None:
        """Count what is in `backend`."""
        self._backend = backend
        self._clock = clock
        self._counts: Mapping[SessionStatus, int] | None = None
        self._counting = asyncio.Lock()
        self._next_at = clock.monotonic()

    async def take(self) -> Mapping[SessionStatus, int] | None:
        """Return how many sessions there are, or were a moment ago; `None` if the store does not say so in time."""
        async with self._counting:  # Who comes meanwhile gets the same.
            began = self._clock.monotonic()
            if began >= self._next_at:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        self._counts = await self._backend.count_by_status()
                except (StoreUnavailableError, TimeoutError):
                    self._counts = None
                ended = self._clock.monotonic()
                self._next_at = ended + REST * (ended - began)
            return self._counts
