"""The reports of a job, from blocking code and from an event loop."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest

from progress_sse import AsyncProgress, Progress, StepDefinition
from progress_sse.client.aio import AsyncStep
from progress_sse.client.reporter import Reporter
from progress_sse.client.reports import MAX_TEXT_CHARS, Create
from progress_sse.client.testing import recording
from progress_sse.core.updates import Advance, Complete, Finish, ReportPart, Start
from tests.client.fake import FakeServer, FakeTransport
from tests.client.job_errors import MuteError, OopsError, TimeIsUpError
from tests.client.shells import Shell
from tests.harness.serving import eventually


def job(progress: Reporter) -> None:
    """Complete two steps, and fail at the third."""
    with progress.step(1):
        pass
    with progress.step(2, message="8,000 rows", timeout_ms=5000) as step:
        step.report(3, 8)
        step.advance(2)
        step.advance(message="nearly")
    with progress.step(3):
        raise OopsError("disk full")


REPORTS = [
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
    Finish(success=False, error="OopsError: disk full"),
]


async def test_a_job_reports_its_steps(shell: Shell) -> None:
    """It reports the start and completion of each step, its progress, and the error, which still propagates."""
    with recording() as recorder:
        progress = shell.progress("a", steps=["Download", StepDefinition("Parse", 1000, 500), "Save"])
        with pytest.raises(OopsError):
            await shell.run(job, progress)
    assert recorder.of("a") == REPORTS


async def test_a_transport_gets_the_same_reports(shell: Shell) -> None:
    """Advances that a later report has made useless may be missing."""
    fake = FakeTransport()
    progress = shell.progress(
        "a", steps=["Download", StepDefinition("Parse", 1000, 500), "Save"], transport=shell.transport(fake)
    )
    with pytest.raises(OopsError):
        await shell.run(job, progress)
    assert [report for report in fake.reports if not isinstance(report, Advance)] == [
        report for report in REPORTS if not isinstance(report, Advance)
    ]
    assert {report for report in fake.reports if isinstance(report, Advance)} <= set(REPORTS)
    assert max(Counter(request.key for request in fake.requests).values()) == 1


async def test_attach_continues_the_session(shell: Shell) -> None:
    """No session is created or replaced; a thread may be the first to report."""
    fake, progress = shell.attached()
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
    ("total", "counts"), [(None, [(0, 3), (1, 3), (2, 3), (3, 3)]), (2, [(0, 2), (1, 2), (2, 2), (3, None)])]
)
async def test_tracking_counts_finished_items(
    shell: Shell, total: int | None, counts: list[tuple[int, int | None]]
) -> None:
    """A total that is exceeded becomes unknown: the server refuses a count above the total."""
    with recording() as recorder:
        step = shell.progress.attach("a").step(1)
        assert await shell.track(step, [10, 20, 30], total) == [10, 20, 30]
    assert recorder.of("a") == [Start(1), *(Advance(1, *each) for each in counts), Complete(1)]


async def test_an_iterable_without_a_length_is_tracked_without_a_total(shell: Shell) -> None:
    """This includes a length that raises an exception."""

    class Query(list[int]):
        def __len__(self) -> int:
            raise RuntimeError

    with recording() as recorder:
        items: Iterator[int] = iter([1])
        assert await shell.track(shell.progress.attach("a").step(1), items) == [1]  # type: ignore[arg-type]
        assert [item async for item in AsyncStep(AsyncProgress.attach("b"), 1).track(Query([1]))] == [1]
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
    """It also leaves the block."""
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
    """Be interrupted while the block waits for unsent reports."""
    async with progress, progress.step(1):
        pass


async def wait_after_an_error(progress: AsyncProgress) -> None:
    """Be interrupted while the block of a failed job waits."""
    async with progress, progress.step(1):
        raise OopsError


@pytest.mark.guarantee(52)
@pytest.mark.parametrize("work", [wait_in_a_step, wait_at_the_end, wait_after_an_error])
@pytest.mark.parametrize("on_error", ["warn", "raise"])
async def test_a_time_limit_ends_the_block(work: Callable[[AsyncProgress], Awaitable[None]], on_error: Any) -> None:
    """It ends at once, though the server does not answer; the thread sends the other reports."""

    async def limited(progress: AsyncProgress) -> None:
        async with asyncio.timeout(0.1):
            await work(progress)

    async with FakeServer() as server:
        progress = AsyncProgress("a", steps=["One"], url=server.url, on_error=on_error, flush_timeout_s=3600)
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
        (MuteError(), "MuteError"),
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
    [report] = recorder.of("a")
    assert isinstance(report, Complete)
    assert (len(report.message), report.message[-2:]) == (MAX_TEXT_CHARS, "x…")


async def test_integers_of_other_types_are_accepted(shell: Shell) -> None:
    """They are converted, as JSON does not accept them."""

    class Integer:
        def __index__(self) -> int:
            return 7

    with recording() as recorder:
        count: Any = Integer()
        shell.progress.attach("a").step(count, timeout_ms=count).report(count, count)
    assert recorder.of("a") == [Advance(7, 7, 7)]


class ForeignText(str):
    """A text of a library, which cannot be compared everywhere."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise OopsError

    __hash__ = str.__hash__


class Thing:
    """An object whose text is of a class of its own."""

    def __str__(self) -> str:
        return ForeignText("Parse")


def test_texts_of_other_types_are_read_at_once() -> None:
    """The thread that sends, and the end of a block, meet no object of the job."""
    name, thing = ForeignText("Parse"), cast("str", Thing())
    with recording() as recorder, Progress("a", steps=[name]) as progress, progress.step(name) as step:
        step.report(1, message=thing)
        step.part(name).complete()
    plain = [Create((StepDefinition("Parse"),)), Start("Parse"), Advance("Parse", 1, None, "Parse")]
    assert recorder.of("a")[:3] == plain
    assert recorder.of("a")[3:] == [ReportPart("Parse", "Parse", "success"), Complete("Parse", message="Parse")]
