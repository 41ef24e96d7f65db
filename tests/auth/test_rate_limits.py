"""How often one caller may come, counted in one process."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import pytest
from limits import parse, parse_many
from limits.errors import StorageError

from progress_sse.auth import rate_limits
from progress_sse.auth.rate_limits import Rates, WindowStorage
from progress_sse.core.errors import ConfigurationError, RateExceededError
from progress_sse.settings import load_settings
from progress_sse.wiring import make_rates


class Clock:
    """The time that the counting goes by."""

    def __init__(self) -> None:
        self.now = 1_000_000.3

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    return clock


async def let_through(counting: Rates, caller: str, count: int) -> int:
    """How many of so many requests are let through."""
    through = 0
    for _ in range(count):
        try:
            await counting.count("read", caller)
        except RateExceededError:
            continue
        through += 1
    return through


def rates_of(**settings: str) -> Rates:
    return make_rates(load_settings(store="memory://", **settings))


async def test_so_many_are_let_through_and_each_caller_has_his_own(clock: Clock) -> None:
    """A refusal is not counted, so that nobody waits for ever who keeps on asking."""
    counting = rates_of(read_rate="10/minute")
    assert await let_through(counting, "a", 100) == 10
    assert await let_through(counting, "b", 5) == 5
    clock.now += 120
    assert await let_through(counting, "a", 100) == 10


class AwayStorage(WindowStorage):
    """A Redis that does not answer."""

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        raise StorageError(ConnectionError())


async def test_what_cannot_be_counted_together_is_counted_here() -> None:
    """Each rate of several, too: who makes the counting fail must not come as often as he likes."""
    counting = Rates({"read": parse_many("100/second;10/hour")}, lambda: (AwayStorage(), AwayStorage().reset))
    assert await let_through(counting, "a", 100) == 10
    assert await let_through(counting, "b", 5) == 5


@pytest.mark.parametrize("rate", ["10/second", "10/minute", "1/hour"])
async def test_who_waits_as_long_as_he_is_told_is_let_through(clock: Clock, rate: str) -> None:
    """And is never told to come back at once."""
    counting = rates_of(read_rate=rate)
    await let_through(counting, "a", 10)
    with pytest.raises(RateExceededError) as refusal:
        await counting.count("read", "a")
    retry_after_s = int(refusal.value.headers["Retry-After"])
    assert 1 <= retry_after_s <= parse(rate).get_expiry()
    clock.now += retry_after_s
    assert await let_through(counting, "a", 10) > 0


@pytest.mark.parametrize(("later_s", "more"), [(30, 0), (60, 0), (61, 1), (90, 5), (119, 10), (180, 10)])
async def test_the_window_slides(clock: Clock, later_s: float, more: int) -> None:
    """What was let through weighs less and less, and never lets twice as many through around the turn of a minute."""
    clock.now = math.ceil(clock.now / 60) * 60
    counting = rates_of(read_rate="10/minute")
    assert await let_through(counting, "a", 10) == 10
    clock.now += later_s
    assert await let_through(counting, "a", 100) == more


async def test_every_rate_of_several_holds(clock: Clock) -> None:
    """The strictest counts at each moment."""
    counting = rates_of(read_rate="3/second;5/minute")
    assert await let_through(counting, "a", 10) == 3
    clock.now += 2
    assert await let_through(counting, "a", 10) == 2


async def test_actions_without_a_rate_are_not_counted(clock: Clock) -> None:
    """Nor do they count for others."""
    counting = rates_of(read_rate="1/minute")
    for _ in range(10):
        await counting.count("publish", "a")
    await counting.count("read", "a")


async def test_of_callers_without_end_a_bounded_number_is_remembered(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those beyond count as one, and whoever came earlier keeps his own count."""
    monkeypatch.setattr(rate_limits, "MAX_CALLERS", 3)
    counting = rates_of(read_rate="2/minute")
    through: Sequence[int] = [await let_through(counting, str(n), 2) for n in range(6)]
    assert through == [2, 2, 2, 2, 0, 0]
    assert await let_through(counting, "0", 1) == 0
    clock.now += 180
    assert await let_through(counting, "5", 2) == 2


async def test_a_clock_that_is_set_back_forgets(clock: Clock) -> None:
    """Rather than to shut everybody out until then."""
    storage, item = WindowStorage(), parse("1/minute")
    assert await storage.acquire_sliding_window_entry("k", item.amount, item.get_expiry())
    clock.now -= 3600
    assert await storage.acquire_sliding_window_entry("k", item.amount, item.get_expiry())


@pytest.mark.parametrize(
    "rate", ["", "often", "10", "10/fortnight", "-1/second", "1.5/second", "0/second", "5/second;0/hour"]
)
def test_what_is_no_rate_is_refused(rate: str) -> None:
    """By a text that shows how they are written."""
    with pytest.raises(ConfigurationError, match="publish_rate must be like 100/second"):
        rates_of(publish_rate=rate)
