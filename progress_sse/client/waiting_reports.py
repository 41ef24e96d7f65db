"""The reports of one session that wait to be sent, and their order. Pure.

* **The creation** precedes everything, whichever thread reports first.
* **Commands** (start, complete, and all others but advances) are queued, and sent in order; none is merged into
  another.
* **Log lines** (``waiting_lines``) go with the commands that were made after them, and before each of those. Where they
  are too many for one request, only the reports that may end the session wait for them.
* **Advances** wait one per step, or one per part of a step. A newer one replaces an older one, or the progress is read
  only when it is sent. They go when no command waits, and at most ten times a second. So an advance never overtakes its
  start. If its step has meanwhile ended or restarted, it is not sent, since no page would show it.

Any thread may `put`, and read the numbers of reports, also a signal handler or a finaliser during another `put`. Each
of these touches shared state by single calls into C only. All other methods belong to the one thread or task that
sends, except that any thread may drop reports.
"""

import itertools
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from progress_sse._internal.backoff import chance_of_system
from progress_sse.client.exchange import RequestRoom
from progress_sse.client.operation import Operation
from progress_sse.client.reports import Create, Lane, Latest, Log, Queueable
from progress_sse.client.waiting_lines import WaitingLines
from progress_sse.core.updates import Advance, Complete, Finish, ReportPart, Skip, StepRef, StepUpdate

ADVANCE_INTERVAL_S: Final = 0.1
"""Minimum seconds between two advances of a step."""


class WaitingReports:
    """The reports that wait to be sent; see the module."""

    def __init__(
        self,
        creation: Operation | None = None,
        *,
        tells_age: bool = False,
        chance: Callable[[], float] = chance_of_system,
    ) -> None:
        """Begin with only the `creation`, which precedes the first report.

        `tells_age` says whether the server is told how long ago each report was made.
        """
        self._tells_age = tells_age
        self._chance = chance
        self._numbers = itertools.count(1)
        self.lines = WaitingLines(self._numbers, chance)
        self._creation = self._first_creation = creation
        self._has_begun = False
        self._commands: deque[Operation] = deque()
        self._advances: OrderedDict[Lane, Advance | Latest | Operation] = OrderedDict()
        self._paced: dict[Lane | None, float] = {}  # Of the sender: when each may send its next advance.

    def __len__(self) -> int:
        """Return how many reports wait."""
        is_to_be_created = self._has_begun and self._creation is not None
        return is_to_be_created + len(self._commands) + len(self._advances)

    @property
    def command_count(self) -> int:
        """How many creations, starts and completions wait, with a creation that has not begun."""
        return (self._creation is not None) + len(self._commands)

    @property
    def has_creation(self) -> bool:
        """Whether a creation waits, which precedes everything."""
        return self._creation is not None

    @property
    def commands(self) -> list[Operation]:
        """The creation and the commands that wait, in their order."""
        creation = self._creation
        return [*([] if creation is None else [creation]), *list(self._commands)]

    def begin(self) -> None:
        """Let the creation be sent, if there is one, before the first report."""
        self._has_begun = True

    def put(self, report: Queueable, now: float | None = None) -> None:
        """Add a report, which the job makes now."""
        self.begin()
        if isinstance(report, Create):
            self._creation = self._first_creation = Operation(report)
        elif isinstance(report, Advance | Latest):
            if isinstance(report, Latest):
                report.queue = self._advances
                self._advances[report.lane] = report
            else:
                self._advances[report.step] = report
        else:
            self.lines.precede_report()
            made_at = now if self._tells_age else None
            self._commands.append(Operation(report, made_at=made_at, number=next(self._numbers)))
            if isinstance(report, ReportPart):
                self._advances.pop((report.step, report.part), None)
            elif isinstance(report, StepUpdate):
                self._drop_progress_of(report.step)
            elif isinstance(report, Finish):
                self._advances.clear()

    def _drop_progress_of(self, step: StepRef) -> None:
        self._advances.pop(step, None)
        for lane in list(self._advances):
            if isinstance(lane, tuple) and lane[0] == step:
                self._advances.pop(lane, None)

    def next_at(self) -> float:
        """Return when the next report may be sent; infinity if none waits."""
        if len(self) == 0:
            return self.lines.next_at()
        if self.command_count > 0:
            return -math.inf
        return min((self.lines.next_at(), *self._next_advances()))

    def _next_advances(self) -> list[float]:
        return [self._paced.get(lane, -math.inf) for lane in list(self._advances)]

    def take_next(self, room: RequestRoom, now: float, *, alone: bool) -> list[Operation]:
        """Take out the reports to send together now, for which there is room, or a single one if `alone`.

        These are commands, or else an advance; and log lines.
        """
        most = 1 if alone else room.updates
        taken = self._take_commands(most, room, now) or self._take_others(most, room, now)
        room.updates -= len(taken)
        return taken

    def _take_others(self, most: int, room: RequestRoom, now: float) -> list[Operation]:
        # Commands wait where the request has no room for them. Lines are rarer than advances.
        is_turn_of_lines = most == 1 and self.lines.next_at() <= now
        advance = [] if is_turn_of_lines or self._commands or room.is_full else self._take_advance(room, now)
        if len(advance) == most or self.lines.next_at() > now:
            return advance
        return advance + self.lines.take(most - len(advance), room, now)

    def _take_commands(self, most: int, room: RequestRoom, now: float) -> list[Operation]:
        # A creation goes alone, since its request has another form.
        if self._creation:
            creation, self._creation = self._creation, None
            return [creation]
        taken: list[Operation] = []
        with suppress(IndexError):  # Another thread may drop some; see `drop_oldest`.
            while len(taken) < most:
                command = self._commands.popleft()
                waits = isinstance(command.report, Complete | Finish | ReportPart | Skip)
                taken += self.lines.take(most - len(taken) - (not waits), room, now, command.number)
                is_full = len(taken) == most or not room.take(command.report)
                if is_full or (waits and self.lines.are_due(command.number, now)):
                    self._commands.appendleft(command)
                    break
                taken.append(command)
        for operation in taken:
            self._paced.pop(operation.lane, None)
        return taken

    def _take_advance(self, room: RequestRoom, now: float) -> list[Operation]:
        for lane in list(self._advances):
            if self._paced.get(lane, now) <= now:
                waiting = self._advances.pop(lane, None)
                if waiting is None:
                    continue
                self._paced[lane] = now + ADVANCE_INTERVAL_S
                if not isinstance(waiting, Operation):
                    report = waiting.read() if isinstance(waiting, Latest) else waiting
                    waiting = Operation(report, made_at=now if self._tells_age else None)
                room.spend(waiting.report)
                return [waiting]
        return []

    def put_back(self, unsent: Sequence[Operation]) -> None:
        """Add unsent reports before all others, in their order."""
        for operation in reversed(unsent):
            if isinstance(operation.report, Create):
                self._creation = operation
            elif isinstance(operation.report, Advance):
                self._put_back_advance(operation)
            elif isinstance(operation.report, Log):
                self.lines.put_back(operation)
            else:
                self._commands.appendleft(operation)

    def _put_back_advance(self, operation: Operation) -> None:
        # A newer advance, or a command of the same step, makes this one useless.
        step = operation.step
        assert step is not None
        self._advances.setdefault(step, operation)
        is_useless = any(each.step == step or isinstance(each.report, Finish) for each in list(self._commands))
        if is_useless and self._advances.get(step) is operation:
            self._advances.pop(step, None)

    def drop_oldest(self) -> bool:
        """Drop the oldest advance, and without advances the oldest command; return whether there was one.

        The creation stays: without it a start would create a session with other steps.
        """
        with suppress(KeyError):
            self._advances.popitem(last=False)
            return True
        with suppress(IndexError):  # The sender has just taken it out.
            self._commands.popleft()
            return True
        return False

    def drop_advances(self) -> int:
        """Drop all advances, and return their number."""
        count = 0
        with suppress(KeyError):
            while True:
                self._advances.popitem()
                count += 1
        return count

    def drop_all(self) -> int:
        """Drop all reports, and return how many of them the job made."""
        self.lines.drop_all()
        creation, self._creation = self._creation, None
        count = int(self._has_begun and creation is not None and creation.is_from_job)
        count += self.drop_advances()
        with suppress(IndexError):
            while True:
                self._commands.popleft()
                count += 1
        return count

    def renewed(self) -> "WaitingReports":
        """Return the reports of a child process, for which only the creation waits; drop the advances here.

        A creation without an answer yet precedes the reports of both processes, with the same key. So both get the same
        answer, which names the run.
        """
        self.drop_advances()  # So that a `Latest` in here sees that it no longer waits.
        creation = self._first_creation
        if creation is not None and not self._has_begun:
            creation = Operation(creation.report)
        return WaitingReports(creation, tells_age=self._tells_age, chance=self._chance)
