"""Several reports in one request."""

from __future__ import annotations

import pytest

from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.reports import Create, Report
from progress_sse.core.updates import Advance, Complete, Start
from tests.client.bench import AGAIN, BUSY, CREATE, NO_ANSWER, NOT_FOUND, OK, Bench


class BatchBench(Bench):
    """An outbox whose target takes batches."""

    def together(self) -> list[ReportRequest]:
        return self.outbox.next(self.clock.monotonic(), alone=False)

    def answer(self, requests: list[ReportRequest], *answers: ReportAnswer) -> None:
        self.outbox.take(requests, answers, self.clock.monotonic())

    def refuse(self, answer: ReportAnswer) -> int:
        """Refuse the due reports as a whole, and return their number."""
        requests = self.together()
        assert len(requests) > 1
        self.outbox.refuse(requests, answer, self.clock.monotonic())
        return len(requests)


def reports(requests: list[ReportRequest]) -> list[Report]:
    return [request.report for request in requests]


def test_waiting_commands_go_in_one_batch() -> None:
    """They keep their order; a creation goes alone, as its request has another form, and an advance follows them."""
    bench = BatchBench()
    bench.put(Create(), Start(1), Complete(1), Start(2), Advance(2, 5), Start(3))
    for expected in ([Create()], [Start(1), Complete(1), Start(2), Start(3)], [Advance(2, 5)]):
        requests = bench.together()
        assert reports(requests) == expected
        assert len({request.key for request in requests}) == len(expected)
        bench.answer(requests, *[OK] * len(expected))
    assert bench.outbox.is_empty


def test_each_report_of_a_batch_has_its_answer() -> None:
    """Refused reports are lost; failed ones are retried in their order, with their keys."""
    bench = BatchBench()
    bench.put(*(Start(step) for step in range(1, 6)))
    requests = bench.together()
    refused = ReportAnswer(422, "step-out-of-range", "no")
    bench.answer(requests, OK, BUSY, refused, BUSY, OK)
    assert bench.outbox.lost == 1
    assert bench.together() == []
    bench.wait()
    assert bench.together() == [requests[1], requests[3]]


def test_answers_to_retracted_requests_are_ignored() -> None:
    """They are sent again, and get answers then."""
    bench = BatchBench()
    bench.put(Start(1), Start(2))
    requests = bench.together()
    bench.outbox.retract()
    bench.answer(requests, OK, OK)
    bench.outbox.refuse(requests, BUSY, 0)
    assert bench.together() == requests


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_batches_gets_single_reports(status: int) -> None:
    """It does so at once and from then on, with the same keys."""
    bench = BatchBench()
    bench.put(*(Start(step) for step in range(1, 5)))
    requests = bench.together()
    bench.outbox.refuse(requests, ReportAnswer(status), 0)
    for request in requests:
        assert bench.together() == [request]
        bench.answer([request], OK)
    assert bench.outbox.is_empty
    assert bench.outbox.events() == []


@pytest.mark.parametrize("status", [413, 400, 403, 500])
def test_a_refused_batch_is_retried_in_smaller_ones(status: int) -> None:
    """At last each goes by itself, and a refused one is lost; batches grow again after a success."""
    bench = BatchBench()
    bench.put(*(Start(step) for step in range(1, 9)))
    assert [bench.refuse(ReportAnswer(status)) for _ in range(3)] == [8, 4, 2]
    alone = bench.together()
    assert reports(alone) == [Start(1)]
    bench.answer(alone, ReportAnswer(403))
    assert bench.outbox.lost == 1
    for expected in (1, 2, 4):
        requests = bench.together()
        assert len(requests) == expected
        bench.answer(requests, *[OK] * expected)
    assert bench.outbox.is_empty


@pytest.mark.parametrize(("answer", "then"), [(NO_ANSWER, 8), (BUSY, 8), (ReportAnswer(429, retry_after_s=7), 4)])
def test_a_batch_with_a_transient_failure_waits_as_a_whole(answer: ReportAnswer, then: int) -> None:
    """It waits as long as `Retry-After` says; after a rate limit batches are smaller."""
    bench = BatchBench()
    bench.put(*(Start(step) for step in range(1, 9)))
    assert bench.refuse(answer) == 8
    assert bench.together() == []
    assert bench.wait() >= (answer.retry_after_s or 0)
    assert len(bench.together()) == then


def test_a_batch_whose_session_is_lost_creates_it_once() -> None:
    """It is created again once, and all reports are sent again in their order; none after the loss is sent alone."""
    bench = BatchBench()
    bench.put(CREATE)
    bench.send(ReportAnswer(201, run="one"))
    bench.put(Start(1), Complete(1), Start(2))
    requests = bench.together()
    bench.answer(requests, NOT_FOUND, NOT_FOUND, NOT_FOUND)
    again = bench.together()
    assert reports(again) == [AGAIN]
    bench.answer(again, ReportAnswer(201, run="two"))
    assert bench.together() == [request._replace(run="two") for request in requests]
