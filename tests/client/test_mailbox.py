"""What goes in each request to a server, on a simulated clock, and the work that it takes."""

import math
import random
from collections.abc import Callable, Sequence
from unittest import mock

import pytest

from progress_sse.client import availability
from progress_sse.client.attempt import Attempt
from progress_sse.client.codec import encode_batch
from progress_sse.client.exchange import MAX_REQUEST_BYTES, Answer, ReportAnswer
from progress_sse.client.mailbox import Mailbox, Part
from progress_sse.client.outbox import Outbox
from progress_sse.client.own_log import Event
from progress_sse.client.report_queue import ReportQueue
from progress_sse.client.reports import Create, Queueable, Report
from progress_sse.core.updates import Advance, Beat, Complete, Envelope, Finish, Start
from progress_sse.settings import Settings
from tests.client.fake import FakeTransport
from tests.clock import ManualClock

OK = ReportAnswer(200)
AWAY = ReportAnswer(0, detail="ConnectError: refused")
BUSY = ReportAnswer(429, retry_after_s=30)
REFUSED = ReportAnswer(422)


class Queue(ReportQueue):
    """A queue that counts its checks, and keeps its events."""

    def __init__(self, session_id: str, bench: "Bench") -> None:
        super().__init__(session_id, bench.target, mock.Mock())
        self.outbox = Outbox(session_id, chance=lambda: 1.0)
        self.join(bench.mailbox.server)
        self.seen: list[Event] = []
        self.checks = 0

    def stand_by(self, now: float) -> float:
        self.checks += 1
        return super().stand_by(now)

    def hurry(self, now: float) -> None:
        self.checks += 1
        super().hurry(now)

    def handle_events(self) -> None:
        self.seen += self.outbox.waiting.events
        self.outbox.waiting.events.clear()


class Bench:
    """Queues to one server, on a manual clock."""

    def __init__(self, *, together: int = 1, at_once: int = 1) -> None:
        self.clock = ManualClock()
        self.target = FakeTransport()
        self.mailbox = Mailbox(together=together, at_once=at_once)
        self.mailbox.server = availability.Availability(lambda: 1.0)
        self.sent: list[tuple[str, Report]] = []

    def queue(self, session_id: str, *reports: Queueable) -> Queue:
        queue = Queue(session_id, self)
        self.put(queue, *reports)
        return queue

    def put(self, queue: Queue, *reports: Queueable) -> None:
        for report in reports:
            queue.outbox.waiting.put(report)
            self.check(queue)

    def check(self, queue: Queue) -> None:
        self.mailbox.check(queue, self.clock.monotonic())

    def hurry(self, queue: Queue) -> None:
        """Wait for a queue, and stop waiting."""
        queue.add_waiter(waiter := mock.Mock())
        self.check(queue)
        queue.remove_waiter(waiter)

    def next(self) -> Sequence[Part]:
        parts = self.mailbox.next(self.clock.monotonic())
        self.sent += [(part.queue.session_id, each.report) for part in parts for each in part.requests]
        return parts

    def take(self, parts: Sequence[Part], answer: Answer) -> None:
        self.mailbox.take(parts, answer, self.clock.monotonic())

    def send(self, answer: Callable[[str], ReportAnswer] = lambda _: OK) -> list[Report]:
        """Send what is due with an answer for each report, and return it."""
        parts = self.next()
        self.take(parts, [answer(part.queue.session_id) for part in parts for _ in part.requests])
        return [each.report for part in parts for each in part.requests]

    def run(self, answer: Callable[[str], ReportAnswer] = lambda _: OK, until: float = math.inf) -> list[str]:
        """Send until nothing is left, or until a time; return the session of each report."""
        begun = len(self.sent)
        while (at := self.mailbox.wake_at()) <= until and at < math.inf:
            self.clock.advance(max(0.0, at - self.clock.monotonic()))
            self.send(answer)
        if until < math.inf:
            self.clock.advance(max(0.0, until - self.clock.monotonic()))
        return [session_id for session_id, _ in self.sent[begun:]]


def test_queues_take_turns() -> None:
    """A queue with many reports does not block the others."""
    bench = Bench()
    for session_id in "ab":
        bench.queue(session_id, Start(1), Start(2), Start(3))
    assert "".join(bench.run()) == "ababab"


def test_reports_of_many_sessions_go_together() -> None:
    """There are as many as one request may have; each creation goes by itself."""
    bench = Bench(together=4)
    bench.queue("a", Create(), Start(1))
    bench.queue("b", Start(1), Complete(1))
    bench.queue("c", Start(1), Complete(1))
    assert [len(bench.send()) for _ in range(3)] == [1, 4, 1]
    assert "".join(session_id for session_id, _ in bench.sent) == "abbcca"


def test_a_request_has_a_limit_of_bytes() -> None:
    """A report that is larger still goes by itself."""
    bench = Bench(together=100)
    for session_id in "abc":
        bench.queue(session_id, Complete(1, message="x" * (MAX_REQUEST_BYTES // 13)))
    bench.queue("d", Finish(error="x" * MAX_REQUEST_BYTES))
    assert [len(bench.send()) for _ in range(3)] == [2, 1, 1]
    assert bench.mailbox.is_idle


def test_no_advance_overtakes_a_start_for_which_there_is_no_room() -> None:
    """The server would refuse it."""
    bench = Bench(together=100)
    bench.queue("a", Finish(error="x" * MAX_REQUEST_BYTES))
    bench.queue("b", Start(1), Advance(1, 5))
    bench.run()
    assert [report for _, report in bench.sent][1:] == [Start(1), Advance(1, 5)]


def test_advances_with_long_messages_go_in_requests_that_a_server_takes() -> None:
    """Also where each character has six bytes in JSON."""
    bench = Bench(together=100)
    for number in range(20):
        bench.queue(str(number), Advance(1, 5, message="\N{CJK UNIFIED IDEOGRAPH-65E5}" * 8192))
    while not bench.mailbox.is_idle:
        parts = bench.next()
        requests = [each for part in parts for each in part.requests]
        assert len(encode_batch(requests).body) <= Settings().max_body_bytes
        bench.take(parts, [OK] * len(requests))


def test_a_refusal_of_one_session_leaves_the_others_alone() -> None:
    """Each report has its own answer."""
    bench = Bench(together=4)
    queues = [bench.queue(session_id, Start(1)) for session_id in "abc"]
    bench.send(lambda session_id: REFUSED if session_id == "b" else OK)
    assert [queue.lost for queue in queues] == [0, 1, 0]
    assert bench.mailbox.is_idle


@pytest.mark.parametrize("status", [413, 400, 403, 500])
def test_a_refused_request_is_sent_again_in_smaller_ones(status: int) -> None:
    """At last each report goes by itself, and a refused one is lost; requests grow again after a success."""
    bench = Bench(together=8)
    queue = bench.queue("a", *(Start(step) for step in range(1, 9)))
    for expected in (8, 4, 2):
        parts = bench.next()
        assert sum(len(part.requests) for part in parts) == expected
        bench.take(parts, ReportAnswer(status))
    bench.take(bench.next(), ReportAnswer(403))
    assert queue.lost == 1
    bench.take(bench.next(), OK)  # By itself, a report has no batch of answers.
    assert [len(bench.send()) for _ in range(2)] == [2, 4]
    assert queue.is_settled


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_batches_gets_single_reports(status: int) -> None:
    """It does so at once and from then on."""
    bench = Bench(together=8)
    for session_id in "ab":
        bench.queue(session_id, Start(1), Complete(1))
    bench.take(bench.next(), ReportAnswer(status))
    assert [len(bench.send()) for _ in range(4)] == [1, 1, 1, 1]
    assert bench.mailbox.is_idle


@pytest.mark.parametrize(("answer", "then"), [(AWAY, 8), (ReportAnswer(429, retry_after_s=7), 4)])
def test_a_request_that_fails_for_now_waits_as_a_whole(answer: ReportAnswer, then: int) -> None:
    """It waits as long as `Retry-After` says; after a rate limit fewer reports go together."""
    bench = Bench(together=100)
    bench.queue("a", *(Start(step) for step in range(1, 9)))
    bench.take(bench.next(), answer)
    assert not bench.next()
    assert bench.mailbox.wake_at() >= (answer.retry_after_s or 0)
    bench.clock.advance(bench.mailbox.wake_at())
    assert len(bench.send()) == then


@pytest.mark.parametrize(("together", "expected"), [(4, [2, 2]), (1, [1, 1, 1, 1])])
def test_signs_of_life_go_with_reports(together: int, expected: list[int]) -> None:
    """They take at most half of the room; a server without batches gets each by itself."""
    bench = Bench(together=together)
    lease = Attempt(30_000)
    queues = [
        bench.queue(session_id, Start(1, envelope=Envelope(lease)), Start(2, envelope=Envelope(lease)))
        for session_id in "ab"
    ]
    bench.run(until=1)
    bench.clock.advance(lease.interval_s)
    del bench.sent[:]
    assert [len(bench.send()) for _ in expected] == expected
    assert [report for _, report in bench.sent] == [Beat(1), Beat(2)] * len(queues)


def test_signs_of_life_hold_up_no_creation() -> None:
    """A creation goes by itself, also where so many signs are due that each request has some."""
    bench = Bench(together=4)
    lease = Attempt(30_000)
    queues = [bench.queue(session_id, Start(1, envelope=Envelope(lease))) for session_id in "abcd"]
    bench.run(until=1)
    queues.append(bench.queue("e", Create(), Start(1)))
    del bench.sent[:]
    for _ in range(4):
        bench.clock.advance(lease.interval_s)
        bench.send()
    assert [session_id for session_id, report in bench.sent if not isinstance(report, Beat)] == ["e", "e"]


def test_signs_of_life_of_a_queue_that_is_gone_are_not_sent() -> None:
    """The mailbox does not hold it."""
    bench = Bench()
    bench.queue("a", Start(1, envelope=Envelope(Attempt(30_000))))
    bench.run(until=1)
    assert bench.run() == []


def test_endless_advances_of_a_queue_delay_no_other_of_its_session() -> None:
    """The others go between its advances."""
    bench = Bench()
    busy, other = bench.queue("a", Start(1)), bench.queue("a", Start(2), Complete(2))
    for count in range(1, 5):
        parts = bench.next()
        bench.put(busy, Advance(1, count))
        bench.take(parts, [OK])
        bench.clock.advance(1)
    assert other.is_settled
    bench.run()
    assert [report for _, report in bench.sent] == [Start(1), Start(2), Complete(2), Advance(1, 3), Advance(1, 4)]


@pytest.mark.parametrize("together", [1, 10])
def test_queues_to_one_session_send_one_after_the_other(together: int) -> None:
    """They go in the order of their first reports; each sends all that it has."""
    bench = Bench(together=together)
    first, second = bench.queue("a", Start(1)), bench.queue("a", Start(2))
    bench.put(first, Complete(1))
    bench.put(second, Complete(2))
    bench.run()
    assert [report for _, report in bench.sent] == [Start(1), Complete(1), Start(2), Complete(2)]
    bench.put(second, Start(3))
    bench.put(first, Start(4))
    bench.run()
    assert [report for _, report in bench.sent][4:] == [Start(3), Start(4)]


def test_one_session_retries_during_an_outage() -> None:
    """Waiting sessions cost nothing."""
    count = 2000
    bench = Bench()
    queues = [bench.queue(str(number), Create(), Start(1)) for number in range(count)]
    hour_s = 3600.0
    tried = bench.run(lambda _: AWAY, until=hour_s)
    assert set(tried) == {"0"}
    assert len(tried) == pytest.approx(hour_s / availability.LONGEST_PAUSE_S, rel=0.1)
    assert sum(queue.checks for queue in queues) < 10 * count + 10 * len(tried)
    bench.run()
    assert all(queue.is_settled and not queue.lost for queue in queues)
    assert len(bench.sent) == len(tried) + 2 * count
    assert sum(queue.checks for queue in queues) < 20 * count + 10 * len(tried)


def test_a_session_that_begins_during_an_outage_waits_with_the_others() -> None:
    """It logs nothing while it loses nothing."""
    bench = Bench()
    bench.queue("a", Start(1))
    bench.run(lambda _: AWAY, until=20)
    late = bench.queue("b", Start(1))
    assert set(bench.run(lambda _: AWAY, until=40)) == {"a"}
    assert bench.run() == ["a", "b"]
    assert late.seen == []


@pytest.mark.parametrize(
    "answer", [BUSY, ReportAnswer(409, "idempotency-key-in-use"), ReportAnswer(500, "internal-error")]
)
@pytest.mark.parametrize("together", [1, 10])
def test_a_transient_failure_of_one_session_delays_no_other(answer: ReportAnswer, together: int) -> None:
    """The cause is its rate, its key or its report, and the server answers."""
    bench = Bench(together=together)
    bench.queue("a", Start(1))
    bench.queue("b", Start(1))
    tried = bench.run(lambda session_id: answer if session_id == "a" else OK, until=0.1)
    assert tried == ["a", "b"]
    assert bench.run() == ["a"]


def test_a_server_that_answers_one_session_is_back_for_all() -> None:
    """This includes an answer that is a refusal."""
    bench = Bench()
    for session_id in "abc":
        bench.queue(session_id, Start(1))
    bench.run(lambda _: AWAY, until=30)
    assert bench.run(lambda session_id: REFUSED if session_id == "a" else OK) == ["a", "b", "c"]


def test_each_session_gives_up_its_advances_after_its_own_wait() -> None:
    """It does so a minute after it began to wait, though another one retries; its commands stay."""
    bench = Bench()
    bench.queue("a", Start(1))
    bench.run(lambda _: AWAY, until=30)
    late = bench.queue("b", Start(1), Advance(1, 5))
    bench.run(lambda _: AWAY, until=30 + availability.MAX_OUTAGE_S - 1)
    assert late.lost == 0
    bench.run(lambda _: AWAY, until=30 + availability.MAX_OUTAGE_S + 11)
    assert late.lost == 1
    [lost] = late.seen
    assert "1 reports of progress were dropped, 1 starts and completions wait on" in str(lost.detail)
    assert bench.run() == ["a", "b"]


def test_another_session_retries_when_the_first_has_no_more_reports() -> None:
    """It had only advances, which were dropped."""
    bench = Bench()
    bench.queue("a", Advance(1, 5))
    bench.queue("b", Start(1))
    assert set(bench.run(lambda _: AWAY, until=availability.MAX_OUTAGE_S + 60)) == {"a", "b"}
    assert set(bench.run(lambda _: AWAY, until=availability.MAX_OUTAGE_S + 120)) == {"b"}


def test_retry_now_of_one_session_retries_the_server_at_once() -> None:
    """The end of its block may be the last attempt; all sessions use its result."""
    bench = Bench()
    bench.queue("a", Start(1))
    hurried = bench.queue("b", Start(1))
    bench.run(lambda _: AWAY, until=30)
    bench.hurry(hurried)
    assert bench.run(lambda _: AWAY, until=30.01) == ["a"]
    assert 3 <= len(bench.run(lambda _: AWAY, until=70)) <= 5
    bench.hurry(hurried)
    assert bench.run(until=70.01) == ["a", "b"]


def test_single_reports_go_at_the_same_time_up_to_a_limit() -> None:
    """They wait for each other; failures of them count as one, so that the pause does not grow with each."""
    bench = Bench(at_once=3)
    for number in range(5):
        bench.queue(str(number), Start(1), Complete(1))
    assert [bench.send() for _ in range(2)] == [[Start(1)] * 3, [Start(1)] * 2 + [Complete(1)]]
    bench.take(bench.next(), [AWAY] * 3)
    assert bench.mailbox.wake_at() == pytest.approx(availability.FIRST_PAUSE_S)


@pytest.mark.parametrize("seed", range(30))
def test_every_report_is_sent_once_the_server_is_back(seed: int) -> None:
    """There are reports, immediate retries, and answers of each kind, in random order."""
    chance = random.Random(seed)
    together = chance.choice([1, 2, 100])
    bench = Bench(together=together, at_once=chance.choice([1, 3]))
    queues = [Queue(chance.choice("abcdef"), bench) for _ in range(8)]
    reports: list[Queueable] = [Start(1), Complete(1), Advance(1, 5)]
    parts: Sequence[Part] = ()
    for _ in range(300):
        queue = chance.choice(queues)
        match chance.randrange(5):
            case 0:
                bench.put(queue, reports[chance.randrange(3)])
            case 1 if parts:
                answers = [chance.choice([OK, AWAY, AWAY, BUSY, REFUSED]) for part in parts for _ in part.requests]
                bench.take(parts, answers if chance.random() < 0.5 else answers[0])
                parts = ()
            case 2 if not parts:
                parts = bench.next()
            case 3:
                bench.clock.advance(chance.choice([0.05, 1, 20]))
            case 4:
                bench.hurry(queue)
    bench.take(parts, AWAY)
    begun = bench.clock.monotonic()
    bench.run()
    assert all(queue.is_settled for queue in queues)
    assert bench.clock.monotonic() - begun <= 30 + 2 * availability.LONGEST_PAUSE_S
