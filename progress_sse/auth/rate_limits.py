"""Limits how often one caller may publish, and read.

The limits library counts, with a sliding window. Servers that share a Redis count together.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from progress_sse.auth.grants import Action
from progress_sse.core.errors import ConfigurationError, RateExceededError
from progress_sse.store.health import HealthLog

MAX_CALLERS: Final = 100_000
"""Callers counted separately within one window; all others share one count."""


class WindowStorage(MemoryStorage):
    """Counts in this process, and drops a whole window at a time.

    The library's own storage visits all callers with each request, which takes 1.4 ms for 20 000 of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[int, dict[int, dict[str, int]]] = {}

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add `amount` to the count of `key` if at most `limit` then fall into `expiry` seconds; return if it did."""
        previous, current, left_s = self._counts(expiry)
        key = _known(key, current)
        before = previous.get(key, 0) * left_s / expiry + current.get(key, 0)
        is_within = math.floor(before) + amount <= limit
        if is_within:
            current[key] = current.get(key, 0) + amount
        return is_within

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the counts of the previous and the current window, each with the seconds until it expires."""
        previous, current, left_s = self._counts(expiry)
        key = _known(key, current)
        return previous.get(key, 0), left_s, current.get(key, 0), left_s + expiry

    def _counts(self, expiry: int) -> tuple[dict[str, int], dict[str, int], float]:
        """Return the counts of the previous and the current window of `expiry` seconds, and the rest of the latter."""
        passed, passed_s = divmod(time.time(), expiry)
        number = int(passed)
        known = self._windows.get(expiry, {})
        previous = known.get(number - 1, {})
        current = known.get(number, {})
        self._windows[expiry] = {number - 1: previous, number: current}
        return previous, current, expiry - passed_s


def _known(key: str, current: Mapping[str, int]) -> str:
    return key if key in current or len(current) < MAX_CALLERS else ""


COUNT_TIMEOUT_S: Final = 0.5
"""Seconds after which this process alone counts a request: Redis is away, or too many requests wait for it."""

COUNTS_AT_ONCE: Final = 8
"""Connections to Redis that are used for counting."""

MakeStorage: TypeAlias = Callable[[], tuple[Storage, Callable[[], Awaitable[object]]]]
"""Returns the storage of the counts, and the function that closes its connections."""


class RateLimiter:
    """Counts requests per caller, and refuses those beyond the rates of each action."""

    def __init__(self, items: Mapping[Action, Sequence[RateLimitItem]], make_storage: MakeStorage) -> None:
        """Limit each action by its `items`, and count in the storage that `make_storage` returns."""
        self._items = items
        self._make_storage = make_storage
        self._fallback = SlidingWindowCounterRateLimiter(WindowStorage())
        self._health = HealthLog("Counting the requests of callers")
        self._reset()

    def _reset(self) -> None:
        """Make everything that waits or connects; after a close it may be used in another event loop."""
        storage, self._close = self._make_storage()
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._at_once = asyncio.Semaphore(COUNTS_AT_ONCE)

    async def count(self, action: Action, caller: str, count: int = 1) -> None:
        """Count a request as `count` requests.

        Raises:
            RateExceededError: The caller is over a rate; it names the seconds to wait.
        """
        for item in self._items.get(action, ()):
            try:
                async with asyncio.timeout(COUNT_TIMEOUT_S), self._at_once:
                    resets_at = await _hit(self._limiter, item, action, caller, count)
                self._health.record(None)
            except (StorageError, TimeoutError) as error:
                self._health.record(error)
                resets_at = await _hit(self._fallback, item, action, caller, count)
            if resets_at is not None:
                raise RateExceededError(max(1, math.ceil(resets_at - time.time())))

    async def aclose(self) -> None:
        """Close all connections; the next count opens new ones."""
        close = self._close
        self._reset()
        await close()


async def _hit(
    limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, action: Action, caller: str, count: int
) -> float | None:
    """Count a request; if it is over the rate, return when the next one is allowed, in seconds since 1970."""
    if await limiter.hit(item, action, caller, cost=count):
        return None
    resets_at, _ = await limiter.get_window_stats(item, action, caller)
    return resets_at


def parse_rate(name: str, rate: str | None) -> list[RateLimitItem]:
    """Return the limits of the setting `name`; none where it is `None`.

    Raises:
        ConfigurationError: It is not a valid rate, or allows nothing.
    """
    try:
        items = [] if rate is None else parse_many(rate)
        if any(item.amount == 0 for item in items):
            raise ValueError("nothing is allowed")
    except ValueError:
        raise ConfigurationError(f"{name} must be like 100/second, or 100/second;1000/hour.") from None
    return items
