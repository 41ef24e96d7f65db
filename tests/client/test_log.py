"""`log` of a progress and of its steps, from blocking code and from an event loop."""

import asyncio
import logging
from typing import Any

import pytest

from progress_sse import Progress
from progress_sse.client.config import OnError
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.reporter import Reporter
from progress_sse.client.reports import Create, Log, LogLine, Report
from progress_sse.client.testing import recording
from progress_sse.core.updates import Complete, Finish, Start
from tests.client.fake import FakeTransport
from tests.client.job_errors import MuteError, OopsError
from tests.client.shells import Shell


def work(progress: Reporter) -> None:
    """Write lines of both kinds."""
    progress.log("before")
    with progress.step(1) as step:
        step.log("one\ntwo", level="warning")
        progress.log("three")
    step.log("four")
    progress.log(5, level="debug")


async def test_lines_are_of_the_step_in_whose_block_they_are_written(shell: Shell) -> None:
    """A step may be named from elsewhere; a recorder has lines among the reports, as the job wrote them."""
    with recording() as recorder:
        await shell.run(work, shell.progress("a", steps=["One"]))
    assert recorder.of("a") == [
        Create(recorder_steps(recorder.of("a"))),
        Log((LogLine("before"),)),
        Start(1),
        Log((LogLine("one", "warning"), LogLine("two", "warning")), 1),
        Log((LogLine("three"),), 1),
        Complete(1),
        Log((LogLine("four"),), 1),
        Log((LogLine("5", "debug"),)),
    ]


def recorder_steps(reports: list[Report]) -> Any:
    """The steps of the creation, which are not what this is about."""
    assert isinstance(reports[0], Create)
    return reports[0].steps


async def test_lines_reach_the_server_in_order_before_the_end(shell: Shell) -> None:
    """This holds for a transport that takes one report at a time, too."""
    fake = FakeTransport(lambda _: ReportAnswer(200, run="one"))

    def flood(progress: Reporter) -> None:
        with progress.step("Count"):
            for number in range(150):
                progress.log(str(number))

    await shell.run(flood, shell.progress("a", open_ended=True, transport=shell.transport(fake)))
    kinds = [type(report) for report in fake.reports]
    assert kinds[:2] == [Create, Start]
    assert kinds[-2:] == [Complete, Finish]
    logs = [request for request in fake.requests if isinstance(request.report, Log)]
    written = [line.text for request in logs for line in request.report.lines]  # type: ignore[union-attr]
    assert written == [str(number) for number in range(150)]
    leases = {request.report.lease for request in logs}
    assert leases == {fake.reports[1].lease}
    assert {request.run for request in logs} == {"one"}


async def test_a_line_begins_the_session(shell: Shell) -> None:
    """Also one that is written before any step."""
    fake = FakeTransport()
    progress = shell.progress("a", transport=shell.transport(fake))
    progress.log("hello")
    assert await shell.flush(progress, 20)
    await shell.close(progress)
    assert [type(report) for report in fake.reports] == [Create, Log]


@pytest.mark.guarantee(73)
@pytest.mark.parametrize("on_error", ["warn", "raise"])
async def test_a_refused_line_never_harms_the_job(
    shell: Shell, on_error: OnError, caplog: pytest.LogCaptureFixture
) -> None:
    """It raises nothing and counts nowhere, and is logged once."""

    def answer(request: ReportRequest) -> ReportAnswer:
        return ReportAnswer(422 if isinstance(request.report, Log) else 200, "step-out-of-range", "no")

    fake = FakeTransport(answer)

    def work(progress: Reporter) -> None:
        for _ in range(3):
            with progress.step(1) as step:
                step.log("x")

    await shell.run(work, progress := shell.progress("a", on_error=on_error, transport=shell.transport(fake)))
    assert progress.lost == 0
    assert [type(report) for report in fake.reports if not isinstance(report, Create | Log)] == [Start, Complete] * 3
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning == "log lines of 'a' were refused: 422 no"


@pytest.mark.guarantee(73)
async def test_lines_that_the_server_does_not_take_for_now_raise_nothing(
    shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """The end of the block waits for them as for reports; a job that has asked for errors has lost none."""
    fake = FakeTransport(lambda each: ReportAnswer(429 if isinstance(each.report, Log) else 200, retry_after_s=60))
    options: dict[str, Any] = {"on_error": "raise", "flush_timeout_s": 0.05}
    progress = shell.progress("a", transport=shell.transport(fake), **options)
    step, queue = progress.step(1), vars(progress)["sink"]
    step.start()
    step.log("x")
    step.complete()
    async with asyncio.timeout(20):
        while queue.outbox.waiting.has_reports:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)
    await shell.close(progress)
    queue.give_up()
    assert progress.lost == 0
    assert type(fake.reports[-1]) is Complete
    assert "some log lines on 'a' are not sent yet" in caplog.text


async def test_a_text_that_cannot_be_shown_is_as_any_error_of_reporting(shell: Shell) -> None:
    """The job goes on; only one that has asked for errors gets it, and so for a level that there is not."""
    fake = FakeTransport()
    quiet = shell.progress("a", transport=shell.transport(fake))
    quiet.log(OopsError("fine"))
    quiet.log(MuteError())
    quiet.log("x", level="loud")  # type: ignore[arg-type]  # as a user may
    assert quiet.lost == 2
    await shell.close(quiet)
    strict = shell.progress("b", transport=shell.transport(fake), on_error="raise")
    with pytest.raises(TypeError):
        strict.log(MuteError())
    with pytest.raises(ValueError, match="loud"):
        strict.log("x", level="loud")  # type: ignore[arg-type]
    await shell.close(strict)


def test_without_a_server_a_line_costs_nothing_and_does_nothing() -> None:
    """As all reports."""
    with Progress("a", disabled=True) as progress, progress.step(1) as step:
        step.log("x")
        progress.log("y")
    assert progress.lost == 0


async def test_a_job_writes_many_lines_without_waiting_for_the_server(shell: Shell) -> None:
    """The server answers nothing meanwhile, and what waits is bounded."""
    fake = FakeTransport()
    fake.may_answer.clear()
    progress = shell.progress("a", transport=shell.transport(fake), flush_timeout_s=20)
    step = progress.step(1)
    step.start()
    for _ in range(20_000):
        step.log("x" * 100)
    queue = vars(progress)["sink"]
    lines = queue.outbox.waiting.lines
    assert len(vars(lines)["_waiting"]) <= 1000
    fake.may_answer.set()
    step.complete()
    await shell.close(progress)
    sent = [line.text for report in fake.reports if isinstance(report, Log) for line in report.lines]
    assert 150 <= len(sent) <= 2000
    assert any("left out here" in text for text in sent)
    await asyncio.sleep(0)
