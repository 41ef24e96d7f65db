"""Reports belong to the run that was created: losses, other runs and refused creations."""

import threading
from dataclasses import replace
from unittest import mock

import pytest

from progress_sse.client import availability, outbox
from progress_sse.client.availability import FIRST_PAUSE_S
from progress_sse.client.errors import ReportRefusedError
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.outbox import Outbox
from progress_sse.client.reports import Create, Latest, Report
from progress_sse.core.details import Link
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Advance, Complete, Describe, Finish, Plan, Skip, Start
from tests.client.bench import AGAIN, CREATE, EXISTS, NO_ANSWER, NOT_FOUND, OTHER_RUN, Bench, created, fail_for


@pytest.mark.protocol("P-10.5", "P-10.7")
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
    assert bench.is_empty
    assert bench.lost == 0
    assert [event.kind for event in bench.events()] == ["recreated"]


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


def test_processes_that_share_a_run_create_it_again_once() -> None:
    """They use the same key; and each process sends its own reports again."""
    parent = created(Start(1))
    child = Bench()
    child.outbox = parent.outbox.renewed()
    keys = set()
    for bench, reports in ((parent, [Start(1), Start(2)]), (child, [Start(2)])):
        bench.put(Start(2))
        bench.send(NOT_FOUND)
        keys.add(bench.send_request(ReportAnswer(201, run="two")).key)
        assert bench.deliver() == reports
    assert len(keys) == 1


@pytest.mark.parametrize("is_under_way", [False, True])
def test_a_process_forked_during_the_creation_learns_the_run(is_under_way: bool) -> None:
    """It sends the creation again with its key: the server repeats its answer and creates nothing."""
    parent, child = Bench(), Bench()
    parent.put(CREATE, Start(1))
    request = parent.next() if is_under_way else None
    child.outbox = parent.outbox.renewed()
    assert child.is_empty
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
    bench = Bench(CREATE, Start(1), Advance(1, 5))
    bench.send(refusal)
    latest = Latest(2, lambda: Advance(2, 5))
    bench.put(Start(2), latest)
    assert latest.is_waiting, "a loop does not put it again for each row"
    assert (bench.is_empty, bench.lost) == (True, 5)
    [event] = bench.events()
    assert isinstance(event.detail, ReportRefusedError)
    assert str(event.detail) == f"nothing more is reported, since its creation was refused: {refusal.status} no"
    assert (event.detail.status, event.detail.problem) == (refusal.status, refusal.problem)


TOO_MUCH = ReportAnswer(422, "too-much", "Title, labels, links and requests are too large together.")


NOT_ALLOWED = ReportAnswer(403, "forbidden", "This token does not allow that.")
UNKNOWN_KEY = ReportAnswer(422, "invalid-request", "profile: is not known.")

DETAILED = replace(CREATE, title="T", labels={"a": "b"}, links=(Link("Logs", "/logs"),))
LEARNING = replace(CREATE, title="T", profile="nightly")


@pytest.mark.parametrize(
    ("creation", "refusal", "rest", "left_out"),
    [
        (DETAILED, TOO_MUCH, CREATE, "title, labels and links of the session are left out"),
        (LEARNING, NOT_ALLOWED, replace(CREATE, title="T"), "the profile of the session is left out"),
        (LEARNING, UNKNOWN_KEY, replace(CREATE, title="T"), "the profile of the session is left out"),
    ],
)
def test_a_creation_that_is_refused_for_what_it_has_besides_steps_is_sent_without_it(
    creation: Create, refusal: ReportAnswer, rest: Create, left_out: str
) -> None:
    """What readers find beside the steps costs no report of the job; processes that share the run send it alike."""
    parent, child = Bench(creation, Start(1)), Bench()
    child.outbox = parent.outbox.renewed()
    child.put(Start(1))
    keys = set()
    for bench in (parent, child):
        first = bench.send_request(refusal)
        assert first.report == creation
        again = bench.send_request(ReportAnswer(201, run="one"))
        assert again.report == rest
        assert again.key != first.key
        keys.add(again.key)
        assert bench.deliver() == [Start(1)]
        assert bench.lost == 0
        [event] = bench.events()
        assert str(event.detail).startswith(f"{left_out}: its creation was refused: ")
    assert len(keys) == 1


def test_a_creation_that_is_refused_without_details_is_given_up() -> None:
    """It is sent once more, and no further."""
    bench = Bench(replace(CREATE, title="T"), Start(1))
    bench.send(TOO_MUCH)
    bench.send(TOO_MUCH)
    assert bench.is_empty
    assert bench.lost == 2


def test_a_creation_loses_no_more_than_it_is_refused_for() -> None:
    """Where its details are too large, the profile stays; a server that knows neither gets neither."""
    bench = Bench(LEARNING)
    bench.send(TOO_MUCH)
    assert bench.send() == replace(CREATE, profile="nightly")
    bench = Bench(LEARNING)
    bench.send(UNKNOWN_KEY)
    bench.send(UNKNOWN_KEY)
    assert bench.send() == CREATE
    bench = Bench(LEARNING, Start(1))
    bench.send(NOT_ALLOWED)
    bench.send(NOT_ALLOWED)
    assert (bench.is_empty, bench.lost) == (True, 2)


@pytest.mark.parametrize("answer", [EXISTS, NOT_ALLOWED, UNKNOWN_KEY, ReportAnswer(404), ReportAnswer(201, run="one")])
def test_a_session_that_is_created_where_there_is_none_is_no_run_of_the_job(answer: ReportAnswer) -> None:
    """Its refusal costs nothing, and a session that is lost later is left to the next start."""
    bench = Bench(Create(replace=False, profile="jobs.load"), Start(1))
    bench.send(answer)
    assert bench.send_request().run == ""
    bench.put(Complete(1))
    assert bench.send(NOT_FOUND) == Complete(1)
    assert (bench.is_empty, bench.lost) == (True, 1)
    assert len(bench.events()) == 1


def test_a_session_is_created_where_there_is_none_as_soon_as_the_server_is_there() -> None:
    """Reports wait for it, under one key."""
    bench = Bench(Create(replace=False, profile="jobs.load"), Start(1))
    keys = {bench.send_request(NO_ANSWER).key}
    bench.wait()
    keys.add(bench.send_request(EXISTS).key)
    assert len(keys) == 1
    assert bench.deliver() == [Start(1)]
    assert bench.lost == 0


def test_threads_that_report_during_a_refused_creation_leave_no_reports() -> None:
    """Reports in between are counted once, and never sent."""
    bench = Bench(CREATE)
    request = bench.next_request()
    threads = [threading.Thread(target=lambda: bench.put(*[Start(1)] * 200)) for _ in range(4)]
    for thread in threads:
        thread.start()
    bench.take(request, ReportAnswer(403, "forbidden", "no"))
    for thread in threads:
        thread.join()
    assert (bench.is_empty, bench.lost) == (True, 801)


def test_reports_wait_for_a_creation_that_may_succeed() -> None:
    """A full store may have room within a minute."""
    bench = Bench(CREATE, Start(1))
    fail_for(bench, availability.MAX_OUTAGE_S / 2, ReportAnswer(507, "store-full"))
    assert bench.deliver() == [CREATE, Start(1)]
    bench = Bench(CREATE, Start(1))
    fail_for(bench, availability.MAX_OUTAGE_S, ReportAnswer(507, "store-full"))
    bench.send(ReportAnswer(507, "store-full"))
    assert (bench.is_empty, bench.lost) == (True, 2)


@pytest.mark.protocol("P-10.5", "P-10.6")
@pytest.mark.parametrize("gone", [NOT_FOUND, OTHER_RUN])
def test_another_run_of_the_id_is_left_alone(gone: ReportAnswer) -> None:
    """Waiting reports are not sent, whether the other run came before the loss was detected or after it."""
    bench = created(Start(1))
    bench.put(Complete(1), Start(2))
    bench.send(gone)
    assert bench.send(EXISTS) == AGAIN
    bench.put(Complete(2))
    assert (bench.is_empty, bench.lost) == (True, 3)
    [event] = bench.events()
    assert str(event.detail).startswith("nothing more is reported, since the session was lost, and its creation")


def test_a_session_that_is_always_lost_is_given_up() -> None:
    """An example is an address that leads to several independent servers."""
    bench = created(Start(1))
    bench.put(Complete(1))
    sent = []
    while not bench.is_empty:
        bench.wait()
        request = bench.next_request()
        sent.append(type(request.report))
        bench.take(request, ReportAnswer(201) if isinstance(request.report, Create) else NOT_FOUND)
    assert sent.count(Create) == outbox.MAX_LOSSES
    assert bench.lost >= 1


def test_an_attached_session_has_no_run() -> None:
    """Its reports go to the existing run, and a refusal affects that report alone."""
    bench = Bench(Complete(1), Start(2))
    assert bench.send_request(NOT_FOUND).run == ""
    assert bench.send() == Start(2)
    assert bench.lost == 1


MORE = Plan((StepDefinition("More"),))
ONE_AND_TWO = [Start("One"), Complete("One"), Start("Two")]


@pytest.mark.parametrize(
    ("applied", "again"),
    [
        ([*ONE_AND_TWO, Start("One", append=True), Complete("One", False)], None),
        ([*ONE_AND_TWO, Start("One"), Complete("Two")], [Start("One"), Start("Two"), Complete("Two")]),
        ([Start("One"), MORE, Skip("More"), Advance("One", 1)], [Start("One"), MORE, Skip("More")]),
        ([Skip(1), Skip(2, "m"), Start(1)], [Skip(2, "m"), Start(1)]),
        ([Skip(1), Complete(1, False)], [Start(1), Complete(1, False)]),
        ([Start(1), Complete(1, False), Skip(1)], [Skip(1)]),
        ([Start(1), Finish(False, "e")], None),
        ([Start(1), Finish(False, "e"), Start(1), Finish()], [Start(1), Finish()]),
        ([Start(1), Finish(), MORE], [Start(1), MORE]),
    ],
)
def test_reports_of_every_kind_are_sent_again(applied: list[Report], again: list[Report] | None) -> None:
    """Steps that were found on the way keep their numbers; the last word of each step and of the session counts."""
    bench = created(*applied)
    bench.put(Start(9))
    bench.send(NOT_FOUND)
    bench.send(ReportAnswer(201, run="two"))
    assert bench.deliver() == [*(applied if again is None else again), Start(9)]


LINK = Link("Logs", "/logs")


@pytest.mark.parametrize(
    ("said", "again"),
    [
        (
            [Describe("T", {"a": "1", "b": "2"}, (LINK,)), Describe(labels={"a": None, "c": "3"})],
            Describe("T", {"b": "2", "c": "3"}, (LINK,)),
        ),
        ([Describe("T", {"a": "1"}, (LINK,)), Describe(None, None, None)], Describe(None, {"z": None}, None)),
        ([Describe(labels=None), Describe("T", {"a": "1"})], Describe("T", {"z": None, "a": "1"})),
        ([Describe("T"), Describe(links=())], Describe("T", links=())),
    ],
)
def test_what_a_session_says_of_itself_is_said_again(said: list[Report], again: Report) -> None:
    """The last word counts; the creation stays the same, and so does that of a process that shares the run."""
    creation = replace(CREATE, title="S", labels={"z": "0"})
    bench, child = Bench(), Bench()
    bench.put(creation)
    bench.send(ReportAnswer(201, run="one"))
    bench.put(*said)
    bench.deliver()
    child.outbox = bench.outbox.renewed()
    created_again = set()
    for each, expected in ((bench, [again, Start(1)]), (child, [Start(1)])):
        each.put(Start(1))
        each.send(NOT_FOUND)
        request = each.send_request(ReportAnswer(201, run="two"))
        assert request.report == replace(creation, replace=False)
        created_again.add(request.key)
        assert each.deliver() == expected
    assert len(created_again) == 1
