"""The unsent reports of one session: which are sent next, and the effect of each answer. Pure.

An `Outbox` has one request under way at a time, so the server gets the reports in their order (``waiting_reports``).
Several reports may share a request (``mailbox``); each has its answer, and its idempotency key for all retries.

* **Transient failures are retried.** No answer, 5xx, 429, and a key still in use (409) are retried after a pause: as
  long as `Retry-After` says, and then a random part of a span that doubles up to `LONGEST_PAUSE_S`. Any other answer
  but success is a refusal, and the report is dropped.
* **A part may be ahead of the start of its step,** which another process reports; in a forked process any report on a
  step. One that is refused since the session or the step is not there yet is sent again for `AHEAD_S`.
* **All sessions share an outage of their server.** No answer, 502, 503 and 504 affect all outboxes that share an
  `Availability`; other failures affect one session. After an outage of `MAX_OUTAGE_S` waiting advances are dropped.
* **Reports belong to the run that was created here.** Each names the run, which the answer to the creation has. If the
  server has lost the session, it is created again, and its reports are sent again. If its creation was refused, or
  another run has its id, all waiting and later reports are dropped: they would go to another job's run.
* **A creation is sent again without its profile, or its details,** where the server has refused it for them.
* **A creation that replaces no session**, as the first task of a queue makes it, may be refused without a loss. Reports
  name no run after it.
* **A session of fixed steps has none appended.** Once the server has refused that, a start takes the step of that name.
* **Signs of life** of running steps go beside the reports, where none of the step has been sent for a third of the
  lease. One waits only for commands of its own step, and for a creation or the end of the session. None is retried.
* **Log lines are no reports**: none counts as lost, and none delays a report. Those that the server refuses are
  dropped, and those that it does not take for now wait by themselves.

All methods belong to the one thread that sends.
"""

import logging
import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from progress_sse._internal.backoff import Backoff, chance_of_system
from progress_sse.client.availability import LONGEST_PAUSE_S, MAX_OUTAGE_S, Availability
from progress_sse.client.created_run import CreatedRun, RunningSteps
from progress_sse.client.errors import ReportRefusedError, ServerAwayError
from progress_sse.client.exchange import Operation, ReportAnswer, ReportRequest, RequestRoom
from progress_sse.client.own_log import Event
from progress_sse.client.reports import Create, Log, Report, named, own_lease
from progress_sse.client.waiting_reports import WaitingReports
from progress_sse.core.durations import in_words, to_the_tenth
from progress_sse.core.updates import (
    Acknowledge,
    Advance,
    Beat,
    Complete,
    Describe,
    Finish,
    ReportPart,
    Start,
    StepRef,
    StepUpdate,
)

MAX_LOSSES: Final = 5
"""Maximum times in a row that a session is created again without a report in between."""

AHEAD_S: Final = LONGEST_PAUSE_S + 5
"""Seconds for which reports on a step are sent again that has not been started: its start may wait out a pause."""

_AHEAD: Final = frozenset({"session-not-found", "step-not-started", "step-out-of-range", "unknown-step-name"})
"""Problems of a report that may have come before the start of its step."""

_FIRST_LOOK_S: Final = 0.05
_LONGEST_LOOK_S: Final = 1.0
"""Upper bounds of the random pauses until it is sent again; the start usually comes in milliseconds."""

_NOT_OUR_RUN: Final = frozenset({"session-not-found", "other-run"})
"""Problems of a report whose session is gone, or is another run."""

_FORBIDDEN: Final = 403
_UNPROCESSABLE: Final = 422


class Outbox:
    """Sends the reports of one session, which `waiting` has; see the module. Other outboxes may share its `server`."""

    def __init__(
        self,
        session_id: str,
        creation: Create | None = None,
        *,
        tells_age: bool = False,
        chance: Callable[[], float] = chance_of_system,
    ) -> None:
        self.session_id = session_id
        self.waiting = WaitingReports(Operation(creation) if creation else None, tells_age=tells_age, chance=chance)
        self.server = Availability(chance)
        self._own = Availability(chance)
        self._chance = chance
        self._away_since: float | None = None  # The last success was before.
        self._lost_before = 0
        self._has_notified = False
        self._run: CreatedRun | None = None
        self._running = RunningSteps()
        self._may_append = True
        self._is_forked = False
        self._ahead_since: dict[StepRef | None, float] = {}  # By the steps; minus infinity: no start is expected.
        self._looks = Backoff(_FIRST_LOOK_S, _LONGEST_LOOK_S, chance)

    def renewed(self) -> "Outbox":
        """Return an outbox without the reports of this one, which another process sends."""
        outbox = Outbox(self.session_id, chance=self._chance)
        outbox.waiting = self.waiting.renewed(with_creation=self._run is None)
        outbox._run = self._run and self._run.renewed()
        outbox._may_append = self._may_append
        outbox._is_forked = True
        return outbox

    def due_at(self) -> float:
        """Return when `next` returns requests if the server answers; infinity if only a report changes that."""
        return max(self._own.not_before, self.waiting.next_at())

    def next(self, now: float, room: RequestRoom | None = None, *, alone: bool = True) -> list[ReportRequest]:
        """Return what to send now, as far as there is `room`, or one if `alone`; `take` or `refuse` must follow."""
        if now < max(self._own.not_before, self.server.not_before):
            return []
        taken = self.waiting.take(room or RequestRoom(), now, alone=alone)
        if not self._may_append:
            taken = [_in_place(each) if _appends(each.report) else each for each in taken]
            self.waiting.under_way = taken
        return [self._request(each.report, each.key, each.age_ms(now)) for each in taken]

    def _request(self, report: Report, key: str = "", ago_ms: int = 0) -> ReportRequest:
        run = "" if self._run is None or isinstance(report, Create) else self._run.name
        return ReportRequest(self.session_id, report, key, run, ago_ms)

    def take(self, requests: Sequence[ReportRequest], answers: Sequence[ReportAnswer], now: float) -> None:
        """Apply the answer to each request; ignored if they were retracted meanwhile, since they are sent again."""
        if isinstance(requests[0].report, Beat):
            self._take_beat_answer(requests[0], answers[0], now)
        if not self._are_under_way(requests):
            return
        again: list[Operation] = []
        restarted: set[StepRef | None] = set()
        sending = self.waiting.under_way
        for number, (sent, answer) in enumerate(zip(sending, answers, strict=True), 1):
            if restarted and (sent.step in restarted or isinstance(sent.report, Finish)):
                again.append(_in_place(sent))  # It has come before the start of its step, which is sent again.
                continue
            instead = self._settle(sent, answer, now)
            if instead == [sent] and _is_overtaken(sent, sending[number:], answers[number:]):
                continue  # A part has ended whose start came too early.
            again += instead
            if instead and instead[0] is not sent:
                restarted.add(sent.step)
        self.waiting.put_back(again)
        if again:
            losses = list(filter(self._is_loss, answers))
            if losses:
                self._create_again(losses[0], now)
            failures = [each for sent, each in zip(sending, answers, strict=True) if _is_failing(sent, each, now)]
            if failures:
                self._pause(failures[0], now)

    def _are_under_way(self, requests: Sequence[ReportRequest]) -> bool:
        return [each.key for each in self.waiting.under_way] == [each.key for each in requests] != []

    def _settle(self, sent: Operation, answer: ReportAnswer, now: float) -> list[Operation]:
        """Apply the answer to a report; return what to send in its place or after it, perhaps the same."""
        if answer.is_success:
            self._end_outage(now)
            return self._note(sent, answer, now)
        if _is_failing(sent, answer, now):
            return [sent]
        self._end_outage(now)
        if _may_succeed(sent, answer, now):  # Lines: no report waits for them.
            self.waiting.lines.server.fail(answer, now)
            return [sent]
        if self._is_loss(answer):
            return [sent]
        if answer.problem in _AHEAD and _follows_a_start(sent.report, is_forked=self._is_forked):
            since = self._ahead_since.setdefault(sent.step, now)
            if now - since < AHEAD_S:
                self._own.not_before = max(self._own.not_before, now + self._looks.next_s())
                return [sent]
        return self._instead(sent, answer)

    def _instead(self, refused: Operation, answer: ReportAnswer) -> list[Operation]:
        """Apply the refusal of a report; return what to send in its place."""
        if _appends(refused.report) and answer.problem == "unknown-step-name":
            self._may_append = False
            return [_in_place(refused)]
        instead = None if self._is_optional(refused.report) else _reduced(refused, answer)
        if instead is None:
            self._refuse(refused, answer)
            return []
        creation, left_out = instead
        self.waiting.lose(_refusal(f"{left_out} left out: its creation", answer), 0)
        return [creation]

    def refuse(self, requests: Sequence[ReportRequest], answer: ReportAnswer, now: float) -> None:
        """Apply the one answer to a batch of which the server processed no report."""
        if isinstance(requests[0].report, Beat) and answer.is_outage:
            self.server.fail(answer, now)
        if not self._are_under_way(requests):
            return
        self.retract()
        if answer.is_transient:
            self._pause(answer, now)

    def retract(self) -> None:
        """Queue the reports under way again, with their keys; their answers are lost."""
        self.waiting.put_back(self.waiting.under_way)

    def retry_now(self, now: float) -> None:
        """End the pauses that the server has not asked for, since this may be the last attempt."""
        self.waiting.lines.hurry()
        self._own.retry_now(now)
        self.server.retry_now(now)

    def _pause(self, answer: ReportAnswer, now: float) -> None:
        if answer.is_outage:
            self.server.fail(answer, now)
        else:
            self.server.succeed()
            self._own.fail(answer, now)
        if not self._has_notified:
            self._has_notified = True
            self.waiting.events.append(Event("away", "cannot report on %s and will try again: %s", str(answer)))
        self.stand_by(now)

    def stand_by(self, now: float) -> float:
        """Wait for a server that is away; return when to drop the advances that wait, infinity if that is done."""
        waiting = self.waiting
        if self._away_since is None:
            self._away_since, self._lost_before = now, waiting.lost.value
        if waiting.has_cost_reports:
            return math.inf
        if now < self._away_since + MAX_OUTAGE_S:
            return self._away_since + MAX_OUTAGE_S
        waiting.has_cost_reports = True
        dropped, answer = waiting.drop_advances(), self.server.reason or self._own.reason
        text = f"no success for {in_words(MAX_OUTAGE_S)} ({answer}): {dropped} reports of progress were dropped, "
        waiting.lose(ServerAwayError(f"{text}{len(waiting.commands)} starts and completions wait on"), dropped)
        return math.inf

    def _end_outage(self, now: float) -> None:
        for availability in (self.server, self._own):
            if availability.reason is not None:
                availability.succeed()
        self.waiting.has_cost_reports = False
        since, self._away_since = self._away_since, None
        has_notified, self._has_notified = self._has_notified, False
        if since is not None:
            lost = self.waiting.lost.value - self._lost_before
            if has_notified or lost:
                detail = f"after {to_the_tenth(round(1000 * (now - since)))} in which {lost} reports were lost"
                level = logging.WARNING if lost else logging.INFO
                self.waiting.events.append(Event("back", "can report on %s again, %s", detail, level))

    def beat_at(self) -> float:
        """Return when a sign of life is due that needs not wait for a report; infinity if there is none."""
        if not self._running.steps:
            return math.inf
        held = self._held_back()
        return math.inf if held is None else self._running.due_at(held)

    def take_beats(self, now: float, most: float = math.inf) -> list[ReportRequest]:
        """Return at most so many signs of life to send now; those that are due while the server is away are dropped."""
        held = self._held_back()
        if held is None:  # A report has begun since.
            return []
        beats = self._running.take_due(now, held, most)
        return [] if now < self.server.not_before else [self._request(each) for each in beats]

    def _held_back(self) -> set[StepRef] | None:
        """Return the steps whose signs of life must not overtake a report of theirs; `None` is all of them."""
        reports = [each.report for each in (*self.waiting.under_way, *self.waiting.commands)]
        if any(isinstance(each, Create | Finish) for each in reports):
            return None
        return {each.step for each in reports if isinstance(each, StepUpdate)}

    def _take_beat_answer(self, request: ReportRequest, answer: ReportAnswer, now: float) -> None:
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
        elif self._is_loss(answer):
            if not self.waiting.under_way and not self.waiting.commands:  # Otherwise a report finds that out.
                self._create_again(answer, now)
        else:
            self._running.forget(beat.step)

    def _note(self, done: Operation, answer: ReportAnswer, now: float) -> list[Operation]:
        """Apply the success of a report; return what is to be sent after it."""
        report = done.report
        if self._ahead_since and self._ahead_since.pop(done.step, None) is not None:
            self._looks.reset()
        if not isinstance(report, Create):
            if self._running.steps or report.lease is not None:
                self._running.note(report, now)
            if isinstance(report, Log):
                self.waiting.lines.server.succeed()
            elif self._run is not None:
                self._run.note(report)
            return []
        if self._is_optional(report):
            return []
        self._running = RunningSteps()
        before, self._run = self._run, CreatedRun(report, done.key, answer.run)
        if before is None or report.replace:
            return []
        self._run.losses, self._run.lost_at = before.losses, before.lost_at
        self.waiting.events.append(Event("recreated", "the server had lost %s: %s", "it was created again"))
        return [Operation(each) for each in before.reports()]

    def _is_optional(self, report: Report) -> bool:
        """Whether it creates the session only where there is none, so that it is no run of this job."""
        return isinstance(report, Create) and not report.replace and self._run is None

    def _is_loss(self, answer: ReportAnswer) -> bool:
        """Whether the session that was created here is gone, or another run has its id."""
        return self._run is not None and answer.problem in _NOT_OUR_RUN

    def _create_again(self, answer: ReportAnswer, now: float) -> None:
        """Create the session again, unless another run has its id; after a pause, if it was lost shortly before."""
        assert self._run is not None
        self._run.losses += 1
        if now - self._run.lost_at < LONGEST_PAUSE_S:
            self._own.fail(answer, now)
        self._run.lost_at = now
        creation = _derived(self._run.key, replace(self._run.creation, replace=False), "again")
        if self._run.losses > MAX_LOSSES:
            self._refuse(creation, answer)
        else:
            self.waiting.put_back([creation])

    def _refuse(self, operation: Operation, answer: ReportAnswer) -> None:
        """Drop a report that was refused, and with it what would be refused as well."""
        report = operation.report
        if isinstance(report, Create):
            if self._is_optional(report):
                return
            self._running = RunningSteps()
            creation = "its creation" if operation.is_from_job else "the session was lost, and its creation"
            error = _refusal(f"nothing more is reported, since {creation}", answer)
            self.waiting.lose(error, operation.is_from_job + self.waiting.drop_all())  # They have no session.
        elif isinstance(report, Log):
            if not answer.is_superseded:
                self.waiting.events.append(Event("lines", "log lines of %s were refused: %s", str(answer)))
            elif report.lease is not None:
                self.waiting.supersede(report.step, report.lease.attempt_id, lines_alone=True)
        elif isinstance(report, StepUpdate) and answer.is_superseded and report.lease is not None:
            self._supersede(report, answer, lost=1)
        elif not _is_courtesy(report):
            if isinstance(report, StepUpdate) and not isinstance(report, ReportPart):
                self._running.forget(report.step)
            self._ahead_since[operation.step] = -math.inf
            self.waiting.lose(_refusal(named(report), answer))

    def _supersede(self, report: StepUpdate, answer: ReportAnswer, lost: int = 0) -> None:
        """Send no more reports of the step by this attempt, since a later attempt has it."""
        lease = own_lease(report)
        assert lease is not None
        lease.attempt.is_superseded = True
        self._running.forget(report.step)
        self.waiting.supersede(report.step, lease.attempt_id)
        if not lease.is_handed_on:  # Else it had to come.
            text = f"nothing more is reported on step {report.step!r}, since {named(report)}"
            self.waiting.lose(_refusal(text, answer), lost)


def _appends(report: Report) -> bool:
    return isinstance(report, Start) and report.append


def _is_failing(sent: Operation, answer: ReportAnswer, now: float) -> bool:
    """Whether all reports of the session wait before this one is sent again; for lines they do not."""
    return answer.is_outage or (not isinstance(sent.report, Log) and _may_succeed(sent, answer, now))


def _may_succeed(sent: Operation, answer: ReportAnswer, now: float) -> bool:
    """Whether to send a report again, to which the server has given no final answer."""
    if answer.is_transient or not answer.is_retryable:
        return answer.is_transient
    if sent.failing_since is None:
        sent.failing_since = now
    return now - sent.failing_since < MAX_OUTAGE_S


def _follows_a_start(report: Report, *, is_forked: bool) -> bool:
    """Whether the report is on a step that another process may have started."""
    return isinstance(report, ReportPart) or (is_forked and isinstance(report, Advance | Complete))


def _is_overtaken(sent: Operation, later: Sequence[Operation], answers: Sequence[ReportAnswer]) -> bool:
    """Whether a later report on the same part has been applied."""
    if not isinstance(sent.report, ReportPart):
        return False
    return any(answer.is_success and each.lane == sent.lane for each, answer in zip(later, answers, strict=True))


def _refusal(report: str, answer: ReportAnswer) -> ReportRefusedError:
    return ReportRefusedError(f"{report} was refused: {answer}", answer.status, answer.problem)


def _is_courtesy(report: Report) -> bool:
    """Whether a report is the client's own, about the requests of readers, which the job does not miss."""
    is_offer = isinstance(report, Describe) and report == Describe(accepts=report.accepts)
    return is_offer or isinstance(report, Acknowledge)


def _in_place(operation: Operation) -> Operation:
    """Return an operation as one that was never sent; a start takes the step of that name."""
    report = operation.report
    report = replace(report, append=False) if isinstance(report, Start) else report
    return Operation(report, made_at=operation.made_at, number=operation.number)


def _reduced(refused: Operation, answer: ReportAnswer) -> tuple[Operation, str] | None:
    """Return a creation without what it may have been refused for, and which that is; `None` if there is nothing."""
    creation = refused.report
    if not isinstance(creation, Create) or answer.status not in (_FORBIDDEN, _UNPROCESSABLE):
        return None
    if creation.profile is not None and answer.problem != "too-much":
        bare = replace(creation, profile=None)
        return _derived(refused.key, bare, "without profile"), "the profile of the session is"
    has_details = creation.title is not None or creation.labels or creation.links or creation.accepts
    if has_details and answer.status == _UNPROCESSABLE:
        bare = replace(creation, title=None, labels={}, links=(), accepts=())
        return _derived(refused.key, bare, "without details"), "title, labels and links of the session are"
    return None


def _derived(key: str, creation: Create, name: str) -> Operation:
    """Return a creation by a key that derives from an earlier one: processes that share the run create it once."""
    return Operation(creation, str(uuid.uuid5(uuid.UUID(key), name)))
