"""The log lines of one session that wait to be sent. Pure: the time is an argument.

* **A flood is thinned** (``thinned_lines``). A line says how many were left out.
* **What waits is bounded**, by lines and by characters. While the server is away the oldest lines are left out, as the
  server itself keeps the newest, and a line says how many.
* **Lines go in batches**, at most five times a second, or together with a report that was made after them.

Any thread may `put`, also a signal handler or a finaliser during another `put`: each of these touches shared state by
single calls into C only. So two threads may keep a line too many, and none ever waits. All other methods belong to the
one thread or task that sends, except that any thread may `precede_report` and `drop_all`.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from progress_sse._internal.backoff import chance_of_system
from progress_sse.client.availability import Availability
from progress_sse.client.count import Count
from progress_sse.client.exchange import ReportAnswer
from progress_sse.client.operation import Operation
from progress_sse.client.reports import Log
from progress_sse.client.request_room import RequestRoom
from progress_sse.client.thinned_lines import ThinnedLines, WaitingLine, count, mark

MAX_LINES: Final = 1000
MAX_CHARS: Final = 262_144
"""Lines that wait, and their characters, at most."""

MAX_BATCH_LINES: Final = 100
"""Lines in one report, at most."""

INTERVAL_S: Final = 0.2
"""Seconds between two requests that lines cause."""


class WaitingLines:
    """The lines that wait to be sent; see the module."""

    def __init__(self, numbers: "itertools.count[int]", chance: Callable[[], float] = chance_of_system) -> None:
        """Begin without lines; `numbers` also numbers the reports that lines may have to precede."""
        self._numbers = numbers
        self._thinned = ThinnedLines(numbers, self._append)
        self._waiting: deque[tuple[int, WaitingLine]] = deque()
        self._chars = Count()
        self._left_out = Count()
        self._is_announced = False
        # Of the sender.
        self._again: deque[Operation] = deque()
        self._paced_until = -math.inf
        self._pause = Availability(chance)

    def put(self, line: WaitingLine) -> bool:
        """Add a line, and return whether the sender is to look at it; otherwise it will do so anyway."""
        self._thinned.put(next(self._numbers), line)
        # After the line: the sender withdraws the announcement before it takes the lines.
        was_announced, self._is_announced = self._is_announced, True
        return not was_announced

    def precede_report(self) -> None:
        """Number all lines that were made, as the next number is that of a report."""
        self._thinned.settle(leaves_room=True)

    def _append(self, number: int, line: WaitingLine) -> None:
        self._chars.add(len(line.line.text))
        self._waiting.append((number, line))
        with suppress(IndexError):  # The sender has just taken them.
            while len(self._waiting) > MAX_LINES or self._chars.value > MAX_CHARS:
                self._left_out.add(count(self._pop().line))

    def _pop(self) -> WaitingLine:
        _, line = self._waiting.popleft()
        self._chars.add(-len(line.line.text))
        return line

    @property
    def is_empty(self) -> bool:
        """Whether no line waits."""
        # In the order in which lines go.
        return self._thinned.is_empty and not self._waiting and not self._again

    def drop_all(self) -> None:
        """Drop all lines."""
        self._is_announced = False
        self._thinned.drop_all()
        self._again.clear()
        with suppress(IndexError):
            while True:
                self._pop()

    # The rest is for the sender.

    def next_at(self) -> float:
        """Return when lines may be sent by themselves; infinity if none waits."""
        if self._waiting or self._again:
            return max(self._paced_until, self._pause.not_before)
        return max(self._thinned.due_at, self._pause.not_before)

    def are_due(self, before: int, now: float) -> bool:
        """Return whether lines wait that a report of this number must not overtake.

        It does not wait for lines that the server has refused for now.
        """
        if now < self._pause.not_before:
            return False
        with suppress(IndexError):
            return (self._again[0].number if self._again else self._waiting[0][0]) < before
        return False

    def hurry(self) -> None:
        """Let lines go at once, as the job waits for that."""
        self._thinned.settle()
        self._paced_until = -math.inf

    def take(self, most: int, room: RequestRoom, now: float, before: float = math.inf) -> list[Operation]:
        """Take out lines for at most so many reports, for which the request has room; only those before a number."""
        self._is_announced = False  # Before they are taken: later lines announce themselves again.
        if now < self._pause.not_before:
            return []
        self._thinned.settle_former(now)
        taken: list[Operation] = []
        while len(taken) < most:
            operation = self._take_again(room, before) if self._again else self._take_new(room, before)
            if operation is None:
                break
            taken.append(operation)
        if taken:
            self._paced_until = now + INTERVAL_S
        return taken

    def _take_again(self, room: RequestRoom, before: float) -> Operation | None:
        with suppress(IndexError):  # Another thread drops them.
            operation = self._again[0]
            assert isinstance(operation.report, Log)
            if operation.number < before and room.take_lines(operation.report.lines):
                return self._again.popleft()
        return None

    def _take_new(self, room: RequestRoom, before: float) -> Operation | None:
        together: list[WaitingLine] = []
        first_number, left_out = 0, self._left_out.value
        with suppress(IndexError):  # Another thread leaves some out.
            if left_out and self._waiting[0][0] < before:
                self._left_out.add(-left_out)
                first_number, line = self._waiting[0]
                together.append(line._replace(line=mark(left_out)))
            while len(together) < MAX_BATCH_LINES:
                number, line = self._waiting.popleft()
                if number >= before or not _may_join(line, together) or not room.take_lines([line.line]):
                    self._waiting.appendleft((number, line))
                    break
                self._chars.add(-len(line.line.text))
                first_number = first_number or number
                together.append(line)
        return _operation(together, first_number) if together else None

    def put_back(self, operation: Operation) -> None:
        """Add lines before all others, as they were not sent."""
        self._again.appendleft(operation)

    def pause(self, answer: ReportAnswer, now: float) -> None:
        """Send no lines for some time, since the server does not take them for now; reports go on."""
        self._pause.fail(answer, now)

    def go_on(self) -> None:
        """Note that the server has taken lines."""
        self._pause.succeed()


def _may_join(line: WaitingLine, together: Sequence[WaitingLine]) -> bool:
    return not together or (line.step, line.lease) == (together[0].step, together[0].lease)


def _operation(together: Sequence[WaitingLine], number: int) -> Operation:
    made_at = max(each.made_at for each in together)
    lines = tuple(each.line._replace(before_ms=int(1000 * (made_at - each.made_at))) for each in together)
    return Operation(Log(lines, together[0].step, lease=together[0].lease), made_at=made_at, number=number)
