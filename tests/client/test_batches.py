"""Several reports in one request."""

from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.reports import Create, Report
from progress_sse.core.updates import Advance, Complete, Start
from tests.client.bench import AGAIN, BUSY, CREATE, NOT_FOUND, OK, Bench


class BatchBench(Bench):
    """An outbox whose target takes batches."""

    def together(self) -> list[ReportRequest]:
        return self.outbox.next(self.clock.monotonic(), alone=False)

    def answer(self, requests: list[ReportRequest], *answers: ReportAnswer) -> None:
        if requests:
            self.outbox.take(requests, answers, self.clock.monotonic())


def reports(requests: list[ReportRequest]) -> list[Report]:
    return [request.report for request in requests]


def test_waiting_commands_go_in_one_batch() -> None:
    """They keep their order; a creation goes alone, as its request has another form, and an advance follows them."""
    bench = BatchBench(Create(), Start(1), Complete(1), Start(2), Advance(2, 5), Start(3))
    for expected in ([Create()], [Start(1), Complete(1), Start(2), Start(3)], [Advance(2, 5)]):
        requests = bench.together()
        assert reports(requests) == expected
        assert len({request.key for request in requests}) == len(expected)
        bench.answer(requests, *[OK] * len(expected))
    assert bench.is_empty


def test_each_report_of_a_batch_has_its_answer() -> None:
    """Refused reports are lost; failed ones are retried in their order, with their keys."""
    bench = BatchBench(*(Start(step) for step in range(1, 6)))
    requests = bench.together()
    refused = ReportAnswer(422, "step-out-of-range", "no")
    bench.answer(requests, OK, BUSY, refused, BUSY, OK)
    assert bench.lost == 1
    assert bench.together() == []
    bench.wait()
    assert bench.together() == [requests[1], requests[3]]


def test_answers_to_retracted_requests_are_ignored() -> None:
    """They are sent again, and get answers then."""
    bench = BatchBench(Start(1), Start(2))
    requests = bench.together()
    bench.outbox.retract()
    bench.answer(requests, OK, OK)
    bench.outbox.refuse(requests, BUSY, 0)
    assert bench.together() == requests


def test_a_batch_whose_session_is_lost_creates_it_once() -> None:
    """It is created again once, and all reports are sent again in their order; none after the loss is sent alone."""
    bench = BatchBench(CREATE)
    bench.send(ReportAnswer(201, run="one"))
    bench.put(Start(1), Complete(1), Start(2))
    requests = bench.together()
    bench.answer(requests, NOT_FOUND, NOT_FOUND, NOT_FOUND)
    again = bench.together()
    assert reports(again) == [AGAIN]
    bench.answer(again, ReportAnswer(201, run="two"))
    assert bench.together() == [request._replace(run="two") for request in requests]
