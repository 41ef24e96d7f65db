import asyncio
from datetime import UTC, datetime, timedelta

from progress_sse._internal.clock import Clock

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class ManualClock:
    """A clock that a test advances; its wall time can jump by itself, as real ones do."""

    def __init__(self, now: datetime = START) -> None:
        self._wall = now
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        awake = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._monotonic + seconds, awake))
        await awake

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back where `seconds` is negative; no sleeper wakes."""
        self._wall += timedelta(seconds=seconds)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass: sleepers whose time has come wake in order."""
        self._monotonic += seconds
        self.jump(seconds)
        due = sorted((each for each in self._sleepers if each[0] <= self._monotonic), key=lambda each: each[0])
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper[0] > self._monotonic]
        for _, awake in due:
            if not awake.done():
                awake.set_result(None)


class StepClock:
    """A clock whose `sleep` advances its time at once, and that cancels its caller after some seconds."""

    def __init__(self, seconds: float, start: datetime = START) -> None:
        self.passed_s = 0.0
        self._seconds = seconds
        self._start = start

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0, "it would spin"
        self.passed_s += seconds
        if self.passed_s > self._seconds:
            raise asyncio.CancelledError


_: tuple[type[Clock], ...] = (ManualClock, StepClock)


async def tasks_ran() -> None:
    """Let every task run as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)
