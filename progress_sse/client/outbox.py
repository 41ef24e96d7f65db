"""The reports of one session that are still to be sent: which go next, and what an answer means for them. Pure.

An `Outbox` has one request under way at a time, so that the server gets the reports in the order in which they were
made. That request may carry several of them.

* **The creation** precedes everything, whichever thread reports first.
* **Commands** (start, complete) wait in line, and are sent in order; none is merged into another.
* **Advances** wait one per step. A newer one replaces an older one, or what waits is read only when it is sent. They
  go when no command waits, and at most ten times a second. So an advance never overtakes its start. One whose step has
  meanwhile ended or begun anew is not sent at all, since no page would show it.
* **Commands go together** where several wait and the target takes batches. Each has its answer. A refusal of a whole
  batch says nothing of each command, so fewer go together, and at last each by itself.
* **Each report has its key**, made when it is first sent, and sent again with it: the server applies it once.
* **Passing failures are retried.** No answer, 5xx, 429, and a key still under way (409) are tried again after a pause:
  as long as `Retry-After` says, and then a random part of a span that doubles up to `LONGEST_PAUSE_S`. Any other
  answer but success is a refusal, and that report is given up.
* **All sessions share the absence of their server.** All outboxes that share an `Availability` learn of no answer, 502,
  503 and 504: one of them tries again, and the rest wait for it. Other failures are those of one session.
* **A session that was created here is reported on as long as it is that run.** Each report names the run, which the
  answer to the creation has told. If the server has lost the session, it is created again, with its own steps, and
  their reports are sent again. If it never was created, or another run has its id, all that waits and all that comes is
  given up: it would go to another job's run, or make a session of other steps.
* **The queue has a bound.** Past `MAX_WAITING` reports the oldest advance is dropped, and if there is none the oldest
  start or completion. A server that is away for `PATIENCE_S` costs the advances that wait. Starts and completions go on
  waiting, since without them the session would never be right again.

What happens along the way comes out as events, for the callers to log or raise. What must not go in here: I/O, a clock,
locks, logging.

Any thread may `put`, and read `is_empty` and `lost`, also a signal handler or a finaliser amid another `put`. Each of
these touches shared state by single calls into C only, so that there is no lock for which a job could wait. The rest
belongs to the one thread or task that sends.
"""

import math
import random
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from progress_sse.client.availability import LONGEST_PAUSE_S, Availability
from progress_sse.client.count import Count
from progress_sse.client.errors import ReportError, ReportRefusedError, ServerAwayError
from progress_sse.client.exchange import TOO_MANY, Answer, Request
from progress_sse.client.reports import Advance, Complete, Create, Latest, Queueable, Report, Start

MAX_WAITING: Final = 1000
"""Reports of one session that may wait."""

ADVANCE_INTERVAL_S: Final = 0.1
"""Seconds, at least, between two advances of a step."""

PATIENCE_S: Final = 60.0
"""Seconds of a server's absence after which the advances that wait are dropped, and an answer of 500 is final."""

MAX_BATCH: Final = 50
"""Reports in one request, at most; fewer if their texts make it too large for the server."""

MAX_LOSSES: Final = 5
"""Times in a row that a session is created again without a report in between."""

_NO_SUCH_PATH: Final = frozenset({404, 405})
"""Statuses of a server that takes no batches."""

_NOT_OUR_RUN: Final = frozenset({"session-not-found", "other-run"})
"""Problems of a report whose session is gone, or is not the one that was created."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The server does not answer as it should; reports wait."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The server answers again, after so many seconds, in which so many reports were dropped."""

    away_s: float
    lost: int


@dataclass(frozen=True, slots=True)
class ReportDropped:
    """A report, or several, will never be sent."""

    error: ReportError


@dataclass(frozen=True, slots=True)
class Recreated:
    """The server had lost the session, and has it again."""


Event: TypeAlias = Disconnected | Reconnected | ReportDropped | Recreated


@dataclass(slots=True)
class _Operation:
    report: Report
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    failing_since: float | None = None

    @property
    def is_of_the_job(self) -> bool:
        """Whether the job has reported it; a creation after a loss is our own."""
        return not isinstance(self.report, Create) or self.report.replace


@dataclass(slots=True)
class _Run:
    """The run that was created here.

    Attributes:
        creation: The report that created it.
        key: The key of its creation.
        name: The server's name of it; empty if the server does not tell it.
        losses: How often it was created again since the last report that was applied.
        lost_at: When it was lost last.
        sent: The start and the completion of each step, as far as they were applied, in the order of the starts.
    """

    creation: Create
    key: str
    name: str = ""
    losses: int = 0
    lost_at: float = -math.inf
    sent: dict[int, list[Start | Complete]] = field(default_factory=dict)

    def note(self, report: Start | Complete | Advance) -> None:
        """Remember a report that was applied."""
        self.losses = 0
        if isinstance(report, Start):
            self.sent.pop(report.step, None)
            self.sent[report.step] = [report]
        else:
            # Another process may have started it.
            start, *_ = self.sent.setdefault(report.step, [Start(report.step)])
            self.sent[report.step] = [start, report] if isinstance(report, Complete) else [start]


class Outbox:
    """The reports of one session that are still to be sent; see the module."""

    def __init__(
        self, session_id: str, creation: Create | None = None, *, chance: Callable[[], float] = random.random
    ) -> None:
        """Begin with nothing but the `creation` that precedes the first report; `chance` gives numbers from 0 to 1."""
        self.session_id = session_id
        self.server = Availability(chance)  # Other outboxes may come to share it.
        self._own = Availability(chance)
        self._chance = chance
        # Shared with the threads that put.
        self._creation = _Operation(creation) if creation else None
        self._first_creation = self._creation
        self._has_begun = False
        self._commands: deque[_Operation] = deque()
        self._advances: OrderedDict[int, Advance | Latest | _Operation] = OrderedDict()
        self._lost = Count()
        self._events: deque[Event] = deque()
        self._has_warned_of_loss = False
        self._has_given_up = False
        # Of the sender; the others read `_is_sending`, which is set before a report leaves its queue.
        self._is_sending = False
        self._sending: list[_Operation] = []
        self._run: _Run | None = None
        self._paced: dict[int, float] = {}
        self._batch_size = MAX_BATCH
        self._away_since: float | None = None
        self._has_told_absence = False
        self._lost_before = 0

    @property
    def lost(self) -> int:
        """How many reports were refused or given up."""
        return self._lost.value

    @property
    def is_empty(self) -> bool:
        """Whether all reports were sent, or given up."""
        # In this order: a report that leaves its queue after the first look is being sent.
        return self._waiting == 0 and not self._is_sending

    @property
    def has_commands(self) -> bool:
        """Whether a creation, a start or a completion waits."""
        return bool(self._creation or self._commands)

    @property
    def _waiting(self) -> int:
        is_to_be_created = self._has_begun and self._creation is not None
        return is_to_be_created + len(self._commands) + len(self._advances)

    def begin(self) -> None:
        """Let the session be created, if it is to be, though there is no other report yet."""
        self._has_begun = True

    def put(self, report: Queueable) -> None:
        """Take in a report."""
        if self._has_given_up:
            self._drop(report)
            return
        self.begin()
        if isinstance(report, Create):
            self._creation = self._first_creation = _Operation(report)
        elif isinstance(report, Advance | Latest):
            if isinstance(report, Latest):
                report.queue = self._advances
            self._advances[report.step] = report
        else:
            self._commands.append(_Operation(report))
            self._advances.pop(report.step, None)
        if self._has_given_up:  # Meanwhile.
            self._lost.add(self._drain())
        elif self._waiting > MAX_WAITING:
            self._drop_oldest()

    def next(self, now: float, *, alone: bool = True) -> list[Request]:
        """Return what to send now; `take` or `refuse` must follow before the next.

        Args:
            now: The time.
            alone: Whether it can be one report at most.
        """
        if self._is_sending or now < self._not_before:
            return []
        self._is_sending = True
        self._sending = self._next_commands(1 if alone else self._batch_size) or self._due_advance(now)
        self._is_sending = bool(self._sending)
        run = self._run.name if self._run is not None else ""
        return [
            Request(self.session_id, each.report, each.key, "" if isinstance(each.report, Create) else run)
            for each in self._sending
        ]

    def wake_at(self) -> float:
        """Return when `next` will have something; infinity, if that takes another report or an answer."""
        if self._is_sending or self._waiting == 0:
            return math.inf
        if self._creation or self._commands:
            return self._not_before
        steps = list(self._advances)
        return max(self._not_before, min((self._paced.get(step, -math.inf) for step in steps), default=math.inf))

    def take(self, requests: Sequence[Request], answers: Sequence[Answer], now: float) -> None:
        """Take in the answer to each request; ignored if they were retracted meanwhile, since they are sent again."""
        if not self._is_under_way(requests):
            return
        sent = self._sending
        again: list[_Operation] = []
        troubles: list[Answer] = []
        for operation, answer in zip(sent, answers, strict=True):
            if answer.may_pass and not self._is_hopeless(operation, answer, now):
                again.append(operation)
                troubles.append(answer)
                continue
            self._come_back(now)
            if answer.is_success:
                self._note(operation, answer)
            elif self._is_lost(answer):
                again.append(operation)
            else:
                self._refuse(operation, answer)
        if any(map(self._is_lost, answers)):
            self._create_again(next(filter(self._is_lost, answers)), now)
        self._put_back(again)
        if troubles:
            self._pause(troubles[0], now)
        elif all(answer.is_success for answer in answers):
            self._batch_size = min(2 * self._batch_size, MAX_BATCH)

    def refuse(self, requests: Sequence[Request], answer: Answer, now: float) -> None:
        """Take in the one answer to a batch of which the server has looked at no report."""
        if not self._is_under_way(requests):
            return
        self.retract()
        if answer.status in _NO_SUCH_PATH:
            self._batch_size = 0
        elif answer.status == TOO_MANY or not answer.is_passing:
            self._batch_size = len(requests) // 2
        if answer.is_passing:
            self._pause(answer, now)

    def _is_under_way(self, requests: Sequence[Request]) -> bool:
        return [each.key for each in self._sending] == [each.key for each in requests] != []

    def retract(self) -> None:
        """Let what is under way wait again, under its key; its answer will never be known."""
        self._put_back(self._sending)

    def give_up(self) -> None:
        """Drop all that is not sent, and all that comes: there is no time left; called from any thread."""
        self._has_given_up = True
        unsent = [*self._sending, *([self._creation] if self._creation and self._has_begun else [])]
        self._sending, self._creation, self._is_sending = [], None, False
        self._lost.add(sum(each.is_of_the_job for each in unsent) + self._drain())

    def retry_now(self, now: float) -> None:
        """End the pauses that only we asked for: this may be the last chance."""
        self._own.retry_now(now)
        self.server.retry_now(now)

    def stand_by(self, now: float) -> float:
        """Wait for a server that is away; return when to drop the advances that wait."""
        if self._away_since is None:
            self._away_since, self._lost_before = now, self.lost
        until = self._away_since + PATIENCE_S
        if now >= until and not self._has_warned_of_loss:
            self._give_up_advances(self.server.reason or self._own.reason)
        return math.inf if self._has_warned_of_loss else until

    @property
    def _not_before(self) -> float:
        return max(self._own.not_before, self.server.not_before)

    def renewed(self) -> "Outbox":
        """Return an outbox without the reports of this one, which another process sends.

        A creation that is not answered yet precedes its reports, under the same key: so both processes get the same
        answer, which tells the run.
        """
        self._advances.clear()  # So that a `Latest` that waited here sees that it does not any more.
        outbox = Outbox(self.session_id, chance=self._chance)
        if self._run is not None:
            outbox._run = replace(self._run, sent={})
        elif self._first_creation is not None:
            is_shared = self._has_begun
            outbox._creation = self._first_creation if is_shared else _Operation(self._first_creation.report)
            outbox._first_creation = outbox._creation
        outbox._has_given_up = self._has_given_up
        return outbox

    def events(self) -> list[Event]:
        """Return what happened since the last call."""
        return [self._events.popleft() for _ in range(len(self._events))]

    def _next_commands(self, most: int) -> list[_Operation]:
        """Take out the commands that may go together; a creation goes alone, since its request is of another kind."""
        if self._creation:
            creation, self._creation = self._creation, None
            return [creation]
        taken: list[_Operation] = []
        with suppress(IndexError):  # Another thread may drop some: see `_drop_oldest`.
            while len(taken) < max(1, most):
                taken.append(self._commands.popleft())
        for operation in taken:
            self._paced.pop(_step(operation), None)
        return taken

    def _due_advance(self, now: float) -> list[_Operation]:
        for step in list(self._advances):
            if self._paced.get(step, now) <= now:
                waiting = self._advances.pop(step, None)
                if waiting is None:
                    continue
                self._paced[step] = now + ADVANCE_INTERVAL_S
                if isinstance(waiting, Latest):
                    waiting = waiting.read()
                return [waiting if isinstance(waiting, _Operation) else _Operation(waiting)]
        return []

    def _put_back(self, unsent: Sequence[_Operation]) -> None:
        """Let unsent reports wait again, and forget the rest of what was under way."""
        for operation in reversed(unsent):
            if isinstance(operation.report, Create):
                self._creation = operation
            elif isinstance(operation.report, Advance):
                self._put_back_advance(operation)
            else:
                self._commands.appendleft(operation)
        if self._has_given_up:
            self._lost.add(self._drain())
        self._sending = []
        self._is_sending = False

    def _put_back_advance(self, operation: _Operation) -> None:
        # If a newer advance waits, or a command of its step, this one is of no use.
        step = _step(operation)
        self._advances.setdefault(step, operation)
        if any(_step(each) == step for each in list(self._commands)) and self._advances.get(step) is operation:
            self._advances.pop(step, None)

    def _is_hopeless(self, sent: _Operation, answer: Answer, now: float) -> bool:
        if answer.is_passing:
            return False
        if sent.failing_since is None:
            sent.failing_since = now
        return now - sent.failing_since >= PATIENCE_S

    def _pause(self, answer: Answer, now: float) -> None:
        if answer.is_absence:
            self.server.fail(answer, now)
        else:
            self.server.succeed()
            self._own.fail(answer, now)
        if not self._has_told_absence:
            self._has_told_absence = True
            self._events.append(Disconnected(str(answer)))
        self.stand_by(now)

    def _give_up_advances(self, answer: Answer | None) -> None:
        dropped = self._drain_advances()
        self._has_warned_of_loss = True
        self._lose(
            ServerAwayError(
                f"no success for {PATIENCE_S:g} s ({answer}): {dropped} reports of progress were dropped, "
                f"{len(self._commands) + (self._creation is not None)} starts and completions wait on"
            ),
            dropped,
        )

    def _drain_advances(self) -> int:
        count = 0
        with suppress(KeyError):
            while True:
                self._advances.popitem()
                count += 1
        return count

    def _drain(self) -> int:
        """Take out all that waits, and return how many reports that were."""
        count = self._drain_advances()
        with suppress(IndexError):
            while True:
                self._commands.popleft()
                count += 1
        return count

    def _note(self, done: _Operation, answer: Answer) -> None:
        if not isinstance(done.report, Create):
            if self._run is not None:
                self._run.note(done.report)
            return
        before, self._run = self._run, _Run(done.report, done.key, answer.run)
        if before is not None and not done.report.replace:
            self._run.losses, self._run.lost_at = before.losses, before.lost_at
            told = [_Operation(report) for reports in before.sent.values() for report in reports]
            self._commands.extendleft(reversed(told))
            self._events.append(Recreated())

    def _is_lost(self, answer: Answer) -> bool:
        """Whether there is no session, or another run, where one was created here."""
        return self._run is not None and answer.problem in _NOT_OUR_RUN

    def _create_again(self, answer: Answer, now: float) -> None:
        """Create the session again, unless another run has its id; after a pause, if it was lost a moment ago.

        The key follows from that of the creation before: processes that share the run by a fork create it once.
        """
        assert self._run is not None
        self._run.losses += 1
        if now - self._run.lost_at < LONGEST_PAUSE_S:
            self._own.fail(answer, now)
        self._run.lost_at = now
        key = str(uuid.uuid5(uuid.UUID(self._run.key), "again"))
        creation = _Operation(replace(self._run.creation, replace=False), key)
        if self._run.losses > MAX_LOSSES:
            self._refuse(creation, answer)
        else:
            self._creation = creation

    def _refuse(self, operation: _Operation, answer: Answer) -> None:
        if not isinstance(operation.report, Create):
            what = f"{type(operation.report).__name__.lower()} of step {_step(operation)}"
            self._lose(_refusal(what, answer))
            return
        # All that waits, and all that comes, is without a session.
        self._has_given_up = True
        what = "its creation" if operation.is_of_the_job else "the session was lost, and its creation"
        count = operation.is_of_the_job + self._drain()
        self._lose(_refusal(f"nothing more is reported, since {what}", answer), count)

    def _drop(self, report: Queueable) -> None:
        self._lost.add(1)
        if isinstance(report, Latest):
            report.queue = {report.step: report}  # As if it waited, so that a loop does not put each row.

    def _drop_oldest(self) -> None:
        # The creation stays: without it a start would create a session of other steps.
        try:
            self._advances.popitem(last=False)
        except KeyError:
            try:
                self._commands.popleft()
            except IndexError:  # The sender has just taken one out.
                return
        if self._has_warned_of_loss:
            self._lost.add(1)
            return
        self._has_warned_of_loss = True
        self._lose(ServerAwayError(f"more than {MAX_WAITING} reports wait: the oldest are being dropped"))

    def _lose(self, error: ReportError, count: int = 1) -> None:
        self._lost.add(count)
        self._events.append(ReportDropped(error))

    def _come_back(self, now: float) -> None:
        self.server.succeed()
        self._own.succeed()
        if self._away_since is not None:
            lost = self.lost - self._lost_before
            if self._has_told_absence or lost:
                self._events.append(Reconnected(now - self._away_since, lost))
        self._away_since = None
        self._has_told_absence = self._has_warned_of_loss = False


def _step(operation: _Operation) -> int:
    assert not isinstance(operation.report, Create)
    return operation.report.step


def _refusal(what: str, answer: Answer) -> ReportRefusedError:
    return ReportRefusedError(f"{what} was refused: {answer}", answer.status, answer.problem)
