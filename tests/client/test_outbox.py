"""The order of reports, the effect of answers, and retries, on a manual clock."""

import json
import math
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from progress_sse.client import availability, waiting_reports
from progress_sse.client.codec import encode, read_answer
from progress_sse.client.errors import ReportRefusedError, ServerAwayError
from progress_sse.client.exchange import Operation, ReportAnswer
from progress_sse.client.forks import PRECEDENCE_S, ForkOrder, Precedence
from progress_sse.client.outbox import AHEAD_S, Outbox
from progress_sse.client.reports import Create, Latest, Report
from progress_sse.conformance.patterns import Known
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Acknowledge, Advance, Complete, Describe, Finish, ReportPart, Skip, Start
from tests.client.bench import BUSY, CREATE, NO_ANSWER, NOT_FOUND, OK, Bench, created, fail_for
from tests.harness.vectors import CORPUS


def test_commands_go_in_order_and_none_is_merged() -> None:
    """A step that is started and completed twice sends both, twice."""
    bench = Bench()
    commands: list[Report] = [Create(), Start(1), Complete(1), Start(1), Complete(1), Start(2)]
    bench.put(*commands)
    assert bench.deliver() == commands


def test_one_request_is_under_way_at_a_time() -> None:
    """The server gets reports in their order."""
    bench = Bench(Start(1), Complete(1))
    assert bench.next() is not None
    assert bench.next() is None
    assert bench.wake_at() == math.inf


def test_the_newest_advance_of_a_step_replaces_older_ones() -> None:
    """Each step has its own advance."""
    bench = Bench(Advance(1, 1), Advance(2, 7), Advance(1, 2), Advance(1, 3))
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
    "its step is skipped": lambda bench: bench.put(Skip(1)),
    "its session ends": lambda bench: bench.put(Finish()),
    "another takes its place": lambda bench: bench.put(Advance(1, 6)),
    "it is the oldest of too many": lambda bench: bench.put(
        *(Advance(step, 1) for step in range(2, waiting_reports.MAX_ADVANCES + 2))
    ),
    "the server is away for long": stay_away,
    "another process sends it": lambda bench: bench.outbox.renewed(),
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
        if bench.wake_at() <= bench.clock.monotonic():
            sent.append(bench.send())
        bench.clock.advance(0.001)
    assert 9 <= len(sent) <= 11
    assert bench.deliver() == [Advance(1, 999)]


def test_a_restarted_step_sends_its_first_advance_at_once() -> None:
    """The interval is one of advances between the same start and end."""
    bench = Bench(Advance(1, 5))
    bench.send()
    bench.put(Start(1))
    bench.send()
    bench.put(Advance(1, 6))
    assert bench.wait() == 0
    assert bench.send() == Advance(1, 6)


def test_an_advance_never_overtakes_a_command() -> None:
    """The server would refuse an advance before its start."""
    bench = Bench(Start(1), Advance(1, 5), Start(2))
    assert bench.deliver() == [Start(1), Start(2), Advance(1, 5)]


@pytest.mark.parametrize("command", [Complete(1), Start(1)])
def test_an_advance_of_an_ended_step_is_not_sent(command: Report) -> None:
    """No page would show it, and the server would refuse it."""
    bench = Bench(Advance(1, 5), command)
    assert bench.deliver() == [command]


@pytest.mark.parametrize("later", [Complete(1), Start(1), Skip(1), Finish(), Advance(1, 6), Describe("T")])
def test_a_failed_advance_is_retried_only_where_it_still_counts(later: Report) -> None:
    """It must not follow the end of its step, nor a newer one; what describes the session leaves it useful."""
    bench = Bench(Advance(1, 5))
    request = bench.next_request()
    bench.put(later)
    bench.take(request, NO_ANSWER)
    assert bench.deliver() == ([later, Advance(1, 5)] if isinstance(later, Describe) else [later])


WORKERS = json.loads((CORPUS / "workers.json").read_text("utf-8"))


def report_of(action: str, step: int = 0, steps: tuple[str, ...] = (), part: str = "", status: Any = None) -> Report:
    reports: dict[str, Report] = {
        "create": Create(tuple(map(StepDefinition, steps))),
        "start": Start(step),
        "part": ReportPart(step, part, status),
    }
    return reports.get(action, Complete(step))


@pytest.mark.parametrize("vector", WORKERS, ids=lambda vector: vector["name"])
def test_a_worker_does_as_the_vectors_say(vector: dict[str, Any]) -> None:
    """It sends these requests, and no other."""
    bench, known = Bench(*(report_of(**each) for each in vector["reports"])), Known()
    for exchange in vector["exchanges"]:
        assert 1000 * bench.wait() >= exchange.get("after_ms", 0)
        request = bench.next_request()
        method, path, body, headers = encode(request)
        action = "create" if method == "PUT" else json.loads(body)["action"]
        sent = {"action": action, "replaces": "replace=" in path}
        sent |= {"key": headers["Idempotency-Key"], "run": headers.get("Progress-Run", "")}
        known.match(exchange["request"], {key: sent[key] for key in exchange["request"]})
        answer = {"headers": {}, "problem": None} | exchange["answer"]
        fields = {name.lower(): value for name, value in answer["headers"].items()}
        content = json.dumps({"session_id": "nightly", "type": answer["problem"]}).encode()
        bench.take(request, read_answer(answer["status"], fields, content) if answer["status"] else NO_ANSWER)
    assert bench.is_empty


@pytest.mark.protocol("P-11.10")
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
    bench = Bench(Start(1), Start(2))
    assert bench.send(answer) == Start(1)
    bench.wait()
    assert bench.send() == (Start(1) if is_tried_again else Start(2))
    assert bench.lost == (not is_tried_again)


def test_a_refusal_names_the_report_and_the_reason() -> None:
    bench = Bench(Complete(3))
    bench.send(ReportAnswer(409, "step-not-started", "The step was not started."))
    [event] = bench.events()
    assert isinstance(event.detail, ReportRefusedError)
    assert str(event.detail) == "complete of step 3 was refused: 409 The step was not started."
    assert (event.detail.status, event.detail.problem) == (409, "step-not-started")


def test_a_refusal_of_a_report_on_the_session_says_so() -> None:
    """It has no step; a step by name is shown by it."""
    bench = Bench(Finish(), Start("Parse"), ReportPart(2, "a"), Advance(2, 1))
    for expected in ("finish of the session", "start of step 'Parse'", "part 'a' of step 2", "progress of step 2"):
        bench.send(ReportAnswer(422, "invalid-request", "no"))
        [event] = bench.events()
        assert str(event.detail) == f"{expected} was refused: 422 no"


FIXED = ReportAnswer(422, "unknown-step-name", "There is no step of that name.")


def test_a_step_of_fixed_steps_is_started_again_in_place() -> None:
    """A job that continues a session learns only by the refusal that its steps are fixed; its child knows it, too."""
    bench = Bench(Start("One", append=True))
    first = bench.send_request(FIXED)
    again = bench.send_request()
    assert again.report == Start("One")
    assert again.key != first.key
    child = Bench()
    child.outbox = bench.outbox.renewed()
    for each in (bench, child):
        each.put(Start("One", append=True))
        assert each.deliver() == [Start("One")]
        assert each.lost == 0


def test_a_step_of_an_unknown_name_is_refused() -> None:
    bench = Bench(Start("None", append=True))
    bench.send(FIXED)
    bench.send(FIXED)
    assert (bench.is_empty, bench.lost) == (True, 1)


def test_reports_that_overtook_a_refused_start_are_sent_again() -> None:
    """The server has applied an end to the step that ran before; with its key it would apply it no more."""
    bench = Bench()
    end = Finish(False, "e")
    bench.put(Start("One", append=True), Complete("One"), Start(2), Start("One", append=True), Complete("One"), end)
    requests = bench.outbox.next(bench.clock.monotonic(), alone=False)
    answers = [FIXED, OK, OK, FIXED, ReportAnswer(409, "step-not-running"), OK]
    bench.outbox.take(requests, answers, bench.clock.monotonic())
    again = bench.outbox.next(bench.clock.monotonic(), alone=False)
    assert [each.report for each in again] == [Start("One"), Complete("One"), Start("One"), Complete("One"), end]
    assert {each.key for each in again}.isdisjoint(each.key for each in requests)
    assert bench.lost == 0


def test_pauses_double_up_to_a_limit() -> None:
    """These are the maximum pauses; a success resets them."""
    bench = Bench(Start(1), Start(2))
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
    bench = Bench(Start(1), chance=0.25)
    bench.send(NO_ANSWER)
    assert bench.wait() == pytest.approx(0.125)


@pytest.mark.protocol("P-4.5")
@pytest.mark.parametrize(
    ("status", "asked_s", "pause_s"), [(429, 20, 20.5), (503, 20, 20.5), (409, 20, 20.5), (503, 86_400, 300.5)]
)
def test_retry_after_is_obeyed_up_to_a_limit(status: int, asked_s: int, pause_s: float) -> None:
    """A random part keeps clients from returning together; a proxy that asks for a day would silence the session."""
    bench = Bench(Start(1))
    bench.send(ReportAnswer(status, "idempotency-key-in-use", retry_after_s=asked_s))
    assert bench.wait() == pytest.approx(pause_s)


def test_retry_now_does_not_end_a_pause_of_the_server() -> None:
    """The end of the block may be the last attempt, but the server's own pause holds."""
    bench = Bench(Start(1))
    bench.send(NO_ANSWER)
    bench.outbox.retry_now(bench.clock.monotonic())
    assert bench.wait() == 0
    bench.send(ReportAnswer(503, retry_after_s=20))
    bench.outbox.retry_now(bench.clock.monotonic())
    assert bench.wait() == pytest.approx(20)


def test_an_outage_and_its_end_are_reported_once() -> None:
    """The number of retries in between does not matter."""
    bench = Bench(Start(1))
    for _ in range(3):
        bench.send(NO_ANSWER)
        bench.wait()
    bench.send()
    assert [event.detail for event in bench.events()] == [str(NO_ANSWER), "after 3.5 s in which 0 reports were lost"]
    assert bench.events() == []


def test_a_long_outage_drops_advances_and_no_commands() -> None:
    """This is after a minute, with one event that has the count; without its commands a session would stay wrong."""
    bench = Bench(Start(1), Advance(1, 5), Start(2), Advance(2, 6))
    fail_for(bench, 50, NO_ANSWER)
    assert bench.lost == 0
    fail_for(bench, 600, NO_ANSWER)
    assert bench.lost == 2
    _, lost = bench.events()
    assert isinstance(lost.detail, ServerAwayError)
    assert "2 reports of progress were dropped, 2 starts and completions wait on" in str(lost.detail)
    bench.put(Advance(2, 9))
    assert bench.deliver() == [Start(1), Start(2), Advance(2, 9)]
    [back] = bench.events()
    assert "in which 2 reports were lost" in str(back.detail)


def test_a_report_that_always_fails_is_dropped_after_a_time() -> None:
    """An answer of 500 may be caused by the report, so it is dropped after a minute."""
    bench = Bench(Start(1), Start(2))
    fail_for(bench, availability.MAX_OUTAGE_S, ReportAnswer(500, "internal-error"))
    bench.send(ReportAnswer(500, "internal-error"))
    bench.wait()
    assert bench.send() == Start(2)
    assert bench.lost >= 1


@pytest.mark.guarantee(96)
def test_a_burst_of_commands_is_sent_whole() -> None:
    """Of progress, the newest of each step comes."""
    bench = Bench(CREATE)
    commands: list[Report] = [each for step in range(1, 5001) for each in (Start(step), Complete(step))]
    for number, command in enumerate(commands, 1):
        bench.put(command, Advance(6000, number))
    *sent, last = bench.deliver()
    assert sent == [CREATE, *commands]
    assert last == Advance(6000, 10_000)
    assert (bench.lost, bench.events()) == (0, [])


@pytest.mark.guarantee(96)
def test_a_full_queue_drops_the_oldest_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is full by memory. The creation stays, or the session would have other steps; each loss is counted."""
    long = Complete(2, message="m" * 8000)
    monkeypatch.setattr(waiting_reports, "MAX_COMMAND_BYTES", 2 * waiting_reports.size_of(long))
    few = [Start(step) for step in range(10)]
    bench = Bench(CREATE, *few)
    assert bench.lost == 0
    bench.put(long)
    assert bench.lost == 0
    bench.put(long)
    assert bench.lost == len(few)
    [event] = bench.events()
    assert str(event.detail).endswith("of reports wait: the oldest are being dropped")
    assert bench.deliver() == [CREATE, long, long]
    bench.put(*few)
    assert bench.deliver() == few


def test_a_report_that_is_put_back_counts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(Start(1))
    monkeypatch.setattr(waiting_reports, "MAX_COMMAND_BYTES", 2 * waiting_reports.size_of(Start(1)))
    for _ in range(5):
        bench.send(NO_ANSWER)
        bench.wait()
    bench.put(Start(2))
    assert bench.lost == 0
    bench.put(Start(3))
    assert bench.lost == 1
    assert bench.deliver() == [Start(2), Start(3)]


def test_progress_of_too_many_steps_drops_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each loss is counted, and no command is lost for it."""
    monkeypatch.setattr(waiting_reports, "MAX_ADVANCES", 2)
    bench = Bench(Start(9), *(Advance(step, 1) for step in (1, 2, 3, 2)))
    assert bench.lost == 1
    assert bench.deliver() == [Start(9), Advance(2, 1), Advance(3, 1)]


def test_reports_without_time_left_are_counted() -> None:
    """This covers reports under way, waiting and later ones, and the creation; a later answer is ignored."""
    bench = Bench(CREATE, Start(1), Advance(2, 5))
    bench.outbox.waiting.give_up()
    assert (bench.is_empty, bench.lost) == (True, 3)
    bench = created(Start(1))
    bench.put(Complete(1), Start(2))
    request = bench.next_request()
    bench.outbox.waiting.give_up()
    bench.take(request, OK)
    bench.put(Complete(2))
    assert (bench.is_empty, bench.lost, bench.next()) == (True, 3, None)
    bench = created(Start(1))
    bench.put(Complete(1))
    bench.send(NOT_FOUND)
    bench.outbox.waiting.give_up()
    assert bench.lost == 1, "to create the session again is no report of the job"


@pytest.mark.parametrize("report", [Start(1), Advance(1, 5)])
def test_a_retracted_report_waits_again(report: Report) -> None:
    """It is first, goes at once, and keeps its key, as it may have arrived."""
    bench = Bench(report)
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
    assert bench.is_empty
    assert bench.events() == []


def test_a_late_answer_is_ignored() -> None:
    """It must not count for the report that is under way by then."""
    bench = Bench(Start(1), Start(2))
    first = bench.next_request()
    bench.outbox.retract()
    bench.take(first, OK)
    assert bench.send_request() == first
    second = bench.next_request()
    bench.take(first, OK)
    assert not bench.is_empty
    bench.take(second, OK)
    assert bench.is_empty


def test_a_renewed_outbox_has_no_reports() -> None:
    """This includes those under way; the first process to report sends the creation."""
    bench = Bench(Create(), Start(1), Start(2), Advance(3, 1))
    assert bench.next() is not None
    renewed = bench.outbox.renewed()
    assert renewed.waiting.is_empty
    assert renewed.due_at() == math.inf
    unborn = Outbox("nightly", Create()).renewed()
    assert unborn.waiting.is_empty
    unborn.waiting.put(Start(1))
    assert [request.report for request in unborn.next(0)] == [Create()]


@pytest.mark.parametrize("report", [Acknowledge("1", "seen"), Describe(accepts=("cancel",))])
def test_the_refusal_of_a_report_about_requests_costs_the_job_nothing(report: Report) -> None:
    """The request may be settled."""
    bench = created(report)
    bench.put(report)
    bench.send(ReportAnswer(409, "request-settled"))
    assert (bench.lost, bench.events(), bench.is_empty) == (0, [], True)


class Refilled(deque[Operation]):
    """The commands of an outbox that has sent its only one, and puts it back after a look at them."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox

    def __len__(self) -> int:
        seen = super().__len__()
        self._outbox.retract()
        return seen


def test_a_report_that_comes_back_while_the_job_looks_is_not_sent() -> None:
    """The thread that sends may get its refusal between any two steps of another thread."""
    bench = Bench(Start(1))
    assert bench.next() is not None
    bench.outbox.waiting._commands = Refilled(bench.outbox)  # noqa: SLF001  # what two threads do, in one
    assert not bench.is_empty


def forked(parent: Bench, *reports: Report) -> Bench:
    """Return a process that was forked now, and makes these reports."""
    waiting = parent.outbox.waiting
    if not waiting.is_empty:
        waiting.order.forks.append(Precedence(next(waiting.lines.numbers), parent.clock.monotonic()))
    child = Bench()
    child.clock, child.outbox = parent.clock, parent.outbox.renewed()
    child.put(*reports)
    return child


def settle_forks(bench: Bench) -> None:
    waiting = bench.outbox.waiting
    waiting.order.settle(list(waiting.order.forks), [*waiting.under_way, *waiting.commands])


@pytest.mark.guarantee(97)
def test_a_fork_amid_a_look_at_what_waits_is_not_settled_by_it() -> None:
    """What the job had reported just before it was not seen."""
    order = ForkOrder()
    seen, later = Precedence(1, 0), Precedence(3, 0)
    order.forks.append(seen)
    forks = list(order.forks)
    order.forks.append(later)
    order.settle(forks, [])
    assert (seen.holds(0), later.holds(0)) == (False, True)
    assert list(order.forks) == [later]


def test_a_forked_process_waits_for_what_its_parent_had_to_send() -> None:
    """And for no later report; a process that it forks waits, too. Where the parent sends nothing it stops to wait."""
    parent = Bench(Start(1), Describe("reports"))
    child = forked(parent, ReportPart(1, "a"))
    grandchild = forked(child, ReportPart(1, "b"))
    parent.put(Start(2))
    for expected in (Start(1), Describe("reports")):
        assert (child.next(), grandchild.next()) == (None, None)
        assert parent.send() == expected
        settle_forks(parent)
    child.wait()
    assert child.send() == ReportPart(1, "a")
    assert grandchild.next() is None
    settle_forks(child)
    grandchild.wait()
    assert grandchild.send() == ReportPart(1, "b")
    stuck = forked(parent, Complete(1))
    began = parent.clock.monotonic()
    while stuck.next() is None:
        stuck.wait()
    assert parent.clock.monotonic() - began == pytest.approx(PRECEDENCE_S, abs=0.1)


@pytest.mark.parametrize("answer", [OK, NO_ANSWER])
def test_a_forked_process_does_not_wait_for_what_was_sent(answer: ReportAnswer) -> None:
    """What is under way was not."""
    parent = Bench(Start(1))
    parent.send(answer)
    assert (forked(parent, ReportPart(1, "a")).next() is None) == (answer is NO_ANSWER)


TOO_EARLY = ReportAnswer(409, "step-not-started", "The step was not started.")


@pytest.mark.parametrize("problem", ["session-not-found", "step-not-started", "step-out-of-range", "unknown-step-name"])
def test_a_part_that_is_ahead_of_the_start_of_its_step_is_sent_again(problem: str) -> None:
    """Without a warning; the pauses are short."""
    bench = Bench(ReportPart(1, "a"))
    for _ in range(3):
        bench.send(ReportAnswer(404, problem))
        assert bench.wait() <= 1
    assert bench.deliver() == [ReportPart(1, "a")]
    assert (bench.lost, bench.events()) == (0, [])


@pytest.mark.guarantee(97)
def test_a_part_of_a_step_that_is_never_started_is_lost_in_the_end() -> None:
    """Those after it are refused at once, until one is applied."""
    bench = Bench(ReportPart(1, "a"), ReportPart(1, "b"))
    fail_for(bench, AHEAD_S, TOO_EARLY)
    while not bench.is_empty:
        bench.send(TOO_EARLY)
    assert bench.lost == 2
    assert len(bench.events()) == 2
    bench.put(ReportPart(1, "c"), ReportPart(1, "d"))
    bench.send(OK)
    bench.send(TOO_EARLY)
    assert (bench.lost, bench.is_empty) == (2, False)


def test_the_end_of_a_part_is_the_last_word_on_it() -> None:
    """A start of it that came too early is not sent after that."""
    bench = Bench(ReportPart(1, "a"), ReportPart(1, "a", "success"), ReportPart(1, "b"))
    requests = bench.outbox.next(0, alone=False)
    bench.outbox.take(requests, [TOO_EARLY, OK, TOO_EARLY], 0)
    assert bench.deliver() == [ReportPart(1, "b")]
    assert bench.lost == 0


@pytest.mark.parametrize("report", [Advance(1, 5), Complete(1)])
def test_a_step_may_begin_in_a_process_and_go_on_in_one_that_it_forks(report: Report) -> None:
    """Where its start has to wait, its end may come first. In the process itself that is an error of the job."""
    bench = forked(Bench(), report)
    assert bench.send(TOO_EARLY) == report
    assert bench.deliver() == [report]
    assert bench.lost == 0
    bench = Bench(report)
    bench.send(TOO_EARLY)
    assert (bench.lost, bench.is_empty) == (1, True)
