"""`AsyncProgress` under trio: as under asyncio."""

import time

import httpx
import pytest
import trio
import trio.lowlevel

from progress_sse import AsyncProgress, Cancelled
from progress_sse.client.exchange import AskedRequest, ReportAnswer, ReportRequest
from progress_sse.client.report_queue import report_queues
from progress_sse.client.reports import Report
from progress_sse.core.updates import Acknowledge, Complete, Finish, Start
from tests.conftest import Serve
from tests.harness.serving import session_path


class Transport:
    """A transport of trio, with given answers."""

    def __init__(self, *asked: AskedRequest) -> None:
        self.reports: list[Report] = []
        self._answer = ReportAnswer(200, requests=asked)

    async def send(self, request: ReportRequest) -> ReportAnswer:
        await trio.lowlevel.checkpoint()
        self.reports.append(request.report)
        return self._answer


def test_a_job_reports_to_a_server(serve: Serve) -> None:
    """Its block waits for the reports."""
    server = serve()

    async def work() -> AsyncProgress:
        async with AsyncProgress("nightly", steps=["One"], url=server.url) as progress, progress.step(1) as step:
            async for _ in step.track([1, 2]):
                await trio.lowlevel.checkpoint()
        return progress

    assert trio.run(work).lost == 0
    assert httpx.get(server.url + session_path("nightly")).json()["status"] == "completed"


def test_a_transport_runs_in_trio() -> None:
    """Its reports are sent before the end of the block; once the run has ended they are lost."""
    transport = Transport()

    async def work() -> AsyncProgress:
        progress = AsyncProgress.attach("a", transport=transport)
        async with progress, progress.step(1):
            pass
        return progress

    progress = trio.run(work)
    assert (transport.reports, progress.lost) == ([Start(1), Complete(1)], 0)
    progress.step(2).start()
    deadline_s = time.monotonic() + 20
    while progress.lost == 0:
        assert time.monotonic() < deadline_s


def test_a_time_limit_of_trio_ends_the_block_at_once() -> None:
    """The end of the block waits no further for its reports."""

    async def work() -> bool:
        with trio.move_on_after(0.01) as limit:
            async with AsyncProgress.attach("a", url="http://127.0.0.1:9", flush_timeout_s=3600) as progress:
                progress.step(1).start()
                await trio.sleep_forever()
        return bool(limit.cancelled_caught)

    began = time.monotonic()
    assert trio.run(work)
    assert time.monotonic() - began < 60
    for queue in report_queues():
        queue.give_up()


def test_a_request_to_cancel_ends_the_block() -> None:
    """It raises `Cancelled`, and the session bears that."""
    asked = AskedRequest("1", "cancel", reason="wrong file")
    transport = Transport(asked)

    async def work() -> None:
        async with AsyncProgress("a", steps=["One"], transport=transport, accepts=["cancel"]) as progress:
            progress.step(1).start()
            await trio.sleep_forever()

    with pytest.raises(Cancelled, match="wrong file"):
        trio.run(work)
    [finish] = [each for each in transport.reports if isinstance(each, Finish)]
    assert finish.conclusion == "cancelled"
    assert any(isinstance(each, Acknowledge) for each in transport.reports)
