"""Thins a flood of log lines: what is kept of each second, and the lines that say how many were left out. Pure.

Of the lines of a second the first `FIRST_LINES` are passed on at once. What follows is a burst, whose last lines are
passed on when it ends: with the second, or before a report, which they must precede. So the end of a burst is always
there. A report leaves room for some lines of the same second, since those that tell of a failure may follow it.

A burst says once how many lines it left out. Where many reports end many bursts, one line a second says it for all of
them: the first one in its place, and then at the end of each second, or as soon as the job waits for its lines.

Any thread may `put` and `settle`, also a signal handler or a finaliser during another `put`: each of these touches
shared state by single calls into C only. So two threads may keep a line too many, and none ever waits.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from progress_sse.client.count import Count
from progress_sse.client.lease import Lease
from progress_sse.client.reports import LogLine, StepRef

FIRST_LINES: Final = 100
LAST_LINES: Final = 100
"""Lines of each second that are kept: from its beginning, and from its end."""


class WaitingLine(NamedTuple):
    """A line that the job has made.

    Attributes:
        line: Its text and level.
        made_at: When the job made it.
        step: The step that it is of; `None` is the session.
        lease: The attempt that it is of.
    """

    line: LogLine
    made_at: float
    step: StepRef | None = None
    lease: Lease | None = None


class _Second:
    """A second in which lines are made; if it `is_marked`, a line has just said how many were left out."""

    def __init__(self, began: float, *, is_marked: bool = False) -> None:
        self.began = began
        self.numbers = itertools.count(1)
        self.last_lines = Count()
        self.is_marked = is_marked

    def has(self, moment: float) -> bool:
        return self.began <= moment < self.began + 1


class _Burst:
    """The lines of a second beyond the first ones, of which the newest are kept."""

    def __init__(self, second: _Second, number: int, first: WaitingLine) -> None:
        self.second = second
        self.number = number
        self.first = first
        self.lines = Count()
        self.kept: deque[tuple[int, WaitingLine]] = deque(maxlen=max(0, LAST_LINES - second.last_lines.value))
        self.is_over = False


class ThinnedLines:
    """The lines of the present second, and those that are kept of it; see the module."""

    def __init__(self, numbers: "itertools.count[int]", append: Callable[[int, WaitingLine], None]) -> None:
        """Begin without lines; each that is kept is passed on to `append`, with its number, which is of `numbers`."""
        self._numbers = numbers
        self._append = append
        self._second = _Second(-math.inf)
        self._open: deque[_Burst] = deque()
        self._settling: dict[object, None] = {}
        # Lines left out that no line has told of yet, and the burst of the newest ones.
        self._untold = Count()
        self._untold_of: deque[_Burst] = deque(maxlen=1)
        self._marked_until = -math.inf

    @property
    def is_empty(self) -> bool:
        """Whether all lines that are kept were passed on."""
        # In this order: a burst that is no longer open is being passed on, and then its number may stay untold.
        return not self._open and not self._settling and not self._has_untold

    @property
    def _has_untold(self) -> bool:
        return self._untold.value > 0

    @property
    def due_at(self) -> float:
        """When the burst ends by itself, or is told of; infinity if there is none."""
        with suppress(IndexError):  # Another thread has settled it.
            return self._open[-1].second.began + 1
        return self._untold_of[-1].second.began + 1 if self._has_untold else math.inf

    def put(self, number: int, line: WaitingLine) -> None:
        """Add a line, with its place among the lines and reports of the session."""
        if not self._second.has(line.made_at):
            self.settle()
            self._second = _Second(line.made_at, is_marked=line.made_at < self._marked_until)
        if next(self._second.numbers) <= FIRST_LINES:
            self._append(number, line)
        else:
            self._add_to_burst(number, line)

    def _add_to_burst(self, number: int, line: WaitingLine) -> None:
        try:
            burst = self._open[-1]
        except IndexError:
            burst = _Burst(self._second, number, line)
            self._open.append(burst)
        if not line.line.left_out:
            burst.kept.append((number, line))
        burst.lines.add(count(line.line))
        if burst.is_over:  # Another thread has settled it meanwhile.
            self._pass_on(burst)

    def settle(self, *, leaves_room: bool = False) -> None:
        """End a burst before the second is over: what follows must not be thought a part of it.

        With `leaves_room` half of the last lines are kept that the second may still have, and how many were left out
        may be told later.
        """
        caller = object()
        self._settling[caller] = None  # In it and out of it without a call, amid which a time limit might end the job.
        try:
            with suppress(IndexError):
                while True:
                    burst = self._open.pop()
                    burst.is_over = True
                    self._pass_on(burst, leaves_room=leaves_room)
            if self._has_untold and not leaves_room:
                self._tell(next(self._numbers))  # Reports may have followed its burst.
        finally:
            del self._settling[caller]

    def _pass_on(self, burst: _Burst, *, leaves_room: bool = False) -> None:
        """Pass on what is in a burst; of two callers each has what the other has not."""
        kept: list[tuple[int, WaitingLine]] = []
        with suppress(IndexError):
            while True:
                kept.append(burst.kept.popleft())
        if leaves_room:
            kept = kept[-max(1, (LAST_LINES - burst.second.last_lines.value) // 2) :]
        burst.second.last_lines.add(len(kept))
        burst.lines.add(-len(kept))
        left_out = burst.lines.value
        if left_out > 0:
            burst.lines.add(-left_out)
            self._untold_of.append(burst)
            self._untold.add(left_out)
            if not (leaves_room and burst.second.is_marked):
                self._tell(burst.number)
        for number, line in kept:
            self._append(number, line)

    def _tell(self, number: int) -> None:
        """Pass on a line of this number that says how many were left out."""
        left_out, burst = self._untold.value, self._untold_of[-1]
        if burst.second.is_marked:  # It is the line of the second that follows.
            self._marked_until = burst.second.began + 2
        burst.second.is_marked = True
        self._append(number, burst.first._replace(line=mark(left_out)))
        self._untold.add(-left_out)  # After the line, so that a wait sees one of both.

    def settle_former(self, now: float) -> None:
        """End a burst whose second is over."""
        untold = self._untold_of if self._has_untold else ()
        if any(not burst.second.has(now) for burst in (*self._open, *untold)):
            self.settle()

    def drop_all(self) -> None:
        """Drop all lines."""
        self._open.clear()
        self._untold.add(-self._untold.value)


def count(line: LogLine) -> int:
    """Return how many lines of the job a line stands for."""
    return line.left_out or 1


def mark(left_out: int) -> LogLine:
    """Return the line that stands for so many that were left out."""
    lines = "1 line was" if left_out == 1 else f"{left_out} lines were"
    return LogLine(f"… {lines} left out here", "warning", left_out=left_out)
