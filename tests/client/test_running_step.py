"""The running step and progress of a job, and reports from several threads."""

import contextvars
import logging
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from progress_sse import Progress, current
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.report_queue import Make, NullSink
from progress_sse.client.reporter import Reporter, diverted
from progress_sse.client.reports import Create
from progress_sse.client.testing import recording
from progress_sse.core.updates import Advance, Complete, Start
from tests.client.fake import FakeTransport
from tests.client.job_errors import MuteError, OopsError, TimeIsUpError
from tests.client.shells import Shell
from tests.harness.serving import eventually


async def test_current_is_found_in_called_functions(shell: Shell) -> None:
    """It needs no argument; its steps can be started there, and the running one advanced."""

    def below() -> None:
        current().advance(3)
        with current().step(2) as step:
            current().advance(message="inner")
            step.advance()
        current().advance()

    def work(progress: Reporter) -> None:
        with progress.step(1):
            below()

    with recording() as recorder:
        await shell.run(work, shell.progress.attach("a"))
    assert recorder.of("a") == [
        Start(1),
        Advance(1, 3),
        Start(2),
        Advance(2, 1, None, "inner"),
        Advance(2, 2, None, "inner"),
        Complete(2, message="inner"),
        Advance(1, 4),
        Complete(1),
    ]


async def test_blocks_may_be_nested(shell: Shell) -> None:
    """The inner one is current until it ends."""

    def work(progress: Reporter) -> None:
        with Progress.attach("inner"):
            assert current().session_id == "inner"
        assert current() is progress

    with recording():
        await shell.run(work, shell.progress.attach("outer"))


def test_without_a_block_current_does_nothing() -> None:
    """A function that reports works in a script without a session."""
    with recording() as recorder:
        contextvars.Context().run(lambda: current().advance(3))
        with contextvars.Context().run(current).step(1) as step:
            step.advance()
    assert recorder.reports == []
    assert contextvars.Context().run(current).session_id == ""


async def test_advances_during_a_wait_are_sent_as_one(shell: Shell) -> None:
    """One report has the sum of all advances, and the latest message."""
    fake, progress = shell.attached()
    fake.may_answer.clear()

    def work(progress: Reporter) -> None:
        step = progress.step(1)
        step.start()
        step.report(0, 1000)
        for _ in range(998):
            step.advance()
        step.advance(message="nearly")
        step.advance(True)
        fake.may_answer.set()

    await shell.run(work, progress)
    assert fake.reports == [Start(1), Advance(1, 1000, 1000, "nearly")]


async def test_rows_and_advances_within_them_add_up(shell: Shell) -> None:
    """They also do so while a report waits; a restarted step counts from 0."""
    fake, progress = shell.attached()
    fake.may_answer.clear()
    step: Any = progress.step(1)
    step.start()
    rows = step.track(range(10), 30)
    if isinstance(rows, AsyncIterator):
        async for _ in rows:
            step.advance(2)
    else:
        for _ in rows:
            step.advance(2)
    fake.may_answer.set()
    assert await shell.flush(progress, 20)
    step.start()
    step.advance()
    assert await shell.flush(progress, 20)
    await shell.close(progress)
    assert fake.reports == [Start(1), Advance(1, 30, 30), Start(1), Advance(1, 1)]


@pytest.mark.parametrize("spoilt", [{"message": MuteError()}, {"count": "many"}, {"count": None}, {"count": 0.5}])
async def test_an_invalid_report_does_not_affect_the_others(
    shell: Shell, caplog: pytest.LogCaptureFixture, spoilt: dict[str, Any]
) -> None:
    """An invalid count or text causes one warning, not one per row, and the other reports are sent."""
    fake, progress = shell.attached()

    def work(progress: Reporter) -> None:
        step = progress.step(1)
        step.advance(2)
        for _ in range(3):
            step.advance(**spoilt)
        step.advance(3)

    await shell.run(work, progress)
    assert fake.reports[-1] == Advance(1, 5)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_threads_of_a_step_add_up() -> None:
    """In any interleaving no advance is lost, and the last report has the sum."""
    with recording() as recorder:
        step = Progress.attach("a").step(1)

        def work() -> None:
            for _ in range(500):
                step.advance()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert recorder.of("a") == [Advance(1, n) for n in range(1, 2001)]


def test_no_thread_overtakes_the_creation_of_its_session() -> None:
    """Otherwise the creation would delete the step that it had started."""
    fake = FakeTransport()
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(50):
            progress = Progress(str(number), steps=["One", "Two"], transport=fake)
            both = threading.Barrier(2)

            def begin(step: int, progress: Progress = progress, both: threading.Barrier = both) -> None:
                both.wait()
                progress.step(step).start()

            other = threading.Thread(target=begin, args=[2])
            other.start()
            begin(1)
            other.join()
            assert progress.flush(20)
    finally:
        sys.setswitchinterval(switch_s)
    for number in range(50):
        reports = [request.report for request in fake.requests if request.session_id == str(number)]
        assert [type(report) for report in reports] == [Create, Start, Start]


class Late(NullSink):
    """A sink during whose work the time limit of the job passes."""

    def put(self, make: Make) -> None:
        """Raise the error of the signal handler."""
        raise TimeIsUpError


def test_a_time_limit_that_meets_a_report_ends_the_job() -> None:
    """It comes once, and must not be suppressed as an error of reporting."""
    with diverted(lambda _session_id, _creation, _inbox: Late()):
        step = Progress.attach("a").step(1)
    for report in (step.start, step.complete, lambda: step.report(1), step.advance):
        with pytest.raises(TimeIsUpError):
            report()


async def test_of_two_on_one_session_the_first_sends_first(shell: Shell) -> None:
    """If an attempt follows another during an outage, another order would show the end of the first one."""
    has_failed = threading.Event()

    def answer(request: ReportRequest) -> ReportAnswer:
        if has_failed.is_set():
            return ReportAnswer(200)
        has_failed.set()
        return ReportAnswer(503)

    fake = FakeTransport(answer)
    transport = shell.transport(fake)
    first, second = (shell.progress.attach("a", transport=transport) for _ in range(2))
    first.step(1).start()
    await eventually(has_failed.is_set, 10)
    first.step(1).fail("no")
    second.step(1).start()
    second.step(1).complete()
    assert await shell.flush(second, 20)
    assert fake.reports[1:] == [Start(1), Complete(1, success=False, error="no"), Start(1), Complete(1)]
    for progress in (first, second):
        await shell.close(progress)


def test_a_log_handler_that_raises_stops_no_report() -> None:
    """The thread goes on for all sessions of the process."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OopsError

    handler = Broken()
    logging.getLogger().addHandler(handler)
    try:
        answers = [ReportAnswer(503), ReportAnswer(200)]
        fake = FakeTransport(lambda _: answers.pop(0))
        progress = Progress.attach("a", transport=fake)
        progress.step(1).start()
        assert progress.flush(20)
    finally:
        logging.getLogger().removeHandler(handler)
    assert fake.reports == [Start(1), Start(1)]
