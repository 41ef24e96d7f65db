"""How often one caller may publish, and read.

The counting is the limits library's, with a sliding window. Servers that share a Redis count together.
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
from starlette.requests import Request

from progress_sse.auth.authorizer import Authorization, Authorizer
from progress_sse.auth.caller_identity import address_of, caller_of
from progress_sse.auth.grants import Action
from progress_sse.core.errors import ConfigurationError, ForbiddenError, RateExceededError, UnauthorizedError
from progress_sse.store.health import HealthLog

MAX_CALLERS: Final = 100_000
"""Callers that are told apart within one window; those beyond count as one."""

COUNT_TIMEOUT_S: Final = 0.5
"""Seconds after which a request is counted here alone: Redis is away, or so many ask that each waits for the others."""

COUNTS_AT_ONCE: Final = 8
"""Connections to Redis that are used for counting."""


MakeStorage: TypeAlias = Callable[[], tuple[Storage, Callable[[], Awaitable[object]]]]
"""Returns where to count, and what lets go of its connections."""


class Rates:
    """Counts requests, per caller."""

    def __init__(self, items: Mapping[Action, Sequence[RateLimitItem]], make_storage: MakeStorage) -> None:
        """Hold the actions to `items`, and count where `make_storage` says."""
        self._items = items
        self._make_storage = make_storage
        self._fallback = SlidingWindowCounterRateLimiter(WindowStorage())
        self._health = HealthLog("Counting what callers ask for")
        self._begin()

    def _begin(self) -> None:
        """Make all that waits or connects, until it is closed: what comes then may be in another event loop."""
        storage, self._close = self._make_storage()
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._at_once = asyncio.Semaphore(COUNTS_AT_ONCE)

    def limited(self, authorizer: Authorizer) -> "RateLimitedAuthorizer":
        """Return what lets in as `gate` does, as often as this allows."""
        return RateLimitedAuthorizer(authorizer, self)

    async def count(self, action: Action, caller: str, count: int = 1) -> None:
        """Count a request that stands for so many.

        Raises:
            RateExceededError: That is too many.
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
        """Let go of all connections; who counts again makes new ones."""
        close = self._close
        self._begin()
        await close()


async def _hit(
    limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, action: Action, caller: str, count: int
) -> float | None:
    """Count a request; where that is too many, return when there is room again, in seconds since 1970."""
    if await limiter.hit(item, action, caller, cost=count):
        return None
    resets_at, _ = await limiter.get_window_stats(item, action, caller)
    return resets_at


class RateLimitedAuthorizer:
    """Lets in as another gate does, but not too often."""

    def __init__(self, authorizer: Authorizer, rates: Rates) -> None:
        """Let in as `gate` does, as often as `rates` allow."""
        self.takes_tokens = authorizer.takes_tokens
        self._authorizer = authorizer
        self._rates = rates

    def is_open_to(self, action: Action) -> bool:
        """Return whether everybody may do that."""
        return self._authorizer.is_open_to(action)

    async def check(
        self, request: Request, action: Action, *session_ids: str | None, ticket: str = "", count: int = 1
    ) -> Authorization:
        """Return if the request may do that; see `Authorizer.check`.

        Raises:
            RateExceededError: Not now.
        """
        return await self._counted(
            request, action, self._authorizer.check(request, action, *session_ids, ticket=ticket), count
        )

    async def _counted(
        self, request: Request, action: Action, checked: Awaitable[Authorization], count: int
    ) -> Authorization:
        """Return that a request was let in, and count it; whoever is not let in is counted by his address."""
        try:
            authorization = await checked
        except (ForbiddenError, UnauthorizedError):
            await self._rates.count(action, address_of(request), max(1, count))
            raise
        if count:
            await self._rates.count(action, caller_of(request, authorization.token), count)
        return authorization

    async def identify(self, request: Request) -> Authorization:
        """Return if the request's token is good for anything; to ask for that is to read."""
        return await self._counted(request, "read", self._authorizer.identify(request), 1)

    async def identify_bearer(self, request: Request) -> Authorization:
        """Return if the token in `Authorization` is good for anything; to ask for that is to read."""
        return await self._counted(request, "read", self._authorizer.identify_bearer(request), 1)


class WindowStorage(MemoryStorage):
    """Counts in this process, and forgets a whole window at a time.

    The library's own goes through all callers with each request, which takes 1.4 ms for 20 000 of them.
    """

    def __init__(self) -> None:
        """Begin with no counts."""
        super().__init__()
        self._windows: dict[int, _Windows] = {}

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` under `key`, unless that is more than `limit` in `expiry` seconds; return whether it was."""
        windows = self._windows_at(time.time(), expiry)
        previous, previous_ttl, current, _ = windows.figures(key)
        is_within = math.floor(previous * previous_ttl / expiry + current) + amount <= limit
        if is_within:
            windows.add(key, amount)
        return is_within

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the counts of the window before and of this one, each with the seconds for which it matters."""
        return self._windows_at(time.time(), expiry).figures(key)

    def _windows_at(self, now: float, expiry: int) -> "_Windows":
        windows = self._windows.setdefault(expiry, _Windows(expiry))
        windows.turn_to(now)
        return windows


class _Windows:
    """What was counted in the present window of so many seconds, and in the one before."""

    def __init__(self, length_s: int) -> None:
        self._length_s = length_s
        self._number = 0
        self._left_s = 0.0
        self._previous: dict[str, int] = {}
        self._current: dict[str, int] = {}

    def turn_to(self, now: float) -> None:
        number, passed_s = divmod(now, self._length_s)
        self._left_s = self._length_s - passed_s
        if number != self._number:
            self._previous = self._current if number == self._number + 1 else {}
            self._current = {}
            self._number = int(number)

    def figures(self, key: str) -> tuple[int, float, int, float]:
        key = self._known(key)
        return (
            self._previous.get(key, 0),
            self._left_s,
            self._current.get(key, 0),
            self._left_s + self._length_s,
        )

    def add(self, key: str, amount: int) -> None:
        key = self._known(key)
        self._current[key] = self._current.get(key, 0) + amount

    def _known(self, key: str) -> str:
        return key if key in self._current or len(self._current) < MAX_CALLERS else ""


def parse_rate(name: str, rate: str | None) -> list[RateLimitItem]:
    """Return the limits of the setting `name`; none where it is `None`.

    Raises:
        ConfigurationError: It is not a rate.
    """
    try:
        items = [] if rate is None else parse_many(rate)
        if any(item.amount == 0 for item in items):
            raise ValueError("nothing is allowed")
    except ValueError:
        raise ConfigurationError(f"{name} must be like 100/second, or 100/second;1000/hour.") from None
    return items
