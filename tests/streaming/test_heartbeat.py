"""The shared heartbeat, on a test clock."""

import asyncio
from functools import partial
from itertools import pairwise

import pytest

from progress_sse.streaming.heartbeat import Heartbeat
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
