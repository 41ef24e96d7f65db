"""The reports of one session that wait to be sent, or for their answers, and their order. Pure.

* **The creation** precedes everything, whichever thread reports first.
* **Commands** (all reports but advances) are queued, and sent in order.
* **Log lines** (``waiting_lines``) go with the commands that were made after them, and before each of those. Where they
  are too many for one request, only the reports that may end the session wait for them.
* **Advances** wait one per step, or one per part of a step. A newer one replaces an older one, or the progress is read
  only when it is sent. They go when no command waits, and at most ten times a second, so none overtakes its start. One
  whose step has meanwhile ended or restarted is dropped.
* **The queue is bounded** by the memory of an outage, and by no burst. Past `MAX_COMMAND_BYTES` the oldest command is
  dropped, and past `MAX_ADVANCES` steps and parts the oldest advance. What is dropped is counted.
* **A forked process** begins with no report. Its own wait, for a limited time, until its parent has sent what waited at
  the fork (``forks``).
* **A superseded attempt reports no more**: all waiting and later reports of the step and attempt are dropped.

Any thread may `put`, `put_log` and `give_up`, and read `is_empty` and `lost`, also a signal handler or a finaliser
during another `put`. Each of these touches shared state by single calls into C only, so there is no lock for which a
job could wait. All other methods belong to the one thread that sends.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from sys import getsizeof
from typing import Final

from progress_sse._internal.backoff import chance_of_system
from progress_sse.client.count import Count
from progress_sse.client.errors import ReportError, ServerAwayError
from progress_sse.client.exchange import Operation, RequestRoom
from progress_sse.client.forks import ForkOrder
from progress_sse.client.own_log import Event
from progress_sse.client.reports import Create, Lane, Latest, Log, Queueable, Report
from progress_sse.client.waiting_lines import WaitingLines, drained
from progress_sse.core.updates import Advance, Complete, Finish, ReportPart, Skip, StepRef, StepUpdate

MAX_COMMAND_BYTES: Final = 64 * 2**20  # Of the commands of one session that wait.
MAX_ADVANCES: Final = 10_000  # Steps and parts of one session whose progress waits.
_COMMAND_BYTES: Final = 500  # Of a command besides its texts.
ADVANCE_INTERVAL_S: Final = 0.1  # Between two advances of a step, at least.


class WaitingReports:
    """The unsent reports; see the module."""

    def __init__(
        self,
        creation: Operation | None = None,
        *,
        tells_age: bool = False,
        chance: Callable[[], float] = chance_of_system,
    ) -> None:
        self.lines = WaitingLines(chance)
        self.creation = self._first_creation = creation
        self.has_begun = False  # Whether the creation is to be sent: the job has begun to report.
        self.under_way: list[Operation] = []  # Was sent, and has no answer yet.
        self.lost = Count()  # How many reports were refused or dropped.
        self.events: deque[Event] = deque()
        self.has_cost_reports = False  # Whether the job was warned that this outage costs reports.
        self.has_given_up = False  # Whether later reports are dropped.
        self.order = ForkOrder()
        self._tells_age = tells_age
        self._chance = chance
        self._is_under_way = False  # Set before a report leaves its queue.
        self._commands: deque[Operation] = deque()
        self._command_bytes = Count()
        self._advances: OrderedDict[Lane, Advance | Latest | Operation] = OrderedDict()
        self._paced: dict[Lane | None, float] = {}  # When each may send its next advance.
        self._superseded: dict[tuple[StepRef | None, str], bool] = {}  # Of an attempt all, or its lines alone.

    @property
    def is_empty(self) -> bool:
        """Whether all reports and log lines were sent or dropped."""
        # Under way before and after: a report may leave its queue meanwhile, or come back to it.
        if self._is_under_way or self._commands or self._advances or (self.has_begun and self.creation):
            return False
        return not (self.lines.is_used and not self.lines.is_empty) and not self._is_under_way

    @property
    def has_reports(self) -> bool:
        """Whether any of what is not sent is a report, and no log line."""
        if self._commands or self._advances or (self.has_begun and self.creation):
            return True
        return any(not isinstance(each.report, Log) for each in self.under_way)

    @property
    def commands(self) -> list[Operation]:
        """The creation, begun or not, and the commands that wait, in their order."""
        return [*filter(None, [self.creation]), *list(self._commands)]

    def put(self, report: Queueable, now: float | None = None) -> None:
        """Add a report, which the job makes now."""
        if self.has_given_up or (self._superseded and self._is_superseded(report)):
            self.lost.add(1)
            if isinstance(report, Latest):
                report.queue = {report.lane: report}  # As if it waited, so that a loop does not queue each row.
            return
        self.has_begun = True
        if isinstance(report, Create):
            self.creation = self._first_creation = Operation(report)
        elif isinstance(report, Latest):
            report.queue = self._advances
            self._advances[report.lane] = report
        elif isinstance(report, Advance):
            self._advances[report.step] = report
        else:
            self.lines.settle(leaves_room=True)
            made_at = now if self._tells_age else None
            size = size_of(report)
            is_full = self._command_bytes.add(size) + size > MAX_COMMAND_BYTES
            self._commands.append(Operation(report, made_at=made_at, number=next(self.lines.numbers)))
            if self._advances:
                self._drop_progress_before(report)
            if is_full:
                self._drop_oldest_commands()
        if self.has_given_up:  # Meanwhile.
            self.lost.add(self.drop_all())
        elif len(self._advances) > MAX_ADVANCES:
            with suppress(KeyError):  # The sender has just taken them.
                self._advances.popitem(last=False)
                self._lose_one(f"progress of more than {MAX_ADVANCES} steps and parts waits")

    def _drop_progress_before(self, report: Queueable) -> None:
        if isinstance(report, ReportPart):
            self._advances.pop((report.step, report.part), None)
        elif isinstance(report, StepUpdate):
            self._advances.pop(report.step, None)
            for lane in list(self._advances):
                if isinstance(lane, tuple) and lane[0] == report.step:
                    self._advances.pop(lane, None)
        elif isinstance(report, Finish):
            self._advances.clear()

    def _drop_oldest_commands(self) -> None:
        """Drop commands; the creation stays, without which a start would create a session with other steps."""
        with suppress(IndexError):  # The sender has just taken them.
            while self._command_bytes.value > MAX_COMMAND_BYTES:
                self._command_bytes.add(-size_of(self._commands.popleft().report))
                self._lose_one(f"more than {MAX_COMMAND_BYTES // 2**20} MiB of reports wait")

    def _lose_one(self, reason: str) -> None:
        if self.has_cost_reports:
            self.lost.add(1)
            return
        self.has_cost_reports = True
        self.lose(ServerAwayError(f"{reason}: the oldest are being dropped"))

    def put_log(self, log: Log, now: float) -> bool:
        """Add lines, which the job makes now; return whether the sender is to look at them."""
        if self.has_given_up or (self._superseded and self._is_superseded(log)):
            return False
        self.has_begun = True
        is_news = self.lines.put(log, now)
        if self.has_given_up:  # Meanwhile.
            self.lines.drop_all()
        return is_news

    def lose(self, error: ReportError, count: int = 1) -> None:
        """Count lost reports, and let the job know why."""
        self.lost.add(count)
        self.events.append(Event(getattr(error, "problem", "away for long"), "lost a report on %s: %s", error))

    def give_up(self) -> None:
        """Drop all unsent and later reports, as there is no time left."""
        self.has_given_up = True
        under_way, self.under_way, self._is_under_way = self.under_way, [], False
        self.lost.add(count_reports(under_way) + self.drop_all())

    def drop_all(self) -> int:
        """Drop all waiting and later reports; return how many of the waiting ones the job made."""
        self.has_given_up = True
        self.lines.drop_all()
        creation, self.creation = self.creation, None
        count = int(self.has_begun and creation is not None and creation.is_from_job)
        return count + self.drop_advances() + len(drained(self._commands.popleft))

    def drop_advances(self) -> int:
        """Drop all advances, and return their number."""
        return len(drained(self._advances.popitem))

    # The rest is for the sender.

    def next_at(self) -> float:
        """Return when to `take` something; infinity if only a report or an answer changes that."""
        if self._is_under_way:
            return math.inf
        if self._commands or (self.has_begun and self.creation):
            return self.order.look_at
        paced = [self._paced.get(lane, -math.inf) for lane in list(self._advances)]
        return max(self.order.look_at, min((self.lines.next_at(), *paced)))

    def take(self, room: RequestRoom, now: float, *, alone: bool) -> list[Operation]:
        """Send the commands, or else an advance, and log lines, as far as there is room; or one report if `alone`."""
        if self._is_under_way or (self.order.preceding and self.order.holds(now)):
            return []
        self._is_under_way = True
        before = next(self.lines.numbers)  # Lines from now on wait: the job may report what they follow meanwhile.
        most = 1 if alone else room.updates
        taken = self._take_commands(most, room, now) or self._take_others(most, room, now, before)
        if self._superseded:
            before = count_reports(taken)
            taken = [each for each in taken if not self._is_superseded(each.report)]
            self.lost.add(before - count_reports(taken))
        room.updates -= len(taken)
        self.under_way = taken
        self._is_under_way = bool(taken)
        return taken

    def _take_commands(self, most: int, room: RequestRoom, now: float) -> list[Operation]:
        # A creation goes alone, since its request has another form.
        if self.creation:
            creation, self.creation = self.creation, None
            return [creation]
        taken: list[Operation] = []
        with suppress(IndexError):  # Another thread may drop some.
            while len(taken) < most:
                command = self._commands.popleft()
                is_held = False
                if self.lines.is_used:
                    is_end = isinstance(command.report, Complete | Finish | ReportPart | Skip)
                    taken += self.lines.take(most - len(taken) - (not is_end), room, now, command.number)
                    is_held = is_end and self.lines.are_due(command.number, now)
                if is_held or len(taken) == most or not room.take(command.report):
                    self._commands.appendleft(command)
                    break
                self._command_bytes.add(-size_of(command.report))
                taken.append(command)
        if self._paced:
            for operation in taken:
                self._paced.pop(operation.lane, None)
        return taken

    def _take_others(self, most: int, room: RequestRoom, now: float, before: int) -> list[Operation]:
        # Commands wait where the request has no room for them. Lines are rarer than advances.
        lines_at = self.lines.next_at()
        is_turn_of_lines = most == 1 and lines_at <= now
        advance = [] if is_turn_of_lines or self._commands or room.is_full else self._take_advance(room, now)
        if len(advance) == most or lines_at > now:
            return advance
        return advance + self.lines.take(most - len(advance), room, now, before)

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
                room.take(waiting.report, always=True)
                return [waiting]
        return []

    def put_back(self, unsent: Sequence[Operation]) -> None:
        """End the request under way, and add reports before all others, in their order."""
        for operation in reversed(unsent):
            if isinstance(operation.report, Create):
                self.creation = operation
            elif isinstance(operation.report, Advance):
                self._put_back_advance(operation, operation.report.step)
            elif isinstance(operation.report, Log):
                self.lines.put_back(operation)
            else:
                self._command_bytes.add(size_of(operation.report))
                self._commands.appendleft(operation)
        if self.has_given_up:
            self.lost.add(self.drop_all())
        self.under_way = []
        self._is_under_way = False

    def _put_back_advance(self, operation: Operation, step: StepRef) -> None:
        # A newer advance, or a command of the same step, makes this one useless.
        self._advances.setdefault(step, operation)
        is_useless = any(each.step == step or isinstance(each.report, Finish) for each in list(self._commands))
        if is_useless and self._advances.get(step) is operation:
            self._advances.pop(step, None)

    def supersede(self, step: StepRef | None, attempt_id: str, *, lines_alone: bool = False) -> None:
        """Drop what waits of a step, or of none, by an attempt, and what comes later; or its lines alone."""
        self._superseded[step, attempt_id] = self._superseded.get((step, attempt_id), True) and lines_alone

    def _is_superseded(self, report: Queueable) -> bool:
        if report.lease is None or not isinstance(report, StepUpdate | Latest | Log):
            return False
        lines_alone = self._superseded.get((report.step, report.lease.attempt_id or ""))
        return lines_alone is not None and (not lines_alone or isinstance(report, Log))

    def renewed(self, *, with_creation: bool) -> "WaitingReports":
        """Return the reports of a forked process, for which only the creation may wait.

        A creation without an answer precedes the reports of both processes, with one key: both answers name its run.
        """
        self.drop_advances()  # So that a `Latest` in here sees that it no longer waits.
        creation = self._first_creation if with_creation else None
        if creation is not None and not self.has_begun:
            creation = Operation(creation.report)
        waiting = WaitingReports(creation, tells_age=self._tells_age, chance=self._chance)
        waiting.has_given_up = self.has_given_up
        waiting._superseded = dict(self._superseded)
        waiting.order = self.order.renewed()
        return waiting


def size_of(report: Report) -> int:
    """Return about how many bytes of memory a command takes."""
    if isinstance(report, StepUpdate):
        return _COMMAND_BYTES + getsizeof(getattr(report, "message", "")) + getsizeof(getattr(report, "error", ""))
    return _COMMAND_BYTES + len(repr(report))


def count_reports(operations: Iterable[Operation]) -> int:
    """Return how many of these are reports of the job: no lines, and no creation after a loss."""
    return sum(each.is_from_job and not isinstance(each.report, Log) for each in operations)
