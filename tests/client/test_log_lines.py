"""The lines of a session's log: their order among the reports, their bounds, and refusals, on a manual clock."""

import threading
from collections.abc import Callable

import pytest

from progress_sse.client.attempt import Attempt
from progress_sse.client.codec import report_body
from progress_sse.client.errors import ReportRefusedError
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.own_log import Event
from progress_sse.client.reports import Create, Log, LogLine, Report
from progress_sse.client.waiting_lines import FIRST_LINES, MAX_CHARS, MAX_LINES, log_lines
from progress_sse.core.updates import Advance, Complete, Envelope, Finish, Start, StepRef
from tests.client.bench import CREATE, NO_ANSWER, NOT_FOUND, OK, Bench, created
from tests.client.test_batches import BatchBench

UNKNOWN_ACTION = ReportAnswer(422, "invalid-request", "action: must be 'start' or 'complete'.")
REFUSED = ReportAnswer(422, "invalid-request", "lines.0: must have at most 100 characters.")
TOO_FAST = ReportAnswer(429, "rate-limited", "Too many requests.", retry_after_s=5)
SUPERSEDED = ReportAnswer(409, "attempt-superseded", "A later attempt has the step.")


def lines(*texts: str, step: StepRef | None = None) -> Log:
    """The report of lines."""
    return Log(tuple(map(LogLine, texts)), step)


def write(bench: Bench, *texts: str, step: StepRef | None = None, lease: Attempt | None = None) -> None:
    """Let the job write lines, one after the other."""
    for text in texts:
        bench.outbox.waiting.put_log(Log((LogLine(text),), step, lease=lease), bench.clock.monotonic())


def texts(sent: list[Report]) -> list[str]:
    """The texts of all lines among these reports."""
    return [line.text for report in sent if isinstance(report, Log) for line in report.lines]


def answered(bench: BatchBench) -> list[Report]:
    """Send what is due now, in one request, with success."""
    requests = bench.together()
    bench.answer(requests, *[OK] * len(requests))
    return [request.report for request in requests]


def together(bench: BatchBench) -> list[Report]:
    """Send what is due next, in one request, with success."""
    bench.wait()
    return answered(bench)


def all_together(bench: BatchBench) -> list[Report]:
    """Send everything with success, in as few requests as it takes."""
    sent = []
    while not bench.is_empty:
        sent += together(bench)
    return sent


def test_lines_go_in_one_report_until_the_step_changes() -> None:
    """A report has at most 100 of them, of one step or of none."""
    bench = BatchBench()
    write(bench, "a", "b")
    write(bench, "c", step=1)
    write(bench, "d", "e", step="Parse")
    assert together(bench) == [lines("a", "b"), lines("c", step=1), lines("d", "e", step="Parse")]
    assert bench.is_empty
    for second in range(3):
        bench.clock.advance(1)
        write(bench, *(f"{second}.{number}" for number in range(90)))
    assert [len(report.lines) for report in together(bench) if isinstance(report, Log)] == [100, 100, 70]


def test_lines_go_five_times_a_second_and_the_first_one_at_once() -> None:
    """A job that writes a hundred lines a second sends five requests."""
    bench, requests = BatchBench(), 0
    for _ in range(100):
        write(bench, "x")
        if bench.wake_at() <= bench.clock.monotonic():
            requests += bool(together(bench))
        bench.clock.advance(0.01)
    assert 4 <= requests <= 6


def test_lines_share_the_request_of_the_reports_that_follow_them() -> None:
    """So they delay none, and none overtakes them; the creation goes alone, before all."""
    bench = BatchBench()
    write(bench, "before all")
    bench.put(CREATE, Start(1))
    write(bench, "inside", step=1)
    bench.put(Complete(1), Start(2))
    write(bench, "after")
    assert together(bench) == [CREATE]
    assert together(bench) == [lines("before all"), Start(1), lines("inside", step=1), Complete(1), Start(2)]
    assert together(bench) == [lines("after")]


def test_where_requests_take_one_report_only_the_end_waits_for_lines() -> None:
    """A start goes before the lines; what may end the session goes after them, since nothing is shown after that."""
    bench = Bench()
    write(bench, "a", step=1)
    bench.put(Start(1), Finish())
    assert bench.deliver() == [Start(1), lines("a", step=1), Finish()]


def test_too_many_lines_for_one_request_hold_back_the_end_alone() -> None:
    """A thousand lines of a server that was away need several requests, of 64 KiB each."""
    bench = BatchBench()
    for _ in range(8):
        write(bench, *["x" * 300] * 100)
        bench.clock.advance(1)
    bench.put(Start(2), Complete(2))
    first = together(bench)
    assert Start(2) in first
    assert Complete(2) not in first
    rest = all_together(bench)
    assert rest[-1] == Complete(2)
    assert len(texts(first)) + len(texts(rest)) == 800


def test_advances_and_lines_do_not_wait_for_each_other() -> None:
    """They go in one request; where that takes one report, they take turns."""
    bench = BatchBench(Advance(1, 5))
    write(bench, "a", step=1)
    assert together(bench) == [Advance(1, 5), lines("a", step=1)]
    alone = Bench(Advance(1, 5))
    write(alone, "a", step=1)
    assert alone.deliver() == [lines("a", step=1), Advance(1, 5)]


@pytest.mark.guarantee(71)
def test_a_flood_is_thinned_to_200_lines_a_second_and_says_so() -> None:
    """The first and the last lines of the second are kept: the end of a burst tells most."""
    bench = BatchBench()
    write(bench, *map(str, range(1000)), step=3)
    sent = all_together(bench)
    assert bench.clock.monotonic() == pytest.approx(1)
    kept = [*map(str, range(100)), "… 800 lines left out here", *map(str, range(900, 1000))]
    assert [text.replace(" were", "") for text in texts(sent)] == kept
    assert {report.step for report in sent if isinstance(report, Log)} == {3}


def test_a_flood_of_one_line_too_many_says_that_one_is_left_out() -> None:
    """Up to 200 lines of a second all stay."""
    bench = Bench()
    write(bench, *map(str, range(200)))
    assert texts(bench.deliver()) == [*map(str, range(200))]
    bench.clock.advance(2)
    write(bench, *map(str, range(201)))
    assert texts(bench.deliver())[FIRST_LINES] == "… 1 line was left out here"


def test_a_long_text_is_thinned_as_its_lines_are() -> None:
    """It is never split as a whole, and the number of lines that are left out is right."""
    bench = Bench()
    bench.outbox.waiting.put_log(lines("one before"), 0)
    bench.outbox.waiting.put_log(Log(log_lines("\n".join(map(str, range(100_000))), "info")), 0)
    sent = texts(bench.deliver())
    assert sent[:2] == ["one before", "0"]
    assert sent[100:102] == ["… 99801 lines were left out here", "99900"]
    assert sent[-1] == "99999"
    assert len(sent) == 201


def test_a_report_ends_a_burst_before_its_second_is_over() -> None:
    """The lines before it precede it, and those after it follow it; together they are 200 still."""
    bench = BatchBench()
    write(bench, *["before"] * 130, step=1)
    bench.put(Complete(1))
    write(bench, *["after"] * 500, step=2)
    sent = all_together(bench)
    [end] = [index for index, report in enumerate(sent) if report == Complete(1)]
    assert texts(sent[:end]) == ["before"] * 130
    assert texts(sent[end:]) == ["… 430 lines were left out here", *["after"] * 70]


def test_lines_after_the_report_that_ends_a_flood_are_kept() -> None:
    """They often say why a step has failed: some of the second's last lines are left for them."""
    bench = BatchBench()
    write(bench, *["flood"] * 1000, step=1)
    bench.put(Complete(1, success=False))
    write(bench, *(f"traceback {number}" for number in range(20)))
    bench.put(Finish(success=False))
    write(bench, "last words")
    sent = all_together(bench)
    [end] = [index for index, report in enumerate(sent) if isinstance(report, Complete)]
    assert texts(sent[:end]).count("flood") == 150
    assert texts(sent[end:]) == [*(f"traceback {number}" for number in range(20)), "last words"]


def test_many_reports_in_a_flood_add_one_line_a_second() -> None:
    """What each report's burst has left out is told once a second, as a sum, also after the last report."""
    bench, seconds, per_second = BatchBench(), 3, 50
    sent: list[Report] = []
    for _ in range(seconds * per_second):
        write(bench, *["flood"] * 100, step=1)
        bench.put(Start(2))
        sent += answered(bench)
        bench.clock.advance(1 / per_second)
    sent += all_together(bench)
    all_texts = texts(sent)
    counts = [line.left_out for report in sent if isinstance(report, Log) for line in report.lines if line.left_out]
    assert len(counts) <= seconds + 1
    assert sum(counts) + all_texts.count("flood") == seconds * per_second * 100
    assert bench.clock.monotonic() < seconds + 1.5


def test_lines_left_out_are_told_before_a_wait_ends_though_the_second_has_its_line() -> None:
    """The job may end with it; nothing of the number is lost."""
    bench = BatchBench()
    for _ in range(5):
        write(bench, *["flood"] * 500)
        bench.put(Start(1))
    bench.outbox.retry_now(bench.clock.monotonic())
    counts = [line.left_out for each in all_together(bench) if isinstance(each, Log) for line in each.lines]
    assert sum(counts) + counts.count(0) == 2500
    assert sum(map(bool, counts)) == 2
    assert bench.clock.monotonic() < 1


def test_a_wait_of_the_job_ends_a_burst() -> None:
    """`flush` need not wait for the end of the second."""
    bench = Bench()
    write(bench, *map(str, range(250)))
    bench.outbox.retry_now(bench.clock.monotonic())
    assert len(texts(bench.deliver())) == 201
    assert bench.clock.monotonic() < 1


@pytest.mark.guarantee(72)
@pytest.mark.parametrize(("text", "count"), [("x", MAX_LINES), ("x" * 8192, MAX_CHARS // 8192)])
def test_lines_wait_for_a_server_that_is_away_within_a_bound(text: str, count: int) -> None:
    """The newest ones stay: 1000 lines, and 262144 characters; a line says how many are missing before them."""
    bench = BatchBench()
    write(bench, "lost?")
    requests = bench.together()
    bench.answer(requests, NO_ANSWER)
    for _ in range(60):
        write(bench, *[text] * 90)
        bench.clock.advance(1)
    bench.wait()
    sent = all_together(bench)
    assert texts(sent) == ["lost?", f"… {90 * 60 - count} lines were left out here", *[text] * count]
    assert bench.lost == 0


def test_each_line_says_how_long_ago_it_was_written() -> None:
    """Also after an outage, and again with each attempt; the lines under a key are the same ones."""
    bench = BatchBench()
    write(bench, "a")
    bench.clock.advance(3)
    write(bench, "b")
    [first] = bench.together()
    bench.answer([first], NO_ANSWER)
    bench.clock.advance(60)
    [again] = bench.together()
    assert (again.key, again.report) == (first.key, first.report)
    assert [ages(first), ages(again)] == [[3000, 0], [63_000, 60_000]]


def ages(request: ReportRequest) -> list[int]:
    """The age that each line of a request has."""
    return [line.get("ago_ms", 0) for line in report_body(request.report, request.ago_ms)["lines"]]


def test_the_body_names_step_level_and_attempt() -> None:
    """Without a step there is none; the age of a line stands in for that of the update."""
    log = Log((LogLine("hot", "warning", before_ms=5),), "Melt", lease=Attempt(30_000, None, "a1"))
    assert report_body(log, 20) == {
        "action": "log",
        "name": "Melt",
        "lines": [{"text": "hot", "level": "warning", "ago_ms": 25}],
        "attempt_id": "a1",
    }
    assert report_body(lines("x")) == {"action": "log", "lines": [{"text": "x", "level": "info"}]}


def test_refused_lines_are_dropped_and_later_ones_are_sent() -> None:
    """Whatever the server refuses."""
    bench = BatchBench()
    write(bench, "a")
    assert together(bench) == [lines("a")]
    for answer in (UNKNOWN_ACTION, REFUSED, SUPERSEDED):
        write(bench, "b", step=1, lease=Attempt(30_000))
        bench.wait()
        bench.answer(bench.together(), answer)
    assert [event.detail for event in bench.events()] == [str(UNKNOWN_ACTION), str(REFUSED)]
    write(bench, "c")
    assert together(bench) == [lines("c")]
    assert bench.lost == 0


def test_lines_of_a_superseded_attempt_are_sent_no_more() -> None:
    """Those of other steps and attempts go on."""
    bench, former = BatchBench(), Attempt(30_000)
    write(bench, "a", step=1, lease=former)
    bench.answer(bench.together(), SUPERSEDED)
    write(bench, "b", step=1, lease=former)
    write(bench, "c", step=1, lease=Attempt(30_000))
    assert together(bench) == [lines("c", step=1)]


def test_lines_that_are_sent_again_keep_their_place_among_the_reports() -> None:
    """Before the start of their step the server would take them for those of a superseded attempt."""
    bench = BatchBench()
    write(bench, "before")
    bench.put(Start(1))
    write(bench, "inside", step=1)
    bench.put(Complete(1))
    requests = bench.together()
    bench.outbox.refuse(requests, NO_ANSWER, bench.clock.monotonic())
    bench.put(Start(2))
    bench.wait()
    again = bench.together()
    assert [request.report for request in again] == [
        lines("before"),
        Start(1),
        lines("inside", step=1),
        Complete(1),
        Start(2),
    ]
    assert [request.key for request in again][:4] == [request.key for request in requests]


def test_reports_that_follow_a_start_in_place_of_another_follow_its_lines() -> None:
    """A session of fixed steps has none appended: its start takes the step of that name, and the rest waits for it."""
    bench = BatchBench(Start("Parse", append=True))
    write(bench, "inside", step="Parse")
    bench.put(Complete("Parse"))
    bench.answer(bench.together(), ReportAnswer(422, "unknown-step-name", "no"), NO_ANSWER, OK)
    bench.wait()
    assert together(bench) == [Start("Parse"), lines("inside", step="Parse"), Complete("Parse")]


def test_the_job_is_told_of_a_superseded_attempt_by_the_refusal_of_a_report() -> None:
    """Lines that were refused for it silence no report."""
    bench, former = BatchBench(), Attempt(30_000)
    write(bench, "a", step=1, lease=former)
    bench.answer(bench.together(), SUPERSEDED)
    bench.put(Complete(1, envelope=Envelope(former)))
    bench.answer(bench.together(), SUPERSEDED)
    assert [type(event.detail) for event in bench.events()] == [ReportRefusedError]
    write(bench, "b", step=1, lease=former)
    bench.put(Start(1, envelope=Envelope(former)))
    assert bench.is_empty
    assert bench.lost == 2


def test_a_refusal_that_no_attempt_can_have_caused_is_as_any_other() -> None:
    """A server may answer that to lines without an attempt."""
    bench = BatchBench()
    write(bench, "a")
    bench.answer(bench.together(), SUPERSEDED)
    write(bench, "b")
    assert together(bench) == [lines("b")]


@pytest.mark.guarantee(73)
@pytest.mark.parametrize("answer", [TOO_FAST, ReportAnswer(500)])
def test_reports_go_on_while_the_server_takes_no_lines(answer: ReportAnswer) -> None:
    """Not even the end waits for them then; they are sent again after a pause, before newer ones, with their key."""
    bench = BatchBench()
    write(bench, "a")
    [first] = bench.together()
    bench.answer([first], answer)
    write(bench, "b")
    bench.put(Start(1), Finish())
    assert together(bench) == [Start(1), Finish()]
    assert bench.wait() >= (answer.retry_after_s or 0.1)
    again, newer = bench.together()
    assert again.key == first.key
    assert newer.report == lines("b")


def test_lines_that_make_the_server_fail_are_given_up() -> None:
    """After a minute of answers 500; later lines are sent then."""
    bench = BatchBench()
    write(bench, "poison")
    asked: list[Event] = []
    while not (asked := bench.events()):
        bench.wait()
        bench.answer(bench.together(), ReportAnswer(500))
    assert bench.clock.monotonic() == pytest.approx(60, abs=11)
    assert [event.kind for event in asked] == ["lines"]
    write(bench, "good")
    assert together(bench) == [lines("good")]


def test_an_outage_that_lines_meet_is_that_of_the_session() -> None:
    """It is told, and its end, as that of a report is; nothing is lost by it."""
    bench = Bench()
    write(bench, "a")
    bench.send(NO_ANSWER)
    bench.wait()
    assert bench.send() == lines("a")
    assert [event.kind for event in bench.events()] == ["away", "back"]
    assert bench.lost == 0


def test_lines_go_to_the_session_that_is_created_again() -> None:
    """They name the run like all reports."""
    bench = created(Start(1))
    write(bench, "a", step=1)
    assert bench.send(NOT_FOUND) == lines("a", step=1)
    assert bench.deliver() == [Create(CREATE.steps, replace=False), Start(1), lines("a", step=1)]


def test_a_child_process_and_a_job_that_gives_up_send_no_lines() -> None:
    """The parent sends its own."""
    bench = Bench()
    write(bench, "a")
    assert bench.outbox.renewed().waiting.is_empty
    bench.outbox.waiting.give_up()
    write(bench, "b")
    assert bench.is_empty
    assert bench.lost == 0


def test_a_line_of_a_running_step_is_a_sign_of_its_life() -> None:
    """So a job that logs gives no others; one of another step, or of none, says nothing of it."""
    bench, lease = Bench(), Attempt(30_000)
    bench.put(Start(1, envelope=Envelope(lease)))
    bench.deliver()
    due_at = bench.outbox.beat_at()
    bench.clock.advance(5)
    write(bench, "of none")
    write(bench, "of another", step=2, lease=lease)
    bench.deliver()
    assert bench.outbox.beat_at() == due_at
    write(bench, "alive", step=1, lease=lease)
    bench.deliver()
    assert bench.outbox.beat_at() >= due_at + 5


def test_the_sender_is_woken_once_for_many_lines() -> None:
    """Waking costs the job more than a line does; after the lines are taken the next one wakes it again."""
    bench = BatchBench()
    woken = [bench.outbox.waiting.put_log(lines("x"), 0) for _ in range(500)]
    assert woken == [True] + [False] * 499
    together(bench)
    assert bench.outbox.waiting.put_log(lines("y"), 0)


def test_lines_do_not_overtake_a_start_that_is_made_while_lines_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server does not know the step yet, and would refuse its lines."""
    bench = BatchBench()
    write(bench, "begin")
    waiting = bench.outbox.waiting
    due_at = waiting.lines.next_at

    def work_meanwhile() -> float:
        monkeypatch.undo()
        bench.put(Start("Count"))
        write(bench, "0", step="Count")
        return due_at()

    monkeypatch.setattr(waiting.lines, "next_at", work_meanwhile)
    requests = bench.together()
    assert [request.report for request in requests] == [lines("begin")]
    bench.answer(requests, OK)
    assert together(bench) + together(bench) == [Start("Count"), lines("0", step="Count")]


def test_threads_may_write_at_once() -> None:
    """No line is lost, and those of one thread keep their order."""
    bench = BatchBench(Create())
    threads = [
        threading.Thread(target=lambda name=name: write(bench, *(f"{name} {n}" for n in range(10))))
        for name in "abcdefgh"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = texts(bench.deliver())
    for name in "abcdefgh":
        assert [text for text in sent if text.startswith(name)] == [f"{name} {n}" for n in range(10)]


class Interrupted(int):
    """How many lines a line stands for: 0, and another thread interrupts the one that looks."""

    interrupt: Callable[[], object]

    def __bool__(self) -> bool:
        self.interrupt()
        return False


def test_a_line_is_kept_whose_burst_ends_while_it_is_added() -> None:
    """Its number is that of a line that was not left out."""
    bench, count = BatchBench(), Interrupted()
    count.interrupt = lambda: bench.outbox.retry_now(0)
    write(bench, *map(str, range(FIRST_LINES + 1)))
    bench.outbox.waiting.put_log(Log((LogLine("last", left_out=count),)), 0)
    assert texts(bench.deliver()) == [*map(str, range(FIRST_LINES + 1)), "last"]


class InterruptedText(str):
    """A text, and another thread interrupts the one that measures it."""

    __slots__ = ("interrupt",)
    interrupt: Callable[[], object]

    def __len__(self) -> int:
        self.interrupt()
        return 1


def test_the_end_of_a_burst_interrupts_neither_the_order_nor_a_wait() -> None:
    """While the sender ends it, its lines still wait, and a report that comes meanwhile goes after all of them."""
    bench, text, was_empty = BatchBench(), InterruptedText("x"), list[bool]()
    text.interrupt = lambda: None
    write(bench, *["first"] * FIRST_LINES)
    together(bench)
    write(bench, "a", text, "b")

    def finish() -> None:
        text.interrupt = lambda: None
        was_empty.append(bench.is_empty)
        bench.put(Finish())

    text.interrupt = finish
    bench.outbox.retry_now(0)
    assert together(bench) == [lines("a", "x", "b"), Finish()]
    assert was_empty == [False]


def test_a_text_becomes_lines_that_the_server_accepts() -> None:
    """A line is what a terminal shows of it in the end; colours stay, and what cannot be stored does not."""
    made = log_lines("one\n\n50%\r100%\r\n\x1b[31mred\x1b[0m\0\ud800\n" + "x" * 9000 + "\n", "error")
    assert [line.text for line in made] == [
        "one",
        "",
        "100%",
        "\x1b[31mred\x1b[0m\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}",
        "x" * 8191 + "…",
    ]
    assert {line.level for line in made} == {"error"}
    assert [line.text for line in log_lines(["a", 1], "debug")] == ["['a', 1]"]
    with pytest.raises(ValueError, match="debug, info, warning, error"):
        log_lines("x", "loud")  # type: ignore[arg-type]  # as a user may
