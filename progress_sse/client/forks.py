"""The order of reports around a fork: those that the parent made before it go before those of the child.

The parent neither waits at the fork nor hands reports over. Its child waits, in the thread that sends, until the parent
has sent what waited at the fork, as the start of a step whose parts the child reports. They share a byte of memory for
that, which needs no lock and no descriptor. The child's wait is limited: the parent may have ended, or be stuck.
"""

import math
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from mmap import mmap
from typing import Final

from progress_sse.client.exchange import Operation

PRECEDENCE_S: Final = 2.0
"""Seconds that a child waits at most: less than a job waits at its end, so that its last reports are sent, too."""

MAX_FORKS: Final = 100
"""Forks that wait at a time, of a session; those before them wait out their time."""

PARENT_POLL_S: Final = 0.01
"""Seconds between two looks at what the parent has sent."""


class Precedence:
    """The reports of a session that a process had yet to send when it forked, up to a `number`."""

    __slots__ = ("_is_settled", "_until", "number")

    def __init__(self, number: int, now: float) -> None:
        self.number = number
        self._until = now + PRECEDENCE_S
        self._is_settled = mmap(-1, 1)  # Both processes share it.

    def settle(self) -> None:
        """Let the child send: these reports have been sent or dropped."""
        self._is_settled[0] = 1

    def holds(self, now: float) -> bool:
        """Whether the child is to wait."""
        return not self._is_settled[0] and now < self._until


class ForkOrder:
    """What a process waits for that was forked, and what those wait for that it forks.

    Attributes:
        preceding: What this one waits for.
        look_at: When to check that again; minus infinity: it waits for nothing.
        forks: What those wait for that it has forked.
    """

    def __init__(self, preceding: Iterable[Precedence] = ()) -> None:
        self.preceding = list(preceding)
        self.look_at = -math.inf
        self.forks: deque[Precedence] = deque(maxlen=MAX_FORKS)

    def holds(self, now: float) -> bool:
        """Whether this process is to wait."""
        self.preceding = [each for each in self.preceding if each.holds(now)]
        self.look_at = now + PARENT_POLL_S if self.preceding else -math.inf
        return bool(self.preceding)

    def renewed(self) -> "ForkOrder":
        """Return that of a process that was forked just now."""
        return ForkOrder([*self.preceding, *list(self.forks)[-1:]])

    def settle(self, forks: Iterable[Precedence], unsent: Iterable[Operation]) -> None:
        """Let forks send that none of the `unsent` commands is to come before; these were read after the forks."""
        first = min((each.number for each in unsent), default=math.inf)
        for each in forks:
            if each.number < first:
                each.settle()
                with suppress(ValueError):  # A later fork has replaced it.
                    self.forks.remove(each)
