"""One timer that ends each stream when its authorization expires."""

import logging
import math
from collections import defaultdict
from collections.abc import Callable
from typing import Final, TypeAlias

from progress_sse._internal.clock import Clock

logger = logging.getLogger(__name__)

TICK_S: Final = 1
"""Seconds between two checks, at each full second, since tokens usually expire at one."""

End: TypeAlias = Callable[[], None]


class Expiry:
    """Calls each registered `End` at its time."""

    def __init__(self, clock: Clock) -> None:
        """Use the wall time of `clock`, as tokens do."""
        self._clock = clock
        self._due: defaultdict[int, dict[End, None]] = defaultdict(dict)

    def __len__(self) -> int:
        """Return how many calls are registered."""
        return sum(map(len, self._due.values()))

    def add(self, expires_at: float, end: End) -> None:
        """Call `end` at that time, in seconds since 1970, or a moment later."""
        self._due[math.ceil(expires_at)][end] = None

    def remove(self, expires_at: float, end: End) -> None:
        """Undo `add`; a call that was made already is no error."""
        due = math.ceil(expires_at)
        self._due[due].pop(end, None)
        if not self._due[due]:
            del self._due[due]

    async def run(self) -> None:
        """Make the calls that are due, until cancelled."""
        while True:
            now = self._clock.now().timestamp()
            await self._clock.sleep(TICK_S - now % TICK_S)
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
