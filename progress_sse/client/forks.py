"""The order of reports around a fork: those that the parent made before it go before those of the child.

The parent neither waits at the fork nor hands reports over. Its child waits, in the thread that sends, until the parent
has sent what waited at the fork, as the start of a step whose parts the child reports. They share a byte of memory for
that, which needs no lock and no descriptor. The child's wait is limited: the parent may have ended, or be stuck.
"""

from mmap import mmap
from typing import Final

PRECEDENCE_S: Final = 2.0
"""Seconds that a child waits at most: less than a job waits at its end, so that its last reports are sent, too."""

LOOK_S: Final = 0.01
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
