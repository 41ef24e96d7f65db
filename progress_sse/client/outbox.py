"""The unsent reports of one session: which are sent next, and the effect of each answer. Pure.

An `Outbox` has one request under way at a time, so the server gets the reports in their order (see
``waiting_reports``). A request may carry several reports.

* **Commands go together** where several wait and the target takes batches. Each has its answer. A refusal of a whole
  batch does not show which command is at fault, so fewer go together, and at last each by itself.
* **Each report has an idempotency key**, made when it is first sent, and sent with each retry: the server applies the
  report once.
* **Transient failures are retried.** No answer, 5xx, 429, and a key still in use (409) are retried after a pause: as
  long as `Retry-After` says, and then a random part of a span that doubles up to `LONGEST_PAUSE_S`. Any other answer
  but success is a refusal, and the report is dropped.
* **All sessions share an outage of their server.** No answer, 502, 503 and 504 affect all outboxes that share an
  `Availability`: one of them retries, and the others wait for it. Other failures affect one session.
* **Reports belong to the run that was created here.** Each report names the run, which the answer to the creation has.
  If the server has lost the session, it is created again, with its own steps, and their reports are sent again. If its
  creation was refused, or another run has its id, all waiting and later reports are dropped: they would go to another
  job's run, or create a session with other steps.
* **The queue is bounded.** Past `MAX_WAITING` reports the oldest advance is dropped, and without advances the oldest
  start or completion. After an outage of `MAX_OUTAGE_S` waiting advances are dropped. Starts and completions stay,
  since without them the session would stay wrong.

Outages and losses come out as events, for the callers to log or raise. No I/O, clock, lock or logging goes in here.

Any thread may `put`, and read `is_empty`, `has_events` and `lost`, also a signal handler or a finaliser during another
`put`. Each of these touches shared state by single calls into C only, so there is no lock for which a job could wait.
All other methods belong to the one thread or task that sends.
"""

import math
import random
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from progress_sse.client.availability import LONGEST_PAUSE_S, Availability
from progress_sse.client.count import Count
from progress_sse.client.errors import ReportError, ReportRefusedError, ServerAwayError
from progress_sse.client.exchange import TOO_MANY, ReportAnswer, ReportRequest
from progress_sse.client.reports import Advance, Complete, Create, Latest, Queueable, Start
from progress_sse.client.waiting_reports import Operation, WaitingReports

MAX_WAITING: Final = 1000
"""Reports of one session that may wait."""

MAX_OUTAGE_S: Final = 60.0
"""Seconds of an outage after which waiting advances are dropped, and an answer of 500 is final."""

MAX_BATCH: Final = 50
"""Reports in one request, at most; fewer if their texts make it too large for the server."""

MAX_LOSSES: Final = 5
"""Maximum times in a row that a session is created again without a report in between."""

_NO_SUCH_PATH: Final = frozenset({404, 405})
"""Statuses of a server that takes no batches."""

_NOT_OUR_RUN: Final = frozenset({"session-not-found", "other-run"})
"""Problems of a report whose session is gone, or is another run."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The server does not answer as it should; reports wait."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The server answers again after `away_s` seconds, in which `lost` reports were dropped."""

    away_s: float
    lost: int


@dataclass(frozen=True, slots=True)
class ReportDropped:
    """One or more reports will never be sent."""

    error: ReportError


@dataclass(frozen=True, slots=True)
class Recreated:
    """The server had lost the session, and it was created again."""


Event: TypeAlias = Disconnected | Reconnected | ReportDropped | Recreated


@dataclass(slots=True)
class _Run:
    """The run that was created here.

    Attributes:
        creation: The report that created it.
        key: The key of its creation.
        name: The server's name of it; empty if the server does not name it.
        losses: How often it was created again since the last applied report.
        lost_at: When it was last lost.
        sent: The applied start and completion of each step, in the order of the starts.
    """

    creation: Create
    key: str
    name: str = ""
    losses: int = 0
    lost_at: float = -math.inf
    sent: dict[int, list[Start | Complete]] = field(default_factory=dict)

    def note(self, report: Start | Complete | Advance) -> None:
        """Record an applied report."""
        self.losses = 0
        if isinstance(report, Start):
            self.sent.pop(report.step, None)
            self.sent[report.step] = [report]
        else:
            # Another process may have started it.
            start, *_ = self.sent.setdefault(report.step, [Start(report.step)])
            self.sent[report.step] = [start, report] if isinstance(report, Complete) else [start]


class Outbox:
    """The unsent reports of one session; see the module."""

    def __init__(
        self, session_id: str, creation: Create | None = None, *, chance: Callable[[], float] = random.random
    ) -> None:
        """Begin with only the `creation`, which precedes the first report; `chance` gives numbers from 0 to 1."""
        self.session_id = session_id
        self.server = Availability(chance)  # Other outboxes may share it later.
        self._own = Availability(chance)
        self._chance = chance
        # Shared with the threads that put.
        self._waiting = WaitingReports(Operation(creation) if creation else None)
        self._lost = Count()
        self._events: deque[Event] = deque()
        self._has_warned_of_loss = False
        self._has_given_up = False
        # Of the sender. Other threads read `_is_sending`, which is set before a report leaves its queue.
        self._is_sending = False
        self._sending: list[Operation] = []
        self._run: _Run | None = None
        self._batch_size = MAX_BATCH
        self._away_since: float | None = None
        self._has_reported_outage = False
        self._lost_before = 0

    @property
    def lost(self) -> int:
        """How many reports were refused or dropped."""
        return self._lost.value

    @property
    def is_empty(self) -> bool:
        """Whether all reports were sent or dropped."""
        # In this order: a report that leaves its queue after the first check is being sent.
        return len(self._waiting) == 0 and not self._is_sending

    @property
    def has_events(self) -> bool:
        """Whether there are events that `events` has not returned yet."""
        return bool(self._events)

    @property
    def has_commands(self) -> bool:
        """Whether a creation, a start or a completion waits."""
        return self._waiting.command_count > 0

    def begin(self) -> None:
        """Let the creation be sent, if there is one, before the first report."""
        self._waiting.begin()

    def put(self, report: Queueable) -> None:
        """Queue a report."""
        if self._has_given_up:
            self._drop(report)
            return
        self._waiting.put(report)
        if self._has_given_up:  # Meanwhile.
            self._lost.add(self._waiting.drop_all())
        elif len(self._waiting) > MAX_WAITING:
            self._drop_oldest()

    def next(self, now: float, *, alone: bool = True) -> list[ReportRequest]:
        """Return the requests to send now; `take` or `refuse` must follow before the next call.

        Args:
            now: The time.
            alone: Whether to return at most one.
        """
        if self._is_sending or now < self._not_before:
            return []
        self._is_sending = True
        self._sending = self._waiting.take_next(1 if alone else self._batch_size, now)
        self._is_sending = bool(self._sending)
        run = self._run.name if self._run is not None else ""
        return [
            ReportRequest(self.session_id, each.report, each.key, "" if isinstance(each.report, Create) else run)
            for each in self._sending
        ]

    def wake_at(self) -> float:
        """Return when `next` will return requests; infinity if only a report or an answer changes that."""
        return math.inf if self._is_sending else max(self._not_before, self._waiting.next_at())

    def take(self, requests: Sequence[ReportRequest], answers: Sequence[ReportAnswer], now: float) -> None:
        """Apply the answer to each request; ignored if they were retracted meanwhile, since they are sent again."""
        if not self._is_under_way(requests):
            return
        sent = self._sending
        again: list[Operation] = []
        failures: list[ReportAnswer] = []
        for operation, answer in zip(sent, answers, strict=True):
            if answer.is_retryable and not self._is_final(operation, answer, now):
                again.append(operation)
                failures.append(answer)
                continue
            self._end_outage(now)
            if answer.is_success:
                self._note(operation, answer)
            elif self._is_lost(answer):
                again.append(operation)
            else:
                self._refuse(operation, answer)
        if any(map(self._is_lost, answers)):
            self._create_again(next(filter(self._is_lost, answers)), now)
        self._put_back(again)
        if failures:
            self._pause(failures[0], now)
        elif all(answer.is_success for answer in answers):
            self._batch_size = min(2 * self._batch_size, MAX_BATCH)

    def refuse(self, requests: Sequence[ReportRequest], answer: ReportAnswer, now: float) -> None:
        """Apply the one answer to a batch of which the server processed no report."""
        if not self._is_under_way(requests):
            return
        self.retract()
        if answer.status in _NO_SUCH_PATH:
            self._batch_size = 0
        elif answer.status == TOO_MANY or not answer.is_transient:
            self._batch_size = len(requests) // 2
        if answer.is_transient:
            self._pause(answer, now)

    def _is_under_way(self, requests: Sequence[ReportRequest]) -> bool:
        return [each.key for each in self._sending] == [each.key for each in requests] != []

    def retract(self) -> None:
        """Queue the reports under way again, with their keys; their answers are lost."""
        self._put_back(self._sending)

    def give_up(self) -> None:
        """Drop all unsent and later reports, as there is no time left; called from any thread."""
        self._has_given_up = True
        sending, self._sending, self._is_sending = self._sending, [], False
        self._lost.add(sum(each.is_from_job for each in sending) + self._waiting.drop_all())

    def retry_now(self, now: float) -> None:
        """End the pauses that the server has not asked for, since this may be the last attempt."""
        self._own.retry_now(now)
        self.server.retry_now(now)

    def stand_by(self, now: float) -> float:
        """Wait for a server that is away; return when to drop the advances that wait."""
        if self._away_since is None:
            self._away_since, self._lost_before = now, self.lost
        until = self._away_since + MAX_OUTAGE_S
        if now >= until and not self._has_warned_of_loss:
            self._give_up_advances(self.server.reason or self._own.reason)
        return math.inf if self._has_warned_of_loss else until

    @property
    def _not_before(self) -> float:
        return max(self._own.not_before, self.server.not_before)

    def renewed(self) -> "Outbox":
        """Return an outbox without the reports of this one, which another process sends."""
        outbox = Outbox(self.session_id, chance=self._chance)
        waiting = self._waiting.renewed()
        if self._run is None:
            outbox._waiting = waiting
        else:
            outbox._run = replace(self._run, sent={})
        outbox._has_given_up = self._has_given_up
        return outbox

    def events(self) -> list[Event]:
        """Return the events since the last call."""
        return [self._events.popleft() for _ in range(len(self._events))]

    def _put_back(self, unsent: Sequence[Operation]) -> None:
        """Queue unsent reports again, and end the request under way."""
        self._waiting.put_back(unsent)
        if self._has_given_up:
            self._lost.add(self._waiting.drop_all())
        self._sending = []
        self._is_sending = False

    def _is_final(self, sent: Operation, answer: ReportAnswer, now: float) -> bool:
        if answer.is_transient:
            return False
        if sent.failing_since is None:
            sent.failing_since = now
        return now - sent.failing_since >= MAX_OUTAGE_S

    def _pause(self, answer: ReportAnswer, now: float) -> None:
        if answer.is_outage:
            self.server.fail(answer, now)
        else:
            self.server.succeed()
            self._own.fail(answer, now)
        if not self._has_reported_outage:
            self._has_reported_outage = True
            self._events.append(Disconnected(str(answer)))
        self.stand_by(now)

    def _give_up_advances(self, answer: ReportAnswer | None) -> None:
        dropped = self._waiting.drop_advances()
        self._has_warned_of_loss = True
        self._lose(
            ServerAwayError(
                f"no success for {MAX_OUTAGE_S:g} s ({answer}): {dropped} reports of progress were dropped, "
                f"{self._waiting.command_count} starts and completions wait on"
            ),
            dropped,
        )

    def _note(self, done: Operation, answer: ReportAnswer) -> None:
        if not isinstance(done.report, Create):
            if self._run is not None:
                self._run.note(done.report)
            return
        before, self._run = self._run, _Run(done.report, done.key, answer.run)
        if before is not None and not done.report.replace:
            self._run.losses, self._run.lost_at = before.losses, before.lost_at
            self._waiting.put_back([Operation(report) for reports in before.sent.values() for report in reports])
            self._events.append(Recreated())

    def _is_lost(self, answer: ReportAnswer) -> bool:
        """Whether the session that was created here is gone, or another run has its id."""
        return self._run is not None and answer.problem in _NOT_OUR_RUN

    def _create_again(self, answer: ReportAnswer, now: float) -> None:
        """Create the session again, unless another run has its id; after a pause, if it was lost shortly before.

        The key derives from that of the creation before, so processes that share the run by a fork create it once.
        """
        assert self._run is not None
        self._run.losses += 1
        if now - self._run.lost_at < LONGEST_PAUSE_S:
            self._own.fail(answer, now)
        self._run.lost_at = now
        key = str(uuid.uuid5(uuid.UUID(self._run.key), "again"))
        creation = Operation(replace(self._run.creation, replace=False), key)
        if self._run.losses > MAX_LOSSES:
            self._refuse(creation, answer)
        else:
            self._waiting.put_back([creation])

    def _refuse(self, operation: Operation, answer: ReportAnswer) -> None:
        if not isinstance(operation.report, Create):
            report = f"{type(operation.report).__name__.lower()} of step {operation.step}"
            self._lose(_refusal(report, answer))
            return
        # All waiting and later reports have no session.
        self._has_given_up = True
        creation = "its creation" if operation.is_from_job else "the session was lost, and its creation"
        count = operation.is_from_job + self._waiting.drop_all()
        self._lose(_refusal(f"nothing more is reported, since {creation}", answer), count)

    def _drop(self, report: Queueable) -> None:
        self._lost.add(1)
        if isinstance(report, Latest):
            report.queue = {report.step: report}  # As if it waited, so that a loop does not queue each row.

    def _drop_oldest(self) -> None:
        if not self._waiting.drop_oldest():
            return
        if self._has_warned_of_loss:
            self._lost.add(1)
            return
        self._has_warned_of_loss = True
        self._lose(ServerAwayError(f"more than {MAX_WAITING} reports wait: the oldest are being dropped"))

    def _lose(self, error: ReportError, count: int = 1) -> None:
        self._lost.add(count)
        self._events.append(ReportDropped(error))

    def _end_outage(self, now: float) -> None:
        self.server.succeed()
        self._own.succeed()
        if self._away_since is not None:
            lost = self.lost - self._lost_before
            if self._has_reported_outage or lost:
                self._events.append(Reconnected(now - self._away_since, lost))
        self._away_since = None
        self._has_reported_outage = self._has_warned_of_loss = False


def _refusal(report: str, answer: ReportAnswer) -> ReportRefusedError:
    return ReportRefusedError(f"{report} was refused: {answer}", answer.status, answer.problem)
