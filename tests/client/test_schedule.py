"""The order of queues on a simulated clock, and the work that it takes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from progress_sse.client import availability, outage
from progress_sse.client.availability import Availability
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.outbox import Outbox
from progress_sse.client.outbox_events import ReportDropped
from progress_sse.client.reports import Create, Queueable
from progress_sse.client.schedule import Schedule
from progress_sse.core.updates import Advance, Complete, Start
from tests.clock import ManualClock

OK = ReportAnswer(200)
AWAY = ReportAnswer(0, detail="ConnectError: refused")
BUSY = ReportAnswer(429, retry_after_s=30)


class ReportQueue:
    """An outbox that counts its checks."""

    def __init__(self, session_id: str, server: Availability) -> None:
        self.outbox = Outbox(session_id, chance=lambda: 1.0)
        self.outbox.server = server
        self.session_key = session_id
        self.checks = 0
        self.is_urgent = False

    @property
    def server(self) -> Availability:
        return self.outbox.server

    @property
    def is_settled(self) -> bool:
        return self.outbox.is_empty

    @property
    def has_commands(self) -> bool:
        return self.outbox.has_commands

    def wake_at(self) -> float:
        self.checks += 1
        return self.outbox.wake_at()

    def retry_now(self, now: float) -> bool:
        was_urgent, self.is_urgent = self.is_urgent, False
        if was_urgent:
            self.outbox.retry_now(now)
        return was_urgent

    def stand_by(self, now: float) -> float:
        self.checks += 1
        return self.outbox.stand_by(now)


class Bench:
    """Queues to one server, on a manual clock."""

    def __init__(self, at_once: int = 1) -> None:
        self.clock = ManualClock()
        self.schedule: Schedule[ReportQueue] = Schedule(at_once)
        self.server = Availability(chance=lambda: 1.0)
        self.sent: list[tuple[str, Queueable]] = []

    def queue(self, session_id: str, *reports: Queueable) -> ReportQueue:
        queue = ReportQueue(session_id, self.server)
        self.put(queue, *reports)
        return queue

    def put(self, queue: ReportQueue, *reports: Queueable) -> None:
        for report in reports:
            queue.outbox.put(report)
            self.check(queue)

    def check(self, queue: ReportQueue) -> None:
        self.schedule.check(queue, self.clock.monotonic())

    def begin(self) -> tuple[ReportQueue, list[ReportRequest]] | None:
        """Begin the turn of a queue, if one is due."""
        queue = self.schedule.next(self.clock.monotonic())
        if queue is None:
            return None
        requests = queue.outbox.next(self.clock.monotonic())
        self.sent += [(queue.session_key, request.report) for request in requests]
        return queue, requests

    def end(self, turn: tuple[ReportQueue, list[ReportRequest]], answer: ReportAnswer) -> None:
        queue, requests = turn
        if requests:
            queue.outbox.take(requests, [answer] * len(requests), self.clock.monotonic())
        self.schedule.served(queue, self.clock.monotonic())

    def run(self, answer: Callable[[str], ReportAnswer], until: float = math.inf) -> list[str]:
        """Run turns until none is left, or until a time; return their sessions."""
        begun = len(self.sent)
        while (at := self.schedule.wake_at()) <= until and at < math.inf:
            self.clock.advance(max(0.0, at - self.clock.monotonic()))
            while turn := self.begin():
                self.end(turn, answer(turn[0].session_key))
        if until < math.inf:
            self.clock.advance(max(0.0, until - self.clock.monotonic()))
        return [session_id for session_id, _ in self.sent[begun:]]


def test_queues_take_turns() -> None:
    """A queue with many reports does not block the others."""
    bench = Bench()
    for session_id in "ab":
        bench.queue(session_id, Start(1), Start(2), Start(3))
    assert "".join(bench.run(lambda _: OK)) == "ababab"


def test_endless_advances_of_a_queue_delay_no_other_of_its_session() -> None:
    """The others go between its advances."""
    bench = Bench()
    busy, other = bench.queue("a", Start(1)), bench.queue("a", Start(2), Complete(2))
    for count in range(1, 5):
        turn = bench.begin()
        assert turn is not None
        bench.put(busy, Advance(1, count))
        bench.end(turn, OK)
        bench.clock.advance(1)
    assert other.is_settled
    bench.run(lambda _: OK)
    assert [report for _, report in bench.sent] == [Start(1), Start(2), Complete(2), Advance(1, 3), Advance(1, 4)]


def test_queues_to_one_session_send_one_after_the_other() -> None:
    """They go in the order of their first reports; each sends all that it has."""
    bench = Bench()
    first, second = bench.queue("a", Start(1)), bench.queue("a", Start(2))
    bench.put(first, Complete(1))
    bench.put(second, Complete(2))
    bench.run(lambda _: OK)
    assert [report for _, report in bench.sent] == [Start(1), Complete(1), Start(2), Complete(2)]
    bench.put(second, Start(3))
    bench.put(first, Start(4))
    bench.run(lambda _: OK)
    assert [report for _, report in bench.sent][4:] == [Start(3), Start(4)]


@pytest.mark.parametrize("at_once", [1, 10])
def test_one_session_retries_during_an_outage(at_once: int) -> None:
    """It has the pauses of one session; waiting sessions cost nothing."""
    count = 2000
    bench = Bench(at_once)
    report_queues = [bench.queue(str(number), Create(), Start(1)) for number in range(count)]
    hour_s = 3600.0
    tried = bench.run(lambda _: AWAY, until=hour_s)
    assert set(tried) == {"0"}
    assert len(tried) == pytest.approx(hour_s / availability.LONGEST_PAUSE_S, rel=0.1)
    assert sum(queue.checks for queue in report_queues) < 10 * count + 10 * len(tried)
    bench.run(lambda _: OK)
    assert all(queue.is_settled and not queue.outbox.lost for queue in report_queues)
    assert len(bench.sent) == len(tried) + 2 * count
    assert sum(queue.checks for queue in report_queues) < 20 * count + 10 * len(tried)


def test_a_session_that_begins_during_an_outage_waits_with_the_others() -> None:
    """It logs nothing while it loses nothing."""
    bench = Bench()
    bench.queue("a", Start(1))
    bench.run(lambda _: AWAY, until=20)
    late = bench.queue("b", Start(1))
    assert set(bench.run(lambda _: AWAY, until=40)) == {"a"}
    assert bench.run(lambda _: OK) == ["a", "b"]
    assert late.outbox.events() == []


@pytest.mark.parametrize(
    "answer", [BUSY, ReportAnswer(409, "idempotency-key-in-use"), ReportAnswer(500, "internal-error")]
)
def test_a_transient_failure_of_one_session_delays_no_other(answer: ReportAnswer) -> None:
    """The cause is its rate, its key or its report, and the server answers."""
    bench = Bench()
    bench.queue("a", Start(1))
    bench.queue("b", Start(1))
    tried = bench.run(lambda session_id: answer if session_id == "a" else OK, until=0.1)
    assert tried == ["a", "b"]
    assert bench.run(lambda _: OK) == ["a"]


def test_a_server_that_answers_one_session_is_back_for_all() -> None:
    """This includes an answer that is a refusal."""
    bench = Bench()
    for session_id in "abc":
        bench.queue(session_id, Start(1))
    bench.run(lambda _: AWAY, until=30)
    assert bench.run(lambda session_id: ReportAnswer(422) if session_id == "a" else OK) == ["a", "b", "c"]


def test_each_session_gives_up_its_advances_after_its_own_wait() -> None:
    """It does so a minute after it began to wait, though another one retries; its commands stay."""
    bench = Bench()
    bench.queue("a", Start(1))
    bench.run(lambda _: AWAY, until=30)
    late = bench.queue("b", Start(1), Advance(1, 5))
    bench.run(lambda _: AWAY, until=30 + outage.MAX_OUTAGE_S - 1)
    assert late.outbox.lost == 0
    bench.run(lambda _: AWAY, until=30 + outage.MAX_OUTAGE_S + 11)
    assert late.outbox.lost == 1
    [lost] = late.outbox.events()
    assert isinstance(lost, ReportDropped)
    assert "1 reports of progress were dropped, 1 starts and completions wait on" in str(lost.error)
    assert bench.run(lambda _: OK) == ["a", "b"]


def test_another_session_retries_when_the_first_has_no_more_reports() -> None:
    """It had only advances, which were dropped, or it was removed."""
    bench = Bench()
    bench.queue("a", Advance(1, 5))
    bench.queue("b", Start(1))
    third = bench.queue("c", Start(1))
    assert set(bench.run(lambda _: AWAY, until=outage.MAX_OUTAGE_S + 60)) == {"a", "b"}
    assert set(bench.run(lambda _: AWAY, until=outage.MAX_OUTAGE_S + 120)) == {"b"}
    [second] = [queue for queue in bench.schedule._planned if queue.session_key == "b"]  # noqa: SLF001 - its only holder
    bench.schedule.remove(second, bench.clock.monotonic())
    assert set(bench.run(lambda _: AWAY, until=outage.MAX_OUTAGE_S + 180)) == {"c"}
    bench.run(lambda _: OK)
    assert third.is_settled


def test_retry_now_of_one_session_retries_the_server_at_once() -> None:
    """The end of its block may be the last attempt; all sessions use its result."""
    bench = Bench()
    bench.queue("a", Start(1))
    hurried = bench.queue("b", Start(1))
    bench.run(lambda _: AWAY, until=30)
    hurried.is_urgent = True
    bench.check(hurried)
    assert bench.run(lambda _: AWAY, until=30.01) == ["a"]
    assert 3 <= len(bench.run(lambda _: AWAY, until=70)) <= 5
    hurried.is_urgent = True
    bench.check(hurried)
    assert bench.run(lambda _: OK, until=70.01) == ["a", "b"]


def test_an_answer_to_an_earlier_request_ends_the_outage() -> None:
    """Nor does the session wait that was to retry later."""
    bench = Bench(at_once=2)
    bench.queue("a", Start(1))
    bench.queue("b", Start(1))
    first, second = bench.begin(), bench.begin()
    assert first is not None
    assert second is not None
    bench.end(first, AWAY)
    bench.end(second, OK)
    assert bench.run(lambda _: OK, until=0.01) == ["a"]


def test_a_limited_number_of_queues_sends_at_once() -> None:
    """The limit is per server; the next one begins as soon as one has its answer."""
    bench = Bench(at_once=3)
    for number in range(5):
        bench.queue(str(number), Start(1))
    turns = [bench.begin() for _ in range(4)]
    assert turns.pop() is None
    assert turns[0] is not None
    bench.end(turns[0], OK)
    turns.append(bench.begin())
    assert [turn and turn[0].session_key for turn in turns] == ["0", "1", "2", "3"]
    assert bench.begin() is None


def test_failures_of_simultaneous_requests_count_as_one() -> None:
    """Otherwise the pause would grow with each of them."""
    bench = Bench(at_once=3)
    for number in range(3):
        bench.queue(str(number), Start(1))
    turns = [bench.begin() for _ in range(3)]
    for turn in turns:
        assert turn is not None
        bench.end(turn, AWAY)
    assert bench.schedule.wake_at() == pytest.approx(availability.FIRST_PAUSE_S)


@pytest.mark.parametrize("seed", range(30))
def test_every_report_is_sent_once_the_server_is_back(seed: int) -> None:
    """There are reports, immediate retries, removed queues, and answers of each kind, in random order."""
    chance = random.Random(seed)
    bench = Bench(at_once=chance.choice([1, 2, 3]))
    report_queues = [ReportQueue(chance.choice("abcdef"), bench.server) for _ in range(8)]
    reports: list[Queueable] = [Start(1), Complete(1), Advance(1, 5)]
    turns: list[tuple[ReportQueue, list[ReportRequest]]] = []
    for _ in range(300):
        queue = chance.choice(report_queues)
        match chance.randrange(6):
            case 0:
                bench.put(queue, reports[chance.randrange(3)])
            case 1 if turns:
                bench.end(
                    turns.pop(chance.randrange(len(turns))), chance.choice([OK, AWAY, AWAY, BUSY, ReportAnswer(422)])
                )
            case 2:
                turns += [turn for turn in [bench.begin()] if turn]
            case 3:
                bench.clock.advance(chance.choice([0.05, 1, 20]))
            case 4:
                queue.is_urgent = True
                bench.check(queue)
            case 5 if chance.random() < 0.1 and queue not in [turn[0] for turn in turns]:
                bench.schedule.remove(queue, bench.clock.monotonic())
                report_queues.remove(queue)
                report_queues.append(ReportQueue(queue.session_key, bench.server))
    for turn in turns:
        bench.end(turn, AWAY)
    begun = bench.clock.monotonic()
    bench.run(lambda _: OK)
    assert all(queue.is_settled for queue in report_queues)
    assert bench.clock.monotonic() - begun <= 30 + 2 * availability.LONGEST_PAUSE_S
