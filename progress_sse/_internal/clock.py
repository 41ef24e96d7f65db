"""Time as an argument: code that takes time stamps or waits gets a `Clock`, so that tests can control it."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for people to read, monotonic time for measuring, and sleep."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC. It may jump in either direction."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start. They never go back."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of monotonic time."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds of the system's monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)
