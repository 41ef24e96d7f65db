"""How often one caller may send requests, counted in one process."""

import math
import time
from collections.abc import Sequence

import pytest
from limits import parse, parse_many
from limits.errors import StorageError

from progress_sse.auth import rate_limits
from progress_sse.auth.rate_limits import RateLimiter, WindowStorage
from progress_sse.core.errors import ConfigurationError, RateExceededError
from progress_sse.settings import load_settings
from progress_sse.wiring import make_rate_limiter


class Clock:
    """The time that the counts use."""

    def __init__(self) -> None:
        self.now = 1_000_000.3

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    return clock


async def count_allowed(counting: RateLimiter, caller: str, count: int) -> int:
    allowed = 0
    for _ in range(count):
        try:
            await counting.count("read", caller)
        except RateExceededError:
            continue
        allowed += 1
    return allowed


def rates_of(**settings: str) -> RateLimiter:
    return make_rate_limiter(load_settings(store="memory://", **settings))


async def test_a_rate_allows_so_many_requests_of_each_caller(clock: Clock) -> None:
    """A refusal is not counted, so that a caller that keeps asking is allowed again."""
    counting = rates_of(read_rate="10/minute")
    assert await count_allowed(counting, "a", 100) == 10
    assert await count_allowed(counting, "b", 5) == 5
    clock.now += 120
    assert await count_allowed(counting, "a", 100) == 10


class AwayStorage(WindowStorage):
    """A Redis that does not answer."""

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        raise StorageError(ConnectionError())


async def test_a_process_counts_alone_while_the_shared_storage_is_away(clock: Clock) -> None:
    """By each of several rates: a caller that makes the shared count fail must not get unlimited requests."""
    counting = RateLimiter({"read": parse_many("100/second;10/hour")}, lambda: (AwayStorage(), AwayStorage().reset))
    assert await count_allowed(counting, "a", 100) == 10
    assert await count_allowed(counting, "b", 5) == 5


@pytest.mark.parametrize("rate", ["10/second", "10/minute", "1/hour"])
async def test_a_caller_that_waits_for_retry_after_is_allowed(clock: Clock, rate: str) -> None:
    """And `Retry-After` is never 0."""
    counting = rates_of(read_rate=rate)
    await count_allowed(counting, "a", 10)
    with pytest.raises(RateExceededError) as refusal:
        await counting.count("read", "a")
    retry_after_s = int(refusal.value.headers["Retry-After"])
    assert 1 <= retry_after_s <= parse(rate).get_expiry()
    clock.now += retry_after_s
    assert await count_allowed(counting, "a", 10) > 0


@pytest.mark.parametrize(("later_s", "more"), [(30, 0), (60, 0), (61, 1), (90, 5), (119, 10), (180, 10)])
async def test_the_window_slides(clock: Clock, later_s: float, more: int) -> None:
    """Earlier requests weigh less and less, so that twice as many never pass around the turn of a minute."""
    clock.now = math.ceil(clock.now / 60) * 60
    counting = rates_of(read_rate="10/minute")
    assert await count_allowed(counting, "a", 10) == 10
    clock.now += later_s
    assert await count_allowed(counting, "a", 100) == more


async def test_every_rate_of_several_holds(clock: Clock) -> None:
    """The strictest counts at each moment."""
    counting = rates_of(read_rate="3/second;5/minute")
    assert await count_allowed(counting, "a", 10) == 3
    clock.now += 2
    assert await count_allowed(counting, "a", 10) == 2


async def test_actions_without_a_rate_are_not_counted(clock: Clock) -> None:
    """And do not count for other actions."""
    counting = rates_of(read_rate="1/minute")
    for _ in range(10):
        await counting.count("publish", "a")
    await counting.count("read", "a")


async def test_a_bounded_number_of_callers_is_counted_separately(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond share one count, and earlier callers keep their own."""
    monkeypatch.setattr(rate_limits, "MAX_CALLERS", 3)
    counting = rates_of(read_rate="2/minute")
    allowed: Sequence[int] = [await count_allowed(counting, str(n), 2) for n in range(6)]
    assert allowed == [2, 2, 2, 2, 0, 0]
    assert await count_allowed(counting, "0", 1) == 0
    clock.now += 180
    assert await count_allowed(counting, "5", 2) == 2


async def test_a_clock_that_is_set_back_clears_the_counts(clock: Clock) -> None:
    """Otherwise all callers would be refused until that time."""
    storage, item = WindowStorage(), parse("1/minute")
    assert await storage.acquire_sliding_window_entry("k", item.amount, item.get_expiry())
    clock.now -= 3600
    assert await storage.acquire_sliding_window_entry("k", item.amount, item.get_expiry())


@pytest.mark.parametrize(
    "rate", ["", "often", "10", "10/fortnight", "-1/second", "1.5/second", "0/second", "5/second;0/hour"]
)
def test_an_invalid_rate_is_refused(rate: str) -> None:
    """With a text that shows how a rate is written."""
    with pytest.raises(ConfigurationError, match="publish_rate must be like 100/second"):
        rates_of(publish_rate=rate)
