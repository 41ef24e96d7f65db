"""Refusals, outages and errors of transports, as a job sees them."""

import asyncio
import logging
import random
import threading
import time
import tracemalloc
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from progress_sse import AsyncProgress, Progress, ReportError
from progress_sse.client import reporter, thread_sender, waiting_reports
from progress_sse.client.errors import ReportRefusedError, ServerAwayError
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.outbox import Outbox
from progress_sse.client.report_queue import ReportQueue, report_queues
from progress_sse.client.reporter import Reporter
from progress_sse.core.errors import ConfigurationError
from progress_sse.core.updates import Complete, Start
from tests.client.fake import AsyncFakeTransport, FakeTransport
from tests.client.job_errors import OopsError
from tests.client.shells import Shell
from tests.harness.serving import eventually

REFUSAL = ReportAnswer(422, "step-out-of-range", "step must lie between 1 and 7.")


def refuse(_: ReportRequest) -> ReportAnswer:
    return REFUSAL


async def test_a_refusal_is_logged_once_and_then_counted(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the server's text, and the job goes on."""
    progress = shell.progress.attach("a", transport=shell.transport(FakeTransport(refuse)))
    for step in (8, 9, 10):
        progress.step(step).start()
    await shell.close(progress)
    assert progress.lost == 3
    [record] = [record for record in caplog.records if record.name == "progress_sse.client"]
    assert record.levelno == logging.WARNING
    assert "start of step 8 was refused: 422 step must lie between 1 and 7." in record.getMessage()


async def test_a_server_does_not_fill_the_log(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """This holds though it names another problem each time."""
    problems = iter(range(1000))
    transport = FakeTransport(lambda _: ReportAnswer(422, f"trouble-{next(problems)}"))
    progress = shell.progress.attach("a", transport=shell.transport(transport))
    for step in range(1, 101):
        progress.step(step).start()
    assert await shell.flush(progress, 20)
    await shell.close(progress)
    assert progress.lost == 100
    assert 1 < sum(record.name == "progress_sse.client" for record in caplog.records) <= 20


async def test_a_refusal_is_raised_if_the_job_asked_for_errors(shell: Shell) -> None:
    """The next report raises it, once; the end of the block raises the last one."""
    fake = FakeTransport(refuse)
    fake.may_answer.clear()  # Else the report itself could raise it.
    progress = shell.progress.attach("a", transport=shell.transport(fake), on_error="raise")
    progress.step(8).start()
    fake.may_answer.set()
    assert await shell.flush(progress, 20)
    with pytest.raises(ReportRefusedError) as caught:
        progress.step(9).start()
    assert (caught.value.status, caught.value.problem) == (422, "step-out-of-range")
    with pytest.raises(ReportError):
        await shell.close(progress)
    await shell.close(progress)


def test_a_close_waits_for_the_error_of_a_report_that_has_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender has read the refusal, and has not yet passed on the error."""
    has_answer, may_continue = threading.Event(), threading.Event()
    take = Outbox.take

    def take_and_stop(*arguments: Any) -> None:
        take(*arguments)
        has_answer.set()
        assert may_continue.wait(20)

    class Settled(SimpleQueue[ReportQueue]):
        def get(self, *_: Any, timeout: float | None = None) -> ReportQueue:
            may_continue.set()
            return super().get(timeout=timeout)

    monkeypatch.setattr(Outbox, "take", take_and_stop)
    monkeypatch.setattr(thread_sender, "SimpleQueue", Settled)
    progress = Progress.attach("a", transport=FakeTransport(refuse), on_error="raise")
    progress.step(8).start()
    assert has_answer.wait(20)
    try:
        with pytest.raises(ReportRefusedError):
            progress.close()
    finally:
        may_continue.set()


async def test_a_close_on_a_loop_waits_for_the_error_of_a_report_that_has_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The block ends before the thread has handled the answer whole."""
    closing: list[asyncio.Task[None]] = []
    take, loop = Outbox.take, asyncio.get_running_loop()

    def close() -> None:
        closing.append(asyncio.create_task(progress.aclose()))

    def take_and_close(*arguments: Any) -> None:
        take(*arguments)
        loop.call_soon_threadsafe(close)
        (queue,) = (each for each in report_queues() if each.session_id == "a")
        deadline_s = time.monotonic() + 20
        while not queue.is_awaited:
            assert time.monotonic() < deadline_s

    monkeypatch.setattr(Outbox, "take", take_and_close)
    progress = AsyncProgress.attach("a", transport=AsyncFakeTransport(FakeTransport(refuse)), on_error="raise")
    progress.step(8).start()
    await eventually(lambda: bool(closing), 20)
    with pytest.raises(ReportRefusedError):
        await closing[0]


async def test_the_jobs_own_error_precedes_errors_of_reporting(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """This holds also where the job asked for errors."""
    fake = FakeTransport(refuse)
    fake.may_answer.clear()
    progress = shell.progress.attach("a", transport=shell.transport(fake), on_error="raise")

    def work(progress: Reporter) -> None:
        with progress.step(8):
            fake.may_answer.set()  # Only now: the start itself would raise the error of an earlier refusal.
            deadline_s = time.monotonic() + 20
            while not caplog.records:  # The error of the refused start can be raised once it is logged.
                assert time.monotonic() < deadline_s
                time.sleep(0.005)
            raise OopsError

    with pytest.raises(OopsError):
        await shell.run(work, progress)


async def test_a_job_that_asks_for_errors_gets_that_of_a_long_outage(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the block waits for the maximum outage, and then raises the error."""
    monkeypatch.setattr(reporter, "MAX_OUTAGE_S", 0.05)
    fake, progress = shell.attached(on_error="raise")
    fake.may_answer.clear()
    progress.step(1).start()
    await eventually(lambda: bool(fake.requests), 20)
    try:
        with pytest.raises(ServerAwayError):
            await shell.close(progress)
    finally:
        fake.may_answer.set()


async def test_a_block_with_unsent_reports_logs_that(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """Its wait is limited."""
    fake, progress = shell.attached(flush_timeout_s=0.05)
    fake.may_answer.clear()
    try:
        await shell.run(lambda progress: progress.step(1).start(), progress)
    finally:
        fake.may_answer.set()
    assert "some reports on 'a' are not sent yet" in caplog.text


async def test_block_and_exit_wait_for_the_same_seconds(shell: Shell) -> None:
    """The exit has only those that the block has left; all of them again once the server has answered."""
    fake = FakeTransport()
    fake.may_answer.clear()
    session_id = f"patient-{type(shell).__name__}"
    progress = shell.progress.attach(session_id, transport=shell.transport(fake), flush_timeout_s=0.05)
    [queue] = [each for each in report_queues() if each.session_id == session_id]
    try:
        assert queue.patience_s == 0.05
        await shell.run(lambda progress: progress.step(1).start(), progress)
        assert queue.patience_s == 0
    finally:
        fake.may_answer.set()
    await eventually(lambda: queue.patience_s == 0.05, 20)


@pytest.mark.parametrize("seconds", [-1, float("nan"), "soon"])
def test_an_invalid_time_is_logged_or_raised(shell: Shell, caplog: pytest.LogCaptureFixture, seconds: Any) -> None:
    """As any other setting that cannot be used."""
    text = "flush_timeout_s must be a number of seconds, 0 or more."
    shell.progress("a", url="http://127.0.0.1:9", flush_timeout_s=seconds)
    assert text in caplog.text
    with pytest.raises(ConfigurationError, match=text):
        shell.progress("a", url="http://127.0.0.1:9", flush_timeout_s=seconds, on_error="raise")


async def test_a_transport_that_raises_does_not_end_the_reporting(shell: Shell) -> None:
    """The report is retried after any exception or invalid answer."""
    answers: Iterator[Any] = iter([None, [ReportAnswer(200)] * 2, ReportAnswer(200), ReportAnswer(200)])

    def answer(_: ReportRequest) -> ReportAnswer:
        returned: ReportAnswer = next(answers)
        if returned is None:
            raise OopsError
        return returned

    fake = FakeTransport(answer)
    progress = shell.progress.attach("a", transport=shell.transport(fake))
    progress.step(1).start()
    progress.step(1).complete()
    await shell.close(progress)
    assert fake.reports == [Start(1), Start(1), Start(1), Complete(1)]
    assert fake.requests[0].key == fake.requests[1].key == fake.requests[2].key


async def test_random_pauses_leave_the_numbers_of_the_job_alone(shell: Shell) -> None:
    """Else a job that has seeded `random` would get others with reports than without, and others after an outage."""
    answers = [ReportAnswer(503), ReportAnswer(503)]
    fake = FakeTransport(lambda _: answers.pop() if answers else ReportAnswer(200))
    progress = shell.progress.attach("a", transport=shell.transport(fake))
    random.seed(1)
    before = random.getstate()
    progress.step(1).start()
    assert await shell.flush(progress, 30)
    await shell.close(progress)
    assert len(fake.requests) == 3
    assert random.getstate() == before


async def test_memory_is_bounded_during_an_outage(
    shell: Shell, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of reports does not matter, and the job learns how many were dropped."""
    count, text_bytes, most = 2000, 8192, 4 * 2**20
    monkeypatch.setattr(waiting_reports, "MAX_COMMAND_BYTES", most)
    fake, progress = shell.attached()
    fake.may_answer.clear()
    tracemalloc.start()
    try:
        for number in range(count):
            progress.step(number).complete(f"{number:{text_bytes}}")
        used_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        fake.may_answer.set()
    assert used_bytes < 2 * most
    assert await shell.flush(progress, 30)
    assert len(fake.requests) + progress.lost == count
    assert [record.getMessage() for record in caplog.records if record.name == "progress_sse.client"] == [
        "lost a report on 'a': more than 4 MiB of reports wait: the oldest are being dropped"
    ]
    await shell.close(progress)
