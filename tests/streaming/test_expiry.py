"""The timer that ends what has had its time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from progress_sse.streaming.expiry import Expiry

START_S = 1_000_000.25


class StepClock:
    """A clock whose sleep moves the time by itself, and ends the run at a given time."""

    def __init__(self, until_s: float) -> None:
        self.time_s = START_S
        self.until_s = START_S + until_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=self.time_s)

    def monotonic(self) -> float:
        return self.time_s

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0, "it would spin"
        self.time_s += seconds
        if self.time_s > self.until_s:
            raise asyncio.CancelledError


class Run:
    """An expiry that runs for some seconds, and when it ended what."""

    def __init__(self, seconds: float) -> None:
        self.clock = StepClock(seconds)
        self.expiry = Expiry(self.clock)
        self.ended: list[tuple[str, float]] = []

    def add(self, name: str, after_s: float) -> Callable[[], None]:
        def end() -> None:
            self.ended.append((name, round(self.clock.time_s - START_S, 3)))

        self.expiry.add(START_S + after_s, end)
        return end

    async def to_the_end(self) -> None:
        with pytest.raises(asyncio.CancelledError):
            await self.expiry.run()


async def test_each_ends_when_its_time_has_come() -> None:
    """At the full second, which is when tokens end, or at the next; never before, and once."""
    run = Run(100)
    for name, after_s in [("third", 70), ("first", 9.75), ("second", 10), ("past", -50), ("never", 200)]:
        run.add(name, after_s)
    await run.to_the_end()
    assert run.ended == [("past", 0.75), ("first", 9.75), ("second", 10.75), ("third", 70.75)]
    assert len(run.expiry) == 1


async def test_what_was_taken_back_does_not_end() -> None:
    """And leaves nothing behind, however often streams come and go."""
    run = Run(100)
    for _ in range(3):
        run.expiry.remove(START_S + 10, run.add("gone", 10))
    kept = run.add("kept", 10)
    await run.to_the_end()
    assert run.ended == [("kept", 10.75)]
    run.expiry.remove(START_S + 10, kept)
    assert len(run.expiry) == 0
    assert not vars(run.expiry)["_due"]


async def test_one_that_fails_is_not_the_others_trouble(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged."""

    def fail() -> None:
        raise LookupError("broken")

    run = Run(100)
    run.expiry.add(START_S + 10, fail)
    run.add("other", 10)
    run.add("later", 20)
    await run.to_the_end()
    assert [name for name, _ in run.ended] == ["other", "later"]
    assert "could not be ended" in caplog.text


async def test_ends_that_end_others_are_all_called() -> None:
    """What an end takes back is not called any more, and the rest is."""
    run = Run(100)
    other = run.add("other", 10)

    def end_other() -> None:
        run.expiry.remove(START_S + 10, other)
        run.ended.append(("first", 0))

    run.expiry.remove(START_S + 10, other)
    run.expiry.add(START_S + 10, end_other)
    run.expiry.add(START_S + 10, other)
    run.add("third", 10)
    await run.to_the_end()
    assert [name for name, _ in run.ended] == ["first", "third"]
