"""Whether a backend works, and how long its commits take."""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, Final

from progress_sse._internal.clock import Clock
from progress_sse.core.errors import ProblemError
from progress_sse.store.backend import Backend

PING_VALID_S: Final = 1.0
"""Seconds for which the result of a successful ping counts, unless an operation fails."""


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
        """Return if a commit would have a chance to succeed now; callers within a second share one answer."""
        if self._clock.monotonic() < self._ping_valid_until:
            return
        if self._ping is None or self._ping.done():
            self._ping = asyncio.get_running_loop().create_task(self.timed(self._backend.ping()))
            self._ping.add_done_callback(_retrieve_exception)
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


def _retrieve_exception(ping: asyncio.Task[float]) -> None:
    """Keep asyncio from logging the failure of a ping whose callers are all cancelled."""
    if not ping.cancelled():
        ping.exception()
