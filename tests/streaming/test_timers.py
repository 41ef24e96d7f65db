"""The timers of all streams: heartbeats, and the ends of authorizations."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

import pytest

from progress_sse.streaming.timers import Expiry, Heartbeat
from tests.clock import StepClock


def note(times: list[float], clock: StepClock) -> None:
    times.append(clock.passed_s)


async def run(heartbeat: Heartbeat) -> None:
    with pytest.raises(asyncio.CancelledError):
        await heartbeat.run()


@pytest.mark.parametrize("interval_s", [0.01, 1, 15])
async def test_every_stream_gets_one_heartbeat_per_interval(interval_s: float) -> None:
    """The gap is the interval for each stream, whenever it was added."""
    clock = StepClock(10.5 * interval_s)
    heartbeat = Heartbeat(interval_s, clock)
    beats: list[list[float]] = [[] for _ in range(50)]
    for mine in beats:
        heartbeat.add(partial(note, mine, clock))
    await run(heartbeat)
    for mine in beats:
        assert 9 <= len(mine) <= 11
        gaps = [later - earlier for earlier, later in pairwise(mine)]
        assert gaps == pytest.approx([interval_s] * len(gaps))
        assert mine[0] <= interval_s * 1.001


async def test_the_heartbeats_of_many_streams_are_spread_over_the_interval() -> None:
    """Ten thousand writes in one turn of the event loop would delay every client."""
    clock = StepClock(15)
    heartbeat = Heartbeat(15, clock)
    moments: list[float] = []
    for _ in range(320):
        heartbeat.add(lambda: moments.append(clock.passed_s))
    await run(heartbeat)
    assert max(moments.count(moment) for moment in set(moments)) <= 10


async def test_a_removed_stream_gets_no_heartbeat() -> None:
    """Removal takes effect at once, also from within a heartbeat."""
    clock = StepClock(5)
    heartbeat = Heartbeat(1, clock)
    beats: list[str] = []
    leave = heartbeat.add(lambda: beats.append("left"))
    heartbeat.add(lambda: beats.append("stayed"))
    leave()
    await run(heartbeat)
    assert "left" not in beats
    assert "stayed" in beats


def test_the_heartbeat_event_says_when_and_how_often() -> None:
    """It has `now` and `interval_ms` as the protocol says, and no id."""
    assert Heartbeat(15, StepClock(0)).event().data == (
        b'event: heartbeat\ndata: {"now":"2026-01-02T03:04:05.678901+00:00","interval_ms":15000}\n\n'
    )


START_S = 1_000_000.25


class Run:
    """An expiry that runs for some seconds and records the time of each call."""

    def __init__(self, seconds: float) -> None:
        self.clock = StepClock(seconds, datetime.fromtimestamp(START_S, UTC))
        self.expiry = Expiry(self.clock)
        self.ended: list[tuple[str, float]] = []

    def add(self, name: str, after_s: float) -> Callable[[], None]:
        def end() -> None:
            self.ended.append((name, round(self.clock.passed_s, 3)))

        self.expiry.add(START_S + after_s, end)
        return end

    async def to_the_end(self) -> None:
        with pytest.raises(asyncio.CancelledError):
            await self.expiry.run()


async def test_each_end_is_called_at_its_time() -> None:
    """It is called once, at that full second or the next one, and never before."""
    run = Run(100)
    for name, after_s in [("third", 70), ("first", 9.75), ("second", 10), ("past", -50), ("never", 200)]:
        run.add(name, after_s)
    await run.to_the_end()
    assert run.ended == [("past", 0.75), ("first", 9.75), ("second", 10.75), ("third", 70.75)]
    assert len(run.expiry) == 1


async def test_an_end_that_was_removed_is_not_called() -> None:
    """It leaves no entry behind, however many streams come and go."""
    run = Run(100)
    for _ in range(3):
        run.expiry.remove(START_S + 10, run.add("gone", 10))
    kept = run.add("kept", 10)
    await run.to_the_end()
    assert run.ended == [("kept", 10.75)]
    run.expiry.remove(START_S + 10, kept)
    assert len(run.expiry) == 0
    assert not vars(run.expiry)["_due"]


async def test_an_end_that_fails_does_not_affect_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged."""

    def fail() -> None:
        raise LookupError("broken")

    run = Run(100)
    run.expiry.add(START_S + 10, fail)
    run.add("other", 10)
    run.add("later", 20)
    await run.to_the_end()
    assert [name for name, _ in run.ended] == ["other", "later"]
    assert "could not be ended" in caplog.text


async def test_an_end_may_remove_others() -> None:
    """The removed ones are not called, and all others are."""
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
