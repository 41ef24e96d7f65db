"""Signs of life: when they are due, and what their answers mean."""

import math

import pytest

from progress_sse.client.attempt import Attempt
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.outbox import Outbox
from progress_sse.client.reports import Latest, Report
from progress_sse.core.model import StepDefinition
from progress_sse.core.updates import Advance, Beat, Complete, Describe, Envelope, Finish, Plan, Skip, Start
from tests.client.bench import AGAIN, BUSY, CREATE, NO_ANSWER, NOT_FOUND, OK, OTHER_RUN, Bench

LEASE = Attempt(30_000, 600_000, "mine")
MORE = Plan((StepDefinition("More"),))
SUPERSEDED = ReportAnswer(409, "attempt-superseded", "Another attempt has replaced this one.")


class BeatBench(Bench):
    """An outbox whose steps have a lease."""

    def begin(self, *steps: int | str, lease: Attempt = LEASE) -> None:
        self.put(*(Start(step, envelope=Envelope(lease)) for step in steps))
        self.deliver()

    def beats(self) -> list[ReportRequest]:
        return self.outbox.take_beats(self.clock.monotonic())

    def due_in(self) -> float:
        return self.outbox.beat_at() - self.clock.monotonic()

    def beat(self, answer: ReportAnswer) -> None:
        """Answer the one sign of life that is due."""
        [beat] = self.beats()
        self.take(beat, answer)


def begun(*steps: int | str, lease: Attempt = LEASE, is_created: bool = False) -> BeatBench:
    """An outbox whose steps run, in a session of others, or in one that it has created as the run `one`."""
    bench = BeatBench()
    if is_created:
        bench.put(CREATE)
        bench.send(ReportAnswer(201, run="one"))
    bench.begin(*steps, lease=lease)
    return bench


def test_a_running_step_gives_a_sign_of_life_in_a_third_of_its_lease() -> None:
    """It does so again and again; it has no key, and its run if that is known."""
    bench = begun(1, is_created=True)
    assert bench.due_in() == 10
    assert bench.beats() == []
    for _ in range(3):
        bench.clock.advance(10)
        [beat] = bench.beats()
        assert beat == ReportRequest("nightly", Beat(1), "", "one")
        assert beat.report.lease is LEASE
        bench.take(beat, OK)
        assert bench.due_in() == 10


def test_a_report_of_the_step_is_a_sign_of_life() -> None:
    """Another step of the session needs its own."""
    bench = begun(1, 2)
    bench.clock.advance(9)
    bench.put(Advance(1, 5, envelope=Envelope(LEASE)))
    bench.send()
    bench.clock.advance(1)
    assert [beat.report for beat in bench.beats()] == [Beat(2)]
    bench.clock.advance(9)
    assert [beat.report for beat in bench.beats()] == [Beat(1)]


@pytest.mark.parametrize("end", [Complete(1), Complete(1, False), Skip(1), Finish(), Start(1)])
def test_a_step_that_has_ended_gives_no_sign_of_life(end: Report) -> None:
    """Nor does one that was started again without a lease."""
    bench = begun(1)
    assert bench.due_in() == 10
    bench.put(end)
    bench.deliver()
    assert bench.due_in() == math.inf


@pytest.mark.parametrize("report", [Complete(1), Advance(1, 1), Start(1)])
def test_a_refused_report_ends_the_signs_of_life(report: Report) -> None:
    """The step has ended otherwise, for example by another process."""
    bench = begun(1)
    bench.put(report)
    bench.send(ReportAnswer(409, "step-not-running", "no"))
    assert bench.due_in() == math.inf


def test_no_sign_of_life_overtakes_a_report() -> None:
    """It waits while commands of its step wait or are under way; waiting progress silences none."""
    bench = begun(1)
    bench.clock.advance(20)
    bench.put(Complete(1))
    assert (bench.beats(), bench.due_in()) == ([], math.inf)
    request = bench.next_request()
    assert (bench.beats(), bench.due_in()) == ([], math.inf)
    bench.take(request, NO_ANSWER)
    assert bench.due_in() == math.inf
    bench = begun(1, 2)
    bench.clock.advance(20)
    bench.put(Advance(1, 5))
    assert len(bench.beats()) == 2


@pytest.mark.parametrize("other", [Start(2), Complete(2), Describe("T"), MORE])
def test_reports_on_all_else_silence_no_step(other: Report) -> None:
    """A busy session, or one report that is refused for long, would otherwise make a healthy step look lost."""
    bench = begun(1)
    bench.put(other, other)
    request = bench.next_request()
    bench.clock.advance(10)
    assert [beat.report for beat in bench.beats()] == [Beat(1)]
    bench.take(request, ReportAnswer(429, retry_after_s=300))
    assert bench.due_in() == 10
    bench.clock.advance(10)
    assert bench.next() is None
    assert [beat.report for beat in bench.beats()] == [Beat(1)]


@pytest.mark.parametrize("later", [CREATE, Finish()])
def test_no_sign_of_life_overtakes_the_end_of_the_session(later: Report) -> None:
    """Nor the creation of the next one."""
    bench = begun(1)
    bench.put(later)
    bench.clock.advance(20)
    assert (bench.beats(), bench.due_in()) == ([], math.inf)
    assert bench.next() is not None
    assert (bench.beats(), bench.due_in()) == ([], math.inf)


@pytest.mark.parametrize("answer", [NO_ANSWER, BUSY])
def test_signs_of_life_are_dropped_while_the_server_is_away(answer: ReportAnswer) -> None:
    """None waits; when it answers again, the next one is due as ever."""
    bench = begun(1)
    bench.clock.advance(10)
    bench.beat(answer)
    pause_s = bench.outbox.server.not_before - bench.clock.monotonic()
    assert pause_s > 0
    assert bench.is_empty
    assert bench.due_in() == 10
    bench.outbox.server.not_before += 20
    bench.clock.advance(10)
    assert bench.beats() == []
    assert bench.due_in() == 10
    bench.clock.advance(20)
    bench.beat(OK)
    assert bench.outbox.server.reason is None
    assert (bench.lost, bench.events()) == (0, [])


@pytest.mark.parametrize("answer", [ReportAnswer(429), ReportAnswer(500)])
def test_a_failed_sign_of_life_is_not_retried(answer: ReportAnswer) -> None:
    """The next one is due as ever, and reports are not held up."""
    bench = begun(1)
    bench.clock.advance(10)
    bench.beat(answer)
    assert bench.due_in() == 10
    bench.put(Complete(1))
    assert bench.send() == Complete(1)


@pytest.mark.parametrize(
    "answer", [ReportAnswer(422, "invalid-request", "no"), ReportAnswer(409, "step-not-running"), NOT_FOUND, OTHER_RUN]
)
def test_a_server_that_refuses_a_sign_of_life_gets_no_more(answer: ReportAnswer) -> None:
    """No report is lost by that; the next start begins anew."""
    bench = begun(1)
    bench.clock.advance(10)
    bench.beat(answer)
    assert bench.due_in() == math.inf
    assert (bench.lost, bench.events()) == (0, [])
    bench.begin(1)
    assert bench.due_in() == 10


@pytest.mark.parametrize("answer", [SUPERSEDED, ReportAnswer(409, "step-not-running")])
def test_an_answer_that_a_new_attempt_has_overtaken_is_ignored(answer: ReportAnswer) -> None:
    """The step has started again since."""
    bench = begun(1)
    bench.clock.advance(10)
    [beat] = bench.beats()
    bench.begin(1, lease=LEASE.renewed())
    bench.take(beat, answer)
    assert bench.due_in() == 10
    assert bench.events() == []


@pytest.mark.parametrize("by_beat", [False, True])
def test_a_superseded_attempt_reports_nothing_more_of_its_step(by_beat: bool) -> None:
    """Waiting and later reports are dropped and counted; other steps and attempts are reported on."""
    bench = begun(1, 2)
    if by_beat:
        bench.clock.advance(10)
        beat, _ = bench.beats()
        bench.take(beat, SUPERSEDED)
    else:
        bench.put(Complete(1, envelope=Envelope(LEASE)), Complete(1, envelope=Envelope(LEASE)))
        bench.send(SUPERSEDED)
        assert bench.next() is None
    [event] = bench.events()
    assert str(event.detail).startswith("nothing more is reported on step 1, since ")
    assert bench.lost == (0 if by_beat else 2)
    latest = Latest(1, lambda: Advance(1, 5))
    latest.lease = LEASE
    bench.put(latest)
    assert latest.is_waiting, "a loop does not put it again for each row"
    lost = bench.lost
    bench.put(
        Start(1, envelope=Envelope(LEASE)),
        Complete(1, envelope=Envelope(LEASE)),
        Complete(2, envelope=Envelope(LEASE)),
        Complete(1),
    )
    assert bench.deliver() == [Complete(2), Complete(1)]
    assert bench.lost == lost + 2
    bench.begin(1, lease=LEASE.renewed())
    child = bench.outbox.renewed().waiting
    child.put(Start(1, envelope=Envelope(LEASE)))
    assert child.is_empty


def test_a_handed_on_step_is_superseded_without_a_word() -> None:
    """A task that waits for its next attempt expects that; nothing counts as lost."""
    lease = LEASE.renewed()
    lease.is_handed_on = True
    bench = begun(1, lease=lease)
    bench.clock.advance(10)
    bench.beat(SUPERSEDED)
    assert (bench.due_in(), bench.lost, bench.events()) == (math.inf, 0, [])


@pytest.mark.parametrize("gone", [NOT_FOUND, OTHER_RUN])
def test_a_sign_of_life_finds_that_the_session_is_gone(gone: ReportAnswer) -> None:
    """It is created again at once, and not only with the next report of a silent job."""
    bench = begun(1, is_created=True)
    bench.clock.advance(10)
    bench.beat(gone)
    assert bench.due_in() == math.inf
    assert bench.send(ReportAnswer(201, run="two")) == AGAIN
    assert bench.deliver() == [Start(1)]
    assert (bench.due_in(), bench.lost) == (10, 0)


def test_a_report_that_is_under_way_finds_that_itself() -> None:
    """The session is created again once."""
    bench = begun(1, is_created=True)
    bench.clock.advance(10)
    [beat] = bench.beats()
    bench.put(Start(2, envelope=Envelope(LEASE)))
    bench.take(beat, NOT_FOUND)
    bench.send(NOT_FOUND)
    assert bench.send(ReportAnswer(201, run="two")) == AGAIN
    assert bench.deliver() == [Start(1), Start(2)]


def test_a_session_that_was_created_again_gives_signs_of_life_again() -> None:
    """A child process gives none for the steps of its parent."""
    bench = begun(1, is_created=True)
    bench.put(Start(2, envelope=Envelope(LEASE)))
    bench.send(NOT_FOUND)
    bench.send(ReportAnswer(201, run="two"))
    assert bench.due_in() == math.inf
    bench.deliver()
    bench.clock.advance(10)
    assert [beat.report for beat in bench.beats()] == [Beat(1), Beat(2)]
    assert bench.outbox.renewed().beat_at() == math.inf


def test_a_step_that_runs_across_a_fork_is_kept_alive() -> None:
    """The child does so once it has reported on it; a step of another attempt is not its own."""
    parent, child = BeatBench(), BeatBench()
    parent.begin(1)
    child.outbox = parent.outbox.renewed()
    child.put(Advance(1, 5, envelope=Envelope(LEASE)), Advance(2, 5))
    child.deliver()
    child.clock.advance(10)
    assert [beat.report for beat in child.beats()] == [Beat(1)]
    child.put(Complete(1, envelope=Envelope(LEASE)))
    child.deliver()
    assert child.due_in() == math.inf


def test_a_refused_creation_ends_the_signs_of_life() -> None:
    """Another run has the id."""
    bench = begun(1, is_created=True)
    bench.put(Start(2))
    bench.send(OTHER_RUN)
    bench.send(ReportAnswer(409, "session-exists"))
    assert bench.due_in() == math.inf


def test_the_outbox_tells_no_age_of_a_sign_of_life() -> None:
    """It is made when it is sent."""
    outbox = Outbox("a", tells_age=True)
    outbox.waiting.put(Start(1, envelope=Envelope(LEASE)), 0)
    requests = outbox.next(1)
    outbox.take(requests, [OK], 1)
    assert [request.ago_ms for request in outbox.take_beats(100)] == [0]
