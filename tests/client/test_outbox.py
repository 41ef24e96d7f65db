"""What to send, what an answer means, and when to try again, at times that the tests make up."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping
from unittest import mock

import pytest

from progress_sse.client import outbox
from progress_sse.client.availability import FIRST_PAUSE_S
from progress_sse.client.codec import EncodedRequest, encode, encode_batch, read_answer, read_answers
from progress_sse.client.errors import ReportRefusedError, ServerAwayError
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.outbox import Disconnected, Outbox, Reconnected, Recreated, ReportDropped
from progress_sse.client.reports import Advance, Complete, Create, Latest, Queueable, Report, Start
from progress_sse.core.model import StepDefinition
from tests.clock import ManualClock

OK = ReportAnswer(200)
NO_ANSWER = ReportAnswer(0, detail="ConnectError: refused")
BUSY = ReportAnswer(503, "store-unavailable", "The store does not answer.")


class Bench:
    """An outbox on a clock that moves when told to, with the longest pauses that chance can give."""

    def __init__(self, chance: float = 1.0) -> None:
        self.clock = ManualClock()
        self.outbox = Outbox("nightly", chance=lambda: chance)

    def put(self, *reports: Queueable) -> None:
        for report in reports:
            self.outbox.put(report)

    def next(self) -> ReportRequest | None:
        requests = self.outbox.next(self.clock.monotonic())
        assert len(requests) <= 1
        return requests[0] if requests else None

    def take(self, request: ReportRequest, answer: ReportAnswer) -> None:
        self.outbox.take([request], [answer], self.clock.monotonic())

    def send(self, answer: ReportAnswer = OK) -> Report:
        """Send what is due, which must be something, and give it."""
        return self.send_request(answer).report

    def send_request(self, answer: ReportAnswer = OK) -> ReportRequest:
        request = self.next()
        assert request is not None
        self.take(request, answer)
        return request

    def wait(self) -> float:
        """Let pass what the outbox asks for, and tell how much that was."""
        pause_s = max(0.0, self.outbox.wake_at() - self.clock.monotonic())
        self.clock.advance(pause_s)
        return pause_s

    def deliver(self) -> list[Report]:
        """Send everything that waits, successfully, and give it in order."""
        sent = []
        while not self.outbox.is_empty:
            self.wait()
            sent.append(self.send())
        return sent


def test_commands_go_in_order_and_none_is_merged() -> None:
    """A step that is started and completed twice sends both, twice."""
    bench = Bench()
    commands: list[Report] = [Create(), Start(1), Complete(1), Start(1), Complete(1), Start(2)]
    bench.put(*commands)
    assert bench.deliver() == commands


def test_one_request_is_under_way_at_a_time() -> None:
    """The server gets reports in their order."""
    bench = Bench()
    bench.put(Start(1), Complete(1))
    assert bench.next() is not None
    assert bench.next() is None
    assert bench.outbox.wake_at() == math.inf


def test_the_newest_advance_of_a_step_replaces_older_ones() -> None:
    """Each step has its own advance."""
    bench = Bench()
    bench.put(Advance(1, 1), Advance(2, 7), Advance(1, 2), Advance(1, 3))
    assert bench.deliver() == [Advance(1, 3), Advance(2, 7)]


def test_the_latest_is_read_when_it_is_sent() -> None:
    """It has the value at that time; it waits from being queued to being read."""
    bench = Bench()
    counts = iter([5, 9])
    latest = Latest(1, lambda: Advance(1, next(counts)))
    for count in (5, 9):
        assert not latest.is_waiting
        bench.put(latest)
        assert latest.is_waiting
        bench.wait()
        assert bench.send() == Advance(1, count)
    assert not latest.is_waiting


def stay_away(bench: Bench) -> None:
    """Let the server be away for long, while something else is tried."""
    bench.put(Start(2))
    fail_for(bench, 600, NO_ANSWER)


WAYS_OUT: dict[str, Callable[[Bench], object]] = {
    "its step ends": lambda bench: bench.put(Complete(1)),
    "its step begins anew": lambda bench: bench.put(Start(1)),
    "another takes its place": lambda bench: bench.put(Advance(1, 6)),
    "it is the oldest of too many": lambda bench: bench.put(*(Start(2) for _ in range(outbox.MAX_WAITING))),
    "the server is away for long": stay_away,
    "another process tells it": lambda bench: bench.outbox.renewed(),
}


@pytest.mark.parametrize("leave", WAYS_OUT.values(), ids=WAYS_OUT.keys())
def test_the_latest_knows_when_it_no_longer_waits(leave: Callable[[Bench], object]) -> None:
    """This holds for every way out of the queue; otherwise later progress would never be sent."""
    bench = Bench()
    latest = Latest(1, lambda: Advance(1, 5))
    bench.put(latest)
    leave(bench)
    assert not latest.is_waiting


def test_advances_of_a_step_are_sent_at_most_ten_times_a_second() -> None:
    """A loop of a million rows sends ten requests a second, and the last value is sent, too."""
    bench = Bench()
    sent = []
    for millisecond in range(1000):
        bench.put(Advance(1, millisecond))
        if bench.outbox.wake_at() <= bench.clock.monotonic():
            sent.append(bench.send())
        bench.clock.advance(0.001)
    assert 9 <= len(sent) <= 11
    assert bench.deliver() == [Advance(1, 999)]


def test_an_advance_never_overtakes_a_command() -> None:
    """The server would refuse an advance before its start."""
    bench = Bench()
    bench.put(Start(1), Advance(1, 5), Start(2))
    assert bench.deliver() == [Start(1), Start(2), Advance(1, 5)]


@pytest.mark.parametrize("command", [Complete(1), Start(1)])
def test_an_advance_of_an_ended_step_is_not_sent(command: Report) -> None:
    """No page would show it, and the server would refuse it."""
    bench = Bench()
    bench.put(Advance(1, 5), command)
    assert bench.deliver() == [command]


@pytest.mark.parametrize("later", [Complete(1), Start(1)])
def test_a_failed_advance_of_an_ended_step_is_not_retried(later: Report) -> None:
    """An advance under way when the step ended must not follow the end."""
    bench = Bench()
    bench.put(Advance(1, 5))
    request = bench.next()
    assert request is not None
    bench.put(later)
    bench.take(request, NO_ANSWER)
    assert bench.deliver() == [later]


def test_a_newer_advance_replaces_a_failed_one() -> None:
    """Otherwise the bar would go back."""
    bench = Bench()
    bench.put(Advance(1, 5))
    request = bench.next()
    assert request is not None
    bench.put(Advance(1, 6))
    bench.take(request, NO_ANSWER)
    assert bench.deliver() == [Advance(1, 6)]


@pytest.mark.parametrize("report", [Create(), Start(1), Advance(1, 5), Complete(1)])
def test_a_retry_has_the_idempotency_key_of_the_first_attempt(report: Report) -> None:
    """So it is applied once; and equal reports have different keys."""
    bench = Bench()
    bench.put(report)
    first = bench.send_request(NO_ANSWER)
    bench.wait()
    assert bench.send_request() == first
    bench.put(report)
    bench.wait()
    assert bench.send_request().key != first.key


@pytest.mark.parametrize(
    ("answer", "is_tried_again"),
    [
        (NO_ANSWER, True),
        (ReportAnswer(429), True),
        (ReportAnswer(409, "idempotency-key-in-use"), True),
        (ReportAnswer(500, "internal-error"), True),
        (ReportAnswer(502), True),
        (BUSY, True),
        (ReportAnswer(503, "outcome-unknown"), True),
        (ReportAnswer(507, "store-full"), True),
        (ReportAnswer(301, detail="see https://progress.example"), False),
        (ReportAnswer(400, "malformed-body"), False),
        (ReportAnswer(401, "unauthorized"), False),
        (ReportAnswer(404, "session-not-found"), False),
        (ReportAnswer(408), False),
        (ReportAnswer(409, "step-not-started"), False),
        (ReportAnswer(409, "idempotency-key"), False),
        (ReportAnswer(413, "body-too-large"), False),
        (ReportAnswer(422, "idempotency-key-reused"), False),
    ],
)
def test_a_transient_failure_is_retried_and_a_refusal_is_not(answer: ReportAnswer, is_tried_again: bool) -> None:
    """A refused report is counted, and the next one is sent."""
    bench = Bench()
    bench.put(Start(1), Start(2))
    assert bench.send(answer) == Start(1)
    bench.wait()
    assert bench.send() == (Start(1) if is_tried_again else Start(2))
    assert bench.outbox.lost == (not is_tried_again)


def test_a_refusal_names_the_report_and_the_reason() -> None:
    """It has the server's text."""
    bench = Bench()
    bench.put(Complete(3))
    bench.send(ReportAnswer(409, "step-not-started", "The step was not started."))
    [event] = bench.outbox.events()
    assert isinstance(event, ReportDropped)
    assert isinstance(event.error, ReportRefusedError)
    assert str(event.error) == "complete of step 3 was refused: 409 The step was not started."
    assert (event.error.status, event.error.problem) == (409, "step-not-started")


def test_pauses_double_up_to_a_limit() -> None:
    """These are the maximum pauses; a success resets them."""
    bench = Bench()
    bench.put(Start(1), Start(2))
    pauses = []
    for _ in range(8):
        bench.send(NO_ANSWER)
        pauses.append(bench.wait())
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, 10, 10, 10])
    bench.send()
    bench.send(NO_ANSWER)
    assert bench.wait() == pytest.approx(0.5)


def test_a_pause_has_a_random_length() -> None:
    """Full jitter: workers that failed together do not come back together."""
    bench = Bench(chance=0.25)
    bench.put(Start(1))
    bench.send(NO_ANSWER)
    assert bench.wait() == pytest.approx(0.125)


@pytest.mark.parametrize("status", [429, 503, 409])
def test_retry_after_is_obeyed(status: int) -> None:
    """A random part is added, so that clients with the same `Retry-After` do not return at the same time."""
    bench = Bench()
    bench.put(Start(1))
    bench.send(ReportAnswer(status, "idempotency-key-in-use", retry_after_s=20))
    assert bench.wait() == pytest.approx(20.5)


def test_a_very_long_retry_after_is_cut() -> None:
    """A proxy that asks for a day would silence the session."""
    bench = Bench()
    bench.put(Start(1))
    bench.send(ReportAnswer(503, retry_after_s=86_400))
    assert bench.wait() == pytest.approx(300.5)


def test_retry_now_does_not_end_a_pause_of_the_server() -> None:
    """The end of the block may be the last attempt, but the server's own pause holds."""
    bench = Bench()
    bench.put(Start(1))
    bench.send(NO_ANSWER)
    bench.outbox.retry_now(bench.clock.monotonic())
    assert bench.wait() == 0
    bench.send(ReportAnswer(503, retry_after_s=20))
    bench.outbox.retry_now(bench.clock.monotonic())
    assert bench.wait() == pytest.approx(20)


def test_an_outage_and_its_end_are_reported_once() -> None:
    """The number of retries in between does not matter."""
    bench = Bench()
    bench.put(Start(1))
    for _ in range(3):
        bench.send(NO_ANSWER)
        bench.wait()
    bench.send()
    assert bench.outbox.events() == [Disconnected("ConnectError: refused"), Reconnected(3.5, 0)]
    assert bench.outbox.events() == []


def fail_for(bench: Bench, seconds: float, answer: ReportAnswer) -> None:
    """Let every try fail for so long."""
    until = bench.clock.monotonic() + seconds
    while bench.clock.monotonic() < until:
        bench.send(answer)
        bench.wait()


def test_a_long_outage_drops_advances_and_no_commands() -> None:
    """This is after a minute, with one event that has the count; without its commands a session would stay wrong."""
    bench = Bench()
    bench.put(Start(1), Advance(1, 5), Start(2), Advance(2, 6))
    fail_for(bench, 50, NO_ANSWER)
    assert bench.outbox.lost == 0
    fail_for(bench, 600, NO_ANSWER)
    assert bench.outbox.lost == 2
    _, lost = bench.outbox.events()
    assert isinstance(lost, ReportDropped)
    assert isinstance(lost.error, ServerAwayError)
    assert "2 reports of progress were dropped, 2 starts and completions wait on" in str(lost.error)
    bench.put(Advance(2, 9))
    assert bench.deliver() == [Start(1), Start(2), Advance(2, 9)]
    [back] = bench.outbox.events()
    assert isinstance(back, Reconnected)
    assert back.lost == 2


def test_a_report_that_always_fails_is_dropped_after_a_time() -> None:
    """An answer of 500 may be caused by the report, so it is dropped after a minute."""
    bench = Bench()
    bench.put(Start(1), Start(2))
    fail_for(bench, outbox.MAX_OUTAGE_S, ReportAnswer(500, "internal-error"))
    bench.send(ReportAnswer(500, "internal-error"))
    bench.wait()
    assert bench.send() == Start(2)
    assert bench.outbox.lost >= 1


def test_a_full_queue_drops_advances_first() -> None:
    """Then the oldest commands are dropped; the creation stays, or the session would have other steps."""
    bench = Bench()
    limit = outbox.MAX_WAITING
    bench.put(Create(), Start(1), Advance(1, 1), Start(2), Advance(2, 1))
    bench.put(*(Start(step) for step in range(3, limit - 1)))
    assert bench.outbox.lost == 1
    bench.put(Start(limit - 1))
    assert bench.outbox.lost == 2
    bench.put(Start(limit), Start(limit + 1))
    assert bench.outbox.lost == 4
    assert len(bench.outbox.events()) == 1
    assert bench.deliver() == [Create(), *(Start(step) for step in range(3, limit + 2))]


NOT_FOUND = ReportAnswer(404, "session-not-found", "There is no such session.")
OTHER_RUN = ReportAnswer(412, "other-run", "The session of that id is another run.")
EXISTS = ReportAnswer(409, "session-exists", "There is a session of that id already.")
CREATE = Create((StepDefinition("One"), StepDefinition("Two")))
AGAIN = Create(CREATE.steps, replace=False)


def created(*told: Report) -> Bench:
    """An outbox that has created its session, as the run `one`, and told this of it."""
    bench = Bench()
    bench.put(CREATE)
    assert bench.send(ReportAnswer(201, run="one")) == CREATE
    bench.put(*told)
    bench.deliver()
    return bench


def test_each_report_names_the_created_run() -> None:
    """They do so from the answer to the creation on, without an exception."""
    bench = Bench()
    bench.put(CREATE, Start(1), Advance(1, 5))
    assert bench.send_request(ReportAnswer(201, run="one")).run == ""
    assert bench.send_request().run == "one"
    assert bench.send_request().run == "one"


@pytest.mark.parametrize("gone", [NOT_FOUND, OTHER_RUN])
@pytest.mark.parametrize("report", [Start(2), Complete(1), Advance(1, 5)])
def test_a_session_that_is_gone_is_created_again(gone: ReportAnswer, report: Report) -> None:
    """It replaces no other session; then all reports are sent again, this one with its key and the new run."""
    bench = created(Start(1), Complete(1, message="m"), Start(2, 500), Start(1), Complete(2), Start(2, 700), Start(1))
    bench.put(report)
    first = bench.send_request(gone)
    assert bench.send(ReportAnswer(201, run="two")) == AGAIN
    assert [bench.send_request() for _ in range(2)] == [
        ReportRequest("nightly", Start(2, 700), mock.ANY, "two"),
        ReportRequest("nightly", Start(1), mock.ANY, "two"),
    ]
    bench.wait()
    assert bench.send_request() == first._replace(run="two")
    assert bench.outbox.is_empty
    assert bench.outbox.lost == 0
    assert bench.outbox.events() == [Recreated()]


def test_the_latest_reports_of_each_step_are_sent_again() -> None:
    """Each has its start and, if it has ended, its completion, in the order of the starts."""
    bench = created(Start(2), Complete(2, success=False, error="e"), Start(1, 500), Start(2), Complete(3), Complete(1))
    bench.put(Start(4))
    bench.send(NOT_FOUND)
    bench.send(ReportAnswer(201, run="two"))
    assert bench.deliver() == [Start(1, 500), Complete(1), Start(2), Start(3), Complete(3), Start(4)]


def test_a_loss_during_a_replay_replays_everything() -> None:
    """No report is sent twice."""
    bench = created(Start(1), Complete(1), Start(2))
    bench.put(Complete(2))
    bench.send(NOT_FOUND)
    bench.send(ReportAnswer(201, run="two"))
    assert bench.send() == Start(1)
    assert bench.send(NOT_FOUND) == Complete(1)
    bench.wait()
    assert bench.send(ReportAnswer(201, run="three")) == AGAIN
    assert bench.deliver() == [Start(1), Complete(1), Start(2), Complete(2)]


def test_a_delayed_creation_keeps_its_idempotency_key() -> None:
    """It may have arrived, so it is sent again with its key, and later reports wait for it."""
    bench = created(Start(1))
    bench.put(Complete(1))
    bench.send(NOT_FOUND)
    first = bench.send_request(NO_ANSWER)
    bench.wait()
    assert bench.send_request(ReportAnswer(201, run="two")) == first
    assert bench.deliver() == [Start(1), Complete(1)]


def test_processes_that_share_a_run_create_it_again_once() -> None:
    """They use the same key; and each process sends its own reports again."""
    parent = created(Start(1))
    child = Bench()
    child.outbox = parent.outbox.renewed()
    keys = set()
    for bench, told in ((parent, [Start(1), Start(2)]), (child, [Start(2)])):
        bench.put(Start(2))
        bench.send(NOT_FOUND)
        keys.add(bench.send_request(ReportAnswer(201, run="two")).key)
        assert bench.deliver() == told
    assert len(keys) == 1


@pytest.mark.parametrize("is_under_way", [False, True])
def test_a_process_forked_during_the_creation_learns_the_run(is_under_way: bool) -> None:
    """It sends the creation again with its key: the server repeats its answer and creates nothing."""
    parent, child = Bench(), Bench()
    parent.put(CREATE, Start(1))
    request = parent.next() if is_under_way else None
    child.outbox = parent.outbox.renewed()
    assert child.outbox.is_empty
    child.put(Start(2))
    answered = child.send_request(ReportAnswer(201, run="one"))
    assert answered == (request or parent.next())
    assert child.send_request() == ReportRequest("nightly", Start(2), mock.ANY, "one")


def test_processes_forked_before_the_first_report_have_their_own_runs() -> None:
    """Each creates its run with its first report."""
    parent, child = Bench(), Bench()
    parent.outbox = Outbox("nightly", CREATE)
    child.outbox = parent.outbox.renewed()
    keys = set()
    for bench in (parent, child):
        bench.put(Start(1))
        keys.add(bench.send_request(ReportAnswer(201, run="one")).key)
    assert len(keys) == 2


def test_a_session_that_is_lost_again_soon_is_created_after_a_pause() -> None:
    """A server that accepts a step's start and then has no session for its completion is not asked without end."""
    bench = created(Start(1))
    for losses in range(3):
        bench.put(Complete(1, message=str(losses)))
        bench.send(NOT_FOUND)
        if losses:
            assert bench.next() is None
            assert 0 < bench.wait() <= FIRST_PAUSE_S
        assert bench.send(ReportAnswer(201, run=f"again {losses}")) == AGAIN
        bench.deliver()


@pytest.mark.parametrize("refusal", [ReportAnswer(422, "unknown-workflow", "no"), ReportAnswer(403, "forbidden", "no")])
def test_a_refused_creation_ends_the_reporting(refusal: ReportAnswer) -> None:
    """Waiting and later reports are counted and not sent, as they have no session, and there is one event."""
    bench = Bench()
    bench.put(CREATE, Start(1), Advance(1, 5))
    bench.send(refusal)
    latest = Latest(2, lambda: Advance(2, 5))
    bench.put(Start(2), latest)
    assert latest.is_waiting, "a loop over many rows is not to come again with each"
    assert (bench.outbox.is_empty, bench.outbox.lost) == (True, 5)
    [event] = bench.outbox.events()
    assert isinstance(event, ReportDropped)
    assert isinstance(event.error, ReportRefusedError)
    assert str(event.error) == f"nothing more is reported, since its creation was refused: {refusal.status} no"
    assert (event.error.status, event.error.problem) == (refusal.status, refusal.problem)


def test_threads_that_report_during_a_refused_creation_leave_no_reports() -> None:
    """Reports in between are counted once, and never sent."""
    bench = Bench()
    bench.put(CREATE)
    request = bench.next()
    assert request is not None
    threads = [threading.Thread(target=lambda: bench.put(*[Start(1)] * 200)) for _ in range(4)]
    for thread in threads:
        thread.start()
    bench.take(request, ReportAnswer(403, "forbidden", "no"))
    for thread in threads:
        thread.join()
    assert (bench.outbox.is_empty, bench.outbox.lost) == (True, 801)


def test_reports_wait_for_a_creation_that_may_succeed() -> None:
    """A full store may have room within a minute."""
    bench = Bench()
    bench.put(CREATE, Start(1))
    fail_for(bench, outbox.MAX_OUTAGE_S / 2, ReportAnswer(507, "store-full"))
    assert bench.deliver() == [CREATE, Start(1)]
    bench = Bench()
    bench.put(CREATE, Start(1))
    fail_for(bench, outbox.MAX_OUTAGE_S, ReportAnswer(507, "store-full"))
    bench.send(ReportAnswer(507, "store-full"))
    assert (bench.outbox.is_empty, bench.outbox.lost) == (True, 2)


@pytest.mark.parametrize("gone", [NOT_FOUND, OTHER_RUN])
def test_another_run_of_the_id_is_left_alone(gone: ReportAnswer) -> None:
    """Waiting reports are not sent, whether the other run came before the loss was detected or after it."""
    bench = created(Start(1))
    bench.put(Complete(1), Start(2))
    bench.send(gone)
    assert bench.send(EXISTS) == AGAIN
    bench.put(Complete(2))
    assert (bench.outbox.is_empty, bench.outbox.lost) == (True, 3)
    [event] = bench.outbox.events()
    assert isinstance(event, ReportDropped)
    assert str(event.error).startswith("nothing more is reported, since the session was lost, and its creation")


def test_a_session_that_is_always_lost_is_given_up() -> None:
    """An example is an address that leads to several independent servers."""
    bench = created(Start(1))
    bench.put(Complete(1))
    sent = []
    while not bench.outbox.is_empty:
        bench.wait()
        request = bench.next()
        assert request is not None
        sent.append(type(request.report))
        bench.take(request, ReportAnswer(201) if isinstance(request.report, Create) else NOT_FOUND)
    assert sent.count(Create) == outbox.MAX_LOSSES
    assert bench.outbox.lost >= 1


def test_reports_without_time_left_are_counted() -> None:
    """This covers reports under way, waiting and later ones, and the creation; a later answer is ignored."""
    bench = Bench()
    bench.put(CREATE, Start(1), Advance(2, 5))
    bench.outbox.give_up()
    assert (bench.outbox.is_empty, bench.outbox.lost) == (True, 3)
    bench = created(Start(1))
    bench.put(Complete(1), Start(2))
    request = bench.next()
    assert request is not None
    bench.outbox.give_up()
    bench.take(request, OK)
    bench.put(Complete(2))
    assert (bench.outbox.is_empty, bench.outbox.lost, bench.next()) == (True, 3, None)
    bench = created(Start(1))
    bench.put(Complete(1))
    bench.send(NOT_FOUND)
    bench.outbox.give_up()
    assert bench.outbox.lost == 1, "to create the session again was not the job's idea"


def test_an_attached_session_has_no_run() -> None:
    """Its reports go to the existing run, and a refusal affects that report alone."""
    bench = Bench()
    bench.put(Complete(1), Start(2))
    assert bench.send_request(NOT_FOUND).run == ""
    assert bench.send() == Start(2)
    assert bench.outbox.lost == 1


@pytest.mark.parametrize("report", [Start(1), Advance(1, 5)])
def test_a_retracted_report_waits_again(report: Report) -> None:
    """It is first, goes at once, and keeps its key, as it may have arrived."""
    bench = Bench()
    bench.put(report)
    first = bench.next()
    bench.put(Start(2))
    bench.outbox.retract()
    if isinstance(report, Start):
        assert bench.send_request() == first
        assert bench.deliver() == [Start(2)]
    else:
        assert bench.send() == Start(2)
        bench.wait()
        assert bench.send_request() == first
    bench.outbox.retract()
    assert bench.outbox.is_empty
    assert bench.outbox.events() == []


def test_a_late_answer_is_ignored() -> None:
    """It must not count for the report that is under way by then."""
    bench = Bench()
    bench.put(Start(1), Start(2))
    first = bench.next()
    assert first is not None
    bench.outbox.retract()
    bench.take(first, OK)
    assert bench.send_request() == first
    second = bench.next()
    assert second is not None
    bench.take(first, OK)
    assert not bench.outbox.is_empty
    bench.take(second, OK)
    assert bench.outbox.is_empty


def test_a_renewed_outbox_has_no_reports() -> None:
    """This includes those under way; the first process to report sends the creation."""
    bench = Bench()
    bench.put(Create(), Start(1), Start(2), Advance(3, 1))
    assert bench.next() is not None
    renewed = bench.outbox.renewed()
    assert renewed.is_empty
    assert renewed.wake_at() == math.inf
    unborn = Outbox("nightly", Create()).renewed()
    assert unborn.is_empty
    unborn.put(Start(1))
    assert [request.report for request in unborn.next(0)] == [Create()]


MESSAGES: list[tuple[Report, str, str, dict[str, object]]] = [
    (Create(), "PUT", "?replace=true", {}),
    (Create(replace=False), "PUT", "", {}),
    (Create(workflow="report"), "PUT", "?replace=true", {"workflow": "report"}),
    (
        Create((StepDefinition("原稿", 1000, 2000),)),
        "PUT",
        "?replace=true",
        {"steps": [{"name": "原稿", "timeout_ms": 1000, "estimated_ms": 2000}]},
    ),
    (Start(2, 500), "POST", "/update", {"action": "start", "step": 2, "timeout_ms": 500}),
    (
        Advance(2, 3, 8, "half"),
        "POST",
        "/update",
        {"action": "progress", "step": 2, "current": 3, "total": 8, "message": "half"},
    ),
    (
        Complete(2, False, "m", "e"),
        "POST",
        "/update",
        {"action": "complete", "step": 2, "success": False, "message": "m", "error": "e"},
    ),
]


@pytest.mark.parametrize(("report", "method", "rest", "body"), MESSAGES)
def test_reports_become_requests(report: Report, method: str, rest: str, body: dict[str, object]) -> None:
    """They follow the protocol; an id is opaque, and one segment of the path."""
    message = encode(ReportRequest("日 本?#%", report, "key"))
    path = f"/api/progress/%E6%97%A5%20%E6%9C%AC%3F%23%25{rest}"
    assert message == EncodedRequest(method, path, message.body, {"Idempotency-Key": "key"})
    assert json.loads(message.body) == body


def test_a_report_names_its_run() -> None:
    """A creation, which begins a run, names none."""
    headers = {"Idempotency-Key": "key", "Progress-Run": "run"}
    assert encode(ReportRequest("a", Start(1), "key", "run")).headers == headers


@pytest.mark.parametrize(("told", "run"), [("2026", "2026"), ("\xe9", ""), ("a\tb", ""), ("x" * 256, "")])
def test_a_run_is_accepted_if_a_header_can_have_it(told: str, run: str) -> None:
    """Otherwise no later report could be sent."""
    assert read_answer(201, {"progress-run": told}, b'{"session_id": "a"}') == ReportAnswer(201, run=run)


PROBLEM = b'{"type":"/problems/store-unavailable","status":503,"detail":"The store does not answer."}'
DATES = {"retry-after": "Wed, 25 Nov 2026 10:00:30 GMT", "date": "Wed, 25 Nov 2026 10:00:00 GMT"}


@pytest.mark.parametrize(
    ("status", "headers", "content", "answer"),
    [
        (200, {}, b'{"success":true,"session_id":"a"}', ReportAnswer(200)),
        (201, {}, b'{"session_id":"a","steps":[]}', ReportAnswer(201)),
        (
            200,
            {},
            b"<h1>Log in</h1>",
            ReportAnswer(0, detail="the answer, of status 200, is not that of a progress server"),
        ),
        (204, {}, b"", ReportAnswer(0, detail="the answer, of status 204, is not that of a progress server")),
        (503, {"retry-after": "2"}, PROBLEM, ReportAnswer(503, "store-unavailable", "The store does not answer.", 2)),
        (503, DATES, b"", ReportAnswer(503, retry_after_s=30)),
        (503, {"retry-after": DATES["date"]}, b"", ReportAnswer(503)),
        (503, {"retry-after": "-1"}, b"", ReportAnswer(503)),
        (502, {"retry-after": "soon"}, b"<h1>Bad Gateway</h1>", ReportAnswer(502)),
        (404, {}, b'["not", "a", "problem"]', ReportAnswer(404)),
        (308, {"location": "https://b.example/"}, b"", ReportAnswer(308, detail="see https://b.example/")),
        (503, {"retry-after": f"Mon, 01 Jan {10**20} 00:00:00 GMT", "date": DATES["date"]}, b"", ReportAnswer(503)),
        (
            400,
            {},
            b'{"type": "/problems/x\\u001b", "detail": "a\\nb\\u202e"}',
            ReportAnswer(400, "x\ufffd", "a\ufffdb\ufffd"),
        ),
        (400, {}, b'{"detail": "%b"}' % (b"x" * 9999), ReportAnswer(400, detail="x" * 500)),
    ],
)
def test_answers_are_read(status: int, headers: Mapping[str, str], content: bytes, answer: ReportAnswer) -> None:
    """A response that is not a progress server's, such as a proxy's page, counts as no answer, whatever its status."""
    assert read_answer(status, headers, content) == answer


class Wide(Bench):
    """An outbox whose way to the server takes several at once."""

    def together(self) -> list[ReportRequest]:
        return self.outbox.next(self.clock.monotonic(), alone=False)

    def answer(self, requests: list[ReportRequest], *answers: ReportAnswer) -> None:
        self.outbox.take(requests, answers, self.clock.monotonic())

    def refuse(self, answer: ReportAnswer) -> int:
        """Let several that are due be refused as a whole, and tell how many they were."""
        requests = self.together()
        assert len(requests) > 1
        self.outbox.refuse(requests, answer, self.clock.monotonic())
        return len(requests)


def reports(requests: list[ReportRequest]) -> list[Report]:
    return [request.report for request in requests]


def test_waiting_commands_go_in_one_batch() -> None:
    """They keep their order; a creation goes alone, as its request has another form, and an advance follows them."""
    wide = Wide()
    wide.put(Create(), Start(1), Complete(1), Start(2), Advance(2, 5), Start(3))
    for expected in ([Create()], [Start(1), Complete(1), Start(2), Start(3)], [Advance(2, 5)]):
        requests = wide.together()
        assert reports(requests) == expected
        assert len({request.key for request in requests}) == len(expected)
        wide.answer(requests, *[OK] * len(expected))
    assert wide.outbox.is_empty


def test_each_report_of_a_batch_has_its_answer() -> None:
    """Refused reports are lost; failed ones are retried in their order, with their keys."""
    wide = Wide()
    wide.put(*(Start(step) for step in range(1, 6)))
    requests = wide.together()
    refused = ReportAnswer(422, "step-out-of-range", "no")
    wide.answer(requests, OK, BUSY, refused, BUSY, OK)
    assert wide.outbox.lost == 1
    assert wide.together() == []
    wide.wait()
    assert wide.together() == [requests[1], requests[3]]


def test_answers_to_retracted_requests_are_ignored() -> None:
    """They are sent again, and get answers then."""
    wide = Wide()
    wide.put(Start(1), Start(2))
    requests = wide.together()
    wide.outbox.retract()
    wide.answer(requests, OK, OK)
    wide.outbox.refuse(requests, BUSY, 0)
    assert wide.together() == requests


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_batches_gets_single_reports(status: int) -> None:
    """It does so at once and from then on, with the same keys."""
    wide = Wide()
    wide.put(*(Start(step) for step in range(1, 5)))
    requests = wide.together()
    wide.outbox.refuse(requests, ReportAnswer(status), 0)
    for request in requests:
        assert wide.together() == [request]
        wide.answer([request], OK)
    assert wide.outbox.is_empty
    assert wide.outbox.events() == []


@pytest.mark.parametrize("status", [413, 400, 403, 500])
def test_a_refused_batch_is_retried_in_smaller_ones(status: int) -> None:
    """At last each goes by itself, and a refused one is lost; batches grow again after a success."""
    wide = Wide()
    wide.put(*(Start(step) for step in range(1, 9)))
    assert [wide.refuse(ReportAnswer(status)) for _ in range(3)] == [8, 4, 2]
    alone = wide.together()
    assert reports(alone) == [Start(1)]
    wide.answer(alone, ReportAnswer(403))
    assert wide.outbox.lost == 1
    for expected in (1, 2, 4):
        requests = wide.together()
        assert len(requests) == expected
        wide.answer(requests, *[OK] * expected)
    assert wide.outbox.is_empty


@pytest.mark.parametrize(("answer", "then"), [(NO_ANSWER, 8), (BUSY, 8), (ReportAnswer(429, retry_after_s=7), 4)])
def test_a_batch_with_a_transient_failure_waits_as_a_whole(answer: ReportAnswer, then: int) -> None:
    """It waits as long as `Retry-After` says; after a rate limit batches are smaller."""
    wide = Wide()
    wide.put(*(Start(step) for step in range(1, 9)))
    assert wide.refuse(answer) == 8
    assert wide.together() == []
    assert wide.wait() >= (answer.retry_after_s or 0)
    assert len(wide.together()) == then


def test_a_batch_is_encoded_as_the_server_reads_it() -> None:
    """Each report has its session and its key."""
    requests = [ReportRequest("a", Start(1), "k1"), ReportRequest("a", Complete(1, message="m"), "k2", "r")]
    method, path, body, headers = encode_batch(requests)
    assert (method, path, headers) == ("POST", "/api/updates", {})
    assert json.loads(body) == {
        "updates": [
            {"session_id": "a", "idempotency_key": "k1", **json.loads(encode(requests[0]).body)},
            {"session_id": "a", "idempotency_key": "k2", "run": "r", **json.loads(encode(requests[1]).body)},
        ]
    }


def test_a_batch_whose_session_is_lost_creates_it_once() -> None:
    """It is created again once, and all reports are sent again in their order; none after the loss is sent alone."""
    wide = Wide()
    wide.put(CREATE)
    wide.send(ReportAnswer(201, run="one"))
    wide.put(Start(1), Complete(1), Start(2))
    requests = wide.together()
    wide.answer(requests, NOT_FOUND, NOT_FOUND, NOT_FOUND)
    again = wide.together()
    assert reports(again) == [AGAIN]
    wide.answer(again, ReportAnswer(201, run="two"))
    assert wide.together() == [request._replace(run="two") for request in requests]


def test_the_answers_to_a_batch_are_read_one_by_one() -> None:
    """A response that no progress server sends is no answer; a refusal of the batch is one."""
    refused = {"type": "/problems/step-out-of-range", "status": 422, "detail": "no", "success": False}
    told = json.dumps({"results": [{"status": 200}, refused, {}, None]}).encode()
    ok, no, *odd = read_answers(200, {}, told, 4)
    assert (ok, no) == (OK, ReportAnswer(422, "step-out-of-range", "no"))
    assert all(isinstance(answer, ReportAnswer) and answer.is_transient for answer in odd)
    for content in (told, b"{}", b"welcome", b'{"results": 2}'):
        assert isinstance(answer := read_answers(200, {}, content, 2), ReportAnswer)
        assert answer.is_transient
    assert read_answers(429, {"retry-after": "7"}, b"", 2) == ReportAnswer(429, retry_after_s=7)
