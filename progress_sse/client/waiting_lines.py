"""The log lines of one session that wait to be sent. Pure: the time is an argument.

* **A flood is thinned.** Of the lines of a second the first `FIRST_LINES` go at once. What follows is a burst, whose
  last lines go when it ends: with the second, or before a report, which they must precede. A report leaves room for
  some lines of the same second, since those about a failure may follow it. One line a second counts what was left out.
* **What waits is bounded**, by lines and by characters. While the server is away the oldest lines are left out, as the
  server itself keeps the newest, and a line counts them.
* **Lines go in batches**, at most five times a second, or together with a report that was made after them.

Any thread may `put`, `settle` and `drop_all`, also a signal handler or a finaliser during another `put`: each of these
touches shared state by single calls into C only. So two threads may keep a line too many, and none ever waits. All
other methods belong to the thread that sends.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar, get_args

from progress_sse._internal.backoff import chance_of_system
from progress_sse.client.attempt import Attempt
from progress_sse.client.availability import Availability
from progress_sse.client.count import Count
from progress_sse.client.exchange import Operation, RequestRoom
from progress_sse.client.reports import Log, LogLine, fit_text
from progress_sse.core.log_lines import LogLevel
from progress_sse.core.updates import StepRef
from progress_sse.story.plain_text import final_state

T = TypeVar("T")

FIRST_LINES: Final = 100
LAST_LINES: Final = 100
"""Lines of each second that are kept: from its beginning, and from its end."""

MAX_LINES: Final = 1000
MAX_CHARS: Final = 262_144
"""Lines that wait, and their characters, at most."""

MAX_BATCH_LINES: Final = 100  # In one report.
INTERVAL_S: Final = 0.2  # Between two requests that lines cause.


class _Line(NamedTuple):
    """A line that the job has made; see `Operation` for its number."""

    number: int
    line: LogLine
    made_at: float
    step: StepRef | None
    lease: Attempt | None


class _Second:
    """A second in which lines are made; if it `is_marked`, a line has just counted those that were left out."""

    def __init__(self, began: float, *, is_marked: bool = False) -> None:
        self.began = began
        self.numbers = itertools.count(1)
        self.last_lines = Count()
        self.is_marked = is_marked

    def has(self, moment: float) -> bool:
        return self.began <= moment < self.began + 1


class _Burst:
    """The lines of a second beyond the first ones, of which the newest are kept."""

    def __init__(self, second: _Second, first: _Line) -> None:
        self.second = second
        self.first = first
        self.lines = Count()
        self.kept: deque[_Line] = deque(maxlen=max(0, LAST_LINES - second.last_lines.value))
        self.is_over = False


class WaitingLines:
    """The lines that wait to be sent; see the module.

    Attributes:
        is_used: Whether the job has ever logged a line. Until then no report has to look for lines that it follows.
    """

    def __init__(self, chance: Callable[[], float] = chance_of_system) -> None:
        self.numbers = itertools.count(1)  # Of the lines, and of the reports that they may have to precede.
        self.server = Availability(chance)  # Whether it takes lines for now.
        self.is_used = False
        self._second = _Second(-math.inf)
        self._open: deque[_Burst] = deque()
        self._settling: dict[object, None] = {}
        # How many lines each burst has left out that no line has counted yet.
        self._uncounted: deque[tuple[int, _Burst]] = deque()
        self._marked_until = -math.inf
        self._waiting: deque[_Line] = deque()
        self._chars = Count()
        self._left_out = Count()
        self._is_announced = False
        # Of the sender.
        self._again: deque[Operation] = deque()
        self._paced_until = -math.inf

    @property
    def is_empty(self) -> bool:
        """Whether no line waits."""
        # In the order in which lines go: a burst that is no longer open is being settled.
        return not (self._open or self._settling or self._uncounted or self._waiting or self._again)

    def put(self, log: Log, now: float) -> bool:
        """Add lines, and return whether the sender is to look at them; otherwise it will do so anyway."""
        self.is_used = True  # Before the lines: one that waits is seen.
        for line in log.lines:
            self._put(_Line(next(self.numbers), line, now, log.step, log.lease))
        # After the lines: the sender withdraws the announcement before it takes them.
        was_announced, self._is_announced = self._is_announced, True
        return not was_announced

    def _put(self, line: _Line) -> None:
        if not self._second.has(line.made_at):
            self.settle()
            self._second = _Second(line.made_at, is_marked=line.made_at < self._marked_until)
        if next(self._second.numbers) <= FIRST_LINES:
            self._append(line)
            return
        try:
            burst = self._open[-1]
        except IndexError:
            burst = _Burst(self._second, line)
            self._open.append(burst)
        if not line.line.left_out:
            burst.kept.append(line)
        burst.lines.add(line.line.left_out or 1)
        if burst.is_over:  # Another thread has settled it meanwhile.
            self._pass_on(burst)

    def settle(self, *, leaves_room: bool = False) -> None:
        """End a burst before the second is over; `leaves_room` keeps half of its last lines, for those that follow."""
        if not self._open and (leaves_room or not self._uncounted):
            return
        caller = object()
        self._settling[caller] = None  # In it and out of it without a call, amid which a time limit might end the job.
        try:
            with suppress(IndexError):
                while True:
                    burst = self._open.pop()
                    burst.is_over = True
                    self._pass_on(burst, leaves_room=leaves_room)
            if not leaves_room:
                self._mark(next(self.numbers))  # Reports may have followed its burst.
        finally:
            del self._settling[caller]

    def _pass_on(self, burst: _Burst, *, leaves_room: bool = False) -> None:
        """Pass on what is in a burst; of two callers each has what the other has not."""
        kept = drained(burst.kept.popleft)
        if leaves_room:
            kept = kept[-max(1, (LAST_LINES - burst.second.last_lines.value) // 2) :]
        burst.second.last_lines.add(len(kept))
        burst.lines.add(-len(kept))
        left_out = burst.lines.value
        if left_out > 0:
            burst.lines.add(-left_out)
            self._uncounted.append((left_out, burst))
            if not (leaves_room and burst.second.is_marked):
                self._mark(burst.first.number)
        for line in kept:
            self._append(line)

    def _mark(self, number: int) -> None:
        """Pass on a line of this number that counts those that were left out."""
        uncounted = drained(self._uncounted.popleft)
        if not uncounted:
            return
        burst = uncounted[-1][1]
        if burst.second.is_marked:  # It is the line of the second that follows.
            self._marked_until = burst.second.began + 2
        burst.second.is_marked = True
        self._append(burst.first._replace(number=number, line=mark(sum(left_out for left_out, _ in uncounted))))

    def _append(self, line: _Line) -> None:
        self._chars.add(len(line.line.text))
        self._waiting.append(line)
        with suppress(IndexError):  # The sender has just taken them.
            while len(self._waiting) > MAX_LINES or self._chars.value > MAX_CHARS:
                self._left_out.add(self._pop().line.left_out or 1)

    def _pop(self) -> _Line:
        line = self._waiting.popleft()
        self._chars.add(-len(line.line.text))
        return line

    def drop_all(self) -> None:
        """Drop all lines."""
        self._is_announced = False
        self._open.clear()
        self._uncounted.clear()
        self._again.clear()
        drained(self._pop)

    # The rest is for the sender.

    def next_at(self) -> float:
        """Return when lines may be sent by themselves; infinity if none waits."""
        if self._waiting or self._again:
            return max(self._paced_until, self.server.not_before)
        with suppress(IndexError):  # Another thread settles it.
            burst = self._open[-1] if self._open else self._uncounted[-1][1]
            return max(burst.second.began + 1, self.server.not_before)
        return math.inf

    def are_due(self, before: int, now: float) -> bool:
        """Return whether lines wait that a report of this number must not overtake; not where the server takes none."""
        if now < self.server.not_before:
            return False
        with suppress(IndexError):
            return (self._again or self._waiting)[0].number < before
        return False

    def hurry(self) -> None:
        """Let lines go at once, as the job waits for that."""
        self.settle()
        self._paced_until = -math.inf

    def take(self, most: int, room: RequestRoom, now: float, before: float = math.inf) -> list[Operation]:
        """Take out lines for at most so many reports, for which the request has room; only those before a number."""
        self._is_announced = False  # Before they are taken: later lines announce themselves again.
        if now < self.server.not_before:
            return []
        with suppress(IndexError):  # Another thread settles it.
            burst = self._open[-1] if self._open else self._uncounted[-1][1]
            if not burst.second.has(now):
                self.settle()
        taken: list[Operation] = []
        while len(taken) < most and (self._again or self._waiting):
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
        together: list[_Line] = []
        left_out = self._left_out.value
        with suppress(IndexError):  # Another thread leaves some out.
            if left_out and self._waiting[0].number < before:
                self._left_out.add(-left_out)
                together.append(self._waiting[0]._replace(line=mark(left_out)))
            while len(together) < MAX_BATCH_LINES:
                line = self._waiting.popleft()
                is_alike = not together or (line.step, line.lease) == (together[0].step, together[0].lease)
                if line.number >= before or not is_alike or not room.take_lines([line.line]):
                    self._waiting.appendleft(line)
                    break
                self._chars.add(-len(line.line.text))
                together.append(line)
        return _operation(together) if together else None

    def put_back(self, operation: Operation) -> None:
        """Add lines before all others, as they were not sent."""
        self._again.appendleft(operation)


def drained(pop: Callable[[], T]) -> list[T]:
    """Take out all entries; of two callers each has what the other has not."""
    taken: list[T] = []
    with suppress(LookupError):
        while True:
            taken.append(pop())
    return taken


def _operation(together: Sequence[_Line]) -> Operation:
    made_at = max(each.made_at for each in together)
    lines = tuple(each.line._replace(before_ms=int(1000 * (made_at - each.made_at))) for each in together)
    return Operation(Log(lines, together[0].step, lease=together[0].lease), made_at=made_at, number=together[0].number)


def mark(left_out: int) -> LogLine:
    """Return the line that stands for so many that were left out."""
    lines = "1 line was" if left_out == 1 else f"{left_out} lines were"
    return LogLine(f"… {lines} left out here", "warning", left_out=left_out)


def log_lines(text: object, level: LogLevel) -> tuple[LogLine, ...]:
    """Return the lines of a text, in a form that the server accepts; of more than a second may have, those that stay.

    `TypeError`: it cannot be shown as text. `ValueError`: there is no such level.
    """
    if level not in get_args(LogLevel):
        raise ValueError(f"the level of a log line is one of {', '.join(get_args(LogLevel))}, not {level!r}")
    whole = text if isinstance(text, str) else fit_text(text)
    lines = whole.removesuffix("\n").split("\n")
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out <= 0:
        return _lines(lines, level)
    return (*_lines(lines[:FIRST_LINES], level), mark(left_out), *_lines(lines[-LAST_LINES:], level))


def _lines(texts: Sequence[str], level: LogLevel) -> tuple[LogLine, ...]:
    return tuple(LogLine(fit_text(final_state(each)), level) for each in texts)
