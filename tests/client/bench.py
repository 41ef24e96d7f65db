"""An outbox on a manual clock, and the answers of a server."""

from collections import deque

from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.outbox import Outbox
from progress_sse.client.own_log import Event
from progress_sse.client.reports import Create, Queueable, Report
from progress_sse.core.model import StepDefinition
from tests.clock import ManualClock

OK = ReportAnswer(200)
NO_ANSWER = ReportAnswer(0, detail="ConnectError: refused")
BUSY = ReportAnswer(503, "store-unavailable", "The store does not answer.")


class Bench:
    """An outbox on a manual clock, with maximum random pauses, in which these reports wait."""

    def __init__(self, *reports: Queueable, chance: float = 1.0) -> None:
        self.clock = ManualClock()
        self.outbox = Outbox("nightly", chance=lambda: chance)
        self.put(*reports)

    @property
    def lost(self) -> int:
        return self.outbox.waiting.lost.value

    @property
    def is_empty(self) -> bool:
        return self.outbox.waiting.is_empty

    def events(self) -> list[Event]:
        """The events since the last call."""
        events, self.outbox.waiting.events = list(self.outbox.waiting.events), deque()
        return events

    def put(self, *reports: Queueable) -> None:
        for report in reports:
            self.outbox.waiting.put(report)

    def next(self) -> ReportRequest | None:
        requests = self.outbox.next(self.clock.monotonic())
        assert len(requests) <= 1
        return requests[0] if requests else None

    def next_request(self) -> ReportRequest:
        """The request that is due, which is under way from now on."""
        request = self.next()
        assert request is not None
        return request

    def take(self, request: ReportRequest, answer: ReportAnswer) -> None:
        self.outbox.take([request], [answer], self.clock.monotonic())

    def send(self, answer: ReportAnswer = OK) -> Report:
        """Send the report that is due, and return it."""
        return self.send_request(answer).report

    def send_request(self, answer: ReportAnswer = OK) -> ReportRequest:
        request = self.next_request()
        self.take(request, answer)
        return request

    def wake_at(self) -> float:
        return max(self.outbox.due_at(), self.outbox.server.not_before)

    def wait(self) -> float:
        """Advance the clock to the next request, and return the seconds."""
        pause_s = max(0.0, self.wake_at() - self.clock.monotonic())
        self.clock.advance(pause_s)
        return pause_s

    def deliver(self) -> list[Report]:
        """Send all waiting reports with success, and return them in order."""
        sent = []
        while not self.is_empty:
            self.wait()
            sent.append(self.send())
        return sent


NOT_FOUND = ReportAnswer(404, "session-not-found", "There is no such session.")
OTHER_RUN = ReportAnswer(412, "other-run", "The session of that id is another run.")
EXISTS = ReportAnswer(409, "session-exists", "There is a session of that id already.")
CREATE = Create((StepDefinition("One"), StepDefinition("Two")))
AGAIN = Create(CREATE.steps, replace=False)


def created(*reports: Report) -> Bench:
    """Return an outbox that has created its session as the run `one` and sent these reports."""
    bench = Bench(CREATE)
    assert bench.send(ReportAnswer(201, run="one")) == CREATE
    bench.put(*reports)
    bench.deliver()
    return bench


def fail_for(bench: Bench, seconds: float, answer: ReportAnswer) -> None:
    """Let every attempt fail for these seconds."""
    until = bench.clock.monotonic() + seconds
    while bench.clock.monotonic() < until:
        bench.send(answer)
        bench.wait()
