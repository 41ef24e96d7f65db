"""The unsent reports of one session: which are sent next, and the effect of each answer. Pure.

An `Outbox` has one request under way at a time, so the server gets the reports in their order (see
``waiting_reports``). A request may carry several reports.

* **Commands go together** where several wait and the target takes batches (``mailbox``). Each has its answer.
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
* **A creation is sent again without its profile, or its details,** where the server has refused it for them.
* **A creation that replaces no session**, as the first task of a queue makes it, may be refused without a loss. Reports
  name no run after it.
* **A later attempt ends the reports of a step.** Once the server has refused one for that reason, all waiting and later
  ones of the step and attempt are dropped.
* **A session of fixed steps has none appended.** Once the server has refused that, a start takes the step of that name.
* **Signs of life** of running steps go beside the reports, where none of the step has been sent for a third of the
  lease. One waits only for commands of its own step, and for a creation or the end of the session. They are dropped
  while the server is away, and never retried.
* **Log lines are no reports**: none counts as lost, and none delays or harms a report. Those that the server refuses
  are dropped, and those that it does not take for now wait by themselves.
* **The queue is bounded.** Past `MAX_WAITING` reports the oldest advance is dropped, and without advances the oldest
  start or completion. After an outage of `MAX_OUTAGE_S` waiting advances are dropped. Starts and completions stay,
  since without them the session would stay wrong.

Outages and losses come out as events, for the callers to log or raise. No I/O, clock, lock or logging goes in here.

Any thread may `put` and `put_log`, and read `is_empty`, `has_events` and `lost`, also a signal handler or a finaliser
during another `put`. Each of these touches shared state by single calls into C only, so there is no lock for which a
job could wait. All other methods belong to the one thread or task that sends.
"""

import math
import uuid
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from progress_sse._internal.backoff import chance_of_system
from progress_sse.client.availability import LONGEST_PAUSE_S, MAX_OUTAGE_S, Availability, Outage
from progress_sse.client.count import Count
from progress_sse.client.created_run import CreatedRun, RunningSteps, SupersededAttempts
from progress_sse.client.errors import ReportError, ReportRefusedError, ServerAwayError
from progress_sse.client.exchange import ReportAnswer, ReportRequest, RequestRoom
from progress_sse.client.operation import Operation, in_place, is_courtesy, is_refused_append, reduced
from progress_sse.client.outbox_events import Disconnected, Event, LinesRefused, Recreated, ReportDropped
from progress_sse.client.reports import Create, Latest, Log, Queueable, Report, named, own_lease
from progress_sse.client.waiting_lines import WaitingLine
from progress_sse.client.waiting_reports import WaitingReports
from progress_sse.core.updates import Finish, ReportPart, Start, StepRef, StepUpdate

MAX_WAITING: Final = 1000
"""Reports of one session that may wait."""

MAX_LOSSES: Final = 5
"""Maximum times in a row that a session is created again without a report in between."""

_NOT_OUR_RUN: Final = frozenset({"session-not-found", "other-run"})
"""Problems of a report whose session is gone, or is another run."""


class Outbox:
    """The unsent reports of one session; see the module."""

    def __init__(
        self,
        session_id: str,
        creation: Create | None = None,
        *,
        tells_age: bool = False,
        chance: Callable[[], float] = chance_of_system,
    ) -> None:
        """Begin with only the `creation`, which precedes the first report.

        Args:
            session_id: The session.
            creation: The report that creates it.
            tells_age: Whether the server is told how long ago each report was made.
            chance: Returns numbers from 0 to 1.
        """
        self.session_id = session_id
        self.server = Availability(chance)  # Other outboxes may share it later.
        self._own = Availability(chance)
        self._chance = chance
        # Shared with the threads that put.
        self._tells_age = tells_age
        self._waiting = WaitingReports(Operation(creation) if creation else None, tells_age=tells_age, chance=chance)
        self._lost = Count()
        self._events: deque[Event] = deque()
        self._outage = Outage()
        self._has_given_up = False
        self._superseded = SupersededAttempts()
        # Of the sender. Other threads read `_is_sending`, which is set before a report leaves its queue.
        self._is_sending = False
        self._sending: list[Operation] = []
        self._run: CreatedRun | None = None
        self._running = RunningSteps()
        self._may_append = True

    @property
    def lost(self) -> int:
        """How many reports were refused or dropped."""
        return self._lost.value

    @property
    def is_empty(self) -> bool:
        """Whether all reports and log lines were sent or dropped."""
        # In this order: a report that leaves its queue after the first check is being sent.
        return len(self._waiting) == 0 and self._waiting.lines.is_empty and not self._is_sending

    @property
    def has_reports(self) -> bool:
        """Whether any of what is not sent is a report, and no log line."""
        are_lines_sent = bool(self._sending) and all(isinstance(each.report, Log) for each in self._sending)
        return len(self._waiting) > 0 or (self._is_sending and not are_lines_sent)

    @property
    def has_events(self) -> bool:
        """Whether there are events that `events` has not returned yet."""
        return bool(self._events)

    @property
    def has_creation(self) -> bool:
        """Whether a creation is what goes next."""
        return self._waiting.has_creation

    @property
    def has_commands(self) -> bool:
        """Whether a creation, a start or a completion waits."""
        return self._waiting.command_count > 0

    def begin(self) -> None:
        """Let the creation be sent, if there is one, before the first report."""
        self._waiting.begin()

    def put(self, report: Queueable, now: float | None = None) -> None:
        """Queue a report, which the job makes now."""
        if self._has_given_up or report in self._superseded:
            self._drop(report)
            return
        self._waiting.put(report, now)
        if self._has_given_up:  # Meanwhile.
            self._lost.add(self._waiting.drop_all())
        elif len(self._waiting) > MAX_WAITING:
            self._drop_oldest()

    def put_log(self, log: Log, now: float) -> bool:
        """Queue lines, which the job makes now; return whether the sender is to look at them."""
        if self._has_given_up or log in self._superseded:
            return False
        self._waiting.begin()
        lines = [self._waiting.lines.put(WaitingLine(each, now, log.step, log.lease)) for each in log.lines]
        if self._has_given_up:  # Meanwhile.
            self._waiting.lines.drop_all()
        return any(lines)

    def next(self, now: float, room: RequestRoom | None = None, *, alone: bool = True) -> list[ReportRequest]:
        """Return the requests to send now; `take` or `refuse` must follow before the next call.

        Args:
            now: The time.
            room: The room for them; `None`: that of an empty request.
            alone: Whether to return at most one.
        """
        if self._is_sending or now < self._not_before:
            return []
        self._is_sending = True
        taken = self._waiting.take_next(room or RequestRoom(), now, alone=alone)
        self._sending = [self._fit(each) for each in taken if each.report not in self._superseded]
        self._lost.add(_reports_among(taken) - _reports_among(self._sending))
        self._is_sending = bool(self._sending)
        return [
            ReportRequest(self.session_id, each.report, each.key, self._run_of(each.report), self._age_ms(each, now))
            for each in self._sending
        ]

    def _fit(self, operation: Operation) -> Operation:
        report = operation.report
        is_to_append = isinstance(report, Start) and report.append and not self._may_append
        return in_place(operation) if is_to_append else operation

    def _run_of(self, report: Report) -> str:
        return "" if self._run is None or isinstance(report, Create) else self._run.name

    def _age_ms(self, operation: Operation, now: float) -> int:
        return 0 if isinstance(operation.report, Create) else operation.age_ms(now)

    def wake_at(self) -> float:
        """Return when `next` will return requests; infinity if only a report or an answer changes that."""
        return max(self.due_at(), self.server.not_before)

    def due_at(self) -> float:
        """Return the same for a server that answers."""
        return math.inf if self._is_sending else max(self._own.not_before, self._waiting.next_at())

    def take(self, requests: Sequence[ReportRequest], answers: Sequence[ReportAnswer], now: float) -> None:
        """Apply the answer to each request; ignored if they were retracted meanwhile, since they are sent again."""
        if not self._is_under_way(requests):
            return
        sent = self._sending
        again: list[Operation] = []
        failures: list[ReportAnswer] = []
        restarted: set[StepRef | None] = set()
        for operation, answer in zip(sent, answers, strict=True):
            if _follows(operation, restarted):
                again.append(in_place(operation))
            elif self._is_failure(operation, answer, now):
                again.append(operation)
                failures.append(answer)
            else:
                instead = self._settle(operation, answer, now)
                again += instead
                restarted |= {operation.step for each in instead if each is not operation}
        if any(map(self._is_lost, answers)):
            self._create_again(next(filter(self._is_lost, answers)), now)
        self._put_back(again)
        if failures:
            self._pause(failures[0], now)

    def _is_failure(self, sent: Operation, answer: ReportAnswer, now: float) -> bool:
        """Whether all reports of the session wait before this one is sent again; for lines they do not."""
        if isinstance(sent.report, Log):
            return answer.is_outage
        return answer.is_retryable and not self._is_final(sent, answer, now)

    def _settle(self, sent: Operation, answer: ReportAnswer, now: float) -> list[Operation]:
        """Apply the answer to a report; return what to send in its place, perhaps the same."""
        self._end_outage(now)
        if isinstance(sent.report, Log):
            return self._lines_to_repeat(sent, answer, now)
        if answer.is_success:
            self._note(sent, answer, now)
        elif (instead := self._instead(sent, answer)) is not None:
            return [instead]
        else:
            self._refuse(sent, answer)
        return []

    def _lines_to_repeat(self, sent: Operation, answer: ReportAnswer, now: float) -> list[Operation]:
        """Apply the answer to log lines, and return them if they are to be sent again."""
        if answer.is_success:
            self._waiting.lines.go_on()
            self._running.note(sent.report, now)
        elif self._is_lost(answer):
            return [sent]
        elif answer.is_retryable and not self._is_final(sent, answer, now):
            self._waiting.lines.pause(answer, now)
            return [sent]
        elif answer.is_superseded and isinstance(sent.report, Log):
            self._superseded.add_lines(sent.report)
        else:
            self._events.append(LinesRefused(str(answer)))
        return []

    def _instead(self, refused: Operation, answer: ReportAnswer) -> Operation | None:
        """Return what to send after the refusal of a report, perhaps the same; `None` if there is nothing."""
        if self._is_lost(answer):
            return refused
        if is_refused_append(refused.report, answer):
            self._may_append = False
            return in_place(refused)
        if self._is_optional(refused.report):
            return None
        instead = reduced(refused, answer)
        if instead is None:
            return None
        creation, left_out = instead
        self._lose(_refusal(f"{left_out} left out: its creation", answer), 0)
        return creation

    def refuse(self, requests: Sequence[ReportRequest], answer: ReportAnswer, now: float) -> None:
        """Apply the one answer to a batch of which the server processed no report."""
        if not self._is_under_way(requests):
            return
        self.retract()
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
        self._lost.add(_reports_among(sending) + self._waiting.drop_all())

    def retry_now(self, now: float) -> None:
        """End the pauses that the server has not asked for, since this may be the last attempt."""
        self._waiting.lines.hurry()
        self._own.retry_now(now)
        self.server.retry_now(now)

    def stand_by(self, now: float) -> float:
        """Wait for a server that is away; return when to drop the advances that wait."""
        self._outage.begin(now, self.lost)
        if now >= self._outage.patience_ends_at():
            self._give_up_advances(self.server.reason or self._own.reason)
        return self._outage.patience_ends_at()

    @property
    def _not_before(self) -> float:
        return max(self._own.not_before, self.server.not_before)

    def renewed(self) -> "Outbox":
        """Return an outbox without the reports of this one, which another process sends."""
        outbox = Outbox(self.session_id, tells_age=self._tells_age, chance=self._chance)
        waiting = self._waiting.renewed()
        if self._run is None:
            outbox._waiting = waiting
        else:
            outbox._run = self._run.renewed()
        outbox._superseded = self._superseded.copy()
        outbox._has_given_up = self._has_given_up
        outbox._may_append = self._may_append
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
        if self._outage.is_news():
            self._events.append(Disconnected(str(answer)))
        self.stand_by(now)

    def _give_up_advances(self, answer: ReportAnswer | None) -> None:
        dropped = self._waiting.drop_advances()
        self._outage.has_cost_reports = True
        self._lose(
            ServerAwayError(
                f"no success for {MAX_OUTAGE_S:g} s ({answer}): {dropped} reports of progress were dropped, "
                f"{self._waiting.command_count} starts and completions wait on"
            ),
            dropped,
        )

    @property
    def has_running_steps(self) -> bool:
        """Whether a step runs that needs signs of life."""
        return len(self._running) > 0

    def beat_at(self) -> float:
        """Return when a sign of life is due that needs not wait for a report; infinity if there is none."""
        held = self._held_back()
        return math.inf if held is None else self._running.due_at(held)

    def take_beats(self, now: float, most: float = math.inf) -> list[ReportRequest]:
        """Return at most so many signs of life to send now; those that are due while the server is away are dropped."""
        held = self._held_back()
        if held is None:  # A report has begun since.
            return []
        beats = self._running.take_due(now, held, most)
        if now < self.server.not_before:
            return []
        return [ReportRequest(self.session_id, each, "", self._run_of(each)) for each in beats]

    def _held_back(self) -> set[StepRef] | None:
        """Return the steps whose signs of life must not overtake a report of theirs; `None` is all of them."""
        if not self.has_running_steps:
            return None
        reports = [each.report for each in (*self._sending, *self._waiting.commands)]
        if any(isinstance(each, Create | Finish) for each in reports):
            return None
        return {each.step for each in reports if isinstance(each, StepUpdate)}

    def take_beat_answer(self, request: ReportRequest, answer: ReportAnswer, now: float) -> None:
        """Apply the answer to a sign of life; after a refusal the step gets no more of them."""
        beat = request.report
        assert isinstance(beat, StepUpdate)
        if answer.is_outage:
            self.server.fail(answer, now)
        elif answer.is_success:
            self.server.succeed()
        elif answer.is_retryable or not self._running.has(beat.step, own_lease(beat)):
            return  # It may have been overtaken by a report of the step.
        elif answer.is_superseded:
            self._supersede(beat, answer)
        elif self._is_lost(answer):
            if not self._is_sending and not self.has_commands:  # Otherwise a report finds that out.
                self._create_again(answer, now)
        else:
            self._running.forget(beat.step)

    def _supersede(self, report: StepUpdate, answer: ReportAnswer, lost: int = 0) -> None:
        """Send no more reports of the step by this attempt, since a later attempt has it."""
        lease = own_lease(report)
        assert lease is not None
        self._running.forget(report.step)
        self._superseded.add(report)
        if lease.is_handed_on:  # It had to come.
            return
        self._lose(_refusal(f"nothing more is reported on step {report.step!r}, since {named(report)}", answer), lost)

    def _note(self, done: Operation, answer: ReportAnswer, now: float) -> None:
        if not isinstance(done.report, Create):
            self._running.note(done.report, now)
            if self._run is not None:
                self._run.note(done.report)
            return
        if self._is_optional(done.report):
            return
        self._running = RunningSteps()
        before, self._run = self._run, CreatedRun(done.report, done.key, answer.run)
        if before is not None and not done.report.replace:
            self._run.losses, self._run.lost_at = before.losses, before.lost_at
            self._waiting.put_back([Operation(report) for report in before.reports()])
            self._events.append(Recreated())

    def _is_optional(self, report: Report) -> bool:
        """Whether it creates the session where there is none, so that it is no run of this job."""
        return isinstance(report, Create) and not report.replace and self._run is None

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
        report = operation.report
        if isinstance(report, StepUpdate):
            if not isinstance(report, ReportPart):
                self._running.forget(report.step)
            if answer.is_superseded and report.lease is not None:
                self._supersede(report, answer, lost=1)
                return
        if is_courtesy(report) or self._is_optional(report):
            return
        if not isinstance(report, Create):
            self._lose(_refusal(named(report), answer))
            return
        # All waiting and later reports have no session.
        self._has_given_up = True
        self._running = RunningSteps()
        creation = "its creation" if operation.is_from_job else "the session was lost, and its creation"
        count = operation.is_from_job + self._waiting.drop_all()
        self._lose(_refusal(f"nothing more is reported, since {creation}", answer), count)

    def _drop(self, report: Queueable) -> None:
        self._lost.add(1)
        if isinstance(report, Latest):
            report.queue = {report.lane: report}  # As if it waited, so that a loop does not queue each row.

    def _drop_oldest(self) -> None:
        if not self._waiting.drop_oldest():
            return
        if self._outage.has_cost_reports:
            self._lost.add(1)
            return
        self._outage.has_cost_reports = True
        self._lose(ServerAwayError(f"more than {MAX_WAITING} reports wait: the oldest are being dropped"))

    def _lose(self, error: ReportError, count: int = 1) -> None:
        self._lost.add(count)
        self._events.append(ReportDropped(error))

    def _end_outage(self, now: float) -> None:
        self.server.succeed()
        self._own.succeed()
        ended = self._outage.end(now, self.lost)
        if ended is not None:
            self._events.append(ended)


def _follows(operation: Operation, restarted: Collection[StepRef | None]) -> bool:
    """Whether a report has come before the start of its step, which is sent again."""
    return operation.step in restarted or (bool(restarted) and isinstance(operation.report, Finish))


def _reports_among(operations: Sequence[Operation]) -> int:
    return sum(each.is_from_job and not isinstance(each.report, Log) for each in operations)


def _refusal(report: str, answer: ReportAnswer) -> ReportRefusedError:
    return ReportRefusedError(f"{report} was refused: {answer}", answer.status, answer.problem)
