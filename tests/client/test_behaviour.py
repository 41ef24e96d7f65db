"""What holds of reporting, from blocking code and from an event loop alike."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import logging
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from progress_sse import AsyncProgress, Progress, ReportError, StepDefinition, current
from progress_sse.client import aio, sync
from progress_sse.client.aio import AsyncStep
from progress_sse.client.errors import ReportRefusedError, ServerAwayError
from progress_sse.client.exchange import ReportAnswer, ReportRequest
from progress_sse.client.handle import Reporter, diverted
from progress_sse.client.outbox import MAX_WAITING
from progress_sse.client.report_queue import NullSink, Prepare
from progress_sse.client.reports import MAX_TEXT_CHARS, Advance, Complete, Create, Start
from progress_sse.client.sync import Step
from progress_sse.client.testing import recording
from tests.client.fake import FakeServer, FakeTransport
from tests.client.shells import Shell
from tests.harness.serving import eventually

REFUSAL = ReportAnswer(422, "step-out-of-range", "step must lie between 1 and 7.")


class OopsError(Exception):
    """What a job fails of in these tests."""


class TimeIsUpError(Exception):
    """As a queue's worker lets a signal raise it, wherever the job is."""


class Mute(Exception):  # noqa: N818 - it is not even good at being an error
    """Cannot say what is wrong."""

    def __str__(self) -> str:
        raise OopsError


def job(progress: Reporter) -> None:
    """Do two steps, and fail at the third."""
    with progress.step(1):
        pass
    with progress.step(2, message="8,000 rows", timeout_ms=5000) as step:
        step.report(3, 8)
        step.advance(2)
        step.advance(message="nearly")
    with progress.step(3):
        raise OopsError("disk full")


TOLD = [
    Create((StepDefinition("Download"), StepDefinition("Parse", 1000, 500), StepDefinition("Save"))),
    Start(1),
    Complete(1),
    Start(2, 5000),
    Advance(2, 3, 8, "8,000 rows"),
    Advance(2, 5, 8, "8,000 rows"),
    Advance(2, 6, 8, "nearly"),
    Complete(2, message="nearly"),
    Start(3),
    Complete(3, success=False, error="OopsError: disk full"),
]


async def test_a_job_reports_its_steps(shell: Shell) -> None:
    """It reports the start and completion of each step, its progress, and the error, which still propagates."""
    with recording() as recorder:
        progress = shell.progress("a", steps=["Download", StepDefinition("Parse", 1000, 500), "Save"])
        with pytest.raises(OopsError):
            await shell.run(job, progress)
    assert recorder.of("a") == TOLD


async def test_a_transport_gets_the_same_reports(shell: Shell) -> None:
    """Advances that a later report has made useless may be missing."""
    fake = FakeTransport()
    progress = shell.progress(
        "a", steps=["Download", StepDefinition("Parse", 1000, 500), "Save"], transport=shell.transport(fake)
    )
    with pytest.raises(OopsError):
        await shell.run(job, progress)
    assert [report for report in fake.reports if not isinstance(report, Advance)] == [
        report for report in TOLD if not isinstance(report, Advance)
    ]
    assert {report for report in fake.reports if isinstance(report, Advance)} <= set(TOLD)
    assert max(Counter(request.key for request in fake.requests).values()) == 1


async def test_attach_continues_the_session(shell: Shell) -> None:
    """No session is created or replaced."""
    with recording() as recorder:
        progress = shell.progress.attach("a")
        await shell.run(lambda progress: progress.step(4).start(), progress)
    assert recorder.of("a") == [Start(4)]


async def test_a_thread_may_be_the_first_to_report(shell: Shell) -> None:
    """The block's sender sends its reports."""
    fake = FakeTransport()
    progress = shell.progress.attach("a", transport=shell.transport(fake))
    await shell.run(lambda progress: progress.step(4).start(), progress)
    assert fake.reports == [Start(4)]


async def test_a_session_begins_with_its_block_or_its_first_step(shell: Shell) -> None:
    """It does not begin when the object is created, and begins once."""
    with recording() as recorder:
        progress = shell.progress("a", workflow="report")
        assert recorder.reports == []
        progress.step(1).start()
        await shell.run(lambda _: None, progress)
    assert recorder.of("a") == [Create(workflow="report"), Start(1)]


@pytest.mark.parametrize(
    ("total", "told"), [(None, [(0, 3), (1, 3), (2, 3), (3, 3)]), (2, [(0, 2), (1, 2), (2, 2), (3, None)])]
)
async def test_tracking_counts_finished_items(
    shell: Shell, total: int | None, told: list[tuple[int, int | None]]
) -> None:
    """A total that is exceeded becomes unknown: the server refuses a count above the total."""
    with recording() as recorder:
        step = shell.progress.attach("a").step(1)
        assert await shell.track(step, [10, 20, 30], total) == [10, 20, 30]
    assert recorder.of("a") == [Start(1), *(Advance(1, *each) for each in told), Complete(1)]


async def test_an_iterable_without_a_length_is_tracked_without_a_total(shell: Shell) -> None:
    """This includes a length that raises an exception."""

    class Query(list[int]):
        def __len__(self) -> int:
            raise RuntimeError

    with recording() as recorder:
        items: Iterator[int] = iter([1])
        assert await shell.track(shell.progress.attach("a").step(1), items) == [1]  # type: ignore[arg-type]
        assert [item async for item in AsyncStep(AsyncProgress.attach("b"), 1, "", None).track(Query([1]))] == [1]
    assert Advance(1, 1) in recorder.of("a")
    assert Advance(1, 1) in recorder.of("b")


@pytest.mark.parametrize("limit", [TimeIsUpError, TimeoutError])
def test_a_time_limit_during_the_length_check_ends_the_job(limit: type[Exception]) -> None:
    """The length of a lazy collection may be a slow query, which the job's time limit interrupts."""

    class Query(list[int]):
        def __len__(self) -> int:
            raise limit

    with recording(), pytest.raises(limit):
        list(Progress.attach("a").step(1).track(Query([1])))


async def test_an_asynchronous_iterable_is_tracked() -> None:
    """It is iterated over with `async for`."""

    async def rows() -> Any:
        for row in (1, 2):
            yield row

    with recording() as recorder:
        async with AsyncProgress.attach("a").step(1) as step:
            assert [row async for row in step.track(rows(), total=2)] == [1, 2]
    assert recorder.of("a")[1:-1] == [Advance(1, 0, 2), Advance(1, 1, 2), Advance(1, 2, 2)]


async def test_a_cancellation_is_the_error_of_its_step() -> None:
    """It propagates."""
    begun = asyncio.Event()

    async def work() -> None:
        async with AsyncProgress.attach("a") as progress, progress.step(1):
            begun.set()
            await asyncio.Event().wait()

    with recording() as recorder:
        task = asyncio.create_task(work())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert recorder.of("a") == [Start(1), Complete(1, success=False, error="CancelledError")]


async def wait_in_a_step(progress: AsyncProgress) -> None:
    """Be interrupted during the work."""
    async with progress, progress.step(1):
        await asyncio.Event().wait()


async def wait_at_the_end(progress: AsyncProgress) -> None:
    """Be interrupted as the block waits for what is still to be told."""
    async with progress, progress.step(1):
        pass


async def wait_after_an_error(progress: AsyncProgress) -> None:
    """Be interrupted as the block of a job that has failed waits."""
    async with progress, progress.step(1):
        raise OopsError


@pytest.mark.parametrize("work", [wait_in_a_step, wait_at_the_end, wait_after_an_error])
@pytest.mark.parametrize("on_error", ["warn", "raise"])
async def test_a_time_limit_ends_the_block(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[AsyncProgress], Awaitable[None]], on_error: Any
) -> None:
    """It ends at once, though the server does not answer; the thread sends the other reports."""
    for name in ("FLUSH_S", "MAX_OUTAGE_S"):
        monkeypatch.setattr(aio, name, 3600)

    async def limited(progress: AsyncProgress) -> None:
        async with asyncio.timeout(0.1):
            await work(progress)

    async with FakeServer() as server:
        progress = AsyncProgress("a", steps=["One"], url=server.url, on_error=on_error)
        job = asyncio.create_task(limited(progress))
        ended, _ = await asyncio.wait([job], timeout=20)
        job.cancel()
        assert ended
        assert isinstance(job.exception(), TimeoutError)
        server.may_answer.set()
        await eventually(lambda: any(b'"complete"' in each.body for each in server.seen), 20)


async def test_a_function_is_run_as_a_step(shell: Shell) -> None:
    """Its result is returned, and its exception is the step's error."""

    def fail(number: int) -> int:
        raise OopsError(number)

    with recording() as recorder:
        progress = shell.progress.attach("a")
        assert await shell.call(progress.step(1), lambda number: number + 1, 4) == 5
        with pytest.raises(OopsError):
            await shell.call(progress.step(2), fail, 7)
    assert recorder.of("a") == [Start(1), Complete(1), Start(2), Complete(2, success=False, error="OopsError: 7")]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OopsError(), "OopsError"),
        (OopsError("two\nlines"), "OopsError: two\nlines"),
        (OopsError("a\0b\ud800c"), "OopsError: a\ufffdb\ufffdc"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (Mute(), "Mute"),
    ],
)
def test_error_texts_are_sent_in_a_form_that_the_server_accepts(error: BaseException, text: str) -> None:
    """A completion refused for its text would leave the step running for ever."""
    with recording() as recorder, pytest.raises(type(error)), Progress.attach("a").step(1):
        raise error
    assert recorder.of("a")[1] == Complete(1, success=False, error=text)


def test_a_long_text_is_cut() -> None:
    """It is cut at the default limit of a server."""
    with recording() as recorder:
        Progress.attach("a").step(1).complete("x" * 100_000)
    [told] = recorder.of("a")
    assert isinstance(told, Complete)
    assert (len(told.message), told.message[-2:]) == (MAX_TEXT_CHARS, "x…")


@pytest.mark.parametrize("count", [0.5, "many", None])
async def test_invalid_arguments_are_a_warning(shell: Shell, count: Any, caplog: pytest.LogCaptureFixture) -> None:
    """There is one warning, not one per row; the job goes on."""
    with recording() as recorder:
        progress = shell.progress.attach("a")
        with progress.step(1) as step:
            for _ in range(3):
                step.advance(count)
    assert recorder.of("a") == [Start(1), Complete(1)]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_integers_of_other_types_are_accepted(shell: Shell) -> None:
    """They are converted, as JSON does not accept them."""

    class Integer:
        def __index__(self) -> int:
            return 7

    with recording() as recorder:
        count: Any = Integer()
        shell.progress.attach("a").step(count, timeout_ms=count).report(count, count)
    assert recorder.of("a") == [Advance(7, 7, 7)]


# Who reports where


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
    fake = FakeTransport()
    progress = shell.progress.attach("a", transport=shell.transport(fake))
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
    fake = FakeTransport()
    progress = shell.progress.attach("a", transport=shell.transport(fake))
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


@pytest.mark.parametrize("spoilt", [{"message": Mute()}, {"count": "1"}, {"count": None}])
async def test_an_invalid_report_does_not_affect_the_others(
    shell: Shell, caplog: pytest.LogCaptureFixture, spoilt: dict[str, Any]
) -> None:
    """An invalid count or text causes one warning, and the other reports are sent."""
    fake = FakeTransport()
    progress = shell.progress.attach("a", transport=shell.transport(fake))

    def work(progress: Reporter) -> None:
        step = progress.step(1)
        step.advance(2)
        step.advance(**spoilt)
        step.advance(3)

    await shell.run(work, progress)
    assert fake.reports[-1] == Advance(1, 5)
    assert len(caplog.records) == 1


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
        told = [request.report for request in fake.requests if request.session_id == str(number)]
        assert [type(report) for report in told] == [Create, Start, Start]


class Late(NullSink):
    """An outlet during whose work the time is up."""

    def put(self, prepare: Prepare) -> None:
        """Raise what the signal raises."""
        raise TimeIsUpError


def test_a_time_limit_that_meets_a_report_ends_the_job() -> None:
    """It comes once, and must not be suppressed as an error of reporting."""
    with diverted(lambda _session_id, _creation: Late()):
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


# Failures


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
    await shell.close(progress)
    assert progress.lost == 100
    assert 1 < sum(record.name == "progress_sse.client" for record in caplog.records) <= 20


async def test_a_refusal_is_raised_if_the_job_asked_for_errors(shell: Shell) -> None:
    """The next report raises it, once; the end of the block raises the last one."""
    progress = shell.progress.attach("a", transport=shell.transport(FakeTransport(refuse)), on_error="raise")
    progress.step(8).start()
    assert await shell.flush(progress, 20)
    with pytest.raises(ReportRefusedError) as caught:
        progress.step(9).start()
    assert (caught.value.status, caught.value.problem) == (422, "step-out-of-range")
    with pytest.raises(ReportError):
        await shell.close(progress)
    await shell.close(progress)


async def test_the_jobs_own_error_precedes_errors_of_reporting(shell: Shell) -> None:
    """This holds also where the job asked for errors."""
    fake = FakeTransport(refuse)
    progress = shell.progress.attach("a", transport=shell.transport(fake), on_error="raise")

    def work(progress: Reporter) -> None:
        with progress.step(8):
            fake_was_asked = threading.Event()
            while not progress.lost:
                fake_was_asked.wait(0.005)
            raise OopsError

    with pytest.raises(OopsError):
        await shell.run(work, progress)


async def test_a_job_that_asks_for_errors_gets_that_of_a_long_outage(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the block waits for the maximum outage, and then raises the error."""
    monkeypatch.setattr(sync, "MAX_OUTAGE_S", 0.05)
    monkeypatch.setattr(aio, "MAX_OUTAGE_S", 0.05)
    fake = FakeTransport()
    fake.may_answer.clear()
    progress = shell.progress.attach("a", transport=shell.transport(fake), on_error="raise")
    progress.step(1).start()
    await eventually(lambda: bool(fake.requests), 20)
    try:
        with pytest.raises(ServerAwayError):
            await shell.close(progress)
    finally:
        fake.may_answer.set()


async def test_a_block_with_unsent_reports_logs_that(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its wait is limited."""
    monkeypatch.setattr(sync, "FLUSH_S", 0.05)
    monkeypatch.setattr(aio, "FLUSH_S", 0.05)
    fake = FakeTransport()
    fake.may_answer.clear()
    progress = shell.progress.attach("a", transport=shell.transport(fake))
    try:
        await shell.run(lambda progress: progress.step(1).start(), progress)
    finally:
        fake.may_answer.set()
    assert "some reports on 'a' are not sent yet" in caplog.text


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


def test_sessions_of_one_process_take_turns() -> None:
    """A session with many reports does not block the others."""
    fake = FakeTransport()
    fake.may_answer.clear()
    both = [Progress.attach(session_id, transport=fake) for session_id in ("a", "b")]
    for progress in both:
        for step in (1, 2, 3):
            progress.step(step).start()
    fake.may_answer.set()
    assert all(progress.flush(20) for progress in both)
    # The first of `a` may have been on its way before `b` was known, and the turns begin after it.
    assert [request.session_id for request in fake.requests][-5:] in (
        ["b", "a", "b", "a", "b"],
        ["a", "b", "a", "b", "b"],
    )


async def test_memory_is_bounded_during_an_outage(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """The number of reports does not matter, and the job learns how many were dropped."""
    count, text_bytes = 10 * MAX_WAITING, 8192
    fake = FakeTransport()
    fake.may_answer.clear()
    progress = shell.progress.attach("a", transport=shell.transport(fake))
    tracemalloc.start()
    try:
        for number in range(count):
            progress.step(number).complete(f"{number:{text_bytes}}")
        used_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        fake.may_answer.set()
    assert used_bytes < 2 * MAX_WAITING * text_bytes
    assert await shell.flush(progress, 30)
    assert len(fake.requests) + progress.lost == count
    assert [record.getMessage() for record in caplog.records] == [
        "lost a report on 'a': more than 1000 reports wait: the oldest are being dropped"
    ]
    await shell.close(progress)


# HTTP


async def test_requests_are_what_the_server_expects(shell: Shell) -> None:
    """Each has the token, the idempotency key and the content type; the path follows the URL's."""
    async with FakeServer() as server:
        server.may_answer.set()
        progress = shell.progress("a b", url=f"{server.url}/jobs/", token="hush")
        await shell.run(lambda progress: progress.step(1).start(), progress)
        assert [seen.request for seen in server.seen] == [
            "PUT /jobs/api/progress/a%20b?replace=true HTTP/1.1",
            "POST /jobs/api/progress/a%20b/update HTTP/1.1",
        ]
        for seen in server.seen:
            assert seen.headers["authorization"] == "Bearer hush"
            assert seen.headers["content-type"] == "application/json"
        assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 2


@pytest.mark.parametrize("is_old", [False, True])
async def test_waiting_reports_go_in_one_request_where_the_server_takes_batches(shell: Shell, is_old: bool) -> None:
    """Otherwise they go one by one, each with the same idempotency key, and are applied once."""
    async with FakeServer(is_old=is_old) as server:
        progress = shell.progress.attach("a", url=server.url)
        for number in range(1, 11):
            progress.step(number).start()
        await asyncio.wait_for(server.came.wait(), 20)
        server.may_answer.set()
        assert await shell.flush(progress, 20)
        await shell.close(progress)
        bodies = [(seen, json.loads(seen.body)) for seen in server.seen]
        sent = [body.get("updates") or [{**body, "idempotency_key": seen.key}] for seen, body in bodies]
        taken = [updates for updates in sent if not is_old or len(updates) == 1]
        assert [each["step"] for updates in taken for each in updates] == list(range(1, 11))
        assert len({each["idempotency_key"] for updates in sent for each in updates}) == 10
        assert max(map(len, sent)) > 1
        assert is_old or len(sent) <= 2  # What was on its way before the first answer, and the rest.
        assert progress.lost == 0


async def test_no_report_waits_for_the_network(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """The server accepts and never answers; the job ends before the first answer."""
    caplog.set_level(logging.INFO)
    async with FakeServer() as server:
        progress = shell.progress("a", steps=["One"] * 20, url=server.url)

        def work() -> None:
            for number in range(1, 21):
                with progress.step(number) as step:
                    for _ in range(100):
                        step.advance()

        await asyncio.to_thread(work)
        progress.step(1).start()  # From the event loop, too.
        await asyncio.wait_for(server.came.wait(), 20)
        assert len(server.seen) == 1
        assert not await shell.flush(progress, 0)
        server.may_answer.set()
        assert await shell.flush(progress, 20)
        updates = [update for seen in server.seen for update in json.loads(seen.body).get("updates", ())]
        assert len(updates) >= 41
        await shell.close(progress)
    assert not [record for record in caplog.records if record.name == "httpx"], "the job's log is not ours to fill"


# Both alike


PAIRS = [(Progress, AsyncProgress), (Step, AsyncStep), (sync.SyncOptions, aio.AsyncOptions)]
ASYNC_NAMES = {"close": "aclose"}


def public_names(thing: type) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_both_have_the_same_names(one: type, other: type) -> None:
    """So the knowledge of one class applies to the other."""
    assert {ASYNC_NAMES.get(name, name) for name in public_names(one)} == public_names(other)


@pytest.mark.parametrize(("one", "other"), PAIRS[:2])
def test_both_take_the_same_arguments(one: type, other: type) -> None:
    """They are in the same order, with the same defaults."""
    for name in ["__init__", *public_names(one)]:
        method, counterpart = getattr(one, name), getattr(other, ASYNC_NAMES.get(name, name))
        if callable(method):
            parameters, others = inspect.signature(method).parameters, inspect.signature(counterpart).parameters
            assert list(parameters) == list(others), name
            defaults = [each.default for each in parameters.values()]
            assert defaults == [each.default for each in others.values()], name
