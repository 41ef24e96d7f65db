"""The timers of all streams: one for their heartbeats, and one that ends each when its authorization expires."""

import logging
import math
from collections import defaultdict
from collections.abc import Callable
from itertools import count
from typing import Final, TypeAlias

from progress_sse._internal.clock import Clock
from progress_sse.core.state_machine import timestamp
from progress_sse.wire import json_text, sse
from progress_sse.wire.frames import FrameBatch

logger = logging.getLogger(__name__)

MAX_BUCKETS: Final = 32
"""Groups into which heartbeats are spread over an interval, at most."""

MIN_TICK_S: Final = 0.05
"""Seconds between two of these groups, at least."""

Beat: TypeAlias = Callable[[], None]

COMMENT: Final = FrameBatch((), sse.encode_comment("heartbeat"))
"""The heartbeat that no EventSource dispatches."""


class Heartbeat:
    """Calls every registered `Beat` once per interval."""

    def __init__(self, interval_s: float, clock: Clock) -> None:
        """Call each `Beat` every `interval_s` seconds."""
        self.interval_s = interval_s
        self._clock = clock
        self._buckets: list[dict[Beat, None]] = [
            {} for _ in range(max(1, min(MAX_BUCKETS, int(interval_s / MIN_TICK_S))))
        ]
        self._next = count()

    def add(self, beat: Beat) -> Callable[[], None]:
        """Register `beat`; returns a function that removes it."""
        bucket = self._buckets[next(self._next) % len(self._buckets)]
        bucket[beat] = None
        return lambda: bucket.pop(beat, None)

    def event(self) -> FrameBatch:
        """Return the heartbeat that an EventSource dispatches. It has no id: the last event id stays as it is."""
        data = {"now": timestamp(self._clock.now()), "interval_ms": round(self.interval_s * 1000)}
        return FrameBatch((), sse.encode_event("heartbeat", json_text.encode_json(data)))

    async def run(self) -> None:
        """Call the buckets in turn, until cancelled."""
        tick_s = self.interval_s / len(self._buckets)
        due = self._clock.monotonic()
        while True:
            for bucket in self._buckets:
                due = max(due + tick_s, self._clock.monotonic())
                await self._clock.sleep(due - self._clock.monotonic())
                for beat in tuple(bucket):
                    try:
                        beat()
                    except Exception:
                        logger.exception("a heartbeat failed")  # The other streams still get theirs.


EXPIRY_TICK_S: Final = 1
"""Seconds between two checks, at each full second, since tokens usually expire at one."""

End: TypeAlias = Callable[[], None]


class Expiry:
    """Calls each registered `End` at its wall time."""

    def __init__(self, clock: Clock) -> None:
        """Use the wall time of `clock`, as tokens do."""
        self._clock = clock
        self._due: defaultdict[int, dict[End, None]] = defaultdict(dict)

    def __len__(self) -> int:
        """Return how many calls are registered."""
        return sum(map(len, self._due.values()))

    def add(self, expires_at: float | None, end: End) -> None:
        """Call `end` at that time, in seconds since 1970, or a moment later; `None`: never."""
        if expires_at is not None:
            self._due[math.ceil(expires_at)][end] = None

    def remove(self, expires_at: float | None, end: End) -> None:
        """Undo `add`; a call that was made already is no error."""
        if expires_at is not None:
            due = math.ceil(expires_at)
            self._due[due].pop(end, None)
            if not self._due[due]:
                del self._due[due]

    async def run(self) -> None:
        """Make the calls that are due, until cancelled."""
        while True:
            now = self._clock.now().timestamp()
            await self._clock.sleep(EXPIRY_TICK_S - now % EXPIRY_TICK_S)
            self._end(self._clock.now().timestamp())

    def _end(self, now: float) -> None:
        for due in [due for due in self._due if due <= now]:
            while ends := self._due.get(due):
                end = next(iter(ends))
                self.remove(due, end)
                try:
                    end()
                except Exception:
                    logger.exception("a stream could not be ended")  # The others still can.
