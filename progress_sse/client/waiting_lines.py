"""The log lines of one session that wait to be sent. Pure: the time is an argument.

* **A flood is thinned.** Of the lines of a second the first `FIRST_LINES` go at once. What follows is a burst, whose
  last lines go when it ends: with the second, or before a report, which they must precede. A report leaves room for
  some lines of the same second, since those that tell of a failure may follow it. One line a second says how many were
  left out.
* **What waits is bounded**, by lines and by characters. While the server is away the oldest lines are left out, as the
  server itself keeps the newest, and a line says how many.
* **Lines go in batches**, at most five times a second, or together with a report that was made after them.

Any thread may `put`, also a signal handler or a finaliser during another `put`: each of these touches shared state by
single calls into C only. So two threads may keep a line too many, and none ever waits. All other methods belong to the
thread that sends, except that any thread may `precede_report` and `drop_all`.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from progress_sse._internal.backoff import chance_of_system
from progress_sse.client.availability import Availability
from progress_sse.client.count import Count
from progress_sse.client.exchange import ReportAnswer, RequestRoom
from progress_sse.client.lease import Lease
from progress_sse.client.operation import Operation
from progress_sse.client.reports import LOG_LEVELS, Log, LogLine, fit_text
from progress_sse.core.log_lines import LogLevel
from progress_sse.core.updates import StepRef
from progress_sse.story.plain_text import final_state

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


def log_lines(text: object, level: LogLevel) -> tuple[LogLine, ...]:
    """Return the lines of a text, in a form that the server accepts; of more than a second may have, those that stay.

    Raises:
        TypeError: It cannot be shown as text.
        ValueError: There is no such level.
    """
    if level not in LOG_LEVELS:
        raise ValueError(f"the level of a log line is one of {', '.join(LOG_LEVELS)}, not {level!r}")
    whole = text if isinstance(text, str) else fit_text(text)
    lines = whole.removesuffix("\n").split("\n")
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out <= 0:
        return _lines(lines, level)
    return (*_lines(lines[:FIRST_LINES], level), mark(left_out), *_lines(lines[-LAST_LINES:], level))


def _lines(texts: Sequence[str], level: LogLevel) -> tuple[LogLine, ...]:
    return tuple(LogLine(fit_text(final_state(each)), level) for each in texts)


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
